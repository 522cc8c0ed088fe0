//! The inverse of the sigmoid: the logarithm of odds.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `ln(x / (1 − x))` of each element: `−∞` at 0, `∞` at 1, NaN beyond. [`clamp`](Tensor::clamp) keeps probabilities away from the ends.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (x (1 − x))`.
    /// * ONNX: `Log(Div(x, Sub(1, x)))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.1, 0.5, 0.9].logit(), [-2.19722, 0.0, 2.19722]);
    /// assert_close!(tensor![0.0, 1.0].clamp(1e-3, 0.999).logit(), [-6.90675, 6.90675]);
    /// ```
    #[track_caller]
    pub fn logit(&self) -> Tensor {
        map(Logit, self)
    }
}

#[derive(Clone, Copy)]
struct Logit;
impl Unary for Logit {
    const NAME: &'static str = "logit";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        // Near its root at ½ by the difference, which is exact there.
        let near = ((x + x - R::ONE) / (R::ONE - x)).ln_1p();
        R::select((x - R::HALF).abs().lt(R::from_f64(0.2)), near, x.ln() - (-x).ln_1p())
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        // By the ratio of `|2x − 1|` to the smaller share, whose difference is exact where it counts; where the share is tiny, to 2⁶⁰ times
        // that. The sum makes a negative zero positive.
        let least = x.min(R::ONE - x) + R::ZERO;
        let tiny = least.lt(R::from_f64(1e-30));
        let share = R::select(tiny, least * R::from_f64((1u64 << 60) as f64), least);
        let rest = R::select(tiny, R::from_f64(60.0 * std::f64::consts::LN_2), R::ZERO);
        let y = (R::TWO.fma(x, -R::ONE).abs() / share).ln_1p() + rest;
        R::select(least.lt(R::ZERO), R::NAN, R::select(x.lt(R::HALF), -y, y))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(LogitSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Scores)
    }
}

/// `1 / (x (1 − x))`, NaN where `logit` is.
#[derive(Clone, Copy)]
struct LogitSlope;
impl Slope for LogitSlope {
    const NAME: &'static str = "logit_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let product = x * (R::ONE - x);
        R::select(product.lt(R::ZERO), R::NAN, g / product)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some((x * 2.0 - 1.0) / (x * (1.0 - x)).square())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("logit", "`ln(x / (1 − x))` of each element.", Takes::Floats, of_logit).built(|_| Ok(unary(Logit))),
    OpKind::new("logit_grad", "The derivative of `logit`: `g / (x (1 − x))`.", Takes::Floats, of_logit_grad).built(|_| Ok(slope(LogitSlope))),
];

fn of_logit(s: &mut Samples) {
    s.each(floats(0.1..0.9), |x| x[0].logit());
}

fn of_logit_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.1..0.9), |x| times_slope(LogitSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn logit() {
        check(|x| x.logit()).reference(|x| x.ln() - (-x).ln_1p()).on(floats(0.55..0.95));
        use crate::prelude::*;
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let x = tensor![-1.0, -0.01, 1.01, 2.0, f64::INFINITY].to(dtype).leaf();
            let y = x.logit();
            assert!(y.is_nan().all(..).item() != 0.0 && y.sum(..).backward().of(&x).is_nan().all(..).item() != 0.0, "{dtype}");
        }
        assert_eq!(tensor![0.0, -0.0, 1.0].logit().to_vec::<f32>(), [f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY]);
        check(|x| x.logit().sigmoid()).on(floats(0.05..0.95));
    }
}
