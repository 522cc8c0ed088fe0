//! Numbers as the kernels see them: exp, tanh, erf and friends in a form that compilers turn into SIMD.
//!
//! The `f32` functions are branch-free polynomials of our own (coefficients: Chebyshev fits in 40 digits). They use
//! no table, and no fused multiply-add but for the two under GELU and attention, so a loop over them vectorises at any
//! width and gives **the same bits on every CPU**. Errors against f64, measured over a million inputs each: `exp` and `ln` 1, `ln_1p`, `softplus` and
//! `erf` 2, `exp_m1`, `tanh` and `sigmoid` 3 units in the last place at most. The `f64` functions are the standard
//! library's, and `erf` a series.

use crate::normal::{normal_f32, normal_f64};
use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A number that kernels add, multiply and compare: `f32`, `f64`, `i64`, `i32`, `u8`, `i8`.
///
/// Integers wrap around on overflow (as in NumPy and PyTorch), floats carry NaN through `max` and `min`.
/// ```
/// use mapsto_kernels::real::Number;
/// assert_eq!(Number::plus(i64::MAX, 1), i64::MIN);
/// assert!(Number::max(f32::NAN, 1.0).is_nan());
/// ```
pub trait Number: Copy + PartialOrd + Send + Sync + Debug + Display + Default + 'static {
    /// The type in which long sums of this one are accumulated: `f64` for floats, `i64` for integers.
    type Wide: Number;
    /// Nothing.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The value that every other one exceeds or equals: `-inf` for floats.
    const LOWEST: Self;
    /// The value that exceeds or equals every other one: `+inf` for floats.
    const HIGHEST: Self;
    /// `self + b`, wrapping for integers.
    fn plus(self, b: Self) -> Self;
    /// `self - b`, wrapping for integers.
    fn minus(self, b: Self) -> Self;
    /// `self · b`, wrapping for integers.
    fn times(self, b: Self) -> Self;
    /// `-self`, wrapping for integers.
    fn negated(self) -> Self;
    /// `|self|`, wrapping for integers.
    fn abs(self) -> Self;
    /// -1, 0 or 1 by sign; zero stays the zero it is (also -0) and NaN stays NaN.
    fn sign(self) -> Self;
    /// The larger one; NaN if either is NaN (unlike `f32::max`).
    fn max(self, b: Self) -> Self;
    /// The smaller one; NaN if either is NaN (unlike `f32::min`).
    fn min(self, b: Self) -> Self;
    /// Whether it is no number; never for integers.
    fn is_nan(self) -> bool;
    /// The same value in the accumulation type.
    fn widen(self) -> Self::Wide;
    /// The accumulated value rounded (integers: wrapped) to this type.
    fn narrow(wide: Self::Wide) -> Self;
    /// `if cond { a } else { b }` without a branch.
    #[inline(always)]
    fn select(cond: bool, a: Self, b: Self) -> Self {
        if cond { a } else { b }
    }
}

/// A real number: `f32` or `f64`, with the functions that elementwise ops are written in.
///
/// ```
/// use mapsto_kernels::real::Real;
/// fn gelu<R: Real>(x: R) -> R {
///     x * R::HALF * (R::ONE + (x * R::from_f64(0.5f64.sqrt())).erf())
/// }
/// assert!((gelu(1.0f32) - 0.8413447).abs() < 1e-6);
/// assert!((gelu(1.0f64) - 0.841344746068543).abs() < 1e-15);
/// ```
pub trait Real:
    Number
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// One half.
    const HALF: Self;
    /// Two.
    const TWO: Self;
    /// Not a number.
    const NAN: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The distance from 1 to the next number.
    const EPSILON: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same value as an `f64`.
    fn to_f64(self) -> f64;
    /// The nearest number to the integer `x`.
    fn from_u32(x: u32) -> Self;
    /// `eˣ`.
    fn exp(self) -> Self;
    /// `eˣ` for `x ≤ 0` in half the time, for scores below their maximum; below `ln 2⁻¹²⁶` it is 0 in f32. Made of
    /// [`Real::fma`].
    fn exp_of_negative(self) -> Self;
    /// `eˣ − 1`, accurate near zero.
    fn exp_m1(self) -> Self;
    /// Natural logarithm; `-inf` at 0, NaN below.
    fn ln(self) -> Self;
    /// `ln(1 + x)`, accurate near zero.
    fn ln_1p(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Logistic function `1 / (1 + e⁻ˣ)`, without overflow on either side.
    fn sigmoid(self) -> Self;
    /// `ln(1 + eˣ)`, without overflow.
    #[inline(always)]
    fn softplus(self) -> Self {
        self.max(Self::ZERO) + (-self.abs()).exp().ln_1p()
    }
    /// `self · a + b`, rounded once. One instruction everywhere but in portable code on x86-64, where it is a call of the
    /// system's library, with the same result.
    fn fma(self, a: Self, b: Self) -> Self;
    /// Error function `2/√π ∫₀ˣ e^(−t²) dt`.
    fn erf(self) -> Self;
    /// The normal distribution function `½ (1 + erf(x/√2))` and its density `e^(−x²/2) / √(2π)`.
    fn normal(self) -> (Self, Self);
    /// Square root.
    fn sqrt(self) -> Self;
    /// `1 / x`.
    #[inline(always)]
    fn recip(self) -> Self {
        Self::ONE / self
    }
    /// `x^y` for any real `y`; the standard library's, so not vectorised.
    fn powf(self, y: Self) -> Self;
    /// `xⁿ` by repeated squaring: the small powers cost a multiplication or two and vectorise.
    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        let (x2, x) = (self * self, self);
        match n {
            0 => Self::ONE,
            1 => x,
            2 => x2,
            3 => x2 * x,
            4 => x2 * x2,
            -1 => x.recip(),
            -2 => x2.recip(),
            _ => {
                let (mut base, mut left, mut y) = (x, n.unsigned_abs(), Self::ONE);
                while left > 0 {
                    if left & 1 == 1 {
                        y *= base;
                    }
                    base *= base;
                    left >>= 1;
                }
                if n < 0 { y.recip() } else { y }
            }
        }
    }
    /// Sine of an angle in radians; the standard library's, exact reduction for large angles, not vectorised.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians; see [`Real::sin`].
    fn cos(self) -> Self;
    /// Sine and cosine for |x| ≤ π/4 (no reduction: larger angles lose accuracy fast).
    fn sin_cos_small(self) -> (Self, Self);
    /// The largest integer not above.
    fn floor(self) -> Self;
    /// The smallest integer not below.
    fn ceil(self) -> Self;
    /// The nearest integer, halves to the even one (as IEEE 754, NumPy and PyTorch).
    fn round(self) -> Self;
    /// Whether neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

macro_rules! float {
    ($t:ident) => {
        impl Number for $t {
            type Wide = f64;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = $t::NEG_INFINITY;
            const HIGHEST: Self = $t::INFINITY;
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self - b
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self * b
            }
            #[inline(always)]
            fn negated(self) -> Self {
                -self
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn sign(self) -> Self {
                let negative = if self < 0.0 { -1.0 } else { self };
                if self > 0.0 { 1.0 } else { negative }
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                // `b` is also the answer when it is NaN: every comparison with it is false.
                if (self > b) | self.is_nan() { self } else { b }
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                if (self < b) | self.is_nan() { self } else { b }
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            #[inline(always)]
            fn widen(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn narrow(wide: f64) -> Self {
                wide as $t
            }
        }
    };
}
float!(f32);
float!(f64);

macro_rules! integer {
    ($($t:ident)*) => {$(
        impl Number for $t {
            type Wide = i64;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LOWEST: Self = $t::MIN;
            const HIGHEST: Self = $t::MAX;
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            #[inline(always)]
            fn negated(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            #[allow(unused_comparisons)] // the macro also serves u8
            fn abs(self) -> Self {
                if self < 0 { self.wrapping_neg() } else { self }
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn sign(self) -> Self {
                let up = (self > 0) as $t;
                if self < 0 { (0 as $t).wrapping_sub(1) } else { up }
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                if self > b { self } else { b }
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                if self < b { self } else { b }
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                false
            }
            #[inline(always)]
            fn widen(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn narrow(wide: i64) -> Self {
                wide as $t
            }
        }
    )*};
}
integer!(i64 i32 u8 i8);

const LN2_HI: f32 = 0.693_359_4; // 9 significant bits: n · LN2_HI is exact for |n| < 2¹⁵
const LN2_LO: f32 = -2.121_944_4e-4;
/// Adding and taking away 1.5·2²³ rounds to the nearest integer, which then sits in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// `x = n·ln 2 + r`, |r| ≤ ln 2 / 2: gives `n` and `eʳ − 1`.
#[inline(always)]
fn exp_parts(x: f32) -> (i32, f32) {
    let t = x * std::f32::consts::LOG2_E + ROUND;
    let n = t - ROUND;
    let r = (x - n * LN2_HI) - n * LN2_LO;
    let p = 1.989_198e-4;
    let p = p * r + 1.393_454_2e-3;
    let p = p * r + 8.333_31e-3;
    let p = p * r + 4.166_645_7e-2;
    let p = p * r + 1.666_666_7e-1;
    let p = p * r + 0.5;
    ((t.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32), r + r * r * p)
}

/// 2ⁿ for −126 ≤ n ≤ 127.
#[inline(always)]
fn exp2i(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

impl Real for f32 {
    const HALF: Self = 0.5;
    const TWO: Self = 2.0;
    const NAN: Self = f32::NAN;
    const INFINITY: Self = f32::INFINITY;
    const EPSILON: Self = f32::EPSILON;
    const MIN_POSITIVE: Self = f32::MIN_POSITIVE;
    const MAX: Self = f32::MAX;
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self as f64
    }
    #[inline(always)]
    fn from_u32(x: u32) -> Self {
        x as f32
    }
    #[inline(always)]
    fn exp(self) -> Self {
        // Below −104 the result rounds to 0, above 89 to infinity; NaN passes both comparisons unchanged.
        let x = if self < -104.0 { -104.0 } else { self };
        let x = if x > 89.0 { 89.0 } else { x };
        let (n, p) = exp_parts(x);
        // Two factors, because 2ⁿ itself may be infinite or subnormal where the product is not.
        let half = n >> 1;
        (1.0 + p) * exp2i(half) * exp2i(n.wrapping_sub(half))
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        const LOWEST: f32 = -87.33;
        let x = if self < LOWEST { LOWEST } else { self };
        // As `exp_parts`, all of it in fused steps.
        let t = Real::fma(x, std::f32::consts::LOG2_E, ROUND);
        let n = t - ROUND;
        let r = Real::fma(n, -LN2_LO, Real::fma(n, -LN2_HI, x));
        let p = 1.989_198e-4;
        let p = r.fma(p, 1.393_454_2e-3);
        let p = r.fma(p, 8.333_31e-3);
        let p = r.fma(p, 4.166_645_7e-2);
        let p = r.fma(p, 1.666_666_7e-1);
        let p = r.fma(p, 0.5);
        let p = r.fma(p, 1.0);
        let p = r.fma(p, 1.0);
        // The integer n in the low bits of `t` moves into the exponent; those of ROUND itself are shifted out.
        let y = f32::from_bits(p.to_bits().wrapping_add(t.to_bits() << 23));
        if self < LOWEST { 0.0 } else { y }
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        let x = if self < -20.0 { -20.0 } else { self };
        let x = if x > 89.0 { 89.0 } else { x };
        let (n, p) = exp_parts(x);
        // 2ⁿ·(eʳ − 1) + (2ⁿ − 1), at half scale so that n = 128 is no infinity yet.
        let s = exp2i(n.wrapping_sub(1));
        let y = (p * s + (s - 0.5)) * 2.0;
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn ln(self) -> Self {
        let tiny = self < f32::MIN_POSITIVE;
        let x = if tiny { self * 8_388_608.0 } else { self };
        // Split x = m·2ᵏ with √½ ≤ m < √2: shift the exponent's boundary from 1 to √½.
        let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
        let k = (bits as i32) >> 23;
        let k = (if tiny { k - 23 } else { k }) as f32;
        let f = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
        // ln(1+f) = 2 artanh(s), s = f/(2+f), arranged so that f itself enters without rounding.
        let s = f / (2.0 + f);
        let z = s * s;
        let r = 2.335_354_2e-1;
        let r = r * z + 2.854_996_4e-1;
        let r = r * z + 4.000_013e-1;
        let r = (r * z + 6.666_667e-1) * z;
        let h = 0.5 * f * f;
        let y = k * LN2_HI - ((h - (s * (h + r) + k * LN2_LO)) - f);
        let y = if self == f32::INFINITY { self } else { y };
        let y = if self == 0.0 { f32::NEG_INFINITY } else { y };
        if self >= 0.0 { y } else { f32::NAN }
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        let u = 1.0 + self;
        // What rounding took from 1 + x, to first order.
        let lost = if self > 1.0 { 1.0 - (u - self) } else { self - (u - 1.0) };
        let fix = if (u > 0.0) & (u < f32::INFINITY) { lost / u } else { 0.0 };
        let y = Real::ln(u) + fix;
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let a = f32::abs(self);
        let a = if a > 10.0 { 10.0 } else { a };
        let e = Real::exp_m1(a + a);
        f32::copysign(e / (e + 2.0), self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = Real::exp(-f32::abs(self));
        (if self >= 0.0 { 1.0 } else { e }) / (1.0 + e)
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        f32::mul_add(self, a, b)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        let a = f32::abs(self);
        let z = self * self;
        let p = 8.529_401e-5;
        let p = p * z - 8.179_632e-4;
        let p = p * z + 5.204_227e-3;
        let p = p * z - 2.686_066_5e-2;
        let p = p * z + 1.128_371_8e-1;
        let p = p * z - 3.761_263_5e-1;
        let near = self + self * (p * z + 1.283_791_7e-1);
        // Beyond 0.9: erf = 1 − exp(q), q a fit of ln(erfc) on [0.89, 4], where erf is 1 in f32.
        let t = if a > 4.0 { 4.0 } else { a };
        let q = 1.642_463_9e-6;
        let q = q * t - 4.614_969_2e-5;
        let q = q * t + 5.974_442_4e-4;
        let q = q * t - 4.761_845_5e-3;
        let q = q * t + 2.642_504_5e-2;
        let q = q * t - 1.100_818_7e-1;
        let q = q * t - 6.318_304_3e-1;
        let q = q * t - 1.130_226_7;
        let q = q * t + 3.173_165e-4;
        let far = f32::copysign(1.0 - Real::exp(q), self);
        if a < 0.9 { near } else { far }
    }
    #[inline(always)]
    fn normal(self) -> (Self, Self) {
        normal_f32(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn powf(self, y: Self) -> Self {
        f32::powf(self, y)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        f32::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        f32::cos(self)
    }
    #[inline(always)]
    fn sin_cos_small(self) -> (Self, Self) {
        let z = self * self;
        let s = (-1.958_738_7e-4 * z + 8.332_746e-3) * z - 1.666_666_5e-1;
        let c = (2.454_743_7e-5 * z - 1.388_83e-3) * z + 4.166_666_5e-2;
        (self + self * z * s, (1.0 - 0.5 * z) + z * z * c)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        f32::floor(self)
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        f32::ceil(self)
    }
    #[inline(always)]
    fn round(self) -> Self {
        f32::round_ties_even(self)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
}

impl Real for f64 {
    const HALF: Self = 0.5;
    const TWO: Self = 2.0;
    const NAN: Self = f64::NAN;
    const INFINITY: Self = f64::INFINITY;
    const EPSILON: Self = f64::EPSILON;
    const MIN_POSITIVE: Self = f64::MIN_POSITIVE;
    const MAX: Self = f64::MAX;
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_u32(x: u32) -> Self {
        x as f64
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        f64::exp_m1(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        f64::ln_1p(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = f64::exp(-f64::abs(self));
        (if self >= 0.0 { 1.0 } else { e }) / (1.0 + e)
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        f64::mul_add(self, a, b)
    }
    #[inline]
    fn erf(self) -> Self {
        erf_f64(self)
    }
    #[inline(always)]
    fn normal(self) -> (Self, Self) {
        normal_f64(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn powf(self, y: Self) -> Self {
        f64::powf(self, y)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        f64::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        f64::cos(self)
    }
    #[inline(always)]
    fn sin_cos_small(self) -> (Self, Self) {
        f64::sin_cos(self)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        f64::floor(self)
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        f64::ceil(self)
    }
    #[inline(always)]
    fn round(self) -> Self {
        f64::round_ties_even(self)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
}

/// Below 3 the series `2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!` (Abramowitz & Stegun 1964, 7.1.6), whose terms are all
/// of one sign, so nothing cancels; above, `1 − erfc` with the continued fraction 7.1.14. f64 is for checks: short
/// beats fast here.
fn erf_f64(x: f64) -> f64 {
    let a = x.abs();
    if a >= 3.0 {
        if a > 6.0 {
            return x.signum();
        }
        let fraction = (1..60).rev().fold(a, |f, n| a + 0.5 * n as f64 / f);
        let erfc = (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt());
        return (1.0 - erfc).copysign(x);
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    // Also ends at once for zero and NaN.
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::FRAC_PI_4;

    /// Largest error in units in the last place of the f32 result, over all floats in `range`, every `step`-th bit pattern.
    fn ulps(range: std::ops::Range<f32>, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        let mut worst = 0.0f64;
        let mut see = |x: f32| {
            let (got, want) = (f(x) as f64, exact(x as f64));
            let scale = (want as f32).abs().max(f32::MIN_POSITIVE);
            let ulp = (scale.next_up() - scale) as f64;
            if want.abs() < f32::MAX as f64 {
                worst = worst.max((got - want).abs() / ulp);
            } else {
                assert_eq!(got as f32, want as f32, "at {x}");
            }
        };
        let n = 1 << 19;
        for i in 0..n {
            see(range.start + (range.end - range.start) * (i as f32 / n as f32));
        }
        // Also over all magnitudes, where an even spacing never looks.
        for bits in (0..f32::INFINITY.to_bits()).step_by(4093) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                if range.contains(&x) {
                    see(x);
                }
            }
        }
        worst
    }

    #[test]
    fn f32_functions_stay_within_their_ulps() {
        let bounds: [(&str, f64, f64); 13] = [
            ("exp", 1.0, ulps(-104.0..89.0, Real::exp, f64::exp)),
            ("exp_m1", 3.0, ulps(-30.0..89.0, Real::exp_m1, f64::exp_m1)),
            ("ln", 1.0, ulps(0.0..f32::MAX, Real::ln, f64::ln)),
            ("ln near 1", 1.0, ulps(0.5..2.0, Real::ln, f64::ln)),
            ("ln_1p", 2.0, ulps(-1.0..f32::MAX, Real::ln_1p, f64::ln_1p)),
            ("ln_1p near 0", 2.0, ulps(-0.9..3.0, Real::ln_1p, f64::ln_1p)),
            ("tanh", 3.0, ulps(-12.0..12.0, Real::tanh, f64::tanh)),
            ("sigmoid", 3.0, ulps(-87.0..90.0, Real::sigmoid, Real::sigmoid)),
            ("softplus", 2.0, ulps(-87.0..90.0, Real::softplus, Real::softplus)),
            ("exp_of_negative", 1.0, ulps(-87.0..0.0, Real::exp_of_negative, Real::exp)),
            ("erf", 2.0, ulps(-5.0..5.0, Real::erf, Real::erf)),
            ("sine of a small angle", 2.0, ulps(-FRAC_PI_4..FRAC_PI_4, |x| x.sin_cos_small().0, f64::sin)),
            ("cosine of a small angle", 2.0, ulps(-FRAC_PI_4..FRAC_PI_4, |x| x.sin_cos_small().1, f64::cos)),
        ];
        for (name, bound, worst) in bounds {
            assert!(worst <= bound, "{name}: {worst:.2} ulp > {bound}");
        }
        assert_eq!(ulps(-1e9..1e9, Real::round, f64::round_ties_even), 0.0);
    }

    #[test]
    fn the_ends_of_the_line() {
        fn ends<R: Real>() {
            let (inf, nan) = (R::INFINITY, R::NAN);
            for f in [R::exp, R::exp_m1, R::ln, R::ln_1p, R::tanh, R::sigmoid, R::softplus, R::erf, R::sqrt] {
                assert!(Number::is_nan(f(nan)));
            }
            assert_eq!([inf.exp(), (-inf).exp(), R::ZERO.exp()], [inf, R::ZERO, R::ONE]);
            assert_eq!([inf.exp_m1(), (-inf).exp_m1()], [inf, -R::ONE]);
            assert_eq!([inf.ln(), R::ZERO.ln(), R::ONE.ln()], [inf, -inf, R::ZERO]);
            assert!(Number::is_nan((-R::ONE).ln()) && Number::is_nan((-R::TWO).ln_1p()));
            assert_eq!([inf.ln_1p(), (-R::ONE).ln_1p(), R::ZERO.ln_1p()], [inf, -inf, R::ZERO]);
            assert_eq!(
                [inf.tanh(), (-inf).tanh(), inf.erf(), (-inf).erf()],
                [R::ONE, -R::ONE, R::ONE, -R::ONE]
            );
            assert_eq!([inf.sigmoid(), (-inf).sigmoid(), R::ZERO.sigmoid()], [R::ONE, R::ZERO, R::HALF]);
            assert_eq!([inf.softplus(), (-inf).softplus()], [inf, R::ZERO]);
            assert!(Number::is_nan(Number::max(nan, R::ONE)) && Number::is_nan(Number::max(R::ONE, nan)));
            assert!(Number::is_nan(Number::min(nan, R::ONE)) && Number::is_nan(Number::min(R::ONE, nan)));
            assert!(Number::is_nan(Number::sign(nan)));
            assert_eq!(
                [Number::sign(inf), Number::sign(-R::HALF), Number::sign(R::ZERO)],
                [R::ONE, -R::ONE, R::ZERO]
            );
            assert_eq!([Real::round(R::HALF), Real::round(R::ONE + R::HALF)], [R::ZERO, R::TWO]);
        }
        ends::<f32>();
        ends::<f64>();
        assert_eq!(Real::exp(-0.0f32), 1.0);
        assert!(Real::tanh(-0.0f32).is_sign_negative() && Real::exp_m1(-0.0f32).is_sign_negative());
    }

    #[test]
    fn powers() {
        for n in [-7, -2, -1, 0, 1, 2, 3, 4, 5, 13] {
            let x = 1.25f64;
            assert!((Real::powi(x, n) - x.powf(n as f64)).abs() < 1e-13 * x.powf(n as f64));
        }
        assert_eq!(Real::powi(0.0f32, 0), 1.0);
    }

    #[test]
    fn erf_in_double_precision() {
        // Values to 20 digits from Abramowitz & Stegun (1964), table 7.1, and mpmath 1.3.
        let table = [
            (0.1, 0.112_462_916_018_284_89),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (2.999, 0.999_977_769_831_400_2),
            (3.001, 0.999_978_048_339_082_3),
            (4.0, 0.999_999_984_582_742_1),
        ];
        for (x, want) in table {
            assert!(
                (Real::erf(x) - want).abs() < 4e-16 && Real::erf(-x) == -Real::erf(x),
                "erf({x}) = {}",
                Real::erf(x)
            );
        }
        assert_eq!([Real::erf(0.0), Real::erf(7.0)], [0.0, 1.0]);
    }

    #[test]
    fn integers_wrap() {
        assert_eq!([i64::MAX.plus(1), i64::MIN.minus(1), i64::MIN.negated()], [i64::MIN, i64::MAX, i64::MIN]);
        assert_eq!([Number::sign(-5i64), Number::sign(0), Number::sign(9)], [-1, 0, 1]);
        assert_eq!([Number::sign(5u8), Number::max(3u8, 5), Number::min(3, 5)], [1, 5, 3]);
    }
}
