//! The larger of two numbers.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Binary, Operand, Real, binary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Vjp};

impl Tensor {
    /// The larger one of each pair of elements; NaN if either is.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.
    /// * Gradient: `dy` to the larger one, half to each of two equals.   * ONNX: `Max`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 5.0].maximum(tensor![3.0, 2.0]), [3.0, 5.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn maximum(&self, other: impl Into<Operand>) -> Tensor {
        zip(Maximum, self, &other.into().like("maximum", self))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Maximum;
impl Binary for Maximum {
    const NAME: &'static str = "maximum";
    const KEEP: Keep = Keep::INPUTS;
    const BOOL: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a.max(b)
    }
    fn int<V: Value>(self, a: V, b: V) -> Option<V> {
        Some(a.max(b))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (a, b) = (at.a().detach(), at.b().detach());
        at.both(|| g * zip(Share, &a, &b), || g * zip(Share, &b, &a))
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        // Not above 1, a probability stays one.
        xs.number(1).filter(|least| *least <= 1.0).and_then(|_| xs.of(0)).filter(|m| matches!(m, Meaning::Distribution | Meaning::Probabilities))
    }
}

/// The first number's share of the gradient, a constant almost everywhere: 1, ½ of a tie, or 0.
#[derive(Clone, Copy)]
struct Share;
impl Binary for Share {
    const NAME: &'static str = "maximum_grad";
    const KEEP: Keep = Keep::NONE;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        R::select(a.eq(b), R::HALF, R::select(a.lt(b), R::ZERO, R::ONE))
    }
    fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None, None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("maximum", "The larger one of each pair of elements; NaN if either is.", Takes::Numbers, of_maximum).built(|_| Ok(binary(Maximum))),
    OpKind::new("maximum_grad", "1 where the first number is the larger one, ½ where both are equal, else 0.", Takes::Floats, of_maximum_grad).built(|_| Ok(binary(Share))),
];

fn of_maximum(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].maximum(&x[1]));
}

fn of_maximum_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| zip(Share, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn maximum() {
        check2(|a, b| a.maximum(b)).reference(f64::max).on(floats(-2.0..2.0), floats(-2.0..2.0));
        check2(|a, b| a.maximum(b)).reference(f64::max).on(ints(-3..3), ints(-3..3));
    }

    #[test]
    fn equals_share_the_gradient() {
        let (a, b) = (tensor![1.0, 2.0].leaf(), tensor![1.0, 3.0].leaf());
        let grads = a.maximum(&b).sum(..).backward();
        assert_close!(grads.of(&a), [0.5, 0.0]);
        assert_close!(grads.of(&b), [0.5, 1.0]);
        assert!(tensor![f64::NAN].maximum(0.0).item().is_nan());
    }
}
