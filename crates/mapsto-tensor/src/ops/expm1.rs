//! Exponential minus one, without losing digits.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// `eˣ − 1` of each element, accurate near zero.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = eˣ dy`.   * ONNX: `Sub(Exp(x), 1)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0, 1e-7].expm1() * 1e7, [0.0, 17182818.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn expm1(&self) -> Tensor {
        map(Expm1, self)
    }
}

#[derive(Clone, Copy)]
struct Expm1;
impl Unary for Expm1 {
    const NAME: &'static str = "expm1";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.exp_m1()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().exp() // not y + 1, which is 0 where eˣ is small
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("expm1", "`eˣ − 1` of each element, accurate near zero.", Takes::Floats, samples).built(|_| Ok(unary(Expm1))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].expm1());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn expm1() {
        check(|x| x.expm1()).reference(f64::exp_m1).on(floats(-5.0..5.0));
    }
}
