//! A smooth relu that is always positive, for scales and variances.

use crate::Tensor;
use crate::elementwise::{Real, Unary, map};
use crate::graph::{At, Keep};
use crate::slope::{Slope, times_slope};

impl Tensor {
    /// `ln(1 + eˣ)` of each element, without overflow.
    ///
    /// Source: Dugas, Bengio, Bélisle, Nadeau, Garcia (2000), Incorporating second-order functional knowledge, NIPS.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = σ(x) dy`.   * ONNX: `Softplus`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0].softplus(), [0.31326, 0.69315, 1.31326]);
    /// ```
    #[track_caller]
    pub fn softplus(&self) -> Tensor {
        map(Softplus, self)
    }
}

#[derive(Clone, Copy)]
struct Softplus;
impl Unary for Softplus {
    const NAME: &'static str = "softplus";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.softplus()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SoftplusSlope, g, at.x())
    }
}

/// The [`sigmoid`](Tensor::sigmoid).
#[derive(Clone, Copy)]
struct SoftplusSlope;
impl Slope for SoftplusSlope {
    const NAME: &'static str = "softplus_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * x.sigmoid()
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let s = x.sigmoid();
        Some(&s * (1.0 - &s))
    }
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn softplus() {
        check(|x| x.softplus()).reference(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()).on(floats(-9.0..9.0));
    }
}
