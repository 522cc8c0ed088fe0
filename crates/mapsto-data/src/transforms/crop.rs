//! `Crop`: cuts a window out of an image, at random or from the centre.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Cuts a window of a given height and width out of an image, padded with zeros first if asked.
///
/// * Shape: `[.., h, w] → [.., size]`.   * Units: pixels.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let image = tensor![[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]];
/// assert_eq!(Crop::center([1, 1]).apply(image.clone(), key).to_vec::<f32>(), [5.0]);
/// assert_eq!(Crop::random([3, 3]).padding(1).apply(image, key).shape(), [1, 3, 3]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Crop {
    size: [usize; 2],
    padding: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Random,
    Center,
}

impl Crop {
    /// A window of `[height, width]` anywhere in the image, every place equally likely.
    ///
    /// # Panics
    /// When `size` has no pixels.
    #[track_caller]
    pub fn random(size: [usize; 2]) -> Crop {
        Crop::window(size, Place::Random)
    }

    /// The window of `[height, width]` in the middle; half a pixel too far up or left where it does not come out even.
    ///
    /// # Panics
    /// When `size` has no pixels.
    #[track_caller]
    pub fn center(size: [usize; 2]) -> Crop {
        Crop::window(size, Place::Center)
    }

    #[track_caller]
    fn window(size: [usize; 2], place: Place) -> Crop {
        if let Err(wrong) = check_size(size) {
            fail!("crop", "{wrong}");
        }
        Crop { size, padding: 0, place }
    }

    /// Adds this many pixels of zeros on every side before cutting.
    ///
    /// # Panics
    /// When a window could lie in the padding alone.
    #[track_caller]
    #[must_use]
    pub fn padding(self, padding: usize) -> Crop {
        if let Err(wrong) = check_padding(self.size, padding) {
            fail!("crop", "{wrong}");
        }
        Crop { padding, ..self }
    }
}

impl Transform for Crop {
    fn name(&self) -> &str {
        "crop"
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    /// # Panics
    /// If the window is larger than the padded image.
    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let from_size = image_size("crop", &x);
        let room = [0, 1].map(|axis| {
            let padded = self.padding.checked_mul(2)?.checked_add(from_size[axis])?;
            padded.checked_sub(self.size[axis])
        });
        let [Some(down), Some(right)] = room else {
            fail!("crop", "a window of {:?} from an image of {from_size:?} with padding {}", self.size, self.padding;
                help = "crop less, or add `padding`");
        };
        each_image("crop", x, keys, self.size, |key| {
            let mut random = key.random();
            let start = [down, right].map(|room| match self.place {
                Place::Random => random.below(room + 1),
                Place::Center => room / 2,
            });
            move |from, to| {
                crop(from_size, start.map(|s| s as isize - self.padding as isize), from, self.size[1], to)
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        let from = match self.place {
            Place::Random => "random",
            Place::Center => "center",
        };
        let entry = Entry::new(KIND.name).with_value(self.size).with_option("from", from);
        Some(entry.with_option("padding", self.padding))
    }
}

/// What is wrong with the size of a window.
fn check_size(size: [usize; 2]) -> Result<(), String> {
    if size.contains(&0) { Err(format!("a window of {size:?} has no pixels")) } else { Ok(()) }
}

/// What is wrong with padding: a window that sees nothing but zeros teaches nothing.
fn check_padding(size: [usize; 2], padding: usize) -> Result<(), String> {
    match padding > 0 && size.iter().any(|&n| padding >= n) {
        true => Err(format!(
            "padding must be less than the window {size:?}, which could see nothing else, got {padding}"
        )),
        false => Ok(()),
    }
}

/// The window of width `wide` that begins at `start`, which may lie outside; what is outside is 0.
fn crop([h, w]: [usize; 2], start: [isize; 2], from: &[f32], wide: usize, to: &mut [f32]) {
    to.fill(0.0);
    let before = (-start[1]).clamp(0, wide as isize) as usize;
    let after = (w as isize - start[1]).clamp(before as isize, wide as isize) as usize;
    for (y, row) in to.chunks_exact_mut(wide).enumerate() {
        let y = y as isize + start[0];
        if y < 0 || y >= h as isize || before == after {
            continue;
        }
        let first = y as usize * w + (before as isize + start[1]) as usize;
        row[before..after].copy_from_slice(&from[first..first + after - before]);
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "crop",
    "Cuts a window of the given size, from a \"random\" place or the \"center\", after padding with zeros.",
    |args, ()| {
        let size = args.main()?;
        check_size(size).map_err(|wrong| args.error("", wrong))?;
        let crop = match args.get_or("from", "random".to_string())?.as_str() {
            "random" => Crop::random(size),
            "center" => Crop::center(size),
            other => {
                return Err(
                    args.error("from", format!("from `{other}` is neither \"random\" nor \"center\""))
                );
            }
        };
        let padding = args.get_or("padding", 0_usize)?;
        check_padding(size, padding).map_err(|wrong| args.error("padding", wrong))?;
        Ok(Box::new(crop.padding(padding)))
    },
)
.options(&[
    ("", "the height and width of the window"),
    ("from", "`\"random\"` or `\"center\"`"),
    ("padding", "rows and columns of zeros around the image first"),
])
.example(|| Entry::new("crop").with_value(28_usize));

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sample: usize) -> SampleKey {
        SampleKey { seed: 1, epoch: 0, sample, place: 0 }
    }

    #[test]
    fn windows_may_reach_outside() {
        let from: Vec<f32> = (1..=6).map(|v| v as f32).collect(); // 2 × 3
        let window = |start, [h, w]: [usize; 2]| {
            let mut to = vec![9.0; h * w];
            crop([2, 3], start, &from, w, &mut to);
            to
        };
        assert_eq!(window([0, 0], [2, 3]), from);
        assert_eq!(window([1, 1], [1, 2]), [5., 6.]);
        assert_eq!(window([-1, -1], [2, 3]), [0., 0., 0., 0., 1., 2.]);
        assert_eq!(window([1, 2], [2, 3]), [6., 0., 0., 0., 0., 0.]);
        assert_eq!(window([0, -5], [1, 3]), [0.; 3]);
        assert_eq!(window([0, 7], [1, 3]), [0.; 3]);
    }

    #[test]
    fn every_place_occurs() {
        let x = Tensor::from_vec((0..9).map(|v| v as f32).collect::<Vec<f32>>(), [1, 3, 3]);
        let seen: std::collections::BTreeSet<u32> = (0..200)
            .map(|i| Crop::random([2, 2]).apply(x.clone(), key(i)).to_vec::<f32>()[0] as u32)
            .collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(Crop::center([2, 1]).apply(x, key(0)).to_vec::<f32>(), [1., 4.]);
    }

    #[test]
    fn too_large_a_window_is_refused() {
        let e = mapsto_tensor::catch(|| Crop::random([4, 3]).apply(Tensor::zeros([1, 3, 3]), key(0)))
            .err()
            .unwrap();
        assert_eq!(e.message(), "crop: a window of [4, 3] from an image of [3, 3] with padding 0");
    }
}
