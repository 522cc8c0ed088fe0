//! The whole part of a number, and what is left of it.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, Value, map, unary};
use crate::graph::{At, Keep};
use crate::Tensor;

impl Tensor {
    /// Each element without its fraction: rounded towards 0.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: 0.   * ONNX: `Mul(Sign(x), Floor(Abs(x)))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.7, 0.5, 2.0].trunc(), [-1.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn trunc(&self) -> Tensor {
        map(Trunc, self)
    }

    /// The fraction of each element, with its sign: `x − trunc(x)`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy`.   * ONNX: `Sub(x, trunc(x))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.75, 0.5, 2.0].frac(), [-0.75, 0.5, 0.0]);
    /// ```
    #[track_caller]
    pub fn frac(&self) -> Tensor {
        map(Frac, self)
    }
}

#[derive(Clone, Copy)]
struct Trunc;
impl Unary for Trunc {
    const NAME: &'static str = "trunc";
    const KEEP: Keep = Keep::NONE;
    const FLAT: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sign() * x.abs().floor()
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x)
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

#[derive(Clone, Copy)]
struct Frac;
impl Unary for Frac {
    const NAME: &'static str = "frac";
    const KEEP: Keep = Keep::NONE;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x - x.sign() * x.abs().floor()
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        g.clone()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("trunc", "Each element without its fraction: rounded towards 0.", Takes::Numbers, of_trunc).built(|_| Ok(unary(Trunc))),
    OpKind::new("frac", "The fraction of each element, with its sign: `x − trunc(x)`.", Takes::Floats, of_frac).built(|_| Ok(unary(Frac))),
];

fn of_trunc(s: &mut Samples) {
    s.each(floats(-2.4..2.4).avoiding(-2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0).avoiding(2.0), |x| x[0].trunc());
}

fn of_frac(s: &mut Samples) {
    s.each(floats(-2.4..2.4).avoiding(-2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0).avoiding(2.0), |x| x[0].frac());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn parts() {
        let domain = || floats(-2.4..2.4).avoiding(-2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0).avoiding(2.0);
        check(|x| x.trunc()).reference(f64::trunc).on(domain());
        check(|x| x.frac()).reference(f64::fract).on(domain());
    }
}
