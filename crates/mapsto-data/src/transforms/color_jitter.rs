//! `ColorJitter`: varies brightness, contrast, saturation and hue of a picture.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{brightness, contrast, each_picture, hue, saturation};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Varies the colours of a picture: brightness, contrast and saturation by factors uniform in `max(0, 1 − s) .. 1 + s`, the hue by turns
/// uniform in `−h .. h`, all four in a random order. Hue and saturation leave pictures of one channel as they are.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1; the hue in turns, of which ½ is the opposite colour.
/// * torchvision: `ColorJitter`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let jitter = ColorJitter::new().brightness(0.4).contrast(0.4).saturation(0.4).hue(0.1);
/// let y = jitter.apply(Tensor::full([3, 2, 2], 0.5), key);
/// assert!(y.min(..).item() >= 0.0 && y.max(..).item() <= 1.0 && y.mean(..).item() != 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ColorJitter {
    brightness: f64,
    contrast: f64,
    saturation: f64,
    hue: f64,
}

/// The hue goes round: half a turn either way is all of it.
const HALF: Bounds = Bounds::UP_TO_HALF;

impl ColorJitter {
    /// Without any change.
    pub fn new() -> ColorJitter {
        ColorJitter::default()
    }

    /// How far the factor of the brightness is from 1.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn brightness(self, by: f64) -> ColorJitter {
        ColorJitter { brightness: Bounds::AT_LEAST_0.check(KIND.name, "brightness", by), ..self }
    }

    /// How far the factor of the contrast is from 1.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn contrast(self, by: f64) -> ColorJitter {
        ColorJitter { contrast: Bounds::AT_LEAST_0.check(KIND.name, "contrast", by), ..self }
    }

    /// How far the factor of the saturation is from 1.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn saturation(self, by: f64) -> ColorJitter {
        ColorJitter { saturation: Bounds::AT_LEAST_0.check(KIND.name, "saturation", by), ..self }
    }

    /// How far the hue turns, either way.
    ///
    /// # Panics
    /// When it is not in 0 ..= ½.
    #[track_caller]
    #[must_use]
    pub fn hue(self, turns: f64) -> ColorJitter {
        ColorJitter { hue: HALF.check(KIND.name, "hue", turns), ..self }
    }
}

impl Transform for ColorJitter {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            let factors = [self.brightness, self.contrast, self.saturation]
                .map(|by| random.uniform((1.0 - by).max(0.0), 1.0 + by));
            let turns = random.uniform(-self.hue, self.hue);
            for which in random.permutation(4) {
                match which {
                    0 if self.brightness > 0.0 => brightness(picture, factors[0]),
                    1 if self.contrast > 0.0 => contrast(picture, factors[1]),
                    2 if self.saturation > 0.0 => saturation(picture, factors[2]),
                    3 if self.hue > 0.0 => hue(picture, turns),
                    _ => {}
                }
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        let ColorJitter { brightness, contrast, saturation, hue } = *self;
        let entry =
            Entry::new(KIND.name).with_option("brightness", brightness).with_option("contrast", contrast);
        Some(entry.with_option("saturation", saturation).with_option("hue", hue))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "color_jitter",
    "Varies brightness, contrast, saturation and hue of a picture, in a random order.",
    |args, ()| {
        let mut by = |name| Bounds::AT_LEAST_0.option(args, name, 0.0);
        let (b, c, s) = (by("brightness")?, by("contrast")?, by("saturation")?);
        let hue = HALF.option(args, "hue", 0.0)?;
        Ok(Box::new(ColorJitter::new().brightness(b).contrast(c).saturation(s).hue(hue)))
    },
)
.options(&[
    ("brightness", "how far the factor of the brightness is from 1, at most"),
    ("contrast", "how far the factor of the contrast is from 1, at most"),
    ("saturation", "how far the factor of the saturation is from 1, at most"),
    ("hue", "how far the hue turns either way, at most, in turns"),
]);

#[test]
fn factors_reach_as_far_as_they_may() {
    let of = |jitter: ColorJitter, sample| {
        let key = SampleKey { seed: 2, epoch: 1, sample, place: 0 };
        let x = Tensor::from_vec(vec![0.4_f32, 0.2, 0.1], [3, 1, 1]);
        jitter.apply(x, key).to_vec::<f32>()
    };
    let bright: Vec<f32> = (0..300).map(|i| of(ColorJitter::new().brightness(0.5), i)[0] / 0.4).collect();
    let (least, most) = bright.iter().fold((9.0_f32, 0.0_f32), |(a, b), &v| (a.min(v), b.max(v)));
    assert!((0.5..0.52).contains(&least) && (1.48..1.501).contains(&most), "{least} {most}");
    // A hue of half a turn makes red green or blue now and then; its largest and least channel stay.
    let turned = of(ColorJitter::new().hue(0.5), 3);
    let range = turned.iter().fold((9.0_f32, 0.0_f32), |(a, b), &v| (a.min(v), b.max(v)));
    assert!((range.0 - 0.1).abs() < 1e-6 && (range.1 - 0.4).abs() < 1e-6 && turned[0] != 0.4, "{turned:?}");
}
