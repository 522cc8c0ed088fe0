//! Multiplication, element by element.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Binary, Operand, Own, Real, Value, binary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Vjp};

impl Tensor {
    /// `a · b` of each pair of elements. Also written `&a * &b`.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number.   * Gradient: `da = b dy`, `db = a dy`.   * ONNX: `Mul`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0] * tensor![[3.0], [4.0]], [[3.0, 6.0], [4.0, 8.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn mul(&self, other: impl Into<Operand>) -> Tensor {
        zip(Mul, self, &other.into().like("mul", self))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Mul;
impl Binary for Mul {
    const NAME: &'static str = "mul";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Always;
    const BOOL: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a * b
    }
    fn int<V: Value>(self, a: V, b: V) -> Option<V> {
        Some(a.times(b))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| g * at.b(), || g * at.a())
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        match (xs.number(0), xs.number(1)) {
            (Some(factor), _) => xs.times(1, factor),
            (_, Some(factor)) => xs.times(0, factor),
            _ => None,
        }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("mul", "`a · b` of each pair of elements.", Takes::Numbers, samples).built(|_| Ok(binary(Mul))),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].mul(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].mul(3));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn mul() {
        check2(|a, b| a * b).reference(|a, b| a * b).on(floats(-9.0..9.0), floats(-9.0..9.0));
    }
}
