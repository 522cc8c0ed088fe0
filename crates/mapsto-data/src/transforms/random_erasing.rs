//! `RandomErasing`: a rectangle of a picture is painted over, or not.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Result, Tensor, fail};

/// Paints over a rectangle anywhere in the picture, with probability `p`: its share of the area is uniform in `area`, the logarithm of its
/// height by its width in that of `ratio`. Where ten tries fit nowhere, the picture stays as it is.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: shares of the area.   * torchvision: `RandomErasing`.
///
/// Source: Zhong, Zheng, Kang, Li, Yang (2017), arXiv:1708.04896.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = RandomErasing::new(1.0).area([0.25, 0.25]).ratio([1.0, 1.0]).apply(Tensor::ones([1, 8, 8]), key);
/// assert_eq!(y.sum(..).item(), 64.0 - 16.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomErasing {
    p: f64,
    area: [f64; 2],
    ratio: [f64; 2],
    value: f64,
}

impl RandomErasing {
    /// With probability `p`, of an area of 0.02 ..= 0.33 and a ratio of 0.3 ..= 3.3, with zeros.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    pub fn new(p: f64) -> RandomErasing {
        let p = Bounds::UP_TO_1.check(KIND.name, "probability", p);
        RandomErasing { p, area: [0.02, 0.33], ratio: [0.3, 3.3], value: 0.0 }
    }

    /// The least and the largest share of the area.
    ///
    /// # Panics
    /// When they are not above 0 and at most 1, or the first is larger.
    #[track_caller]
    #[must_use]
    pub fn area(self, area: [f64; 2]) -> RandomErasing {
        if let Some(wrong) = range_complaint("area", area, 1.0) {
            fail!("random_erasing", "{wrong}");
        }
        RandomErasing { area, ..self }
    }

    /// The least and the largest ratio of height to width.
    ///
    /// # Panics
    /// When they are not above 0, or the first is larger.
    #[track_caller]
    #[must_use]
    pub fn ratio(self, ratio: [f64; 2]) -> RandomErasing {
        if let Some(wrong) = range_complaint("ratio", ratio, f64::from(f32::MAX)) {
            fail!("random_erasing", "{wrong}");
        }
        RandomErasing { ratio, ..self }
    }

    /// What is painted.
    ///
    /// # Panics
    /// When it is not in 0 ..= 1.
    #[track_caller]
    #[must_use]
    pub fn value(self, value: f64) -> RandomErasing {
        RandomErasing { value: Bounds::UP_TO_1.check(KIND.name, "value", value), ..self }
    }

    /// The first row, the first column, height and width of what is painted over.
    fn place(&self, [h, w]: [usize; 2], random: &mut Keyed) -> Option<[usize; 4]> {
        let pixels = (h * w) as f64;
        (0..10).find_map(|_| {
            let area = pixels * random.uniform(self.area[0], self.area[1]);
            let ratio = random.uniform(self.ratio[0].ln(), self.ratio[1].ln()).exp();
            let [high, wide] = [area * ratio, area / ratio].map(|v| v.sqrt().round() as usize);
            let fits = high < h && wide < w;
            fits.then(|| [random.below(h - high + 1), random.below(w - wide + 1), high, wide])
        })
    }
}

/// What is wrong with the two ends of a range above 0.
pub(super) fn range_complaint(what: &str, [least, most]: [f64; 2], limit: f64) -> Option<String> {
    let fits = Bounds::ABOVE_0.hold(least) && Bounds::ABOVE_0.hold(most) && least <= most && most <= limit;
    let end = if limit == 1.0 { " and at most 1" } else { "" };
    (!fits).then(|| format!("`{what}` must go from above 0 to as much or more{end}, got [{least}, {most}]"))
}

/// A range above 0, of an entry.
pub(super) fn range(args: &mut Args, name: &str, default: [f64; 2], limit: f64) -> Result<[f64; 2]> {
    let given = args.get_or(name, default.to_vec())?;
    let Ok(range) = <[f64; 2]>::try_from(given.clone()) else {
        return Err(args.error(name, format!("`{name}` should be a pair of numbers, got {given:?}")));
    };
    match range_complaint(name, range, limit) {
        Some(wrong) => Err(args.error(name, wrong)),
        None => Ok(range),
    }
}

impl Transform for RandomErasing {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let size = image_size(KIND.name, &x);
        each_image(KIND.name, x, keys, size, |key| {
            let mut random = key.random();
            let place = if random.bernoulli(self.p) { self.place(size, &mut random) } else { None };
            move |from, to| {
                to.copy_from_slice(from);
                let Some([top, left, high, wide]) = place else { return };
                for row in top..top + high {
                    to[row * size[1] + left..][..wide].fill(self.value as f32);
                }
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.p).with_option("area", self.area.to_vec());
        Some(entry.with_option("ratio", self.ratio.to_vec()).with_option("value", self.value))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "random_erasing",
    "Paints over a rectangle of the picture with the given probability.",
    |args, ()| {
        let p = Bounds::UP_TO_1.main(args, "probability", 0.5)?;
        let area = range(args, "area", [0.02, 0.33], 1.0)?;
        let ratio = range(args, "ratio", [0.3, 3.3], f64::from(f32::MAX))?;
        let value = Bounds::UP_TO_1.option(args, "value", 0.0)?;
        Ok(Box::new(RandomErasing::new(p).area(area).ratio(ratio).value(value)))
    },
)
.options(&[
    ("", "the probability"),
    ("area", "the least and the largest share of the picture"),
    ("ratio", "the least and the largest ratio of height to width"),
    ("value", "what is painted"),
]);

#[test]
fn the_share_of_the_area_is_what_was_asked_for() {
    let erased = |sample| {
        let key = SampleKey { seed: 3, epoch: 0, sample, place: 0 };
        let y = RandomErasing::new(1.0).value(0.5).apply(Tensor::ones([1, 40, 30]), key).to_vec::<f32>();
        assert!(y.iter().all(|v| *v == 1.0 || *v == 0.5));
        y.iter().filter(|v| **v == 0.5).count() as f64 / 1200.0
    };
    let shares: Vec<f64> = (0..300).map(erased).collect();
    assert!(shares.iter().all(|s| (0.015..0.35).contains(s)), "{shares:?}");
    let mean = shares.iter().sum::<f64>() / 300.0;
    assert!((0.14..0.21).contains(&mean), "{mean}");
}
