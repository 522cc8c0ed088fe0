//! The functions of `f32`: polynomials without branches or tables, in fused steps.

use super::normal::normal_f32;
use super::{Float, Real, double};

const LN2_HI: f32 = 0.693_359_4; // 9 significant bits: n · LN2_HI is exact for |n| < 2¹⁵
const LN2_LO: f32 = -2.121_944_4e-4;
/// Adding and taking away 1.5·2²³ rounds to the nearest integer, which then sits in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;
/// Beyond so many radians sine and cosine are the standard library's.
const FAR: f32 = 1e8;

/// `x = n·ln 2 + r`, |r| ≤ ln 2 / 2: gives `n` and `eʳ − 1`.
#[inline(always)]
fn exp_parts(x: f32) -> (i32, f32) {
    let t = f32::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = f32::mul_add(n, -LN2_LO, f32::mul_add(n, -LN2_HI, x));
    let p = 1.989_198e-4;
    let p = f32::mul_add(p, r, 1.393_454_2e-3);
    let p = f32::mul_add(p, r, 8.333_31e-3);
    let p = f32::mul_add(p, r, 4.166_645_7e-2);
    let p = f32::mul_add(p, r, 1.666_666_7e-1);
    let p = f32::mul_add(p, r, 0.5);
    ((t.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32), f32::mul_add(r * r, p, r))
}

/// 2ⁿ for −126 ≤ n ≤ 127.
#[inline(always)]
fn exp2i(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `(2ʳ − 1) / r` for |r| ≤ ½, the highest power first, by Remez's exchange (`mapsto-tensor/tests/accuracy/coefficients.py`):
/// within 1.6e-8 of 2ʳ.
const EXP2: [f32; 6] =
    [1.547_632_3e-4, 1.340_027e-3, 9.618_004e-3, 5.550_328e-2, 2.402_265e-1, std::f32::consts::LN_2];
/// `(tan r / r − 1) / z` of `z = r²`, for |r| ≤ π/4, likewise within 3.2e-9 of the tangent.
const TAN: [f32; 7] = [
    4.376_329_5e-3,
    8.941_405_4e-5,
    1.083_591_9e-2,
    2.128_214_2e-2,
    5.405_992_6e-2,
    1.333_266_3e-1,
    3.333_335e-1,
];

/// A polynomial by Horner's rule.
#[inline(always)]
fn poly<const N: usize>(x: f32, c: &[f32; N]) -> f32 {
    let mut y = c[0];
    for c in &c[1..] {
        y = f32::mul_add(x, y, *c);
    }
    y
}

/// An angle up to [`FAR`] less whole quarter turns, and how many they are, in the low bits. In double precision, so that the
/// difference keeps all digits of f32 wherever it is small.
#[inline(always)]
fn turned(x: f32) -> (f64, u32) {
    let x = x as f64;
    let t = x.mul_add(std::f64::consts::FRAC_2_PI, double::ROUND);
    let n = t - double::ROUND;
    let r = n.mul_add(-double::HALF_PI[1], n.mul_add(-double::HALF_PI[0], x));
    (r, t.to_bits() as u32)
}

impl Real for f32 {
    const HALF: Self = 0.5;
    const TWO: Self = 2.0;
    const NAN: Self = f32::NAN;
    const INFINITY: Self = f32::INFINITY;
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
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
    fn exp2(self) -> Self {
        let x = if self < -151.0 { -151.0 } else { self };
        let x = if x > 129.0 { 129.0 } else { x };
        let t = x + ROUND;
        let r = x - (t - ROUND);
        let n = (t.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
        let half = n >> 1;
        f32::mul_add(r, poly(r, &EXP2), 1.0) * exp2i(half) * exp2i(n.wrapping_sub(half))
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        const LOWEST: f32 = -87.33;
        let x = if self < LOWEST { LOWEST } else { self };
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
        let y = f32::mul_add(p, s, s - 0.5) * 2.0;
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
        let r = f32::mul_add(r, z, 2.854_996_4e-1);
        let r = f32::mul_add(r, z, 4.000_013e-1);
        let r = f32::mul_add(r, z, 6.666_667e-1) * z;
        let h = 0.5 * f * f;
        let y = k * LN2_HI - ((h - f32::mul_add(s, h + r, k * LN2_LO)) - f);
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
        let p = f32::mul_add(p, z, -8.179_632e-4);
        let p = f32::mul_add(p, z, 5.204_227e-3);
        let p = f32::mul_add(p, z, -2.686_066_5e-2);
        let p = f32::mul_add(p, z, 1.128_371_8e-1);
        let p = f32::mul_add(p, z, -3.761_263_5e-1);
        let near = f32::mul_add(self, f32::mul_add(p, z, 1.283_791_7e-1), self);
        // Beyond 0.9: erf = 1 − exp(q), q a fit of ln(erfc) on [0.89, 4], where erf is 1 in f32.
        let t = if a > 4.0 { 4.0 } else { a };
        let q = 1.642_463_9e-6;
        let q = f32::mul_add(q, t, -4.614_969_2e-5);
        let q = f32::mul_add(q, t, 5.974_442_4e-4);
        let q = f32::mul_add(q, t, -4.761_845_5e-3);
        let q = f32::mul_add(q, t, 2.642_504_5e-2);
        let q = f32::mul_add(q, t, -1.100_818_7e-1);
        let q = f32::mul_add(q, t, -6.318_304_3e-1);
        let q = f32::mul_add(q, t, -1.130_226_7);
        let q = f32::mul_add(q, t, 3.173_165e-4);
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
        // In double precision: eˣ keeps 29 bits more of `y ln x` than the result has.
        let (a, wide) = (f32::abs(self) as f64, y as f64);
        let log = if (a == 1.0) | (wide == 0.0) { 0.0 } else { Real::ln(a) * wide };
        let power = Real::exp(log) as f32;
        let half = y * 0.5;
        let (whole, even) = (f32::round_ties_even(y) == y, f32::round_ties_even(half) == half);
        let power = if f32::is_sign_negative(self) & whole & !even { -power } else { power };
        if (self < 0.0) & !whole & (a < f64::INFINITY) { f32::NAN } else { power }
    }
    #[inline(always)]
    fn sin(self) -> Self {
        if self.is_far() { f32::sin(self) } else { self.sin_near() }
    }
    #[inline(always)]
    fn cos(self) -> Self {
        if self.is_far() { f32::cos(self) } else { self.cos_near() }
    }
    #[inline(always)]
    fn tan(self) -> Self {
        if self.is_far() { f32::tan(self) } else { self.tan_near() }
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
}

impl Float for f32 {
    const EPSILON: Self = f32::EPSILON;
    const MIN_POSITIVE: Self = f32::MIN_POSITIVE;
    const MAX: Self = f32::MAX;
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self as f64
    }
    #[inline(always)]
    fn from_u32(x: u32) -> Self {
        x as f32
    }
    #[inline(always)]
    fn to_i32(self) -> i32 {
        self as i32
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
    #[inline(always)]
    fn is_far(self) -> bool {
        f32::abs(self) > FAR
    }
    #[inline(always)]
    fn sin_near(self) -> Self {
        let (r, turns) = turned(self);
        let (sin, cos) = (r as f32).sin_cos_small();
        let y = if turns & 1 == 0 { sin } else { cos };
        let y = if turns & 2 == 0 { y } else { -y };
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn cos_near(self) -> Self {
        let (r, turns) = turned(self);
        let (sin, cos) = (r as f32).sin_cos_small();
        let y = if turns & 1 == 0 { cos } else { sin };
        if turns.wrapping_add(1) & 2 == 0 { y } else { -y }
    }
    #[inline(always)]
    fn tan_near(self) -> Self {
        let (wide, turns) = turned(self);
        let r = wide as f32;
        let z = r * r;
        let w = r * z * poly(z, &TAN);
        // With what rounding takes from the angle, by the slope.
        let t = r + w;
        let w = f32::mul_add((wide - r as f64) as f32, f32::mul_add(t, t, 1.0), w);
        let t = r + w;
        // −1/t of an odd quarter turn, with what rounding takes from the quotient and from t.
        let y = -1.0 / t;
        let lost = f32::mul_add(y, t, 1.0) + y * ((r - t) + w);
        let odd = f32::mul_add(y, lost, y);
        let odd = if f32::abs(y) < f32::INFINITY { odd } else { y };
        if turns & 1 == 0 { t } else { odd }
    }
    #[inline(always)]
    fn sin_cos_small(self) -> (Self, Self) {
        let z = self * self;
        let s = (-1.958_738_7e-4 * z + 8.332_746e-3) * z - 1.666_666_5e-1;
        let c = (2.454_743_7e-5 * z - 1.388_83e-3) * z + 4.166_666_5e-2;
        (self + self * z * s, (1.0 - 0.5 * z) + z * z * c)
    }
}
