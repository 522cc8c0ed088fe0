//! The functions of gates, two at a time: much of what they cost is division, and two of them share one.

use crate::real::{Float, Real};

/// Numbers whose gates are computed together.
///
/// In f32, with `e = e⁻ˣ`, `σ(x) = 1 / (1 + e)`, and with `m = e²ˣ − 1`, `tanh(x) = m / (m + 2)`; for two denominators,
/// `1/p = q · 1/(p q)`. The arguments of e are held within ±43, so that the product is finite: σ ends at 2·10⁻¹⁹ instead of
/// 0, which no sum with a state notices.
///
/// The LSTM's cell of 256 on 8 rows (AVX-512) takes 7.5 µs with the functions of [`Float`]; sharing divisions 7.1; with the
/// polynomial's terms side by side 6.3; with fused multiply-adds 4.6; in three loops instead of one, for its five functions
/// wait for one another, 3.5.
pub trait Gate: Float {
    /// `σ(a)`, `σ(b)`.
    fn sigmoid2(a: Self, b: Self) -> (Self, Self);
    /// `σ(a)`, `tanh(b)`.
    fn sigmoid_tanh(a: Self, b: Self) -> (Self, Self);
    /// `tanh(x)`.
    fn tanh1(x: Self) -> Self;
}

/// f64 is for checks: the plain functions.
impl Gate for f64 {
    #[inline(always)]
    fn sigmoid2(a: f64, b: f64) -> (f64, f64) {
        (a.sigmoid(), b.sigmoid())
    }
    #[inline(always)]
    fn sigmoid_tanh(a: f64, b: f64) -> (f64, f64) {
        (a.sigmoid(), b.tanh())
    }
    #[inline(always)]
    fn tanh1(x: f64) -> f64 {
        x.tanh()
    }
}

impl Gate for f32 {
    #[inline(always)]
    fn sigmoid2(a: f32, b: f32) -> (f32, f32) {
        let (p, q) = (1.0 + exp(-a), 1.0 + exp(-b));
        let r = 1.0 / (p * q);
        (q * r, p * r)
    }
    #[inline(always)]
    fn sigmoid_tanh(a: f32, b: f32) -> (f32, f32) {
        let (p, m) = (1.0 + exp(-a), exp_m1(b + b));
        let q = m + 2.0;
        let r = 1.0 / (p * q);
        (q * r, m * (p * r))
    }
    #[inline(always)]
    fn tanh1(x: f32) -> f32 {
        let m = exp_m1(x + x);
        m / (m + 2.0)
    }
}

const MOST: f32 = 43.0;
const LN2_HI: f32 = 0.693_359_4; // 9 significant bits: n · LN2_HI is exact
const LN2_LO: f32 = -2.121_944_4e-4;
/// Adding and taking away 1.5·2²³ rounds to the nearest integer, which then sits in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// For `x` held within ±[`MOST`], `x = n ln 2 + r`: gives `2ⁿ` and `eʳ − 1`. NaN passes the comparisons unchanged.
#[inline(always)]
fn parts(x: f32) -> (f32, f32) {
    let fma = f32::mul_add;
    let x = if MOST < x { MOST } else { x };
    let x = if -MOST > x { -MOST } else { x };
    let t = fma(x, std::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = fma(n, -LN2_LO, fma(n, -LN2_HI, x));
    // The polynomial of `Real::exp`, its pairs of terms side by side to halve the wait for one another.
    let r2 = r * r;
    let low = fma(1.666_666_7e-1, r, 0.5);
    let high = fma(fma(1.989_198e-4, r, 1.393_454_2e-3), r2, fma(8.333_31e-3, r, 4.166_645_7e-2));
    let p = fma(high, r2, low);
    // The integer is shifted to where the exponent stands; the bits of ROUND fall out on the way.
    (f32::from_bits((t.to_bits() << 23).wrapping_add(1.0f32.to_bits())), fma(r2, p, r))
}

#[inline(always)]
fn exp(x: f32) -> f32 {
    let (s, p) = parts(x);
    s + s * p
}

#[inline(always)]
fn exp_m1(x: f32) -> f32 {
    let (s, p) = parts(x);
    s * p + (s - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_exact_to_a_few_units_and_keep_nan() {
        let near = |got: f32, want: f64| {
            let error = (got as f64 - want).abs() / want.abs().max(1e-18);
            assert!(error < 5.0 * f32::EPSILON as f64, "{got} for {want}");
        };
        for i in -40_000..40_000 {
            let (x, z) = (i as f32 * 1e-3, i as f32 * -7.3e-4 + 0.1);
            let sigmoid = |x: f32| Real::sigmoid(x as f64);
            let (a, b) = f32::sigmoid2(x, z);
            near(a, sigmoid(x));
            near(b, sigmoid(z));
            let (a, b) = f32::sigmoid_tanh(z, x);
            near(a, sigmoid(z));
            near(b, (x as f64).tanh());
            near(f32::tanh1(x), (x as f64).tanh());
            near(f32::tanh1(x * 1e-6), (x as f64 * 1e-6).tanh());
        }
        assert!(f32::tanh1(f32::NAN).is_nan() && f32::sigmoid2(f32::NAN, 0.0).0.is_nan());
        assert_eq!(f32::sigmoid_tanh(f32::INFINITY, f32::NEG_INFINITY), (1.0, -1.0));
        assert_eq!(f32::tanh1(0.0), 0.0);
    }
}
