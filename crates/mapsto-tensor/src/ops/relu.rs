//! Rectified linear unit: the activation that keeps what is positive.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, Value, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `max(0, x)` of each element; NaN stays NaN.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: `dx = dy` where `x > 0`, else 0.   * ONNX: `Relu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].relu(), [0.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        map(Relu, self)
    }
}

#[derive(Clone, Copy)]
struct Relu;
impl Unary for Relu {
    const NAME: &'static str = "relu";
    const KEEP: Keep = Keep::OUTPUT;
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.max(R::ZERO)
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x.max(V::ZERO))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Step, g, &at.y().detach())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// 1 where the result is positive, else 0; the gradient at NaN passes, so that it shows.
#[derive(Clone, Copy)]
pub(crate) struct Step;
impl Slope for Step {
    const NAME: &'static str = "relu_grad";
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn times<R: Real>(self, g: R, y: R) -> R {
        R::select(y.le(R::ZERO), R::ZERO, g)
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("relu", "`max(0, x)` of each element; NaN stays NaN.", Takes::Numbers, of_relu).built(|_| Ok(unary(Relu))),
    OpKind::new("relu_grad", "The derivative of `relu`: `g` where the result is positive, else 0.", Takes::Floats, of_relu_grad).built(|_| Ok(slope(Step))),
];

fn of_relu(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].relu());
}

fn of_relu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.1..2.0), |x| times_slope(Step, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn relu() {
        check(|x| x.relu()).reference(|x| if x < 0.0 { 0.0 } else { x }).on(floats(-3.0..3.0).avoiding(0.0));
    }
}
