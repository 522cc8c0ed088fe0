//! Tangent of an angle.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// Tangent of each angle in radians: `sin x / cos x`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / cos² x`.   * ONNX: `Tan`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 0.785398].tan(), [-1.55741, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn tan(&self) -> Tensor {
        map(Tan, self)
    }
}

#[derive(Clone, Copy)]
struct Tan;
impl Unary for Tan {
    const NAME: &'static str = "tan";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.tan()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(TanSlope, g, at.x())
    }
}

/// `1 / cos² x`.
#[derive(Clone, Copy)]
struct TanSlope;
impl Slope for TanSlope {
    const NAME: &'static str = "tan_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let tan = x.tan();
        g * tan.fma(tan, R::ONE)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x.sin() * 2.0 / x.cos().pow(3.0))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("tan", "Tangent of each angle in radians: `sin x / cos x`.", Takes::Floats, of_tan).built(|_| Ok(unary(Tan))),
    OpKind::new("tan_grad", "The derivative of `tan`: `g / cos² x`.", Takes::Floats, of_tan_grad).built(|_| Ok(slope(TanSlope))),
];

fn of_tan(s: &mut Samples) {
    s.each(floats(-1.4..1.4), |x| x[0].tan());
}

fn of_tan_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-1.4..1.4), |x| times_slope(TanSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn tan() {
        check(|x| x.tan()).reference(f64::tan).on(floats(-1.4..1.4));
        check(|x| x.tan()).reference(f64::tan).on(floats(1.7..4.6));
    }
}
