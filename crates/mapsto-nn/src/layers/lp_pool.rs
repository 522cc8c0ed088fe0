//! Power-average pooling: the p-norm of each window.

use super::LayerKind;
use crate::pooling::{self, positive};
use crate::{Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::{PerAxis, Pool};

/// The p-norm of each window of `N` axes, `y = (Σ xᵖ)^(1/p)`: a sum for p = 1, nearly the maximum for a large p.
///
/// With an odd p numbers below 0 count as such, as in PyTorch; put an activation before it.
///
/// * Shape: `[n, c, h, w] → [n, c, h', w']` with `h' = (h − k)/s + 1`, rounded down, or up with `ceil_mode`; one axis or three likewise.
/// * PyTorch: `LPPool1d`, `LPPool2d`, `LPPool3d`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(tensor![[[3.0, 4.0, 0.0, 2.0]]].apply(&LpPool1d::new(2.0, 2)), [[[5.0, 2.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LpPool<const N: usize> {
    #[module(skip)]
    p: f64,
    #[module(skip)]
    pool: Pool<N>,
}

/// Power-average pooling of sequences, `[n, c, length]`.
pub type LpPool1d = LpPool<1>;
/// Power-average pooling of images, `[n, c, h, w]`.
pub type LpPool2d = LpPool<2>;
/// Power-average pooling of volumes, `[n, c, d, h, w]`.
pub type LpPool3d = LpPool<3>;

impl<const N: usize> LpPool<N> {
    /// The p-norms of windows of this size, side by side.
    ///
    /// # Panics
    /// When p is not finite and above 0, or a side is 0.
    #[track_caller]
    pub fn new(p: f64, kernel: impl Into<PerAxis<N>>) -> LpPool<N> {
        LpPool {
            p: Bounds::ABOVE_0.check(name(N), "p", p),
            pool: Pool::new(positive(name(N), "kernel", kernel)),
        }
    }

    /// The same with steps of this size between windows; without it, windows stand side by side.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<N>>) -> LpPool<N> {
        LpPool { pool: self.pool.stride(positive(name(N), "stride", stride)), ..self }
    }

    /// The same with a last window that is cut off, where something is left over at the end; it counts as if what lacks were
    /// as its mean.
    #[must_use]
    pub fn ceil_mode(self) -> LpPool<N> {
        LpPool { pool: self.pool.ceil_mode(), ..self }
    }
}

fn name(axes: usize) -> &'static str {
    ["", "lp_pool1d", "lp_pool2d", "lp_pool3d"][axes]
}

impl<const N: usize> Layer for LpPool<N> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.pool.norm(x, self.p)
    }

    fn describe(&self) -> String {
        format!("{} of p {}", pooling::spoken("LpPool", &self.pool), self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(pooling::entry(name(N), &self.pool, false).with_option("p", self.p))
    }
}

const fn kind<const N: usize>(doc: &'static str, example: fn() -> Entry) -> LayerKind {
    LayerKind::new(["", "lp_pool1d", "lp_pool2d", "lp_pool3d"][N], doc, |args, input| {
        let pool = pooling::read_lp(args, input)?;
        Ok(Box::new(LpPool::<N> { p: Bounds::ABOVE_0.option(args, "p", 2.0)?, pool }))
    })
    .options(&[
        ("", "the size of the window along each axis"),
        ("stride", "how far the window moves; its own size where nothing is said"),
        ("ceil_mode", "whether a last window that is cut off counts; it does not where nothing is said"),
        ("p", "the power"),
    ])
    .example(example)
}

pub(super) const KIND_1D: LayerKind =
    kind::<1>("The p-norm of each window of a sequence.", || Entry::new("lp_pool1d").with_value(2_usize));
pub(super) const KIND_2D: LayerKind =
    kind::<2>("The p-norm of each window of an image.", || Entry::new("lp_pool2d").with_value(2_usize));
pub(super) const KIND_3D: LayerKind =
    kind::<3>("The p-norm of each window of a volume.", || Entry::new("lp_pool3d").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn lp_pools() {
        check_layer(|| LpPool1d::new(2.0, 3).stride(1)).gives([2, 2, 5], [2, 2, 3]);
        check_layer(|| LpPool2d::new(4.0, 2).ceil_mode()).gives([1, 2, 3, 4], [1, 2, 2, 2]);
        check_layer(|| LpPool3d::new(2.0, [1, 2, 2])).gives([1, 1, 2, 4, 2], [1, 1, 2, 2, 1]);
        assert_eq!(LpPool1d::new(2.5, 3).stride(1).describe(), "LpPool1d(3, stride 1) of p 2.5");
        let entry = Entry::new("lp_pool2d").with_value(2_usize).with_option("stride", 1_usize);
        check_entry::<dyn Layer>(&entry.with_option("ceil_mode", true).with_option("p", 3.0), &[2, 6, 6]);
    }
}
