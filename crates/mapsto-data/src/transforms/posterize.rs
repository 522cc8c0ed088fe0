//! `Posterize`: keeps the highest bits of a picture's numbers, or all.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{each_picture, posterize};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// Keeps the highest `bits` of the eight of each number, with probability `p`: fewer levels, hard edges between them. Numbers between the
/// 256 levels are rounded to the nearest first.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `RandomPosterize`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = Posterize::new(1).probability(1.0).apply(tensor![[[0.3, 0.49, 0.7]]], key);
/// assert_close!(y, [[[0.0, 0.0, 128.0 / 255.0]]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Posterize {
    bits: usize,
    p: f64,
}

impl Posterize {
    /// Keeps this many bits, every second time.
    ///
    /// # Panics
    /// When it is not 1 to 8.
    #[track_caller]
    pub fn new(bits: usize) -> Posterize {
        if let Some(wrong) = complaint(bits) {
            fail!("posterize", "{wrong}");
        }
        Posterize { bits, p: 0.5 }
    }

    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    #[must_use]
    pub fn probability(self, p: f64) -> Posterize {
        Posterize { p: Bounds::UP_TO_1.check(KIND.name, "probability", p), ..self }
    }
}

fn complaint(bits: usize) -> Option<String> {
    (!(1..=8).contains(&bits)).then(|| format!("posterize keeps 1 to 8 bits, got {bits}"))
}

impl Transform for Posterize {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            if random.bernoulli(self.p) {
                posterize(picture, self.bits as u32);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.bits).with_option("probability", self.p))
    }
}

pub(super) const KIND: TransformKind =
    TransformKind::new("posterize", "Keeps the given number of a picture's eight bits.", |args, ()| {
        let bits = args.main()?;
        if let Some(wrong) = complaint(bits) {
            return Err(args.error("", wrong));
        }
        let p = Bounds::UP_TO_1.option(args, "probability", 0.5)?;
        Ok(Box::new(Posterize::new(bits).probability(p)))
    })
    .options(&[("", "the bits that are kept, 1 to 8"), ("probability", "how often it happens")])
    .example(|| Entry::new("posterize").with_value(4_usize));

#[test]
fn as_many_levels_are_left_as_bits_tell() {
    let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
    let x = Tensor::from_vec((0..256).map(|v| v as f32 / 255.0).collect::<Vec<f32>>(), [1, 16, 16]);
    for bits in 1..=8 {
        let y = Posterize::new(bits).probability(1.0).apply(x.clone(), key).to_vec::<f32>();
        let levels: std::collections::BTreeSet<u32> = y.iter().map(|v| v.to_bits()).collect();
        assert_eq!(levels.len(), 1 << bits);
    }
}
