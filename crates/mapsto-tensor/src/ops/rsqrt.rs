//! Reciprocal of the square root, as norms need it.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `1 / √x` of each element; infinite at 0, NaN below.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = −½ y³ dy`.   * ONNX: `Reciprocal(Sqrt(x))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![4.0, 2.0].rsqrt(), [0.5, 0.70711]);
    /// ```
    #[track_caller]
    pub fn rsqrt(&self) -> Tensor {
        map(Rsqrt, self)
    }
}

#[derive(Clone, Copy)]
struct Rsqrt;
impl Unary for Rsqrt {
    const NAME: &'static str = "rsqrt";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sqrt().recip()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(RsqrtSlope, g, at.x())
    }
}

/// `−½ y³` with `y = 1 / √x`. By `x`: a second derivative that went through `y` would need what lies between to be numbers.
#[derive(Clone, Copy)]
struct RsqrtSlope;
impl Slope for RsqrtSlope {
    const NAME: &'static str = "rsqrt_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let y = x.sqrt().recip();
        // From the left, and the half first: y³ alone may leave the range of numbers, and twice the slope too.
        g * (-R::HALF * y) * y * y
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x.rsqrt() / x / x * 0.75)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("rsqrt", "`1 / √x` of each element; infinite at 0, NaN below.", Takes::Floats, of_rsqrt).built(|_| Ok(unary(Rsqrt))),
    OpKind::new("rsqrt_grad", "The derivative of `rsqrt`: `−½ g y³` with `y = 1 / √x`.", Takes::Floats, of_rsqrt_grad).built(|_| Ok(slope(RsqrtSlope))),
];

fn of_rsqrt(s: &mut Samples) {
    s.each(floats(0.2..4.0), |x| x[0].rsqrt());
}

fn of_rsqrt_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.5..2.0), |x| times_slope(RsqrtSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn rsqrt() {
        check(|x| x.rsqrt()).reference(|x| 1.0 / x.sqrt()).on(floats(0.2..9.0));
    }
}
