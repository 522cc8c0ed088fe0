//! `Grayscale`: takes the colours out of a picture, or not.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{each_picture, grayscale};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Makes a picture gray with probability `p`: each of its three channels becomes `0.2989 r + 0.587 g + 0.114 b`. Pictures of one
/// channel stay as they are.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `RandomGrayscale`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let red = tensor![[[1.0]], [[0.0]], [[0.0]]];
/// assert_close!(Grayscale::new(1.0).apply(red, key), [[[0.2989]], [[0.2989]], [[0.2989]]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Grayscale {
    p: f64,
}

impl Grayscale {
    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    pub fn new(p: f64) -> Grayscale {
        Grayscale { p: Bounds::UP_TO_1.check("grayscale", "probability", p) }
    }
}

impl Transform for Grayscale {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            if random.bernoulli(self.p) {
                grayscale(picture);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "grayscale",
    "Takes the colours out of a picture with the given probability.",
    |args, ()| Ok(Box::new(Grayscale::new(Bounds::UP_TO_1.main(args, "probability", 0.1)?))),
)
.options(&[("", "the probability")]);

#[test]
fn some_pictures_are_gray_and_the_others_as_they_were() {
    let x = Tensor::from_vec(vec![0.1_f32, 0.5, 0.9], [3, 1, 1]);
    let of = |sample| {
        let key = SampleKey { seed: 4, epoch: 0, sample, place: 0 };
        Grayscale::new(0.3).apply(x.clone(), key).to_vec::<f32>()
    };
    let gray = (0..500).filter(|&i| of(i)[0] == of(i)[1]).count();
    assert!((110..190).contains(&gray), "{gray}");
    assert!((0..50).all(|i| of(i)[0] == of(i)[2] || of(i) == [0.1, 0.5, 0.9]));
}
