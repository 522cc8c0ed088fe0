//! A smooth relu that is always positive, for scales and variances.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

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
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.softplus()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SoftplusSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
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
        Some(x.sigmoid() * (-x).sigmoid()) // σ(−x) keeps the digits that 1 − σ(x) loses
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("softplus", "`ln(1 + eˣ)` of each element, without overflow.", Takes::Floats, of_softplus).built(|_| Ok(unary(Softplus))),
    OpKind::new("softplus_grad", "The derivative of `softplus`: `g · sigmoid x`.", Takes::Floats, of_softplus_grad).built(|_| Ok(slope(SoftplusSlope))),
];

fn of_softplus(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].softplus());
}

fn of_softplus_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(SoftplusSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(SoftplusSlope, &of(1.0), &of(-12.0)).item();
        assert!((slope / 6.144_174_602_214_718e-6 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn softplus() {
        check(|x| x.softplus()).reference(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()).on(floats(-9.0..9.0));
    }
}
