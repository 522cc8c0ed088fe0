//! Logistic function: an activation that squashes to 0..1, from a logit to a probability.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `1 / (1 + e⁻ˣ)` of each element, without overflow on either side.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = y (1 − y) dy`, exact in both tails.   * ONNX: `Sigmoid`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0].sigmoid(), [0.26894, 0.5, 0.73106]);
    /// ```
    #[track_caller]
    pub fn sigmoid(&self) -> Tensor {
        map(Sigmoid, self)
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;
impl Unary for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sigmoid()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SigmoidSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Probabilities)
    }
}

/// `e / (1 + e)²` with `e = e^(−|x|)`: where the result rounds to 1, `1 − y` would be 0.
#[derive(Clone, Copy)]
struct SigmoidSlope;
impl Slope for SigmoidSlope {
    const NAME: &'static str = "sigmoid_grad";
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let e = (-x.abs()).exp();
        let all = R::ONE + e;
        g * (e / (all * all))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(times_slope(SigmoidSlope, &(x * 0.5).tanh(), x) * -1.0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sigmoid", "`1 / (1 + e⁻ˣ)` of each element, without overflow on either side.", Takes::Floats, of_sigmoid).built(|_| Ok(unary(Sigmoid))),
    OpKind::new("sigmoid_grad", "The derivative of `sigmoid`: `g · y (1 − y)` with `y = sigmoid x`.", Takes::Floats, of_sigmoid_grad).built(|_| Ok(slope(SigmoidSlope))),
];

fn of_sigmoid(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].sigmoid());
}

fn of_sigmoid_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(SigmoidSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(SigmoidSlope, &of(1.0), &of(-12.0)).item();
        assert!((slope / 6.144_136_851_333_175_5e-6 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn sigmoid() {
        check(|x| x.sigmoid()).reference(|x| 1.0 / (1.0 + (-x).exp())).on(floats(-9.0..9.0));
    }
}
