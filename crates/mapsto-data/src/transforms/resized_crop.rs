//! `ResizedCrop`: a random part of a picture, brought to one size.

use super::random_erasing::{range, range_complaint};
use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use crate::preprocess::{Resampler, complaint};
use mapsto_spec::Entry;
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Tensor, fail};

/// Cuts a random part out of a picture and brings it to one size: its share of the area is uniform in `area`, the logarithm of its width by
/// its height in that of `ratio`. Where ten tries fit nowhere, the largest part of a fitting ratio is taken from the middle.
///
/// * Shape: `[.., h, w] → [.., size]`.   * Units: shares of the area.   * torchvision: `RandomResizedCrop`.
///
/// Source: Szegedy and others (2014), arXiv:1409.4842.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = ResizedCrop::new([8, 8]).apply(Tensor::full([3, 20, 30], 0.5), key);
/// assert_eq!(y.shape(), [3, 8, 8]);
/// assert_close!(y, Tensor::full([3, 8, 8], 0.5));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResizedCrop {
    size: [usize; 2],
    area: [f64; 2],
    ratio: [f64; 2],
}

const AREA: [f64; 2] = [0.08, 1.0];
const RATIO: [f64; 2] = [0.75, 4.0 / 3.0];

impl ResizedCrop {
    /// To `[height, width]`, from an area of 0.08 ..= 1 and a ratio of ¾ ..= 4/3.
    ///
    /// # Panics
    /// When `size` has no pixels, or a side above 65,535.
    #[track_caller]
    pub fn new(size: [usize; 2]) -> ResizedCrop {
        if let Some(wrong) = complaint(size) {
            fail!("resized_crop", "{wrong}");
        }
        ResizedCrop { size, area: AREA, ratio: RATIO }
    }

    /// The least and the largest share of the area.
    ///
    /// # Panics
    /// When they are not above 0 and at most 1, or the first is larger.
    #[track_caller]
    #[must_use]
    pub fn area(self, area: [f64; 2]) -> ResizedCrop {
        if let Some(wrong) = range_complaint("area", area, 1.0) {
            fail!("resized_crop", "{wrong}");
        }
        ResizedCrop { area, ..self }
    }

    /// The least and the largest ratio of width to height.
    ///
    /// # Panics
    /// When they are not above 0, or the first is larger.
    #[track_caller]
    #[must_use]
    pub fn ratio(self, ratio: [f64; 2]) -> ResizedCrop {
        if let Some(wrong) = range_complaint("ratio", ratio, f64::from(f32::MAX)) {
            fail!("resized_crop", "{wrong}");
        }
        ResizedCrop { ratio, ..self }
    }

    /// The first row, the first column, height and width of the part.
    fn place(&self, [h, w]: [usize; 2], random: &mut Keyed) -> [usize; 4] {
        let pixels = (h * w) as f64;
        let tried = (0..10).find_map(|_| {
            let area = pixels * random.uniform(self.area[0], self.area[1]);
            let ratio = random.uniform(self.ratio[0].ln(), self.ratio[1].ln()).exp();
            let [wide, high] = [area * ratio, area / ratio].map(|v| v.sqrt().round() as usize);
            let fits = (1..=h).contains(&high) && (1..=w).contains(&wide);
            fits.then(|| [random.below(h - high + 1), random.below(w - wide + 1), high, wide])
        });
        tried.unwrap_or_else(|| {
            let [least, most] = self.ratio;
            let ratio = w as f64 / h as f64;
            let side = |of: f64| (of.round() as usize).max(1);
            let [high, wide] = match ratio {
                ratio if ratio < least => [side(w as f64 / least).min(h), w],
                ratio if ratio > most => [h, side(h as f64 * most).min(w)],
                _ => [h, w],
            };
            [(h - high) / 2, (w - wide) / 2, high, wide]
        })
    }
}

impl Transform for ResizedCrop {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    /// # Panics
    /// If the pictures have no pixels.
    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let size = image_size(KIND.name, &x);
        if size.contains(&0) {
            fail!("resized_crop", "a picture of {size:?} has no pixels");
        }
        each_image(KIND.name, x, keys, self.size, |key| {
            let [top, left, high, wide] = self.place(size, &mut key.random());
            let mut resampler = Resampler::new([high, wide], self.size);
            let mut part = Vec::with_capacity(high * wide);
            move |from, to| {
                part.clear();
                (top..top + high)
                    .for_each(|row| part.extend_from_slice(&from[row * size[1] + left..][..wide]));
                resampler.plane(&part, to);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.size).with_option("area", self.area.to_vec());
        Some(entry.with_option("ratio", self.ratio.to_vec()))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "resized_crop",
    "Cuts a random part out of a picture and brings it to the given size.",
    |args, ()| {
        let size = args.main()?;
        if let Some(wrong) = complaint(size) {
            return Err(args.error("", wrong));
        }
        let area = range(args, "area", AREA, 1.0)?;
        let ratio = range(args, "ratio", RATIO, f64::from(f32::MAX))?;
        Ok(Box::new(ResizedCrop::new(size).area(area).ratio(ratio)))
    },
)
.options(&[
    ("", "the height and width that the part is brought to"),
    ("area", "the least and the largest share of the picture"),
    ("ratio", "the least and the largest ratio of width to height"),
])
.example(|| Entry::new("resized_crop").with_value(8_usize));

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sample: usize) -> SampleKey {
        SampleKey { seed: 3, epoch: 0, sample, place: 0 }
    }

    #[test]
    fn parts_have_the_area_and_the_ratio_that_were_asked_for() {
        let crop = ResizedCrop::new([4, 4]);
        let mut shares = 0.0;
        for sample in 0..300 {
            let [top, left, high, wide] = crop.place([60, 80], &mut key(sample).random());
            assert!(top + high <= 60 && left + wide <= 80);
            let (share, ratio) = ((high * wide) as f64 / 4800.0, wide as f64 / high as f64);
            assert!((0.075..=1.0).contains(&share) && (0.7..1.4).contains(&ratio), "{share} {ratio}");
            shares += share / 300.0;
        }
        assert!((0.4..0.6).contains(&shares), "{shares}");
        // Nothing of such a ratio fits: the middle is taken.
        let wide = ResizedCrop::new([4, 4]).area([1.0, 1.0]).ratio([1.0, 1.0]);
        assert_eq!(wide.place([10, 50], &mut key(0).random()), [0, 20, 10, 10]);
        assert_eq!(wide.place([50, 10], &mut key(0).random()), [20, 0, 10, 10]);
    }

    /// `torchvision.transforms.functional.resized_crop(x, 1, 2, 3, 4, [2, 2], antialias=True)` of `arange(30).reshape(1, 5, 6) / 30`.
    #[test]
    fn the_part_is_resized_as_torchvision_does() {
        let x: Vec<f32> = (0..30).map(|v| v as f32 / 30.0).collect();
        let part: Vec<f32> = (1..4).flat_map(|row| x[row * 6 + 2..][..4].to_vec()).collect();
        let mut y = [0.0; 4];
        Resampler::new([3, 4], [2, 2]).plane(&part, &mut y);
        let want = [0.365_476_22_f32, 0.417_857_17, 0.615_476_2, 0.667_857_2];
        y.iter().zip(want).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{y:?} {want:?}"));
    }
}
