//! Inverse hyperbolic functions.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, polynomial, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// The number whose hyperbolic sine is each element: `ln(x + √(x² + 1))`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / √(x² + 1)`.   * ONNX: `Asinh`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1e9].asinh(), [-0.88137, 0.0, 21.41641]);
    /// ```
    #[track_caller]
    pub fn asinh(&self) -> Tensor {
        map(Asinh, self)
    }

    /// The number of at least 0 whose hyperbolic cosine is each element: `ln(x + √(x² − 1))`; NaN below 1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / √(x² − 1)`.   * ONNX: `Acosh`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 1e9].acosh(), [0.0, 1.31696, 21.41641]);
    /// ```
    #[track_caller]
    pub fn acosh(&self) -> Tensor {
        map(Acosh, self)
    }

    /// The number whose hyperbolic tangent is each element: `½ ln((1 + x) / (1 − x))`; NaN beyond ±1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (1 − x²)`.   * ONNX: `Atanh`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-0.5, 0.0, 0.9].atanh(), [-0.54931, 0.0, 1.47222]);
    /// ```
    #[track_caller]
    pub fn atanh(&self) -> Tensor {
        map(Atanh, self)
    }
}

/// From here on `√(x² ± 1)` is `x` in every dtype, and its square may be infinite.
const FAR: f64 = 1e9;

/// `(artanh √z / √z − 1) / z` for z ≤ ¼, within 2.9e-9 of the result (by `tests/accuracy/coefficients.py`).
const ATANH_SINGLE: [f64; 7] =
    [0.175_941_63, 0.024_522_74, 0.102_826_61, 0.109_671_87, 0.142_948_52, 0.199_997_28, 0.333_333_37];

#[derive(Clone, Copy)]
struct Asinh;
impl Unary for Asinh {
    const NAME: &'static str = "asinh";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let square = a * a;
        let near = (a + square / (R::ONE + (square + R::ONE).sqrt())).ln_1p();
        x.sign() * R::select(a.gt(R::from_f64(FAR)), a.ln() + R::from_f64(std::f64::consts::LN_2), near)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let more = a * a / (R::ONE + a.fma(a, R::ONE).sqrt());
        let sum = a + more;
        // What rounding takes from the sum. Far out it is 2a, whose logarithm is that of a and ln 2.
        let lost = ((a - sum) + more) / (R::ONE + sum);
        let far = a.gt(R::from_f64(1e8));
        let rest = R::select(far, R::from_f64(std::f64::consts::LN_2), lost);
        x.sign() * (R::select(far, a, sum).ln_1p() + rest)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(AsinhSlope, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct Acosh;
impl Unary for Acosh {
    const NAME: &'static str = "acosh";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let t = x - R::ONE;
        let near = (t + (t * (t + R::TWO)).sqrt()).ln_1p();
        let y = R::select(x.gt(R::from_f64(FAR)), x.ln() + R::from_f64(std::f64::consts::LN_2), near);
        R::select(x.lt(R::ONE), R::NAN, y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(AcoshSlope, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct Atanh;
impl Unary for Atanh {
    const NAME: &'static str = "atanh";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        // Two logarithms of opposite sign: nothing cancels.
        R::HALF * (x.ln_1p() - (-x).ln_1p())
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let z = a * a;
        let near = (a * z).fma(polynomial(z, &ATANH_SINGLE), a);
        let far = ((a + a) / (R::ONE - a)).ln_1p() * R::HALF;
        x.sign() * R::select(a.lt(R::HALF), near, far)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(AtanhSlope, g, at.x())
    }
}

/// `1 / √(x² + 1)`.
#[derive(Clone, Copy)]
struct AsinhSlope;
impl Slope for AsinhSlope {
    const NAME: &'static str = "asinh_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        // Far out the square would be infinite.
        let a = x.abs();
        g / R::select(a.gt(R::from_f64(FAR)), a, x.fma(x, R::ONE).sqrt())
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(-x / (x.square() + 1.0).pow(1.5))
    }
}

/// `1 / √(x² − 1)`.
#[derive(Clone, Copy)]
struct AcoshSlope;
impl Slope for AcoshSlope {
    const NAME: &'static str = "acosh_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g / R::select(x.gt(R::from_f64(FAR)), x, ((x - R::ONE) * (x + R::ONE)).sqrt())
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(-x / ((x - 1.0) * (x + 1.0)).pow(1.5))
    }
}

/// `1 / (1 − x²)`.
#[derive(Clone, Copy)]
struct AtanhSlope;
impl Slope for AtanhSlope {
    const NAME: &'static str = "atanh_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g / ((R::ONE - x) * (R::ONE + x))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x * 2.0 / ((1.0 - x) * (x + 1.0)).square())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("asinh", "The number whose hyperbolic sine is each element.", Takes::Floats, of_asinh).built(|_| Ok(unary(Asinh))),
    OpKind::new("asinh_grad", "The derivative of `asinh`: `g / √(x² + 1)`.", Takes::Floats, of_asinh_grad).built(|_| Ok(slope(AsinhSlope))),
    OpKind::new("acosh", "The number whose hyperbolic cosine is each element.", Takes::Floats, of_acosh).built(|_| Ok(unary(Acosh))),
    OpKind::new("acosh_grad", "The derivative of `acosh`: `g / √(x² − 1)`.", Takes::Floats, of_acosh_grad).built(|_| Ok(slope(AcoshSlope))),
    OpKind::new("atanh", "The number whose hyperbolic tangent is each element.", Takes::Floats, of_atanh).built(|_| Ok(unary(Atanh))),
    OpKind::new("atanh_grad", "The derivative of `atanh`: `g / (1 − x²)`.", Takes::Floats, of_atanh_grad).built(|_| Ok(slope(AtanhSlope))),
];

fn of_asinh(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].asinh());
}

fn of_asinh_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(AsinhSlope, &x[0], &x[1]));
}

fn of_acosh(s: &mut Samples) {
    s.each(floats(1.1..4.0), |x| x[0].acosh());
}

fn of_acosh_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(1.1..4.0), |x| times_slope(AcoshSlope, &x[0], &x[1]));
}

fn of_atanh(s: &mut Samples) {
    s.each(floats(-0.95..0.95), |x| x[0].atanh());
}

fn of_atanh_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-0.95..0.95), |x| times_slope(AtanhSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn inverse_hyperbolic_functions() {
        check(|x| x.asinh()).reference(by_logarithm).on(floats(-9.0..9.0));
        check(|x| x.acosh()).reference(|x| if x < 1.0 { f64::NAN } else { x.acosh() }).on(floats(1.2..9.0));
        check(|x| x.atanh()).reference(f64::atanh).on(floats(-0.95..0.95));
    }

    /// Both ends of the line go where the logarithm goes.
    fn by_logarithm(x: f64) -> f64 {
        if x.is_finite() { x.asinh() } else { x }
    }
}
