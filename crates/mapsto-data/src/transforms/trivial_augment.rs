//! `TrivialAugment`: one random change of a picture, of random strength.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::augment::{Reach, change};
use crate::retouch::each_picture;
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// Makes one change of a picture, drawn from those of [`RandAugment`](crate::RandAugment), of a strength that is drawn too and reaches
/// further (the wide space of the paper). There is nothing to be tuned.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `TrivialAugmentWide`.
///
/// Source: Müller and Hutter (2021), arXiv:2103.10158.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = TrivialAugment::new().apply(Tensor::full([3, 32, 32], 0.5), key);
/// assert_eq!(y.shape(), [3, 32, 32]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TrivialAugment;

/// Steps of the strength.
const STEPS: usize = 31;

const REACH: Reach =
    Reach { shear: 0.99, translate: |_| [32.0, 32.0], degrees: 135.0, color: 0.99, bits: 6.0 };

impl TrivialAugment {
    /// There is nothing to be set.
    pub fn new() -> TrivialAugment {
        TrivialAugment
    }
}

impl Transform for TrivialAugment {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let strength =
            |random: &mut mapsto_tensor::random::Keyed| random.below(STEPS) as f64 / (STEPS - 1) as f64;
        each_picture(KIND.name, x, keys, |random, picture| change(picture, &REACH, strength, random))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "trivial_augment",
    "Makes one random change of a picture, of random strength.",
    |_, ()| Ok(Box::new(TrivialAugment)),
);

#[test]
fn pictures_are_changed_in_many_ways() {
    let x = Tensor::from_vec(
        (0..3 * 64).map(|i| ((i * 37) % 101) as f32 / 255.0).collect::<Vec<f32>>(),
        [3, 8, 8],
    );
    let of = |sample| {
        let key = SampleKey { seed: 1, epoch: 0, sample, place: 0 };
        TrivialAugment::new()
            .apply(x.clone(), key)
            .to_vec::<f32>()
            .iter()
            .map(|v| v.to_bits())
            .collect::<Vec<u32>>()
    };
    let kinds: std::collections::BTreeSet<Vec<u32>> = (0..300).map(of).collect();
    assert!(kinds.len() > 80, "{}", kinds.len());
}
