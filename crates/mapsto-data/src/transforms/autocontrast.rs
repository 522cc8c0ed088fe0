//! `Autocontrast`: stretches the channels of a picture to the whole range, or not.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{autocontrast, each_picture};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Stretches each channel of a picture so that its least number becomes 0 and its largest 1, with probability `p`. A channel that
/// is all alike stays as it is.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `RandomAutocontrast`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = Autocontrast::new(1.0).apply(tensor![[[0.2, 0.4, 0.6]]], key);
/// assert_close!(y, [[[0.0, 0.5, 1.0]]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Autocontrast {
    p: f64,
}

impl Autocontrast {
    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    pub fn new(p: f64) -> Autocontrast {
        Autocontrast { p: Bounds::UP_TO_1.check("autocontrast", "probability", p) }
    }
}

impl Transform for Autocontrast {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            if random.bernoulli(self.p) {
                autocontrast(picture);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "autocontrast",
    "Stretches each channel of a picture to 0 ..= 1 with the given probability.",
    |args, ()| Ok(Box::new(Autocontrast::new(Bounds::UP_TO_1.main(args, "probability", 0.5)?))),
)
.options(&[("", "the probability")]);

#[test]
fn channels_are_stretched_on_their_own() {
    let key = SampleKey { seed: 4, epoch: 0, sample: 0, place: 0 };
    let x = Tensor::from_vec(vec![0.25_f32, 0.75, 0.5, 0.5], [2, 1, 2]);
    let y = Autocontrast::new(1.0).apply(x.clone(), key).to_vec::<f32>();
    assert_eq!(y, [0.0, 1.0, 0.5, 0.5]);
    assert_eq!(Autocontrast::new(0.0).apply(x.clone(), key).to_vec::<f32>(), x.to_vec::<f32>());
}
