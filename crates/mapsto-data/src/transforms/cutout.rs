//! `Cutout`: a square of a picture is nothing.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::{each_image, image_size, single};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// Fills a square of `side` pixels with zeros; its middle is anywhere in the picture, so it may reach beyond the edges.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: pixels.   * torchvision: none; see `random_erasing`.
///
/// Source: DeVries and Taylor (2017), arXiv:1708.04552.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = Cutout::new(3).apply(Tensor::ones([1, 9, 9]), key);
/// let zeros = 81.0 - y.sum(..).item();
/// assert!((4.0..=9.0).contains(&zeros)); // fewer at a corner
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cutout {
    side: usize,
}

impl Cutout {
    /// A square of `side` × `side` pixels.
    pub fn new(side: usize) -> Cutout {
        Cutout { side }
    }
}

impl Transform for Cutout {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        let [h, w] = image_size(KIND.name, &x);
        each_image(KIND.name, x, keys, [h, w], |key| {
            let mut random = key.random();
            let [rows, columns] = [h, w].map(|n| {
                let middle = random.below(n.max(1));
                middle.saturating_sub(self.side / 2)..middle.saturating_add(self.side.div_ceil(2)).min(n)
            });
            move |from, to| {
                to.copy_from_slice(from);
                for row in rows.clone() {
                    to[row * w..][columns.clone()].fill(0.0);
                }
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.side))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "cutout",
    "Fills a square of the given side with zeros, anywhere in the picture.",
    |args, ()| Ok(Box::new(Cutout::new(args.main()?))),
)
.options(&[("", "the side of the square, in pixels")])
.example(|| Entry::new("cutout").with_value(8_usize));

#[test]
fn every_pixel_is_met_and_all_channels_alike() {
    let (mut missed, x) = (vec![true; 16], Tensor::ones([2, 4, 4]));
    for sample in 0..100 {
        let key = SampleKey { seed: 3, epoch: 0, sample, place: 0 };
        let y = Cutout::new(2).apply(x.clone(), key).to_vec::<f32>();
        assert_eq!(y[..16], y[16..]);
        missed.iter_mut().zip(&y).for_each(|(missed, v)| *missed &= *v == 1.0);
        assert!((1..=4).contains(&y[..16].iter().filter(|v| **v == 0.0).count()));
    }
    assert!(!missed.contains(&true));
}
