//! `Solarize`: inverts the bright pixels of a picture, or not.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{each_picture, solarize};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Inverts the numbers that are at least `threshold`, `y = 1 − x`, with probability `p`: a film that saw too much light.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `RandomSolarize`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = Solarize::new(0.5).probability(1.0).apply(tensor![[[0.25, 0.5, 0.75]]], key);
/// assert_close!(y, [[[0.25, 0.5, 0.25]]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Solarize {
    threshold: f64,
    p: f64,
}

impl Solarize {
    /// Inverts what is at least `threshold`, every second time.
    ///
    /// # Panics
    /// When it is not in 0 ..= 1.
    #[track_caller]
    pub fn new(threshold: f64) -> Solarize {
        Solarize { threshold: Bounds::UP_TO_1.check(KIND.name, "threshold", threshold), p: 0.5 }
    }

    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    #[must_use]
    pub fn probability(self, p: f64) -> Solarize {
        Solarize { p: Bounds::UP_TO_1.check(KIND.name, "probability", p), ..self }
    }
}

impl Transform for Solarize {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            if random.bernoulli(self.p) {
                solarize(picture, self.threshold);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.threshold).with_option("probability", self.p))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "solarize",
    "Inverts the numbers of a picture that are at least the given threshold.",
    |args, ()| {
        let threshold = Bounds::UP_TO_1.main(args, "threshold", 0.5)?;
        let p = Bounds::UP_TO_1.option(args, "probability", 0.5)?;
        Ok(Box::new(Solarize::new(threshold).probability(p)))
    },
)
.options(&[("", "the threshold"), ("probability", "how often it happens")]);

#[test]
fn what_is_bright_is_inverted_every_second_time() {
    let x = Tensor::from_vec(vec![0.1_f32, 0.9], [1, 1, 2]);
    let of = |sample| {
        let key = SampleKey { seed: 1, epoch: 0, sample, place: 0 };
        Solarize::new(0.5).apply(x.clone(), key).to_vec::<f32>()
    };
    let inverted = (0..400).filter(|&i| (of(i)[1] - 0.1).abs() < 1e-6).count();
    assert!((160..240).contains(&inverted) && (0..400).all(|i| of(i)[0] == 0.1), "{inverted}");
}
