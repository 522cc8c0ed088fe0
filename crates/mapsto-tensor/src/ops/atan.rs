//! Inverse sine, cosine and tangent.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, polynomial, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// The angle in radians whose sine is each element, from −π/2 to π/2; NaN beyond ±1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / √(1 − x²)`.   * ONNX: `Asin`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 0.5].asin(), [-1.57080, 0.0, 0.52360]);
    /// ```
    #[track_caller]
    pub fn asin(&self) -> Tensor {
        map(Asin, self)
    }

    /// The angle in radians whose cosine is each element, from 0 to π; NaN beyond ±1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = −dy / √(1 − x²)`.   * ONNX: `Acos`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 0.5].acos(), [3.14159, 1.57080, 1.04720]);
    /// ```
    #[track_caller]
    pub fn acos(&self) -> Tensor {
        map(Acos, self)
    }

    /// The angle in radians whose tangent is each element, from −π/2 to π/2.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (1 + x²)`.   * ONNX: `Atan`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1e9].atan(), [-0.78540, 0.0, 1.57080]);
    /// ```
    #[track_caller]
    pub fn atan(&self) -> Tensor {
        map(Atan, self)
    }
}

/// `(atan t / t − 1) / z` of `z = t²`, for |t| ≤ tan π/8: a Chebyshev fit in 50 digits, within 2e-18.
const ATAN: [f64; 12] = [
    0.016_284_375_050_043_393,
    -0.034_569_315_063_326_09,
    0.045_515_447_340_221_615,
    -0.052_304_436_406_869_48,
    0.058_789_275_544_738_07,
    -0.066_664_247_602_005_2,
    0.076_922_963_680_422_96,
    -0.090_909_087_532_591_12,
    0.111_111_111_051_505_88,
    -0.142_857_142_856_597_79,
    0.199_999_999_999_998_04,
    -0.333_333_333_333_333_3,
];

/// The angle of a tangent that is not negative: those above tan π/8 are turned by π/4 or π/2 first.
#[inline(always)]
pub(super) fn angle<R: Real>(a: R) -> R {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};
    let (low, high) = (a.le(R::from_f64(0.414_213_562_373_095_03)), a.gt(R::from_f64(2.414_213_562_373_095)));
    let choose = |first: R, middle: R, last: R| R::select(low, first, R::select(high, last, middle));
    let t = choose(a, a - R::ONE, -R::ONE) / choose(R::ONE, a + R::ONE, a);
    let z = t * t;
    let turned = choose(R::ZERO, R::from_f64(FRAC_PI_4), R::from_f64(FRAC_PI_2));
    let rest = choose(R::ZERO, R::from_f64(3.061_616_997_868_383e-17), R::from_f64(6.123_233_995_736_766e-17));
    turned + (rest + (t * z).fma(polynomial(z, &ATAN), t))
}

/// `(atan √z / √z − 1) / z` for z ≤ 1, within 1.9e-8 of the angle (by `tests/accuracy/coefficients.py`).
const ATAN_SINGLE: [f64; 9] = [
    -0.001_793_645_4,
    0.010_914_721_5,
    -0.031_178_083,
    0.057_957_858,
    -0.084_034_674,
    0.109_521_92,
    -0.142_642_42,
    0.199_985_49,
    -0.333_333,
];
/// `(asin √z / √z − 1) / z` for z ≤ 0.36, within 6.3e-9 of the angle.
const ASIN_SINGLE: [f64; 6] =
    [0.055_994_034, -0.001_091_979_2, 0.036_678_147, 0.043_822_944, 0.075_048_134, 0.166_665_73];
/// π/2 in single precision, and what it lacks.
pub(super) const HALF_PI: [f64; 2] = [1.570_796_370_506_286_6, -4.371_139_000_186_241e-8];

/// The angle of a tangent `0 ≤ t ≤ 1`, exact to single precision.
#[inline(always)]
pub(super) fn small_angle<R: Real>(t: R) -> R {
    let z = t * t;
    (t * z).fma(polynomial(z, &ATAN_SINGLE), t)
}

/// Where `|x|` is far from 0, and the angle of the sine `|x|`, or of `√((1 − |x|) / 2)`, half the angle of the cosine, there.
#[inline(always)]
fn part_of_circle<R: Real>(x: R) -> (R::Mask, R) {
    let a = x.abs();
    let far = a.gt(R::from_f64(0.6));
    let z = R::select(far, (R::ONE - a) * R::HALF, a * a);
    let s = R::select(far, z.sqrt(), a);
    (far, (s * z).fma(polynomial(z, &ASIN_SINGLE), s))
}

#[derive(Clone, Copy)]
struct Asin;
impl Unary for Asin {
    const NAME: &'static str = "asin";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sign() * angle(x.abs() / ((R::ONE - x) * (R::ONE + x)).sqrt())
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let ((far, part), [high, low]) = (part_of_circle(x), HALF_PI.map(R::from_f64));
        x.sign() * R::select(far, high - (part + part - low), part)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Circle, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct Acos;
impl Unary for Acos {
    const NAME: &'static str = "acos";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        R::TWO * angle(((R::ONE - x) / (R::ONE + x)).sqrt())
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let ((far, part), [high, low]) = (part_of_circle(x), HALF_PI.map(R::from_f64));
        let twice = part + part;
        let left = (high + high) - (twice - (low + low));
        R::select(far, R::select(x.lt(R::ZERO), left, twice), high - (x.sign() * part - low))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        -times_slope(Circle, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct Atan;
impl Unary for Atan {
    const NAME: &'static str = "atan";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sign() * angle(x.abs())
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let far = a.gt(R::ONE);
        let part = small_angle(R::select(far, -R::ONE / a, a));
        x.sign() * R::select(far, R::from_f64(HALF_PI[0]) + part, part)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(AtanSlope, g, at.x())
    }
}

/// `1 / √(1 − x²)`.
#[derive(Clone, Copy)]
struct Circle;
impl Slope for Circle {
    const NAME: &'static str = "asin_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g / ((R::ONE - x) * (R::ONE + x)).sqrt()
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x / ((1.0 - x) * (x + 1.0)).pow(1.5))
    }
}

/// `1 / (1 + x²)`.
#[derive(Clone, Copy)]
struct AtanSlope;
impl Slope for AtanSlope {
    const NAME: &'static str = "atan_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        // Far out, where the square would be infinite, in two steps.
        let far = x.abs().gt(R::from_f64(1e18));
        R::select(far, g / x / x, g / x.fma(x, R::ONE))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x * -2.0 / (x.square() + 1.0).square())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("asin", "The angle in radians whose sine is each element; NaN beyond ±1.", Takes::Floats, of_asin).built(|_| Ok(unary(Asin))),
    OpKind::new("acos", "The angle in radians whose cosine is each element; NaN beyond ±1.", Takes::Floats, of_acos).built(|_| Ok(unary(Acos))),
    OpKind::new("atan", "The angle in radians whose tangent is each element.", Takes::Floats, of_atan).built(|_| Ok(unary(Atan))),
    OpKind::new("asin_grad", "The derivative of `asin`: `g / √(1 − x²)`.", Takes::Floats, of_asin_grad).built(|_| Ok(slope(Circle))),
    OpKind::new("atan_grad", "The derivative of `atan`: `g / (1 + x²)`.", Takes::Floats, of_atan_grad).built(|_| Ok(slope(AtanSlope))),
];

fn of_asin(s: &mut Samples) {
    s.each(floats(-0.95..0.95), |x| x[0].asin());
}

fn of_acos(s: &mut Samples) {
    s.each(floats(-0.95..0.95), |x| x[0].acos());
}

fn of_atan(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].atan());
}

fn of_asin_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-0.95..0.95), |x| times_slope(Circle, &x[0], &x[1]));
}

fn of_atan_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(AtanSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn inverse_functions() {
        check(|x| x.asin()).reference(f64::asin).on(floats(-0.99..0.99));
        check(|x| x.acos()).reference(f64::acos).on(floats(-0.99..0.99));
        check(|x| x.atan()).reference(f64::atan).on(floats(-9.0..9.0));
    }

    #[test]
    fn the_ends_are_exact() {
        let x = tensor![-1.0, 1.0, 2.0].to(DType::F64);
        let pi = std::f64::consts::PI;
        assert_eq!(x.asin().to_vec::<f64>()[..2], [-pi / 2.0, pi / 2.0]);
        assert_eq!(x.acos().to_vec::<f64>()[..2], [pi, 0.0]);
        assert!(x.asin().to_vec::<f64>()[2].is_nan() && x.acos().to_vec::<f64>()[2].is_nan());
        let x = x.leaf();
        assert_eq!(x.asin().slice(0, ..2).sum(..).backward().of(&x).to_vec::<f64>()[..2], [f64::INFINITY; 2]);
    }
}
