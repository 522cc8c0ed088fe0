//! The functions of `f64`: the standard library's, but `exp` below zero and `erf` by series.

use super::normal::normal_f64;
use super::{Float, Real};

impl Real for f64 {
    const HALF: Self = 0.5;
    const TWO: Self = 2.0;
    const NAN: Self = f64::NAN;
    const INFINITY: Self = f64::INFINITY;
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        // As in f32, with the series of eʳ to r¹³: the next term is below 2⁻⁵⁷ of it.
        const LOWEST: f64 = -708.39;
        const ROUND: f64 = 6_755_399_441_055_744.0;
        const LN2_REST: f64 = 2.319_046_813_846_299_6e-17;
        let x = if self < LOWEST { LOWEST } else { self };
        let t = Real::fma(x, std::f64::consts::LOG2_E, ROUND);
        let n = t - ROUND;
        let r = Real::fma(n, -LN2_REST, Real::fma(n, -std::f64::consts::LN_2, x));
        let p = 1.0 / 6_227_020_800.0;
        let p = r.fma(p, 1.0 / 479_001_600.0);
        let p = r.fma(p, 1.0 / 39_916_800.0);
        let p = r.fma(p, 1.0 / 3_628_800.0);
        let p = r.fma(p, 1.0 / 362_880.0);
        let p = r.fma(p, 1.0 / 40_320.0);
        let p = r.fma(p, 1.0 / 5_040.0);
        let p = r.fma(p, 1.0 / 720.0);
        let p = r.fma(p, 1.0 / 120.0);
        let p = r.fma(p, 1.0 / 24.0);
        let p = r.fma(p, 1.0 / 6.0);
        let p = r.fma(p, 0.5);
        let p = r.fma(p, 1.0);
        let p = r.fma(p, 1.0);
        let y = f64::from_bits(p.to_bits().wrapping_add(t.to_bits() << 52));
        if self < LOWEST { 0.0 } else { y }
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
}

impl Float for f64 {
    const EPSILON: Self = f64::EPSILON;
    const MIN_POSITIVE: Self = f64::MIN_POSITIVE;
    const MAX: Self = f64::MAX;
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_u32(x: u32) -> Self {
        x as f64
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
    #[inline(always)]
    fn sin_cos_small(self) -> (Self, Self) {
        f64::sin_cos(self)
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
