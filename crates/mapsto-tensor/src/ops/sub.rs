//! Subtraction.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Binary, Operand, Own, Real, Value, binary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Vjp};

impl Tensor {
    /// `a − b` of each pair of elements. Also written `&a - &b`.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number.   * Gradient: `da = dy`, `db = −dy`.   * ONNX: `Sub`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(1.0 - tensor![1.0, 2.0], [0.0, -1.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn sub(&self, other: impl Into<Operand>) -> Tensor {
        zip(Sub, self, &other.into().like("sub", self))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Sub;
impl Binary for Sub {
    const NAME: &'static str = "sub";
    const KEEP: Keep = Keep::NONE;
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a - b
    }
    fn int<V: Value>(self, a: V, b: V) -> Option<V> {
        Some(a.minus(b))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| g.clone(), || -g)
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.is_number(1).then(|| xs.shifted(0)).flatten()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sub", "`a − b` of each pair of elements.", Takes::Numbers, samples).built(|_| Ok(binary(Sub))),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].sub(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].sub(3));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn sub() {
        check2(|a, b| a - b).reference(|a, b| a - b).on(floats(-9.0..9.0), floats(-9.0..9.0));
    }
}
