//! `Flip`: mirrors an image, or not.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Mirrors an image with probability `p`: left to right, or top to bottom.
///
/// Not for digits or letters: their mirror images mean something else.
///
/// * Shape: `[.., h, w] → [.., h, w]`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let mirrored = Flip::horizontal().probability(1.0).apply(tensor![[[1.0, 2.0, 3.0]]], key);
/// assert_eq!(mirrored.to_vec::<f32>(), [3.0, 2.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Flip {
    axis: Axis,
    p: f64,
}

#[derive(Clone, Copy, Debug)]
enum Axis {
    Horizontal,
    Vertical,
}

impl Flip {
    /// Left to right, every second time.
    pub fn horizontal() -> Flip {
        Flip { axis: Axis::Horizontal, p: 0.5 }
    }

    /// Top to bottom, every second time.
    pub fn vertical() -> Flip {
        Flip { axis: Axis::Vertical, p: 0.5 }
    }

    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    #[must_use]
    pub fn probability(self, p: f64) -> Flip {
        Flip { p: Bounds::UP_TO_1.check("flip", "probability", p), ..self }
    }
}

impl Transform for Flip {
    fn name(&self) -> &str {
        "flip"
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let size = image_size("flip", &x);
        each_image("flip", x, keys, size, |key| {
            let flipped = key.random().bernoulli(self.p);
            move |from, to| {
                to.copy_from_slice(from);
                if flipped {
                    mirror(self.axis, size, to);
                }
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        let axis = match self.axis {
            Axis::Horizontal => "horizontal",
            Axis::Vertical => "vertical",
        };
        Some(Entry::new(KIND.name).with_value(self.p).with_option("axis", axis))
    }
}

fn mirror(axis: Axis, [h, w]: [usize; 2], image: &mut [f32]) {
    match axis {
        Axis::Horizontal => image.chunks_exact_mut(w.max(1)).for_each(<[f32]>::reverse),
        Axis::Vertical => {
            for y in 0..h / 2 {
                let (above, below) = image.split_at_mut((h - 1 - y) * w);
                above[y * w..][..w].swap_with_slice(&mut below[..w]);
            }
        }
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "flip",
    "Mirrors an image with the given probability, along axis \"horizontal\" or \"vertical\".",
    |args, ()| {
        let p = Bounds::UP_TO_1.main(args, "probability", 0.5)?;
        let flip = match args.get_or("axis", "horizontal".to_string())?.as_str() {
            "horizontal" => Flip::horizontal(),
            "vertical" => Flip::vertical(),
            other => {
                return Err(
                    args.error("axis", format!("axis `{other}` is neither \"horizontal\" nor \"vertical\""))
                );
            }
        };
        Ok(Box::new(flip.probability(p)))
    },
)
.options(&[
    ("", "the probability"),
    ("axis", "`\"horizontal\"` for left to right, `\"vertical\"` for top to bottom"),
]);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sample: usize) -> SampleKey {
        SampleKey { seed: 1, epoch: 0, sample, place: 0 }
    }

    #[test]
    fn both_axes_mirror_every_plane() {
        let x = Tensor::from_vec((1..=12).map(|v| v as f32).collect::<Vec<f32>>(), [2, 3, 2]);
        let flipped = |flip: Flip| flip.probability(1.0).apply(x.clone(), key(0)).to_vec::<f32>();
        assert_eq!(flipped(Flip::horizontal()), [2., 1., 4., 3., 6., 5., 8., 7., 10., 9., 12., 11.]);
        assert_eq!(flipped(Flip::vertical()), [5., 6., 3., 4., 1., 2., 11., 12., 9., 10., 7., 8.]);
        assert_eq!(
            Flip::vertical().probability(0.0).apply(x.clone(), key(0)).to_vec::<f32>(),
            x.to_vec::<f32>()
        );
    }

    #[test]
    fn half_of_the_images_are_mirrored() {
        let x = Tensor::from_vec(vec![0.0f32, 1.0], [1, 1, 2]);
        let count = (0..1000)
            .filter(|&i| Flip::horizontal().apply(x.clone(), key(i)).to_vec::<f32>()[0] == 1.0)
            .count();
        assert!((430..570).contains(&count), "{count}");
    }
}
