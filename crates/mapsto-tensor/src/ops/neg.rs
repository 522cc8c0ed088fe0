//! Negation.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, Value, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// `−x` of each element; also written `-&x`.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: `dx = −dy`.   * ONNX: `Neg`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(-tensor![1.0, -2.0], [-1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn neg(&self) -> Tensor {
        map(Neg, self)
    }
}

#[derive(Clone, Copy)]
struct Neg;
impl Unary for Neg {
    const NAME: &'static str = "neg";
    const KEEP: Keep = Keep::NONE;
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        -x
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x.negated())
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        -g
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("neg", "`−x` of each element; also written `-&x`.", Takes::Numbers, samples).built(|_| Ok(unary(Neg))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].neg());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn neg() {
        check(|x| x.neg()).reference(|x| -x).on(floats(-9.0..9.0));
    }
}
