//! `RandAugment`: a few random changes of a picture, all equally strong.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::augment::{Reach, change};
use crate::retouch::each_picture;
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Makes `n` changes of a picture, each drawn from fourteen: none, shearing and moving along either axis, turning, brightness,
/// saturation, contrast, sharpness, posterizing, solarizing, stretching and equalizing its levels. How far they go is the same for all:
/// `magnitude` of 0 to 30.
///
/// Pixels that come from outside are 0; a picture that is sheared, moved or turned has the nearest of its own pixels everywhere.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1.   * torchvision: `RandAugment`.
///
/// Source: Cubuk, Zoph, Shlens, Le (2019), arXiv:1909.13719.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = RandAugment::new(2, 9).apply(Tensor::full([3, 32, 32], 0.5), key);
/// assert_eq!(y.shape(), [3, 32, 32]);
/// assert!(y.min(..).item() >= 0.0 && y.max(..).item() <= 1.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandAugment {
    n: usize,
    magnitude: usize,
}

const MOST: usize = 30;

const REACH: Reach = Reach {
    shear: 0.3,
    translate: |size| size.map(|n| 150.0 / 331.0 * n as f64),
    degrees: 30.0,
    color: 0.9,
    bits: 4.0,
};

impl RandAugment {
    /// `n` changes of `magnitude`; torchvision's are 2 and 9.
    ///
    /// # Panics
    /// When `magnitude` is above 30.
    #[track_caller]
    pub fn new(n: usize, magnitude: usize) -> RandAugment {
        if let Some(wrong) = complaint(n, magnitude) {
            fail!("rand_augment", "{wrong}");
        }
        RandAugment { n, magnitude }
    }
}

fn complaint(n: usize, magnitude: usize) -> Option<String> {
    if n > 100 {
        return Some(format!("rand_augment makes at most 100 changes, got {n}"));
    }
    (magnitude > MOST).then(|| format!("rand_augment has magnitudes of 0 to {MOST}, got {magnitude}"))
}

impl Transform for RandAugment {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let magnitude = self.magnitude as f64 / MOST as f64;
        each_picture(KIND.name, x, keys, |random, picture| {
            (0..self.n).for_each(|_| change(picture, &REACH, |_| magnitude, random));
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.n).with_option("magnitude", self.magnitude))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "rand_augment",
    "Makes a few random changes of a picture, all of one magnitude.",
    |args, ()| {
        let (n, magnitude) = (args.main_or(2_usize)?, args.get_or("magnitude", 9_usize)?);
        if let Some(wrong) = complaint(n, 0) {
            return Err(args.error("", wrong));
        }
        match complaint(n, magnitude) {
            Some(wrong) => Err(args.error("magnitude", wrong)),
            None => Ok(Box::new(RandAugment::new(n, magnitude))),
        }
    },
)
.options(&[("", "how many changes are made"), ("magnitude", "how far they go, 0 to 30")]);

#[test]
fn every_change_is_made_and_none_leaves_the_range() {
    use crate::retouch::Picture;
    use crate::retouch::augment::CHANGES;
    let from: Vec<f32> = (0..3 * 20 * 24).map(|i| ((i * 37) % 256) as f32 / 255.0).collect();
    for (at, change) in CHANGES.into_iter().enumerate() {
        for (m, sign) in [(0.3, 1.0), (1.0, 1.0), (1.0, -1.0)] {
            let mut pixels = from.clone();
            change(&mut Picture { pixels: &mut pixels, channels: 3, size: [20, 24] }, &REACH, m, sign);
            assert!(pixels.iter().all(|v| (0.0..=1.0).contains(v)), "{at}");
            // The first is none, and nothing can be stretched: these pictures have all levels already.
            let is_same = [0, 12].contains(&at);
            assert_eq!(pixels == from, is_same, "{at} {m}");
        }
    }
}
