//! Max pooling: the strongest response of each window.

use super::LayerKind;
use crate::pooling::{self, positive};
use crate::{Layer, Module, Then};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::{PerAxis, Pool};
use std::any::Any;

/// The maximum of each window of `N` axes, of two: `y[n, c, i, j] = max over u, v of x[n, c, i·s + u·d − p, j·s + v·d − p]`.
///
/// * Shape: `[n, c, h, w] → [n, c, h', w']` with `h' = (h + 2p − d(k − 1) − 1)/s + 1`, rounded down, or up with `ceil_mode`; one axis or
///   three likewise.
/// * The gradient goes to the first maximum of a window.
/// * PyTorch: `MaxPool1d`, `MaxPool2d`, `MaxPool3d`; Keras: `MaxPooling1D`, `MaxPooling2D`, `MaxPooling3D`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0, 0.0, 1.0], [3.0, 4.0, 1.0, 0.0]]]];
/// assert_close!(x.apply(&MaxPool2d::new(2)).flatten(0), [4.0, 1.0]);
/// assert_close!(tensor![[[1.0, 2.0, 0.0]]].apply(&MaxPool1d::new(2).ceil_mode()), [[[2.0, 0.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct MaxPool<const N: usize> {
    #[module(skip)]
    pool: Pool<N>,
}

/// Max pooling of sequences, `[n, c, length]`.
pub type MaxPool1d = MaxPool<1>;
/// Max pooling of images, `[n, c, h, w]`.
pub type MaxPool2d = MaxPool<2>;
/// Max pooling of volumes, `[n, c, d, h, w]`.
pub type MaxPool3d = MaxPool<3>;

impl<const N: usize> MaxPool<N> {
    /// Windows of this size, side by side.
    ///
    /// # Panics
    /// When a side is 0.
    #[track_caller]
    pub fn new(kernel: impl Into<PerAxis<N>>) -> MaxPool<N> {
        MaxPool { pool: Pool::new(positive(name(N), "kernel", kernel)) }
    }

    /// The same with steps of this size between windows; without it, windows stand side by side.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<N>>) -> MaxPool<N> {
        MaxPool { pool: self.pool.stride(positive(name(N), "stride", stride)) }
    }

    /// The same with padding around the image, which never wins.
    #[must_use]
    pub fn padding(self, padding: impl Into<PerAxis<N>>) -> MaxPool<N> {
        MaxPool { pool: self.pool.padding(padding) }
    }

    /// The same with this distance between the places of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis<N>>) -> MaxPool<N> {
        MaxPool { pool: self.pool.dilation(positive(name(N), "dilation", dilation)) }
    }

    /// The same with a last window that is cut off, where something is left over at the end.
    #[must_use]
    pub fn ceil_mode(self) -> MaxPool<N> {
        MaxPool { pool: self.pool.ceil_mode() }
    }
}

impl MaxPool2d {
    /// `forward(relu(x))` in one pass.
    #[track_caller]
    pub(crate) fn of_relu(&self, x: &Tensor) -> Tensor {
        x.max_pool2d_relu(self.pool)
    }
}

fn name(axes: usize) -> &'static str {
    ["", "max_pool1d", "max_pool2d", "max_pool3d"][axes]
}

impl<const N: usize> Layer for MaxPool<N> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.pool.max(x)
    }

    fn as_then(&self) -> Option<Then<'_>> {
        (self as &dyn Any).downcast_ref::<MaxPool2d>().map(Then::MaxPool)
    }

    fn describe(&self) -> String {
        pooling::spoken("MaxPool", &self.pool)
    }

    fn entry(&self) -> Option<Entry> {
        Some(pooling::entry(name(N), &self.pool, true))
    }
}

const fn kind<const N: usize>(doc: &'static str, example: fn() -> Entry) -> LayerKind {
    LayerKind::new(["", "max_pool1d", "max_pool2d", "max_pool3d"][N], doc, |args, input| {
        Ok(Box::new(MaxPool::<N> { pool: pooling::read_max(args, input)? }))
    })
    .options(&[
        ("", "the size of the window along each axis"),
        ("stride", "how far the window moves; its own size where nothing is said"),
        ("dilation", "the distance of the window's places; 1 where nothing is said"),
        ("padding", "places added on each side, at most half the window"),
        ("ceil_mode", "whether a last window that is cut off counts; it does not where nothing is said"),
    ])
    .example(example)
}

pub(super) const KIND_1D: LayerKind =
    kind::<1>("The maximum of each window of a sequence.", || Entry::new("max_pool1d").with_value(2_usize));
pub(super) const KIND_2D: LayerKind = kind::<2>("The maximum of each window of the given size.", || {
    Entry::new("max_pool2d").with_value(2_usize)
});
pub(super) const KIND_3D: LayerKind =
    kind::<3>("The maximum of each window of a volume.", || Entry::new("max_pool3d").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::Then;
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn max_pools() {
        check_layer(|| MaxPool2d::new(2)).gives([2, 3, 4, 6], [2, 3, 2, 3]);
        check_layer(|| MaxPool2d::new([3, 2]).stride(1).padding(1)).gives([1, 2, 5, 4], [1, 2, 5, 5]);
        check_layer(|| MaxPool1d::new(3).stride(2).ceil_mode()).gives([2, 2, 6], [2, 2, 3]);
        check_layer(|| MaxPool1d::new(2).dilation(3)).gives([2, 2, 6], [2, 2, 2]);
        check_layer(|| MaxPool3d::new([1, 2, 2])).gives([1, 2, 3, 4, 5], [1, 2, 3, 2, 2]);
        assert_eq!(
            MaxPool2d::new(3).stride(2).padding(1).describe(),
            "MaxPool2d(3×3, stride 2×2, padding 1×1)"
        );
        assert_eq!(
            MaxPool1d::new(3).dilation(2).ceil_mode().describe(),
            "MaxPool1d(3, dilation 2, ceil mode)"
        );
        assert!(MaxPool2d::new(2).as_then().is_some() && MaxPool3d::new(2).as_then().is_none());
        let x = Tensor::randn([1, 2, 5, 5]);
        let cut = MaxPool2d::new(2).ceil_mode();
        assert_close!(x.apply_then(&Tensor::relu, &[Then::of(&cut)]), cut.forward(&x.relu()));
    }

    #[test]
    fn files_have_all_settings() {
        let entry = Entry::new("max_pool1d").with_value(2_usize).with_option("stride", 1_usize);
        let all = entry.clone().with_option("dilation", 3_usize).with_option("padding", 1_usize);
        check_entry::<dyn Layer>(&all.with_option("ceil_mode", true), &[4, 6]);
        let error =
            |entry: Entry, input: &[usize]| ModelSpec::new(input, [entry]).build().err().unwrap().to_string();
        let e = error(entry.clone().with_option("dilation", 0_usize), &[4, 6]);
        assert!(e.contains("the distance between the places of a window is at least 1"), "{e}");
        let e = error(entry.with_option("padding", 2_usize), &[4, 6]);
        assert!(e.contains("a padding of 2 is more than half the window of 2"), "{e}");
        let e = error(Entry::new("max_pool3d").with_value(2_usize), &[4, 6, 6]);
        assert!(e.contains("the input should be [channels, depth, height, width], it is [4, 6, 6]"), "{e}");
        let e = error(Entry::new("max_pool1d").with_value(7_usize), &[4, 6]);
        assert!(e.contains("a window of 7 does not fit the image [4, 6] of 6"), "{e}");
    }
}
