//! `Cutmix`: a rectangle of each picture is that of another one, and so is a share of its target.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::image_size;
use crate::preprocess::floats;
use crate::{Sample, mixing};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Result, Tensor};

/// Puts a rectangle of the picture before each of a batch into it, the same one for all, and mixes targets by its area:
/// `y ← λ y + (1 − λ) y'`. The rectangle covers `1 − λ` of a picture, `λ ~ Beta(α, α)`, about a middle that is anywhere; what reaches
/// beyond the edges is lost, and `λ` is the share that is left. Class ids become probabilities, `[n, classes]`, so the loss must take
/// these, as `cross_entropy` does.
///
/// * Shape: `x: [n, .., h, w] → [n, .., h, w]`, `y: [n] → [n, classes]`, or floats of any shape.   * torchvision: `v2.CutMix`.
///
/// Source: Yun, Han, Oh, Chun, Choe, Yoo (2019), arXiv:1905.04899.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let pictures = Tensor::cat(&[Tensor::zeros([1, 1, 8, 8]), Tensor::ones([1, 1, 8, 8])], 0);
/// let set = InMemory::new(pictures, tensor![0, 1]);
/// let batch = set.batches(2).transform(Cutmix::new(1.0)).epoch(0).next().unwrap()?;
/// let ones = batch.x.select(0, 0).mean(..).item();
/// assert!((ones - batch.y.select(0, 0).select(0, 1).item()).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cutmix {
    alpha: f64,
}

impl Cutmix {
    /// With `λ ~ Beta(alpha, alpha)`: at 1 every size is equally likely; nothing is put in at 0.
    ///
    /// # Panics
    /// When `alpha` is negative or not finite.
    #[track_caller]
    pub fn new(alpha: f64) -> Cutmix {
        Cutmix { alpha: Bounds::AT_LEAST_0.check(KIND.name, "alpha", alpha) }
    }
}

/// The rows and columns that are put in.
fn place([h, w]: [usize; 2], share: f64, random: &mut Keyed) -> [std::ops::Range<usize>; 2] {
    let half = 0.5 * (1.0 - share).sqrt();
    [w, h].map(|n| {
        let (middle, half) = (random.below(n.max(1)), (half * n as f64) as usize);
        middle.saturating_sub(half)..(middle + half).min(n)
    })
}

/// Puts the rectangle of the picture before each into it.
fn pasted(x: Tensor, [h, w]: [usize; 2], [rows, columns]: [std::ops::Range<usize>; 2]) -> Tensor {
    let mut x = floats(x);
    let (n, each) = (x.shape()[0], x.len() / x.shape()[0]);
    if each == 0 || rows.is_empty() || columns.is_empty() {
        return x;
    }
    let from = x.to_vec::<f32>();
    let all = x.as_mut_slice::<f32>();
    for i in 0..n {
        let before = (i + n - 1) % n;
        for plane in (0..each).step_by(h * w) {
            for row in rows.clone() {
                let at = plane + row * w;
                let part = at + columns.start..at + columns.end;
                all[i * each..][part.clone()].copy_from_slice(&from[before * each..][part]);
            }
        }
    }
    x
}

impl Transform for Cutmix {
    fn name(&self) -> &str {
        KIND.name
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.alpha))
    }

    /// A single picture has no other to take a part of.
    fn apply(&self, x: Tensor, _: SampleKey) -> Tensor {
        x
    }

    fn mixes(&self) -> bool {
        true
    }

    fn apply_to(&self, batch: Sample, keys: &[SampleKey], classes: usize) -> Result<Sample> {
        let y = batch.y.clone();
        mixing::mixed(batch, keys, self.alpha, |x, share, random| {
            let size = image_size(KIND.name, &x);
            let [columns, rows] = place(size, share, random);
            let area = rows.len() * columns.len();
            let left = 1.0 - area as f64 / (size[0] * size[1]).max(1) as f64;
            let x = if area == 0 { x } else { pasted(x, size, [rows, columns]) };
            Ok((x, mixing::targets(KIND.name, y, classes, left)?))
        })
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "cutmix",
    "Puts a rectangle of another picture into each, and mixes targets by its area.",
    |args, ()| Ok(Box::new(Cutmix::new(mixing::alpha(args, 1.0)?))),
)
.options(&[("", "the α of the share, Beta(α, α)")]);

#[test]
fn targets_are_mixed_by_the_area() {
    let classes = 3;
    let x = Tensor::from_vec((0..3 * 2 * 30).map(|i| (i / 60) as f32).collect::<Vec<f32>>(), [3, 2, 5, 6]);
    let mut areas = std::collections::BTreeSet::new();
    for epoch in 0..60 {
        let keys: Vec<SampleKey> =
            (0..3).map(|sample| SampleKey { seed: 1, epoch, sample, place: 0 }).collect();
        let batch = Sample { x: x.clone(), y: Tensor::from_slice(&[0_i64, 1, 2], 3) };
        let Sample { x, y } = Cutmix::new(1.0).apply_to(batch, &keys, classes).unwrap();
        let (x, y) = (x.to_vec::<f32>(), y.to_vec::<f32>());
        for i in 0..3 {
            let own = x[i * 60..(i + 1) * 60].iter().filter(|v| **v == i as f32).count() as f32 / 60.0;
            let of = &y[i * 3..(i + 1) * 3];
            assert!(
                (of[i] - own).abs() < 1e-6 && (of[(i + 2) % 3] - (1.0 - own)).abs() < 1e-6,
                "{of:?} {own}"
            );
            areas.insert((own * 30.0).round() as i32);
        }
    }
    assert!(areas.len() > 5, "{areas:?}");
}
