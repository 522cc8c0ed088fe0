//! Limits from both sides.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Params, Real, Unary, map, scalar_like, unary, zip};
use crate::graph::{At, Keep, Meaning, Meant, Say};
use crate::{Scalar, Tensor, fail};

impl Tensor {
    /// Each element limited to `lo..=hi`; NaN stays NaN.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: `dx = dy` within the limits, else 0.   * ONNX: `Clip`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 0.5, 2.0].clamp(-1.0, 1.0), [-1.0, 0.5, 1.0]);
    /// ```
    /// # Panics
    /// When `lo` exceeds `hi`, or the dtype cannot hold one of them. An infinite limit does not limit, for integers either.
    #[track_caller]
    pub fn clamp(&self, lo: impl Into<Scalar>, hi: impl Into<Scalar>) -> Tensor {
        let (lo, hi) = (lo.into(), hi.into());
        let in_order = match (lo, hi) {
            (Scalar::Int(lo), Scalar::Int(hi)) => lo <= hi,
            _ => lo.to_f64() <= hi.to_f64(),
        };
        if !in_order {
            fail!("clamp", "the lower limit {lo} exceeds the upper limit {hi}");
        }
        if self.dtype().is_float() {
            let (lo, hi) = (lo.held_by("clamp", self.dtype()), hi.held_by("clamp", self.dtype()));
            let (lo, hi) = (lo.to_f64(), hi.to_f64());
            return map(Clamp { lo, hi }, self);
        }
        let mut y = self.clone();
        if lo.to_f64() != f64::NEG_INFINITY {
            y = zip(crate::ops::Maximum, &y, &scalar_like("clamp", lo, &y));
        }
        if hi.to_f64() != f64::INFINITY {
            y = zip(crate::ops::Minimum, &y, &scalar_like("clamp", hi, &y));
        }
        y
    }
}

#[derive(Clone, Copy)]
struct Clamp {
    lo: f64,
    hi: f64,
}
impl Unary for Clamp {
    const NAME: &'static str = "clamp";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("lo", self.lo.into());
        say("hi", self.hi.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.max(R::param(0, self.lo)).min(R::param(1, self.hi))
    }
    fn params(self) -> Params {
        [self.lo, self.hi].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * map(Within { lo: self.lo, hi: self.hi }, &at.x().detach())
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        match xs.of(0) {
            meant @ Some(Meaning::Distribution | Meaning::Constant) => meant,
            _ if self.lo >= 0.0 && self.hi <= 1.0 => Some(Meaning::Probabilities),
            Some(Meaning::Scores) => None,
            meant => meant,
        }
    }
}

/// 1 within the limits, else 0: the derivative of [`Clamp`], a constant almost everywhere.
#[derive(Clone, Copy)]
struct Within {
    lo: f64,
    hi: f64,
}
impl Unary for Within {
    const NAME: &'static str = "within";
    const KEEP: Keep = Keep::NONE;
    fn attrs(self, say: Say<'_>) {
        say("lo", self.lo.into());
        say("hi", self.hi.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        R::select(x.ge(R::param(0, self.lo)) & x.le(R::param(1, self.hi)), R::ONE, R::ZERO)
    }
    fn params(self) -> Params {
        [self.lo, self.hi].into()
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        g * 0.0
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("clamp", "Each element limited to `lo..=hi`; NaN stays NaN.", Takes::Numbers, of_clamp).built(|a| Ok(unary(Clamp { lo: a.need("lo")?, hi: a.need("hi")? }))),
    OpKind::new("within", "1 within the limits of a `clamp`, else 0.", Takes::Floats, of_within).built(|a| Ok(unary(Within { lo: a.need("lo")?, hi: a.need("hi")? }))),
];

fn of_clamp(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(-1.0).avoiding(0.5), |x| if x[0].dtype().is_float() { x[0].clamp(-1.0, 0.5) } else { x[0].clamp(0, 1) });
    s.each(floats(-2.0..2.0).avoiding(0.25), |x| x[0].clamp(if x[0].dtype().is_float() { 0.25 } else { 1.0 }, f64::INFINITY));
}

fn of_within(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(-1.0).avoiding(0.5), |x| map(Within { lo: -1.0, hi: 0.5 }, &x[0]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn clamp() {
        let domain = floats(-2.0..2.0).avoiding(-1.0).avoiding(0.5);
        check(|x| x.clamp(-1.0, 0.5)).reference(|x| if x.is_nan() { x } else { x.clamp(-1.0, 0.5) }).on(domain);
    }
}
