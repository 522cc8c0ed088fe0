//! Adaptive max pooling: inputs of any size become inputs of one size.

use super::LayerKind;
use crate::pooling::{by_all, positive, read_windows};
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::PerAxis;

/// The maximum of each window, the windows dividing `N` axes of any size into the given number of parts; of two:
/// `y[n, c, i, j]` is the largest `x[n, c, u, v]` over `⌊i·h / oh⌋ ≤ u < ⌈(i + 1)·h / oh⌉` and likewise `v`.
///
/// * Shape: `[n, c, h, w] → [n, c, oh, ow]`; one axis or three likewise.
/// * PyTorch: `AdaptiveMaxPool1d`, `AdaptiveMaxPool2d`, `AdaptiveMaxPool3d`.
/// * The gradient goes to the first maximum of a window.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 5.0, 3.0, 4.0, 6.0]]]];
/// assert_close!(x.apply(&AdaptiveMaxPool2d::new([1, 3])).flatten(0), [5.0, 5.0, 6.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AdaptiveMaxPool<const N: usize> {
    #[module(skip)]
    out: [usize; N],
}

/// Adaptive pooling of sequences, `[n, c, length]`.
pub type AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
/// Adaptive pooling of images, `[n, c, h, w]`.
pub type AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
/// Adaptive pooling of volumes, `[n, c, d, h, w]`.
pub type AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

impl<const N: usize> AdaptiveMaxPool<N> {
    /// This many windows along each axis: `1` for one window, the whole.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(out: impl Into<PerAxis<N>>) -> AdaptiveMaxPool<N> {
        AdaptiveMaxPool { out: positive(name(N), "windows", out) }
    }
}

fn name(axes: usize) -> &'static str {
    ["", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"][axes]
}

impl<const N: usize> Layer for AdaptiveMaxPool<N> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match self.out[..] {
            [l] => x.adaptive_max_pool1d(l),
            [h, w] => x.adaptive_max_pool2d([h, w]),
            [d, h, w] => x.adaptive_max_pool3d([d, h, w]),
            _ => unreachable!("one to three axes"),
        }
    }

    fn describe(&self) -> String {
        format!("AdaptiveMaxPool{N}d({})", by_all(&self.out))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(name(N)).with_value(self.out))
    }
}

const fn kind<const N: usize>(doc: &'static str, example: fn() -> Entry) -> LayerKind {
    let name = ["", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"][N];
    LayerKind::new(name, doc, |args, input| {
        Ok(Box::new(AdaptiveMaxPool::<N> { out: read_windows(args, input)? }))
    })
    .options(&[("", "the number of windows, along every axis or along each")])
    .example(example)
}

pub(super) const KIND_1D: LayerKind = kind::<1>(
    "The maximum of each of the given number of windows of a sequence; 1 is the maximum of the whole sequence.",
    || Entry::new("adaptive_max_pool1d").with_value(2_usize),
);
pub(super) const KIND_2D: LayerKind = kind::<2>(
    "The maximum of each of the given number of windows; 1 is the maximum of the whole image.",
    || Entry::new("adaptive_max_pool2d").with_value(2_usize),
);
pub(super) const KIND_3D: LayerKind = kind::<3>(
    "The maximum of each of the given number of windows of a volume; 1 is the maximum of the whole volume.",
    || Entry::new("adaptive_max_pool3d").with_value(2_usize),
);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn adaptive_max_pools() {
        check_layer(|| AdaptiveMaxPool2d::new(1)).gives([2, 3, 4, 6], [2, 3, 1, 1]);
        check_layer(|| AdaptiveMaxPool2d::new([3, 2])).gives([1, 2, 5, 4], [1, 2, 3, 2]);
        check_layer(|| AdaptiveMaxPool1d::new(3)).gives([2, 2, 7], [2, 2, 3]);
        check_layer(|| AdaptiveMaxPool3d::new([1, 2, 3])).gives([1, 2, 2, 3, 5], [1, 2, 1, 2, 3]);
        assert_eq!(AdaptiveMaxPool2d::new(7).describe(), "AdaptiveMaxPool2d(7×7)");
        let entry = |out: usize| Entry::new("adaptive_max_pool2d").with_value(out);
        assert_eq!(ModelSpec::new([3, 9, 5], [entry(2)]).shapes().unwrap()[0], [3, 2, 2]);
        let error = ModelSpec::new([3, 9, 5], [entry(0)]).build().expect_err("an error").to_string();
        assert!(error.contains("an image [3, 9, 5] cannot be divided into [0, 0] windows"), "{error}");
    }
}
