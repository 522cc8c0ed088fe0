//! The square, cheaper and clearer than a power.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, Value, map, scalar_like, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `x²` of each element.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: `dx = 2 x dy`.   * ONNX: `Mul`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-3.0, 2.0].square(), [9.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn square(&self) -> Tensor {
        map(Square, self)
    }
}

#[derive(Clone, Copy)]
struct Square;
impl Unary for Square {
    const NAME: &'static str = "square";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * x
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x.times(x))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SquareSlope, g, at.x())
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        (xs.of(0) == Some(Meaning::Bounded)).then_some(Meaning::Probabilities)
    }
}

/// `2 x`.
#[derive(Clone, Copy)]
struct SquareSlope;
impl Slope for SquareSlope {
    const NAME: &'static str = "square_grad";
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * (x + x)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(scalar_like("square", 2.into(), x))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("square", "`x²` of each element.", Takes::Numbers, of_square).built(|_| Ok(unary(Square))),
    OpKind::new("square_grad", "The derivative of `square`: `2 g x`.", Takes::Floats, of_square_grad).built(|_| Ok(slope(SquareSlope))),
];

fn of_square(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].square());
}

fn of_square_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| times_slope(SquareSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn square() {
        check(|x| x.square()).reference(|x| x * x).on(floats(-9.0..9.0));
    }
}
