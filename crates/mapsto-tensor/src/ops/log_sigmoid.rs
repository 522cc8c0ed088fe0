//! The logarithm of the sigmoid.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `ln σ(x) = −ln(1 + e⁻ˣ)` of each element, without overflow.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = σ(−x) dy`, exact in both tails.
    /// * ONNX: `Neg(Softplus(Neg(x)))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-100.0, 0.0, 2.0].log_sigmoid(), [-100.0, -0.69315, -0.12693]);
    /// ```
    #[track_caller]
    pub fn log_sigmoid(&self) -> Tensor {
        map(LogSigmoid, self)
    }
}

#[derive(Clone, Copy)]
struct LogSigmoid;
impl Unary for LogSigmoid {
    const NAME: &'static str = "log_sigmoid";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        -(-x).softplus()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(LogSigmoidSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::LogProbabilities)
    }
}

/// `σ(−x)`.
#[derive(Clone, Copy)]
struct LogSigmoidSlope;
impl Slope for LogSigmoidSlope {
    const NAME: &'static str = "log_sigmoid_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * (-x).sigmoid()
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(-(x.sigmoid() * (-x).sigmoid()))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("log_sigmoid", "`ln σ(x) = −ln(1 + e⁻ˣ)` of each element, without overflow.", Takes::Floats, of_log_sigmoid).built(|_| Ok(unary(LogSigmoid))),
    OpKind::new("log_sigmoid_grad", "The derivative of `log_sigmoid`: `g σ(−x)`.", Takes::Floats, of_log_sigmoid_grad).built(|_| Ok(slope(LogSigmoidSlope))),
];

fn of_log_sigmoid(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].log_sigmoid());
}

fn of_log_sigmoid_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(LogSigmoidSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn log_sigmoid() {
        check(|x| x.log_sigmoid()).reference(|x| (if x.is_nan() { x } else { x.min(0.0) }) - (-x.abs()).exp().ln_1p()).on(floats(-9.0..9.0));
    }
}
