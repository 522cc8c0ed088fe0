//! Addition.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Binary, Operand, Own, Real, Value, binary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Vjp};

impl Tensor {
    /// `a + b` of each pair of elements. Also written `&a + &b`.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number.   * Gradient: `da = dy`, `db = dy`.   * ONNX: `Add`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0] + 0.5, [1.5, 2.5]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn add(&self, other: impl Into<Operand>) -> Tensor {
        zip(Add, self, &other.into().like("add", self))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Add;
impl Binary for Add {
    const NAME: &'static str = "add";
    const KEEP: Keep = Keep::NONE;
    const OWN: Own = Own::Always;
    const BOOL: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a + b
    }
    fn int<V: Value>(self, a: V, b: V) -> Option<V> {
        Some(a.plus(b))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| g.clone(), || g.clone())
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.shifted(if xs.is_number(0) { 1 } else { 0 }).filter(|_| xs.is_number(0) || xs.is_number(1))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("add", "`a + b` of each pair of elements.", Takes::Numbers, samples).built(|_| Ok(binary(Add))),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].add(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].add(3));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn add() {
        check2(|a, b| a + b).reference(|a, b| a + b).on(floats(-9.0..9.0), floats(-9.0..9.0));
    }
}
