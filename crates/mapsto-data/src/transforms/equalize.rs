//! `Equalize`: makes the levels of a picture equally frequent, or not.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{each_picture, equalize};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Spreads the 256 levels of each channel so that all of them become about equally frequent (histogram equalisation), with
/// probability `p`. Numbers between levels are rounded to the nearest; pictures of less than 256 pixels stay as they are.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `RandomEqualize`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let dark = Tensor::arange(0..1024).reshape([1, 32, 32]).to(DType::F32) / 4096.0;
/// assert!(Equalize::new(1.0).apply(dark, key).max(..).item() > 0.99);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Equalize {
    p: f64,
}

impl Equalize {
    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    pub fn new(p: f64) -> Equalize {
        Equalize { p: Bounds::UP_TO_1.check("equalize", "probability", p) }
    }
}

impl Transform for Equalize {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            if random.bernoulli(self.p) {
                equalize(picture);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "equalize",
    "Makes the levels of each channel of a picture equally frequent with the given probability.",
    |args, ()| Ok(Box::new(Equalize::new(Bounds::UP_TO_1.main(args, "probability", 0.5)?))),
)
.options(&[("", "the probability")]);

#[test]
fn dark_pictures_reach_the_whole_range() {
    let key = SampleKey { seed: 4, epoch: 0, sample: 0, place: 0 };
    let x = Tensor::from_vec((0..600).map(|i| (i % 30) as f32 / 255.0).collect::<Vec<f32>>(), [1, 20, 30]);
    let y = Equalize::new(1.0).apply(x.clone(), key).to_vec::<f32>();
    let most = y.iter().copied().fold(0.0, f32::max);
    assert!(y[0] == 0.0 && most > 0.9, "{most}");
    assert_eq!(Equalize::new(0.0).apply(x.clone(), key).to_vec::<f32>(), x.to_vec::<f32>());
}
