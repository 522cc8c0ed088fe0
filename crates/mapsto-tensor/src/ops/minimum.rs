//! The smaller of two numbers.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Binary, Operand, Real, binary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Vjp};

impl Tensor {
    /// The smaller one of each pair of elements; NaN if either is.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.
    /// * Gradient: `dy` to the smaller one, half to each of two equals.   * ONNX: `Min`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 5.0].minimum(tensor![3.0, 2.0]), [1.0, 2.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn minimum(&self, other: impl Into<Operand>) -> Tensor {
        zip(Minimum, self, &other.into().like("minimum", self))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Minimum;
impl Binary for Minimum {
    const NAME: &'static str = "minimum";
    const KEEP: Keep = Keep::INPUTS;
    const BOOL: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a.min(b)
    }
    fn int<V: Value>(self, a: V, b: V) -> Option<V> {
        Some(a.min(b))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (a, b) = (at.a().detach(), at.b().detach());
        at.both(|| g * zip(Share, &a, &b), || g * zip(Share, &b, &a))
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        // Not below 0, a probability stays one.
        xs.number(1).filter(|most| *most >= 0.0).and_then(|_| xs.of(0)).filter(|m| matches!(m, Meaning::Distribution | Meaning::Probabilities))
    }
}

/// The first number's share of the gradient, a constant almost everywhere: 1, ½ of a tie, or 0.
#[derive(Clone, Copy)]
struct Share;
impl Binary for Share {
    const NAME: &'static str = "minimum_grad";
    const KEEP: Keep = Keep::NONE;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        R::select(a.eq(b), R::HALF, R::select(a.gt(b), R::ZERO, R::ONE))
    }
    fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None, None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("minimum", "The smaller one of each pair of elements; NaN if either is.", Takes::Numbers, of_minimum).built(|_| Ok(binary(Minimum))),
    OpKind::new("minimum_grad", "1 where the first number is the smaller one, ½ where both are equal, else 0.", Takes::Floats, of_minimum_grad).built(|_| Ok(binary(Share))),
];

fn of_minimum(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].minimum(&x[1]));
}

fn of_minimum_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| zip(Share, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn minimum() {
        check2(|a, b| a.minimum(b)).reference(f64::min).on(floats(-2.0..2.0), floats(-2.0..2.0));
        check2(|a, b| a.minimum(b)).reference(f64::min).on(ints(-3..3), ints(-3..3));
    }

    #[test]
    fn equals_share_the_gradient() {
        let (a, b) = (tensor![1.0, 2.0].leaf(), tensor![1.0, 3.0].leaf());
        let grads = a.minimum(&b).sum(..).backward();
        assert_close!(grads.of(&a), [0.5, 1.0]);
        assert_close!(grads.of(&b), [0.5, 0.0]);
        assert!(tensor![f64::NAN].minimum(0.0).item().is_nan());
    }
}
