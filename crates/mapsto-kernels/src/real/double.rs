//! The functions of `f64`: polynomials without branches or tables, in fused steps.
//!
//! Coefficients are Chebyshev fits in 60 digits, the highest power first, whose own error is below 2e-17.

use super::normal::normal_f64;
use super::{Float, Real};

/// `ln 2` as a number of 42 bits, whose product with an exponent is exact, and the rest.
const LN2_HI: f64 = 0.693_147_180_559_890_3;
const LN2_LO: f64 = 5.497_923_018_708_371e-14;
/// π/2 as the sum of three numbers.
pub(super) const HALF_PI: [f64; 3] =
    [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_17e-33];
/// Adding and taking away 1.5·2⁵² rounds to the nearest integer, which then sits in the low bits of the sum.
pub(super) const ROUND: f64 = 6_755_399_441_055_744.0;
/// The least mantissa that logarithms are taken of: √½.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE: u64 = 0x3ff0_0000_0000_0000;
/// Beyond so many radians, what is left of an angle after whole quarter turns needs more digits than [`HALF_PI`] has.
const FAR: f64 = 1e6;

/// `(eʳ − 1 − r) / r²` for |r| ≤ ln 2 / 2.
const EXP: [f64; 11] = [
    2.091_475_532_589_32e-9,
    2.510_531_272_962_210_3e-8,
    2.755_727_347_871_858e-7,
    2.755_725_517_000_089e-6,
    2.480_158_732_567_746e-5,
    0.000_198_412_698_750_022_8,
    0.001_388_888_888_888_371_1,
    0.008_333_333_333_326_084,
    0.041_666_666_666_666_67,
    0.166_666_666_666_666_7,
    0.5,
];
/// `(ln((1 + s) / (1 − s)) / s − 2) / z` of `z = s²`, for |s| ≤ 3 − 2√2.
const LN: [f64; 7] = [
    0.146_178_071_534_173_7,
    0.153_316_117_220_550_02,
    0.181_828_924_325_368_7,
    0.222_222_110_893_794_96,
    0.285_714_286_262_538_36,
    0.399_999_999_998_988_9,
    0.666_666_666_666_667,
];
/// What of that series lies beyond 2/3, divided by z once more.
const LN_BEYOND: [f64; 7] = [
    0.129_147_121_839_758_5,
    0.132_858_688_375_418_4,
    0.153_855_774_633_082_9,
    0.181_818_082_109_218_8,
    0.222_222_222_713_268_08,
    0.285_714_285_713_380_1,
    0.400_000_000_000_000_3,
];
/// `erf x / x − 1` of `x²`, for |x| ≤ 0.9.
const ERF: [f64; 12] = [
    -8.455_672_762_838_276e-10,
    1.403_507_277_706_924_1e-8,
    -1.627_349_929_764_496e-7,
    1.645_501_388_992_068e-6,
    -1.492_528_725_728_460_8e-5,
    0.000_120_553_205_460_505_48,
    -0.000_854_832_674_238_458_9,
    0.005_223_977_621_408_321,
    -0.026_866_170_644_789_25,
    0.112_837_916_709_536_26,
    -0.376_126_389_031_837_26,
    0.128_379_167_095_512_6,
];
/// `(sin x / x − 1) / z` of `z = x²`, for |x| ≤ π/4.
const SIN: [f64; 6] = [
    1.591_798_897_939_743_5e-10,
    -2.505_112_989_645_018_5e-8,
    2.755_731_609_319_840_4e-6,
    -0.000_198_412_698_367_405_32,
    0.008_333_333_333_330_936,
    -0.166_666_666_666_666_66,
];
/// `(cos x − 1 + z/2) / z²` of `z = x²`, for |x| ≤ π/4.
const COS: [f64; 6] = [
    -1.138_254_464_534_925e-11,
    2.087_614_504_941_318e-9,
    -2.755_731_726_587_808e-7,
    2.480_158_729_875_44e-5,
    -0.001_388_888_888_888_738_9,
    0.041_666_666_666_666_664,
];

/// A polynomial by Horner's rule.
#[inline(always)]
pub(super) fn poly<const N: usize>(x: f64, c: &[f64; N]) -> f64 {
    let mut y = c[0];
    for c in &c[1..] {
        y = x.mul_add(y, *c);
    }
    y
}

/// `x + rest = n·ln 2 + r`, |r| ≤ ln 2 / 2: gives `n` and `eʳ − 1`.
#[inline(always)]
fn exp_parts(x: f64, rest: f64) -> (f64, f64) {
    let n = x.mul_add(std::f64::consts::LOG2_E, ROUND) - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x)) + rest;
    (n, (r * r).mul_add(poly(r, &EXP), r))
}

/// 2ⁿ of an integer −1022 ≤ n ≤ 1023.
#[inline(always)]
fn exp2i(n: f64) -> f64 {
    f64::from_bits((n + ROUND).to_bits().wrapping_add(1023) << 52)
}

/// `x = 2ᵏ (1 + f)` with √½ ≤ 1 + f < √2, of a positive number: gives `k` and `f`.
#[inline(always)]
fn ln_parts(x: f64) -> (f64, f64) {
    let tiny = x < f64::MIN_POSITIVE;
    let x = if tiny { x * 18_014_398_509_481_984.0 } else { x };
    // Shift the exponent's boundary from 1 to √½.
    let bits = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits((bits >> 52) | ROUND.to_bits()) - (ROUND + 1023.0);
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF)) - 1.0;
    (if tiny { k - 54.0 } else { k }, f)
}

/// `ln x` of a number that is not negative as the sum of two numbers, within 2⁻⁶⁴ of itself, as powers need it: sums and
/// products that matter carry what rounding takes from them along (Dekker 1971).
#[inline(always)]
fn ln_twice(x: f64) -> [f64; 2] {
    const THIRDS: [f64; 2] = [0.666_666_666_666_666_6, 3.700_743_415_417_188e-17];
    let (k, f) = ln_parts(x);
    // s = f/(2+f), z = s².
    let u = 2.0 + f;
    let s = f / u;
    let s_rest = ((-s).mul_add(u, f) - s * (f - (u - 2.0))) / u;
    let z = s * s;
    let z_rest = s.mul_add(s, -z) + 2.0 * s * s_rest;
    // ln(1+f) = 2s + s·z·(2/3 + z·..)
    let more = z * poly(z, &LN_BEYOND);
    let third = THIRDS[0] + more;
    let third_rest = (more - (third - THIRDS[0])) + THIRDS[1];
    let w = z * third;
    let w_rest = z.mul_add(third, -w) + (z * third_rest + z_rest * third);
    let p = s * w;
    let p_rest = s.mul_add(w, -p) + (s * w_rest + s_rest * w);
    let log = 2.0 * s + p;
    let rest = (2.0 * s - log) + p + (2.0 * s_rest + p_rest);
    let whole = k * LN2_HI;
    let sum = whole + log;
    let rest = (whole - sum) + log + k.mul_add(LN2_LO, rest);
    let sum = if x == 0.0 { f64::NEG_INFINITY } else { sum };
    let ends = (x == 0.0) | (x == f64::INFINITY);
    let sum = if x == f64::INFINITY { x } else { sum };
    // NaN stays: the parts of its bits are a number's.
    [if x >= 0.0 { sum } else { f64::NAN }, if ends { 0.0 } else { rest }]
}

/// Sine and cosine of an angle up to [`FAR`], and how many quarter turns were taken from it first: `(sin r, cos r, n)`.
#[inline(always)]
fn sin_cos(x: f64) -> (f64, f64, u64) {
    let t = x.mul_add(std::f64::consts::FRAC_2_PI, ROUND);
    let n = t - ROUND;
    // r + rest = x − n·π/2; the first step is exact.
    let near = n.mul_add(-HALF_PI[0], x);
    let small = n * HALF_PI[1];
    let r = near - small;
    let rest = n.mul_add(-HALF_PI[2], ((near - r) - small) - n.mul_add(HALF_PI[1], -small));
    let z = r * r;
    let half = 0.5 * z;
    let sin = r + (r * z).mul_add(poly(z, &SIN), rest * (1.0 - half));
    let cos = 1.0 - half;
    let cos = cos + (((1.0 - cos) - half) + (z * z).mul_add(poly(z, &COS), -(r * rest)));
    (if x == 0.0 { x } else { sin }, cos, t.to_bits())
}

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
        // Below −746 the result rounds to 0, above 710 to infinity; NaN passes both comparisons unchanged.
        let x = if self < -746.0 { -746.0 } else { self };
        let x = if x > 710.0 { 710.0 } else { x };
        let (n, p) = exp_parts(x, 0.0);
        // Two factors, because 2ⁿ itself may be infinite or subnormal where the product is not.
        let half = n.mul_add(0.5, ROUND) - ROUND;
        (1.0 + p) * exp2i(half) * exp2i(n - half)
    }
    #[inline(always)]
    fn exp2(self) -> Self {
        let x = if self < -1077.0 { -1077.0 } else { self };
        let x = if x > 1025.0 { 1025.0 } else { x };
        let n = (x + ROUND) - ROUND;
        let r = x - n;
        // r ln 2 with what rounding takes from it.
        let z = r * std::f64::consts::LN_2;
        let rest = r.mul_add(std::f64::consts::LN_2, -z) + r * 2.319_046_813_846_299_6e-17;
        let p = z + (z * z).mul_add(poly(z, &EXP), rest);
        let half = n.mul_add(0.5, ROUND) - ROUND;
        (1.0 + p) * exp2i(half) * exp2i(n - half)
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        const LOWEST: f64 = -708.39;
        let (n, p) = exp_parts(if self < LOWEST { LOWEST } else { self }, 0.0);
        let y = (1.0 + p) * exp2i(n);
        if self < LOWEST { 0.0 } else { y }
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        let x = if self < -40.0 { -40.0 } else { self };
        let x = if x > 710.0 { 710.0 } else { x };
        let (n, p) = exp_parts(x, 0.0);
        // 2ⁿ·(eʳ − 1) + (2ⁿ − 1), at half scale so that n = 1024 is no infinity yet.
        let s = exp2i(n - 1.0);
        let y = p.mul_add(s, s - 0.5) * 2.0;
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn ln(self) -> Self {
        let (k, f) = ln_parts(self);
        // ln(1+f) = 2 artanh(s), s = f/(2+f), arranged so that f itself enters without rounding.
        let s = f / (2.0 + f);
        let z = s * s;
        let r = poly(z, &LN) * z;
        let h = 0.5 * f * f;
        let y = k * LN2_HI - ((h - s.mul_add(h + r, k * LN2_LO)) - f);
        let y = if self == f64::INFINITY { self } else { y };
        let y = if self == 0.0 { f64::NEG_INFINITY } else { y };
        if self >= 0.0 { y } else { f64::NAN }
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        let u = 1.0 + self;
        // What rounding took from 1 + x, to first order.
        let lost = if self > 1.0 { 1.0 - (u - self) } else { self - (u - 1.0) };
        let fix = if (u > 0.0) & (u < f64::INFINITY) { lost / u } else { 0.0 };
        let y = Real::ln(u) + fix;
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let a = f64::abs(self);
        let a = if a > 22.0 { 22.0 } else { a };
        let e = Real::exp_m1(a + a);
        f64::copysign(e / (e + 2.0), self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = Real::exp(-f64::abs(self));
        (if self >= 0.0 { 1.0 } else { e }) / (1.0 + e)
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        f64::mul_add(self, a, b)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        let a = f64::abs(self);
        let near = self.mul_add(poly(self * self, &ERF), self);
        // Beyond 0.9 by the tail of the normal distribution; from 6 on, where erf is 1 in f64, it is 1.
        let t = if a > 6.0 { 6.0 } else { a };
        let square = t * t;
        let e = Real::exp(-square);
        let e = t.mul_add(-t, square).mul_add(e, e);
        let far = f64::copysign(1.0 - 2.0 * e * super::normal::mills(t * std::f64::consts::SQRT_2), self);
        if a < 0.9 { near } else { far }
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
        let a = f64::abs(self);
        let [log, rest] = ln_twice(a);
        let e = if (a == 1.0) | (y == 0.0) { 0.0 } else { log * y };
        let small = if (f64::abs(e) < 800.0) & (e != 0.0) { log.mul_add(y, -e) + rest * y } else { 0.0 };
        let x = if e < -746.0 { -746.0 } else { e };
        let x = if x > 710.0 { 710.0 } else { x };
        let (n, p) = exp_parts(x, small);
        let half = n.mul_add(0.5, ROUND) - ROUND;
        let power = (1.0 + p) * exp2i(half) * exp2i(n - half);
        let (whole, even) = (f64::round_ties_even(y) == y, f64::round_ties_even(y * 0.5) == y * 0.5);
        let power = if f64::is_sign_negative(self) & whole & !even { -power } else { power };
        if (self < 0.0) & !whole & (a < f64::INFINITY) { f64::NAN } else { power }
    }
    #[inline(always)]
    fn sin(self) -> Self {
        if self.is_far() { f64::sin(self) } else { self.sin_near() }
    }
    #[inline(always)]
    fn cos(self) -> Self {
        if self.is_far() { f64::cos(self) } else { self.cos_near() }
    }
    #[inline(always)]
    fn tan(self) -> Self {
        if self.is_far() { f64::tan(self) } else { self.tan_near() }
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
    fn to_i32(self) -> i32 {
        self as i32
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
    #[inline(always)]
    fn is_far(self) -> bool {
        f64::abs(self) > FAR
    }
    #[inline(always)]
    fn sin_near(self) -> Self {
        let (sin, cos, turns) = sin_cos(self);
        let y = if turns & 1 == 0 { sin } else { cos };
        if turns & 2 == 0 { y } else { -y }
    }
    #[inline(always)]
    fn cos_near(self) -> Self {
        let (sin, cos, turns) = sin_cos(self);
        let y = if turns & 1 == 0 { cos } else { sin };
        if turns.wrapping_add(1) & 2 == 0 { y } else { -y }
    }
    #[inline(always)]
    fn tan_near(self) -> Self {
        let (sin, cos, turns) = sin_cos(self);
        let odd = turns & 1 == 1;
        (if odd { -cos } else { sin }) / (if odd { sin } else { cos })
    }
    #[inline(always)]
    fn sin_cos_small(self) -> (Self, Self) {
        f64::sin_cos(self)
    }
}
