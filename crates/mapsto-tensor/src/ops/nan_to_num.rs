//! Numbers in the place of NaN and infinities.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Params, Real, Unary, Value, map, unary};
use crate::graph::{At, Keep, Say};
use crate::slope::{Slope, slope, times_slope};
use crate::{DType, Scalar, Tensor};

impl Tensor {
    /// 0 in the place of NaN, and the largest and smallest number of the dtype in that of the infinities.
    ///
    /// * Shape: `[..] → [..]`, any number; integers stay as they are.   * Gradient: `dx = dy` where x is finite, else 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, f64::NAN, f64::INFINITY].nan_to_num().to_vec::<f32>(), [1.0, 0.0, f32::MAX]);
    /// ```
    #[track_caller]
    pub fn nan_to_num(&self) -> Tensor {
        let most = match self.dtype() {
            DType::F16 => 65_504.0,
            DType::BF16 => f64::from(f32::from_bits(0x7f7f_0000)),
            DType::F64 => f64::MAX,
            _ => f64::from(f32::MAX),
        };
        map(NanToNum { nan: 0.0, posinf: most, neginf: -most }, self)
    }

    /// The same with numbers of one's own: for NaN, `∞` and `−∞`.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![f64::NEG_INFINITY, f64::NAN, 5.0];
    /// assert_close!(x.nan_to_num_with(1.0, 9.0, -9.0), [-9.0, 1.0, 5.0]);
    /// ```
    /// # Panics
    /// When the dtype cannot hold one of them.
    #[track_caller]
    pub fn nan_to_num_with(&self, nan: f64, posinf: f64, neginf: f64) -> Tensor {
        if !self.dtype().is_float() {
            return map(NanToNum { nan, posinf, neginf }, self);
        }
        let nan = Scalar::Float(nan).held_by("nan_to_num", self.dtype()).to_f64();
        let posinf = Scalar::Float(posinf).held_by("nan_to_num", self.dtype()).to_f64();
        let neginf = Scalar::Float(neginf).held_by("nan_to_num", self.dtype()).to_f64();
        map(NanToNum { nan, posinf, neginf }, self)
    }
}

#[derive(Clone, Copy)]
struct NanToNum {
    nan: f64,
    posinf: f64,
    neginf: f64,
}
impl Unary for NanToNum {
    const NAME: &'static str = "nan_to_num";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("nan", self.nan.into());
        say("posinf", self.posinf.into());
        say("neginf", self.neginf.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let y = R::select(x.eq(R::INFINITY), R::param(1, self.posinf), x);
        let y = R::select(x.eq(-R::INFINITY), R::param(2, self.neginf), y);
        R::select(x.is_nan(), R::param(0, self.nan), y)
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x)
    }
    fn params(self) -> Params {
        [self.nan, self.posinf, self.neginf].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Finite, g, &at.x().detach())
    }
}

/// 1 where the number is finite, else 0.
#[derive(Clone, Copy)]
struct Finite;
impl Slope for Finite {
    const NAME: &'static str = "nan_to_num_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        R::select(x.abs().lt(R::INFINITY), g, R::ZERO)
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("nan_to_num", "Numbers in the place of NaN and infinities.", Takes::Numbers, of_nan_to_num).built(|a| Ok(unary(NanToNum { nan: a.need("nan")?, posinf: a.need("posinf")?, neginf: a.need("neginf")? }))),
    OpKind::new("nan_to_num_grad", "The derivative of `nan_to_num`: `g` where x is finite, else 0.", Takes::Floats, of_finite).built(|_| Ok(slope(Finite))),
];

fn of_nan_to_num(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].nan_to_num());
    s.each(floats(-2.0..2.0), |x| x[0].nan_to_num_with(1.0, 2.0, -2.0));
}

fn of_finite(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| times_slope(Finite, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn nan_to_num() {
        check(|x| x.nan_to_num_with(0.5, 9.0, -9.0))
            .reference(|x| if x.is_nan() { 0.5 } else { x.clamp(-9.0, 9.0) })
            .on(floats(-2.0..2.0));
        let x = tensor![f64::NAN, 2.0].leaf();
        assert_close!(x.nan_to_num().sum(..).backward().of(&x), [0.0, 1.0]);
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            let y = tensor![f64::INFINITY, f64::NEG_INFINITY].to(dtype).nan_to_num();
            assert!(y.is_finite() && (y.select(0, 0) * 2.0).is_inf().any(..).item() == 1.0, "{dtype}: {y:?}");
        }
    }
}
