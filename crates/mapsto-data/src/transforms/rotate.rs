//! `Rotate`: turns an image about its centre by a random angle.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Turns an image about its centre, uniform in `−most ..= most` degrees, with bilinear interpolation; outside is 0.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: degrees, positive counter-clockwise as the image is shown.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let turned = Rotate::new(10.0).apply(Tensor::ones([1, 9, 9]), key);
/// assert_eq!(turned.to_vec::<f32>()[4 * 9 + 4], 1.0); // the centre stays
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rotate {
    most: f64,
}

impl Rotate {
    /// By up to `most` degrees either way.
    ///
    /// # Panics
    /// When `most` is not in 0 ..= 180.
    #[track_caller]
    pub fn new(most: f64) -> Rotate {
        Rotate { most: Bounds::HALF_TURN.check("rotate", "degrees", most) }
    }
}

impl Transform for Rotate {
    fn name(&self) -> &str {
        "rotate"
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let size = image_size("rotate", &x);
        each_image("rotate", x, keys, size, |key| {
            let degrees = key.random().uniform(-self.most, self.most);
            let mut padded = Vec::new();
            move |from, to| rotate(size, degrees, from, to, &mut padded)
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.most))
    }
}

/// With `d` the offset from the centre (y down), pixel `d` of `to` is the interpolated pixel
/// `(x cos θ − y sin θ, x sin θ + y cos θ)` of `from`: the inverse of turning by θ counter-clockwise.
///
/// `padded` is room for the image with a border of zeros, so that the inner loop needs no tests at the edges.
fn rotate([h, w]: [usize; 2], degrees: f64, from: &[f32], to: &mut [f32], padded: &mut Vec<f32>) {
    if from.is_empty() {
        return;
    }
    let wide = w + 3; // one column before, two after: the interpolation of the far border reads one further
    padded.clear();
    padded.resize((h + 3) * wide, 0.0);
    for (y, row) in from.chunks_exact(w).enumerate() {
        padded[(y + 1) * wide + 1..][..w].copy_from_slice(row);
    }
    let (sin, cos) = (degrees.to_radians().sin() as f32, degrees.to_radians().cos() as f32);
    let (cy, cx) = ((h as f32 - 1.0) / 2.0, (w as f32 - 1.0) / 2.0);
    // Coordinates in the padded image in steps of 2⁻³², clamped to its border, where everything is 0. Whole-number
    // coordinates because turning a float into an index costs more than the interpolation.
    let fixed = |v: f32| (f64::from(v) * ONE as f64) as i64;
    let (last_x, last_y) = ((w + 1) as i64 * ONE, (h + 1) as i64 * ONE);
    for (y, row) in to.chunks_exact_mut(w).enumerate() {
        let dy = y as f32 - cy;
        let (mut u, mut v) = (fixed(cx - cx * cos - dy * sin + 1.0), fixed(cy - cx * sin + dy * cos + 1.0));
        for out in row {
            let (sx, sy) = (u.clamp(0, last_x), v.clamp(0, last_y));
            let at = (sy / ONE) as usize * wide + (sx / ONE) as usize;
            let (fx, fy) = (fraction(sx), fraction(sy));
            let four = &padded[at..at + wide + 2];
            let above = four[0] + fx * (four[1] - four[0]);
            let below = four[wide] + fx * (four[wide + 1] - four[wide]);
            *out = above + fy * (below - above);
            u += fixed(cos);
            v += fixed(sin);
        }
    }
}

/// One pixel in the fixed-point numbers of [`rotate`].
const ONE: i64 = 1 << 32;

fn fraction(v: i64) -> f32 {
    const BITS: i64 = 1 << 24; // as many as an f32 holds
    ((v / (ONE / BITS)) % BITS) as i32 as f32 / BITS as f32
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "rotate",
    "Turns an image about its centre by up to the given number of degrees either way.",
    |args, ()| {
        let most = args.main()?;
        Ok(Box::new(Rotate::new(Bounds::HALF_TURN.within(args, "", "degrees", most)?)))
    },
)
.options(&[("", "the most degrees")])
.example(|| Entry::new("rotate").with_value(10_usize));

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(size: [usize; 2], degrees: f64, from: &[f32]) -> Vec<f32> {
        let mut to = vec![9.0; from.len()];
        rotate(size, degrees, from, &mut to, &mut Vec::new());
        to.iter().map(|v| (v * 1e4).round() / 1e4).collect()
    }

    #[test]
    fn quarter_turns_are_exact() {
        let from: Vec<f32> = (1..=9).map(|v| v as f32).collect();
        assert_eq!(turned([3, 3], 0.0, &from), from);
        // 1 2 3      3 6 9
        // 4 5 6  →   2 5 8   counter-clockwise
        // 7 8 9      1 4 7
        assert_eq!(turned([3, 3], 90.0, &from), [3., 6., 9., 2., 5., 8., 1., 4., 7.]);
        assert_eq!(turned([3, 3], 180.0, &from), [9., 8., 7., 6., 5., 4., 3., 2., 1.]);
        assert_eq!(turned([3, 3], -90.0, &from), [7., 4., 1., 8., 5., 2., 9., 6., 3.]);
    }

    #[test]
    fn other_turns_interpolate_and_lose_the_corners() {
        // At 45° the corner of the square looks √2 from the centre: 0.4142 beyond the edge of pixel centres, so it sees
        // 1 − 0.4142 of the pixel at the middle of that edge.
        let all = turned([3, 3], 45.0, &[1.0; 9]);
        let corner = 0.5858;
        assert_eq!(all, [corner, 1., corner, 1., 1., 1., corner, 1., corner]);
        // A row of two: turned by 90° its pixels look half a pixel above and below the row.
        assert_eq!(turned([1, 2], 90.0, &[2.0, 4.0]), [1.5, 1.5]);
    }
}
