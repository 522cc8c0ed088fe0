//! Rounding to the nearest integer.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// The nearest integer to each element, halves to the even one (as IEEE 754 and NumPy).
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: 0.   * ONNX: `Round`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.4, 0.5, 1.5].round(), [-1.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn round(&self) -> Tensor {
        map(Round, self)
    }
}

#[derive(Clone, Copy)]
struct Round;
impl Unary for Round {
    const NAME: &'static str = "round";
    const KEEP: Keep = Keep::NONE;
    const FLAT: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.round()
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x)
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("round", "The nearest integer to each element, halves to the even one (as IEEE 754 and NumPy).", Takes::Floats, samples).built(|_| Ok(unary(Round))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.4..2.4).avoiding(-1.5).avoiding(-0.5).avoiding(0.5).avoiding(1.5), |x| x[0].round());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn round() {
        let domain = floats(-2.0..2.0).avoiding(-1.5).avoiding(-0.5).avoiding(0.5).avoiding(1.5);
        check(|x| x.round()).reference(f64::round_ties_even).on(domain);
    }
}
