//! Division, element by element.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Binary, Operand, Own, Real, binary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Vjp};
use crate::ternary::{Ternary, product3, ternary, zip3};

impl Tensor {
    /// `a / b` of each pair of elements; a division by zero gives infinity or NaN. Also written `&a / &b`.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only.   * Gradient: `da = dy / b`, `db = −(dy / b) (a / b)`.   * ONNX: `Div`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 3.0] / 2.0, [0.5, 1.5]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn div(&self, other: impl Into<Operand>) -> Tensor {
        zip(Div, self, &other.into().like("div", self))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Div;
impl Binary for Div {
    const NAME: &'static str = "div";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a / b
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| g / at.b(), || -zip3(OverSquare, g, at.a(), at.b()))
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.number(1).and_then(|divisor| xs.times(0, 1.0 / divisor))
    }
}

/// `g a / b²`.
#[derive(Clone, Copy)]
struct OverSquare;
impl Ternary for OverSquare {
    const NAME: &'static str = "div_grad";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        product3(g, a / b, b.recip())
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        (g / b) * (a / b)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("div", "`a / b` of each pair of elements; a division by zero gives infinity or NaN.", Takes::Floats, samples).built(|_| Ok(binary(Div))),
    OpKind::new("div_grad", "Less the derivative of `div` by the divisor: `g a / b²`.", Takes::Floats, of_div_grad).built(|_| Ok(ternary(OverSquare))),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.4..3.0), |x| x[0].div(&x[1]));
    s.pairs(floats(-2.0..2.0), floats(-3.0..-0.4), |x| x[0].div(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].div(4.0));
}

fn of_div_grad(s: &mut Samples) {
    let (d, b) = (floats(-2.0..2.0), floats(0.4..3.0));
    s.of(&[(&[3, 4], &d), (&[3, 4], &d), (&[4], &b)], |x| zip3(OverSquare, &x[0], &x[1], &x[2]));
    s.of(&[(&[], &d), (&[], &d), (&[], &b)], |x| zip3(OverSquare, &x[0], &x[1], &x[2]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn div_grad() {
        let d = || floats(-2.0..2.0);
        check3(|g, a, b| zip3(OverSquare, g, a, b)).reference(|g, a, b| g * a / (b * b)).on(d(), d(), floats(0.4..3.0));
    }

    #[test]
    fn div() {
        check2(|a, b| a / b).reference(|a, b| a / b).on(floats(-9.0..9.0), floats(0.5..9.0));
    }
}
