//! Absolute value.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `|x|` of each element.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: `dx = sign(x) dy`, 0 at 0.   * ONNX: `Abs`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-3.0, 2.0].abs(), [3.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn abs(&self) -> Tensor {
        map(Abs, self)
    }
}

#[derive(Clone, Copy)]
struct Abs;
impl Unary for Abs {
    const NAME: &'static str = "abs";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.abs()
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x.abs())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(AbsSlope, g, &at.x().detach())
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        (xs.of(0) == Some(Meaning::Bounded)).then_some(Meaning::Probabilities)
    }
}

/// The sign.
#[derive(Clone, Copy)]
struct AbsSlope;
impl Slope for AbsSlope {
    const NAME: &'static str = "abs_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * x.sign()
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("abs", "`|x|` of each element.", Takes::Numbers, of_abs).built(|_| Ok(unary(Abs))),
    OpKind::new("abs_grad", "The derivative of `abs`: `g · sign x`.", Takes::Floats, of_abs_grad).built(|_| Ok(slope(AbsSlope))),
];

fn of_abs(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].abs());
}

fn of_abs_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0).avoiding(0.0), |x| times_slope(AbsSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn abs() {
        check(|x| x.abs()).reference(f64::abs).on(floats(-9.0..9.0).avoiding(0.0));
    }
}
