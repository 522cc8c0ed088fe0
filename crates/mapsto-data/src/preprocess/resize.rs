//! `Resize`: brings images to one size.

use super::{Step, StepKind, floats};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Brings images to `[height, width]` by the triangle filter: bilinear interpolation when growing, and when shrinking
/// the same filter widened to the scale, so that no pixel is skipped.
///
/// Pixel `i` of `n` covers `i/n ..= (i+1)/n` of the side, before and after (half-pixel centres).
///
/// * Shape: `[n, .., h, w] → [n, .., size]`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_data::preprocess::Step;
/// use mapsto_tensor::prelude::*;
/// let y = Resize::new([1, 2]).apply(tensor![[[0.0, 0.0, 7.0, 7.0]]]);
/// assert_close!(y, [[[1.0, 6.0]]]); // 3 : 3 : 1 of the three pixels that each one sees
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    size: [usize; 2],
}

impl Resize {
    /// To `[height, width]`.
    ///
    /// # Panics
    /// If one of them is 0, or above 65,535.
    #[track_caller]
    pub fn new(size: [usize; 2]) -> Resize {
        if let Some(complaint) = complaint(size) {
            fail!("resize", "{complaint}");
        }
        Resize { size }
    }
}

impl Step for Resize {
    fn name(&self) -> &'static str {
        KIND.name
    }

    #[track_caller]
    fn apply(&self, x: Tensor) -> Tensor {
        let &[_, .., h, w] = x.shape() else {
            fail!("resize", "not a batch of images: {:?}", x.shape(); help = "images are [channels, height, width]");
        };
        if x.rank() < 3 || h == 0 || w == 0 {
            fail!("resize", "not a batch of images: {:?}", x.shape(); help = "images are [channels, height, width]");
        }
        if [h, w] == self.size {
            return x;
        }
        let [high, wide] = self.size;
        let mut resampler = Resampler::new([h, w], self.size);
        let x = floats(x);
        let mut shape = x.shape().to_vec();
        let rank = shape.len();
        shape[rank - 2..].copy_from_slice(&self.size);
        let from = x.as_slice::<f32>().expect("contiguous f32 on the host");
        Tensor::filled_by::<f32>(shape, |to| {
            for (from, to) in from.chunks_exact(h * w).zip(to.chunks_exact_mut(high * wide)) {
                resampler.plane(from, to);
            }
        })
    }

    fn entry(&self) -> Entry {
        Entry::new(KIND.name).with_value(self.size)
    }
}

/// The longest side of an image, which the tables of a resize are in proportion to; that of a JPEG is as long at most.
const LONGEST: usize = 65_535;

/// What is wrong with the height and width of images, if anything is.
pub(crate) fn complaint(size: [usize; 2]) -> Option<String> {
    if size.contains(&0) {
        return Some(format!("an image of {size:?} has no pixels"));
    }
    let longest = size[0].max(size[1]);
    (longest > LONGEST).then(|| format!("a side of {longest} pixels is longer than {LONGEST}"))
}

/// Brings planes of one size to another: rows first, which are summed whole, and then the fewer that are left within themselves.
pub(crate) struct Resampler {
    rows: Filter,
    columns: Filter,
    /// One row of the plane with its new height and its old width.
    row: Vec<f32>,
}

impl Resampler {
    /// From one `[height, width]` to another.
    pub(crate) fn new([h, w]: [usize; 2], [high, wide]: [usize; 2]) -> Resampler {
        Resampler { rows: Filter::new(h, high), columns: Filter::new(w, wide), row: vec![0.0; w] }
    }

    /// Resamples a plane.
    pub(crate) fn plane(&mut self, from: &[f32], to: &mut [f32]) {
        let (w, wide) = (self.row.len(), self.columns.taps.len());
        for (out, (first, weights)) in to.chunks_exact_mut(wide).zip(&self.rows.taps) {
            self.row.fill(0.0);
            for (a, row) in weights.iter().zip(from[first * w..].chunks_exact(w)) {
                self.row.iter_mut().zip(row).for_each(|(sum, x)| *sum += a * x);
            }
            for (out, (first, weights)) in out.iter_mut().zip(&self.columns.taps) {
                *out = weights.iter().zip(&self.row[*first..]).map(|(a, x)| a * x).sum();
            }
        }
    }
}

/// For each new pixel of a side, the first old pixel it sees and the weights from there on, which add up to 1.
struct Filter {
    taps: Vec<(usize, Vec<f32>)>,
}

impl Filter {
    fn new(from: usize, to: usize) -> Filter {
        let scale = from as f64 / to as f64;
        let reach = scale.max(1.0);
        let tap = |i: usize| {
            let center = (i as f64 + 0.5) * scale;
            let first = (center - reach).floor().max(0.0) as usize;
            let end = ((center + reach).ceil() as usize).min(from);
            let weights: Vec<f64> =
                (first..end).map(|j| (1.0 - (j as f64 + 0.5 - center).abs() / reach).max(0.0)).collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.iter().map(|w| (w / sum) as f32).collect())
        };
        Filter { taps: (0..to).map(tap).collect() }
    }
}

pub(super) const KIND: StepKind =
    StepKind::new("resize", "Brings images to one height and width.", |args, ()| {
        let size: [usize; 2] = args.main()?;
        if let Some(complaint) = complaint(size) {
            return Err(args.error("", complaint));
        }
        Ok(Box::new(Resize::new(size)))
    })
    .options(&[("", "the height and width")])
    .example(|| Entry::new("resize").with_value(8_usize));

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(x: &[f32], [h, w]: [usize; 2], size: [usize; 2]) -> Vec<f32> {
        Resize::new(size).apply(Tensor::from_slice(x, [1, h, w])).to_vec()
    }

    #[test]
    fn growing_is_bilinear_with_half_pixel_centres() {
        // Centres of the four new pixels lie at 0.25, 0.75, 1.25, 1.75 of two pixels whose centres are 0.5 and 1.5.
        assert_eq!(resized(&[0., 4.], [1, 2], [1, 4]), [0., 1., 3., 4.]);
        assert_eq!(resized(&[0., 4.], [2, 1], [4, 1]), [0., 1., 3., 4.]);
    }

    #[test]
    fn shrinking_sees_every_pixel() {
        // To one pixel the triangle spans ±4 around the centre: weights 1, 3, 3, 1 over 8 of its 0.625, 0.875 heights.
        let w = [0.625, 0.875, 0.875, 0.625].map(|v: f32| v / 3.0);
        let got = resized(&[8., 0., 0., 0.], [1, 4], [1, 1])[0];
        assert!((got - 8.0 * w[0]).abs() < 1e-6, "{got}");
        assert_eq!(
            resized(&[3.0; 12], [3, 4], [2, 3]).iter().map(|v| v.round()).collect::<Vec<_>>(),
            [3.0; 6]
        );
    }

    #[test]
    fn what_no_image_can_be_is_refused_before_anything_is_made_for_it() {
        for wrong in [0, LONGEST + 1, 2_000_000_000_000, i64::MAX as usize] {
            for size in [[wrong, 8], [8, wrong], [wrong, wrong]] {
                let e = mapsto_tensor::catch(|| Resize::new(size)).unwrap_err();
                assert_eq!(e.message(), format!("resize: {}", complaint(size).unwrap()));
                let entry = Entry::new(KIND.name).with_value(size);
                assert!(crate::Preprocess::from_entries(&[entry]).is_err(), "{size:?}");
            }
        }
        assert_eq!(complaint([LONGEST, 1]), None);
    }

    #[test]
    fn the_right_size_is_left_alone() {
        let x = [1., 2., 3., 4., 5., 6.];
        assert_eq!(resized(&x, [2, 3], [2, 3]), x);
    }
}
