//! Max pooling: the strongest response of each window.

use super::LayerKind;
use crate::{Layer, Module, Then, pooling};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::{Pool2d, Size2};

/// The maximum of each window: `y[n, c, i, j] = max over u, v of x[n, c, i·s + u − p, j·s + v − p]`.
///
/// * Shape: `[n, c, h, w] → [n, c, h', w']` with `h' = (h + 2p − k)/s + 1`, rounded down.
/// * The gradient goes to the first maximum of a window.
/// * PyTorch: `MaxPool2d`; Keras: `MaxPooling2D`; ONNX: `MaxPool`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0, 0.0, 1.0], [3.0, 4.0, 1.0, 0.0]]]];
/// assert_close!(x.apply(&MaxPool2d::new(2)).flatten(0), [4.0, 1.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct MaxPool2d {
    #[module(skip)]
    pool: Pool2d,
}

impl MaxPool2d {
    /// Windows of this size, side by side.
    ///
    /// # Panics
    /// When a side is 0.
    #[track_caller]
    pub fn new(kernel: impl Into<Size2>) -> MaxPool2d {
        MaxPool2d { pool: Pool2d::new(kernel.into().0.map(|n| at_least_1("max_pool2d", "kernel", n))) }
    }

    /// The same with steps of this size between windows; without it, windows stand side by side.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<Size2>) -> MaxPool2d {
        MaxPool2d { pool: self.pool.stride(stride.into().0.map(|n| at_least_1("max_pool2d", "stride", n))) }
    }

    /// The same with padding around the image, which never wins.
    #[must_use]
    pub fn padding(self, padding: impl Into<Size2>) -> MaxPool2d {
        MaxPool2d { pool: self.pool.padding(padding) }
    }

    /// `forward(relu(x))` in one pass.
    #[track_caller]
    pub(crate) fn of_relu(&self, x: &Tensor) -> Tensor {
        x.max_pool2d_relu(self.pool)
    }
}

impl Layer for MaxPool2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.max_pool2d_with(self.pool)
    }

    fn as_then(&self) -> Option<Then<'_>> {
        Some(Then::MaxPool(self))
    }

    fn describe(&self) -> String {
        pooling::spoken("MaxPool2d", &self.pool)
    }

    fn entry(&self) -> Option<Entry> {
        Some(pooling::entry(KIND.name, &self.pool))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("max_pool2d", "The maximum of each window of the given size.", |args, input| {
        Ok(Box::new(MaxPool2d { pool: pooling::read(args, input)? }))
    })
    .options(&[
        ("", "the height and width of the window"),
        ("stride", "how far the window moves; its own size where nothing is said"),
        ("padding", "rows and columns added around the image, at most half the window"),
    ])
    .example(|| Entry::new("max_pool2d").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn max_pool2d() {
        check_layer(|| MaxPool2d::new(2)).gives([2, 3, 4, 6], [2, 3, 2, 3]);
        check_layer(|| MaxPool2d::new([3, 2]).stride(1).padding(1)).gives([1, 2, 5, 4], [1, 2, 5, 5]);
        assert_eq!(
            MaxPool2d::new(3).stride(2).padding(1).describe(),
            "MaxPool2d(3×3, stride 2×2, padding 1×1)"
        );
    }
}
