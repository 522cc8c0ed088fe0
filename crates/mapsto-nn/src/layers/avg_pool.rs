//! Average pooling: the mean response of each window.

use super::LayerKind;
use crate::pooling::{self, positive};
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::{PerAxis, Pool};

/// The mean of each window of `N` axes, of two: `y[n, c, i, j] = Σ x[n, c, i·s + u − p, j·s + v − p] / k²` over u and v, with
/// zeros in the padding, which count.
///
/// * Shape: `[n, c, h, w] → [n, c, h', w']` with `h' = (h + 2p − k)/s + 1`, rounded down, or up with `ceil_mode`; one axis or three likewise.
/// * PyTorch: `AvgPool1d`, `AvgPool2d`, `AvgPool3d`; Keras: `AveragePooling1D`, `AveragePooling2D`, `AveragePooling3D`, whose
///   `padding="same"` does not count the padding.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0, 0.0, 1.0], [3.0, 4.0, 1.0, 0.0]]]];
/// assert_close!(x.apply(&AvgPool2d::new(2)).flatten(0), [2.5, 0.5]);
/// let pool = AvgPool1d::new(2).padding(1).exclude_pad();
/// assert_close!(tensor![[[1.0, 2.0, 4.0]]].apply(&pool), [[[1.0, 3.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AvgPool<const N: usize> {
    #[module(skip)]
    pool: Pool<N>,
}

/// Average pooling of sequences, `[n, c, length]`.
pub type AvgPool1d = AvgPool<1>;
/// Average pooling of images, `[n, c, h, w]`.
pub type AvgPool2d = AvgPool<2>;
/// Average pooling of volumes, `[n, c, d, h, w]`.
pub type AvgPool3d = AvgPool<3>;

impl<const N: usize> AvgPool<N> {
    /// Windows of this size, side by side.
    ///
    /// # Panics
    /// When a side is 0.
    #[track_caller]
    pub fn new(kernel: impl Into<PerAxis<N>>) -> AvgPool<N> {
        AvgPool { pool: Pool::new(positive(name(N), "kernel", kernel)) }
    }

    /// The same with steps of this size between windows; without it, windows stand side by side.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<N>>) -> AvgPool<N> {
        AvgPool { pool: self.pool.stride(positive(name(N), "stride", stride)) }
    }

    /// The same with zeros around the image, which count.
    #[must_use]
    pub fn padding(self, padding: impl Into<PerAxis<N>>) -> AvgPool<N> {
        AvgPool { pool: self.pool.padding(padding) }
    }

    /// The same with a last window that is cut off, where something is left over at the end.
    #[must_use]
    pub fn ceil_mode(self) -> AvgPool<N> {
        AvgPool { pool: self.pool.ceil_mode() }
    }

    /// The same with means over what lies in the image (PyTorch: `count_include_pad=False`).
    #[must_use]
    pub fn exclude_pad(self) -> AvgPool<N> {
        AvgPool { pool: self.pool.exclude_pad() }
    }

    /// The same with sums over this number instead of means.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn divisor_override(self, divisor: usize) -> AvgPool<N> {
        AvgPool { pool: self.pool.divisor_override(pooling::check_divisor(name(N), divisor)) }
    }
}

fn name(axes: usize) -> &'static str {
    ["", "avg_pool1d", "avg_pool2d", "avg_pool3d"][axes]
}

impl<const N: usize> Layer for AvgPool<N> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.pool.mean(x)
    }

    fn describe(&self) -> String {
        pooling::spoken("AvgPool", &self.pool)
    }

    fn entry(&self) -> Option<Entry> {
        Some(pooling::entry(name(N), &self.pool, true))
    }
}

const fn kind<const N: usize>(doc: &'static str, example: fn() -> Entry) -> LayerKind {
    LayerKind::new(["", "avg_pool1d", "avg_pool2d", "avg_pool3d"][N], doc, |args, input| {
        Ok(Box::new(AvgPool::<N> { pool: pooling::read_avg(args, input)? }))
    })
    .options(&[
        ("", "the size of the window along each axis"),
        ("stride", "how far the window moves; its own size where nothing is said"),
        ("padding", "places added on each side, at most half the window"),
        ("count_include_pad", "whether the padding counts, as zeros; it does where nothing is said"),
        ("divisor_override", "what each sum is divided by, instead of the size of the window"),
        ("ceil_mode", "whether a last window that is cut off counts; it does not where nothing is said"),
    ])
    .example(example)
}

pub(super) const KIND_1D: LayerKind =
    kind::<1>("The mean of each window of a sequence.", || Entry::new("avg_pool1d").with_value(2_usize));
pub(super) const KIND_2D: LayerKind =
    kind::<2>("The mean of each window of the given size.", || Entry::new("avg_pool2d").with_value(2_usize));
pub(super) const KIND_3D: LayerKind =
    kind::<3>("The mean of each window of a volume.", || Entry::new("avg_pool3d").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn avg_pools() {
        check_layer(|| AvgPool2d::new(2)).gives([2, 3, 4, 6], [2, 3, 2, 3]);
        check_layer(|| AvgPool2d::new([3, 2]).stride(1).padding(1)).gives([1, 2, 5, 4], [1, 2, 5, 5]);
        check_layer(|| AvgPool1d::new(3).padding(1).exclude_pad()).gives([2, 2, 6], [2, 2, 2]);
        check_layer(|| AvgPool3d::new(2).ceil_mode().divisor_override(3))
            .gives([1, 2, 3, 4, 2], [1, 2, 2, 2, 1]);
        assert_eq!(
            AvgPool2d::new(3).stride(2).padding(1).describe(),
            "AvgPool2d(3×3, stride 2×2, padding 1×1)"
        );
        assert_eq!(
            AvgPool1d::new(3).exclude_pad().divisor_override(2).describe(),
            "AvgPool1d(3, without the padding, over 2)"
        );
        let e = catch(|| AvgPool1d::new(3).divisor_override(0)).unwrap_err();
        assert_eq!(e.message(), "avg_pool1d: `divisor_override` must be at least 1, got 0");
    }

    #[test]
    fn files_have_all_settings() {
        let entry = Entry::new("avg_pool1d").with_value(2_usize).with_option("stride", 1_usize);
        let all = entry.clone().with_option("padding", 1_usize).with_option("count_include_pad", false);
        let all = all.with_option("divisor_override", 3_usize).with_option("ceil_mode", true);
        check_entry::<dyn Layer>(&all, &[4, 6]);
        let none = entry.with_option("divisor_override", 0_usize);
        let e = ModelSpec::new([4, 6], [none]).build().err().unwrap().to_string();
        assert!(e.contains("`divisor_override` must be at least 1, got 0"), "{e}");
    }
}
