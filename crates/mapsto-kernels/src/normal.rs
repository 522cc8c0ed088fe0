//! The normal distribution function and its density together, which share their exponential: what GELU is made of.

use crate::real::Real;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The height of the density at 0: `1 / √(2π)`.
const PEAK: f64 = 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;

/// `Φ(x)` and `φ(x)` in double precision, from the error function.
#[inline(always)]
pub(crate) fn normal_f64(x: f64) -> (f64, f64) {
    (0.5 * (1.0 + Real::erf(x * FRAC_1_SQRT_2)), PEAK * (-0.5 * x * x).exp())
}

/// `Φ(x)` and `φ(x)`: the tail `Φ(−a) = e^(−a²/2) m(a)`, where `m` is Mills' ratio over √(2π). A polynomial of degree 12
/// about 2.5 fits `m` on [0, 5]; beyond, Φ is below 3·10⁻⁷. The error is 1.3·10⁻⁷ at most, and in the tail 10⁻⁵ of its
/// value, where `1 + erf` has cancelled. At that error a fit needs degree 12 (11 errs four times as much), so what made it
/// shorter is fused steps: GELU of 3 million numbers on two threads takes 0.82 ms rather than 1.41, its gradient 0.94
/// rather than 1.62.
#[inline(always)]
pub(crate) fn normal_f32(x: f32) -> (f32, f32) {
    let e = (x * x * -0.5).exp_of_negative();
    let a = x.abs();
    let u = (if a > 5.0 { 5.0 } else { a }) - 2.5;
    let m = 2.530_347_8e-8;
    let m = u.fma(m, -5.476_868e-8);
    let m = u.fma(m, -1.358_298_4e-7);
    let m = u.fma(m, -6.169_175e-7);
    let m = u.fma(m, 5.015_362e-6);
    let m = u.fma(m, -1.422_957e-5);
    let m = u.fma(m, 5.722_559_6e-5);
    let m = u.fma(m, -2.596_256_7e-4);
    let m = u.fma(m, 1.024_207_6e-3);
    let m = u.fma(m, -3.827_375_1e-3);
    let m = u.fma(m, 1.364_540_1e-2);
    let m = u.fma(m, -4.561_559_5e-2);
    let tail = e * u.fma(m, 1.413_313_9e-1);
    (if x > 0.0 { 1.0 - tail } else { tail }, e * PEAK as f32)
}

#[test]
fn both_precisions_agree_and_the_tail_keeps_its_digits() {
    for i in -6000..=6000 {
        let x = i as f32 * 1e-3;
        let ((cdf, density), (wide, slope)) = (normal_f32(x), normal_f64(x as f64));
        assert!((cdf as f64 - wide).abs() < 1.5e-7, "Φ({x}) = {cdf}, {wide}");
        assert!((density as f64 - slope).abs() < 1e-6 * slope + 1e-9, "φ({x}) = {density}, {slope}");
        // In double precision `1 + erf` has digits enough down to −4.
        assert!(x < -4.0 || (cdf as f64 / wide - 1.0).abs() < 2e-5, "Φ({x}) = {cdf}, {wide}");
    }
    let [low, high, nan] = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN].map(normal_f32);
    assert!(low == (0.0, 0.0) && high == (1.0, 0.0) && nan.0.is_nan() && nan.1.is_nan());
    assert_eq!(normal_f64(0.0), (0.5, PEAK));
}
