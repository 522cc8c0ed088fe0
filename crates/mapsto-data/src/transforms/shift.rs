//! `Shift`: moves an image by a few whole pixels.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Moves an image by whole pixels, uniform in `−most ..= most` in either direction; what comes in is 0.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: pixels.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let moved = Shift::new(1).apply(tensor![[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]], key);
/// assert_eq!(moved.sum(..).item(), 1.0); // somewhere in the 3 × 3 pixels
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    most: usize,
}

impl Shift {
    /// By up to `most` pixels, fewer than the images have in either direction.
    pub fn new(most: usize) -> Shift {
        Shift { most }
    }
}

impl Transform for Shift {
    fn name(&self) -> &str {
        "shift"
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    /// # Panics
    /// If an image could be moved out of sight.
    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let size = image_size("shift", &x);
        if self.most > 0 && size.iter().any(|&n| self.most >= n) {
            fail!("shift", "{} pixels move an image of {size:?} out of sight", self.most;
                help = "shift by fewer pixels than the image has in either direction");
        }
        each_image("shift", x, keys, size, |key| {
            let mut random = key.random();
            let by = [(); 2].map(|()| random.below(2 * self.most + 1) as isize - self.most as isize);
            move |from, to| shift(size, by, from, to)
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.most))
    }
}

/// Pixel `(y, x)` of `to` is pixel `(y − by[0], x − by[1])` of `from`, or 0 outside.
fn shift([h, w]: [usize; 2], by: [isize; 2], from: &[f32], to: &mut [f32]) {
    to.fill(0.0);
    let span = |n: usize, by: isize| {
        by.clamp(0, n as isize) as usize..(n as isize + by).clamp(0, n as isize) as usize
    };
    let columns = span(w, by[1]);
    if columns.is_empty() {
        return;
    }
    for y in span(h, by[0]) {
        let row = (y as isize - by[0]) as usize * w;
        let start = (columns.start as isize - by[1]) as usize;
        to[y * w..][columns.clone()].copy_from_slice(&from[row + start..][..columns.len()]);
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "shift",
    "Moves an image by up to the given number of whole pixels in either direction.",
    |args, ()| Ok(Box::new(Shift::new(args.main()?))),
)
.options(&[("", "the most pixels")])
.example(|| Entry::new("shift").with_value(2_usize));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_move_and_zeros_come_in() {
        let from: Vec<f32> = (1..=6).map(|v| v as f32).collect();
        let moved = |by| {
            let mut to = vec![9.0; 6];
            shift([2, 3], by, &from, &mut to);
            to
        };
        assert_eq!(moved([0, 0]), from);
        assert_eq!(moved([1, 0]), [0., 0., 0., 1., 2., 3.]);
        assert_eq!(moved([0, 1]), [0., 1., 2., 0., 4., 5.]);
        assert_eq!(moved([-1, -2]), [6., 0., 0., 0., 0., 0.]);
        assert_eq!(moved([2, 0]), [0.; 6]);
        assert_eq!(moved([0, -3]), [0.; 6]);
        assert_eq!(moved([-9, 9]), [0.; 6]);
    }

    #[test]
    fn every_offset_occurs_and_channels_move_together() {
        let mut seen = std::collections::HashSet::new();
        for sample in 0..300 {
            let key = SampleKey { seed: 1, epoch: 0, sample, place: 0 };
            let mut image = vec![0.0f32; 2 * 25];
            image[12] = 1.0;
            image[25 + 12] = 1.0;
            let moved = Shift::new(1).apply(Tensor::from_vec(image, [2, 5, 5]), key).to_vec::<f32>();
            let at = moved.iter().position(|&v| v == 1.0).unwrap();
            assert_eq!(moved[25 + at], 1.0);
            seen.insert(at);
        }
        assert_eq!(seen.len(), 9);
    }
}
