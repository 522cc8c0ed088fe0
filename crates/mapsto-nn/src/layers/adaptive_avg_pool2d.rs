//! Adaptive average pooling: images of any size become images of one size.

use super::{LayerKind, by, windows};
use crate::{Layer, Module};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::Size2;

/// The mean of each window, the windows dividing an image of any size into the given number of rows and columns:
/// `y[n, c, i, j]` is the mean of `x[n, c, u, v]` over `⌊i·h / oh⌋ ≤ u < ⌈(i + 1)·h / oh⌉` and likewise `v`.
///
/// With `1` it is the mean of the whole image, the global average pooling before a classifier's last layer (Lin, Chen,
/// Yan 2013, Network in network, arXiv:1312.4400, section 3.2).
///
/// * Shape: `[n, c, h, w] → [n, c, oh, ow]`.
/// * PyTorch: `AdaptiveAvgPool2d`; Keras: `AdaptiveAveragePooling2D`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0, 3.0, 4.0, 6.0]]]];
/// assert_close!(x.apply(&AdaptiveAvgPool2d::new([1, 3])).flatten(0), [1.5, 3.0, 5.0]);
/// assert_close!(x.apply(&AdaptiveAvgPool2d::new(1)).flatten(0), [3.2]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AdaptiveAvgPool2d {
    #[module(skip)]
    out: [usize; 2],
}

impl AdaptiveAvgPool2d {
    /// This many rows and columns of windows: `1` for one window, the whole image.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(out: impl Into<Size2>) -> AdaptiveAvgPool2d {
        AdaptiveAvgPool2d { out: out.into().0.map(|n| at_least_1("adaptive_avg_pool2d", "windows", n)) }
    }
}

impl Layer for AdaptiveAvgPool2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.adaptive_avg_pool2d(self.out)
    }

    fn describe(&self) -> String {
        format!("AdaptiveAvgPool2d({})", by(self.out))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.out))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "adaptive_avg_pool2d",
    "The mean of each of the given number of windows; 1 is the mean of the whole image.",
    |args, input| Ok(Box::new(AdaptiveAvgPool2d { out: windows(args, input)? })),
)
.options(&[("", "the number of windows, in each direction or as a pair")])
.example(|| Entry::new("adaptive_avg_pool2d").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn adaptive_avg_pool2d() {
        check_layer(|| AdaptiveAvgPool2d::new(1)).gives([2, 3, 4, 6], [2, 3, 1, 1]);
        check_layer(|| AdaptiveAvgPool2d::new([3, 2])).gives([1, 2, 5, 4], [1, 2, 3, 2]);
        assert_eq!(AdaptiveAvgPool2d::new(7).describe(), "AdaptiveAvgPool2d(7×7)");
        let entry = |out: usize| Entry::new("adaptive_avg_pool2d").with_value(out);
        assert_eq!(ModelSpec::new([3, 9, 5], [entry(2)]).shapes().unwrap()[0], [3, 2, 2]);
        let error = ModelSpec::new([3, 9, 5], [entry(0)]).build().expect_err("an error").to_string();
        assert!(error.contains("an image [3, 9, 5] cannot be divided into [0, 0] windows"), "{error}");
    }
}
