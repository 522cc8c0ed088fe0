//! A sign without a jump.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `x / (1 + |x|)` of each element.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (1 + |x|)²`.   * ONNX: `Softsign`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 3.0].softsign(), [-0.5, 0.0, 0.75]);
    /// ```
    #[track_caller]
    pub fn softsign(&self) -> Tensor {
        map(Softsign, self)
    }
}

#[derive(Clone, Copy)]
struct Softsign;
impl Unary for Softsign {
    const NAME: &'static str = "softsign";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x / (R::ONE + x.abs())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SoftsignSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Bounded)
    }
}

/// `1 / (1 + |x|)²`.
#[derive(Clone, Copy)]
struct SoftsignSlope;
impl Slope for SoftsignSlope {
    const NAME: &'static str = "softsign_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let s = R::ONE + x.abs();
        g / s / s
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x.detach().sign() * -2.0 / (x.abs() + 1.0).pow(3.0))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("softsign", "`x / (1 + |x|)` of each element.", Takes::Floats, of_softsign).built(|_| Ok(unary(Softsign))),
    OpKind::new("softsign_grad", "The derivative of `softsign`: `g / (1 + |x|)²`.", Takes::Floats, of_softsign_grad).built(|_| Ok(slope(SoftsignSlope))),
];

fn of_softsign(s: &mut Samples) {
    s.each(floats(-4.0..4.0).avoiding(0.0), |x| x[0].softsign());
}

fn of_softsign_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0).avoiding(0.0), |x| times_slope(SoftsignSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn softsign() {
        check(|x| x.softsign()).reference(|x| x / (1.0 + x.abs())).on(floats(-9.0..9.0).avoiding(0.0));
    }
}
