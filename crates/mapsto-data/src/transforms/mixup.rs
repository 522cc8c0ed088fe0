//! `Mixup`: samples and their targets are blended with those of another one.

use super::{SampleKey, Transform, TransformKind};
use crate::preprocess::floats;
use crate::{Sample, mixing};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Blends each sample of a batch, and its target, with the one before it: `x ← λ x + (1 − λ) x'`, `y ← λ y + (1 − λ) y'`, with one
/// `λ ~ Beta(α, α)` a batch. Class ids become probabilities, `[n, classes]`, so the loss must take these, as `cross_entropy` does.
///
/// Shuffle the set: samples are mixed with their neighbours.
///
/// * Shape: `x: [n, ..] → [n, ..]`, `y: [n] → [n, classes]`, or floats of any shape.   * torchvision: `v2.MixUp`.
///
/// Source: Zhang, Cisse, Dauphin, Lopez-Paz (2017), arXiv:1710.09412.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let set = InMemory::new(tensor![[0.0], [1.0]], tensor![0, 1]);
/// let batch = set.batches(2).transform(Mixup::new(1.0)).epoch(0).next().unwrap()?;
/// assert_eq!(batch.y.shape(), [2, 2]);
/// assert_close!(batch.x.squeeze(1), batch.y.select(1, 1)); // as much of the second as its target says
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mixup {
    alpha: f64,
}

impl Mixup {
    /// With `λ ~ Beta(alpha, alpha)`: the smaller, the less is blended; nothing at 0.
    ///
    /// # Panics
    /// When `alpha` is negative or not finite.
    #[track_caller]
    pub fn new(alpha: f64) -> Mixup {
        Mixup { alpha: Bounds::AT_LEAST_0.check(KIND.name, "alpha", alpha) }
    }
}

/// Blends each sample with the one before it.
fn blended(x: Tensor, share: f64) -> Tensor {
    if share == 1.0 {
        return x;
    }
    let x = floats(x);
    &x * share + mixing::roll(&x) * (1.0 - share)
}

impl Transform for Mixup {
    fn name(&self) -> &str {
        KIND.name
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.alpha))
    }

    /// A single sample has no other to be blended with.
    fn apply(&self, x: Tensor, _: SampleKey) -> Tensor {
        x
    }

    fn mixes(&self) -> bool {
        true
    }

    fn apply_to(&self, batch: Sample, keys: &[SampleKey], classes: usize) -> Result<Sample> {
        let y = batch.y.clone();
        mixing::mixed(batch, keys, self.alpha, |x, share, _| {
            Ok((blended(x, share), mixing::targets(KIND.name, y, classes, share)?))
        })
    }
}

pub(super) const KIND: TransformKind =
    TransformKind::new("mixup", "Blends samples, and their targets, with one another.", |args, ()| {
        Ok(Box::new(Mixup::new(mixing::alpha(args, 0.2)?)))
    })
    .options(&[("", "the α of the share, Beta(α, α)")]);

/// `torchvision.transforms.v2.MixUp` with `lam = 0.3`: `x.roll(1, 0) * 0.7 + x * 0.3`, and targets alike.
#[test]
fn samples_are_blended_with_those_before_them() {
    let x = Tensor::from_vec(vec![1.0_f32, 2.0, 4.0], [3, 1]);
    let y = blended(x, 0.3).to_vec::<f32>();
    let want = [0.3 + 0.7 * 4.0, 0.6 + 0.7, 1.2 + 1.4];
    assert!(y.iter().zip(want).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{y:?}");
    let targets =
        mixing::targets("mixup", Tensor::from_slice(&[2_i64, 0, 1], 3), 3, 0.3).unwrap().to_vec::<f32>();
    assert_eq!(targets, [0.0, 0.7, 0.3, 0.3, 0.0, 0.7, 0.7, 0.3, 0.0]);
    let e = mixing::targets("mixup", Tensor::from_slice(&[2_i64, 0, 1], 3), 0, 0.3).unwrap_err();
    assert!(e.message().contains("no classes that could be mixed"), "{e}");
}
