//! The normal distribution function and its density together, which share their exponential: what GELU is made of.

use super::Real;
use super::double::poly;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The height of the density at 0: `1 / √(2π)`.
const PEAK: f64 = 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;

/// `Φ(x)` and `φ(x)` in double precision: as [`normal_f32`], with a polynomial of degree 21 in `1 / (a + 5)`.
#[inline(always)]
pub(crate) fn normal_f64(x: f64) -> (f64, f64) {
    // Beyond 39 both ends are reached; no square is infinite there.
    let a = if x.abs() > 39.0 { 39.0 } else { x.abs() };
    let square = a * a;
    let e = Real::exp(-0.5 * square);
    let e = (-0.5 * a.mul_add(a, -square)).mul_add(e, e);
    let tail = e * mills(a);
    (if x > 0.0 { 1.0 - tail } else { tail }, e * PEAK)
}

/// [`mills`] over `t`, of `t − 3/32`.
const MILLS: [f64; 22] = [
    -2_224_938_767_716.443_4,
    1_055_064_255_050.101_4,
    -7_448_839_309.944_964,
    -72_898_845_480.191_48,
    3_601_707_621.884_129,
    4_391_787_798.328_25,
    -106_398_262.655_277_58,
    -287_902_838.901_368_1,
    -14_791_510.301_344_1,
    18_906_409.108_798_508,
    3_628_994.500_491_181,
    -890_521.637_554_623_8,
    -498_031.961_916_441_3,
    -50_367.504_086_016_29,
    33_176.621_578_594_81,
    19_409.160_942_060_884,
    6_157.591_542_842_601,
    1_446.128_868_070_929_7,
    274.878_112_087_737_8,
    44.022_176_565_475_476,
    6.069_875_204_871_081,
    0.729_467_338_023_430_6,
];

/// Mills' ratio over √(2π), `Φ(−a) e^(a²/2)`, for 0 ≤ a ≤ 39, within four units in the last place.
#[inline(always)]
pub(super) fn mills(a: f64) -> f64 {
    let t = 1.0 / (a + 5.0);
    t * poly(t - 0.093_75, &MILLS)
}

/// `Φ(x)` and `φ(x)`: the tail `Φ(−a) = e^(−a²/2) m(a)`, where `m` is Mills' ratio over √(2π): with `t = 1 / (a + 3)` it is
/// `t` times a polynomial of degree 8, within 10⁻⁷ as far as the result is a normal number (−13). What rounding takes from
/// `a²` is put back, for it would cost e 80 units in the last place there. One division and eight steps take no longer than
/// the twelve of a polynomial in `a`, which ended at −5.
#[inline(always)]
pub(crate) fn normal_f32(x: f32) -> (f32, f32) {
    let a = x.abs();
    let a = if a > 14.0 { 14.0 } else { a };
    let square = a * a;
    let lost = a.fma(a, -square) * -0.5;
    let e = (square * -0.5).exp_of_negative();
    let e = lost.fma(e, e);
    let t = 1.0 / (a + 3.0);
    let u = t - 0.203_125;
    let m = -498.729_45;
    let m = u.fma(m, 118.645_15);
    let m = u.fma(m, 99.787_03);
    let m = u.fma(m, -36.916_74);
    let m = u.fma(m, -22.040_587);
    let m = u.fma(m, 7.572_844);
    let m = u.fma(m, 9.264_415);
    let m = u.fma(m, 3.697_413_7);
    let m = u.fma(m, 0.851_974_2);
    let tail = e * (t * m);
    (if x > 0.0 { 1.0 - tail } else { tail }, e * PEAK as f32)
}

#[test]
fn both_precisions_agree_and_the_tails_keep_their_digits() {
    let mut worst = [0.0f64; 2];
    for i in -13_000..=9000 {
        let x = i as f32 * 1e-3;
        let ((cdf, density), (wide, slope)) = (normal_f32(x), normal_f64(x as f64));
        worst[0] = worst[0].max((cdf as f64 / wide - 1.0).abs());
        worst[1] = worst[1].max((density as f64 / slope - 1.0).abs());
    }
    assert!(worst[0] < 5e-7 && worst[1] < 3e-7, "{worst:?}");
    let [low, high, nan] = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN].map(normal_f32);
    assert!(low == (0.0, 0.0) && high == (1.0, 0.0) && nan.0.is_nan() && nan.1.is_nan());
    assert!((normal_f64(0.0).0 - 0.5).abs() < 2e-16 && normal_f64(0.0).1 == PEAK);
    assert!(normal_f64(f64::NAN).0.is_nan() && normal_f64(f64::NEG_INFINITY).0 < 1e-300);
}

#[test]
fn the_left_tail_in_double_precision() {
    // By mpmath with 40 digits: Φ(x) = ½ erfc(−x/√2).
    let known = [
        (-1.0, 0.15865525393145705),
        (-1.4990234375, 0.06693377595920312),
        (-1.5, 0.06680720126885807),
        (-2.0, 0.02275013194817921),
        (-3.0, 0.0013498980316300946),
        (-4.5, 3.3976731247300603e-06),
        (-6.0, 9.86587645037698e-10),
        (-10.0, 7.619853024160525e-24),
        (-20.0, 2.7536241186062337e-89),
        (-30.0, 4.906713927148187e-198),
        (-37.0, 5.725571222524577e-300),
    ];
    for (x, want) in known {
        let got = normal_f64(x).0;
        assert!((got / want - 1.0).abs() < 4e-15, "Φ({x}) = {got:e}, {want:e}");
    }
}
