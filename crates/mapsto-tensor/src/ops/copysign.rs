//! Numbers by the sign of others.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Binary, Operand, Real, Value, binary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::Tensor;
use super::atan2::is_negative;

impl Tensor {
    /// `|a|` with the sign of `b`, whose −0 is negative.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `da = sign(a) · sign(b) · dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, -2.0].copysign(tensor![-3.0, 5.0]), [-1.0, 2.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn copysign(&self, other: impl Into<Operand>) -> Tensor {
        zip(Copysign, self, &other.into().like("copysign", self))
    }

    /// A step: 0 where `x` is negative, 1 where it is positive, and `other` where it is 0; NaN stays NaN.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.   * Gradient: 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 0.0, 3.0].heaviside(0.5), [0.0, 0.5, 1.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn heaviside(&self, other: impl Into<Operand>) -> Tensor {
        zip(Heaviside, self, &other.into().like("heaviside", self))
    }
}

#[derive(Clone, Copy)]
struct Copysign;
impl Binary for Copysign {
    const NAME: &'static str = "copysign";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        R::select(is_negative(b), -a.abs(), a.abs())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (a, b) = (at.a().detach(), at.b().detach());
        Vjp::from([at.wants(0).then(|| g * a.sign() * Tensor::ones_like(&b).copysign(&b)), None])
    }
}

#[derive(Clone, Copy)]
struct Heaviside;
impl Binary for Heaviside {
    const NAME: &'static str = "heaviside";
    const KEEP: Keep = Keep::NONE;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        let y = R::select(a.eq(R::ZERO), b, a);
        R::select(a.gt(R::ZERO), R::ONE, R::select(a.lt(R::ZERO), R::ZERO, y))
    }
    fn int<V: Value>(self, a: V, b: V) -> Option<V> {
        let y = V::select(a.gt(V::ZERO), V::ONE, V::ZERO);
        Some(V::select(a.eq(V::ZERO), b, y))
    }
    fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None, None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("copysign", "`|a|` with the sign of `b`, whose −0 is negative.", Takes::Floats, of_copysign).built(|_| Ok(binary(Copysign))),
    OpKind::new("heaviside", "0 where `x` is negative, 1 where it is positive, and another number where it is 0.", Takes::Numbers, of_heaviside).built(|_| Ok(binary(Heaviside))),
];

fn of_copysign(s: &mut Samples) {
    let d = floats(-2.0..2.0).avoiding(0.0);
    s.pairs(d.clone(), d, |x| x[0].copysign(&x[1]));
}

fn of_heaviside(s: &mut Samples) {
    let d = floats(-2.0..2.0).avoiding(0.0);
    s.pairs(d.clone(), d, |x| x[0].heaviside(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn by_signs() {
        let domain = || floats(-2.0..2.0).avoiding(0.0);
        check2(|a, b| a.copysign(b)).reference(f64::copysign).on(domain(), domain());
        check2(|a, b| a.heaviside(b)).reference(|a, b| if a == 0.0 { b } else { (a > 0.0) as u8 as f64 }).on(domain(), domain());
        assert_eq!(tensor![-1, 0, 4].heaviside(7).to_vec::<i64>(), [0, 7, 1]);
        assert!(tensor![1.0].copysign(-0.0).item() == -1.0 && tensor![f64::NAN].heaviside(1.0).item().is_nan());
    }
}
