//! Adaptive max pooling: images of any size become images of one size.

use super::{LayerKind, by, windows};
use crate::{Layer, Module};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::Size2;

/// The maximum of each window, the windows dividing an image of any size into the given number of rows and columns:
/// `y[n, c, i, j]` is the largest `x[n, c, u, v]` over `⌊i·h / oh⌋ ≤ u < ⌈(i + 1)·h / oh⌉` and likewise `v`.
///
/// * Shape: `[n, c, h, w] → [n, c, oh, ow]`.
/// * The gradient goes to the first maximum of a window.
/// * PyTorch: `AdaptiveMaxPool2d`; Keras: `AdaptiveMaxPooling2D`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 5.0, 3.0, 4.0, 6.0]]]];
/// assert_close!(x.apply(&AdaptiveMaxPool2d::new([1, 3])).flatten(0), [5.0, 5.0, 6.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AdaptiveMaxPool2d {
    #[module(skip)]
    out: [usize; 2],
}

impl AdaptiveMaxPool2d {
    /// This many rows and columns of windows: `1` for one window, the whole image.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(out: impl Into<Size2>) -> AdaptiveMaxPool2d {
        AdaptiveMaxPool2d { out: out.into().0.map(|n| at_least_1("adaptive_max_pool2d", "windows", n)) }
    }
}

impl Layer for AdaptiveMaxPool2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.adaptive_max_pool2d(self.out)
    }

    fn describe(&self) -> String {
        format!("AdaptiveMaxPool2d({})", by(self.out))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.out))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "adaptive_max_pool2d",
    "The maximum of each of the given number of windows; 1 is the maximum of the whole image.",
    |args, input| Ok(Box::new(AdaptiveMaxPool2d { out: windows(args, input)? })),
)
.options(&[("", "the number of windows, in each direction or as a pair")])
.example(|| Entry::new("adaptive_max_pool2d").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn adaptive_max_pool2d() {
        check_layer(|| AdaptiveMaxPool2d::new(1)).gives([2, 3, 4, 6], [2, 3, 1, 1]);
        check_layer(|| AdaptiveMaxPool2d::new([3, 2])).gives([1, 2, 5, 4], [1, 2, 3, 2]);
        assert_eq!(AdaptiveMaxPool2d::new(7).describe(), "AdaptiveMaxPool2d(7×7)");
        let entry = |out: usize| Entry::new("adaptive_max_pool2d").with_value(out);
        assert_eq!(ModelSpec::new([3, 9, 5], [entry(2)]).shapes().unwrap()[0], [3, 2, 2]);
        let error = ModelSpec::new([3, 9, 5], [entry(0)]).build().expect_err("an error").to_string();
        assert!(error.contains("an image [3, 9, 5] cannot be divided into [0, 0] windows"), "{error}");
    }
}
