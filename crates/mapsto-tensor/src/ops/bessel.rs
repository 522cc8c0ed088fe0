//! The modified Bessel functions of the first kind, of orders 0 and 1, also without their growth.

mod coefficients;

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, chebyshev, map, polynomial, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;
use coefficients::{APART_FAR, I0_FAR, I0_FAR_SINGLE, I0_NEAR, I0_NEAR_SINGLE, I1_FAR, I1_FAR_SINGLE, I1_NEAR, I1_NEAR_SINGLE};

impl Tensor {
    /// `I₀(x)` of each element, the modified Bessel function of order 0: the normaliser of the von Mises distribution, and the
    /// Kaiser window.
    ///
    /// Source: Abramowitz and Stegun (1964), 9.6.12 and 9.7.1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = I₁(x) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, -1.0, 5.0].i0(), [1.0, 1.26607, 27.23987]);
    /// ```
    #[track_caller]
    pub fn i0(&self) -> Tensor {
        map(I0, self)
    }

    /// `e^(−|x|) I₀(x)` of each element, which does not overflow.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = e^(−|x|) (I₁(x) − sign(x) I₀(x)) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, -1.0, 1e4].i0e(), [1.0, 0.46576, 0.00399]);
    /// ```
    #[track_caller]
    pub fn i0e(&self) -> Tensor {
        map(I0e, self)
    }

    /// `I₁(x)` of each element, the modified Bessel function of order 1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (I₀(x) − I₁(x) / x) dy`, a half of `dy` at 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, -1.0, 5.0].i1(), [0.0, -0.56516, 24.33564]);
    /// ```
    #[track_caller]
    pub fn i1(&self) -> Tensor {
        map(I1, self)
    }

    /// `e^(−|x|) I₁(x)` of each element, which does not overflow.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (e^(−|x|) I₀(x) − y (sign(x) + 1 / x)) dy`, a half of `dy` at 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, -1.0, 1e4].i1e(), [0.0, -0.20791, 0.00399]);
    /// ```
    #[track_caller]
    pub fn i1e(&self) -> Tensor {
        map(I1e, self)
    }
}

/// `e^(−a) I₀(a)`, `e^(−a) I₁(a)` and the slope of the latter, for `a ≥ 0`.
#[inline(always)]
fn scaled<R: Real>(a: R) -> (R, R, R) {
    let is_far = a.gt(R::from_f64(8.0));
    let (near, far) = (a * R::from_f64(0.25) - R::ONE, R::from_f64(16.0) / a - R::ONE);
    let (root, ratio) = (a.sqrt().recip(), chebyshev(near, &I1_NEAR));
    let (zero, far_one) = (chebyshev(near, &I0_NEAR), chebyshev(far, &I1_FAR));
    let slope = (chebyshev(far, &APART_FAR) - far_one) * root / a;
    (
        R::select(is_far, chebyshev(far, &I0_FAR) * root, zero),
        R::select(is_far, far_one * root, a * ratio),
        R::select(is_far, slope, zero - (a + R::ONE) * ratio),
    )
}

/// `y eᵃ`, in two steps, for the exponential overflows before the product does.
#[inline(always)]
fn grown<R: Real>(y: R, a: R) -> R {
    let half = (a * R::HALF).exp();
    R::select(a.eq(R::INFINITY), a, y * half * half)
}

/// `Iₙ(a)` up to 8, and beyond that without its growth, for single precision.
#[inline(always)]
fn short<R: Real>(a: R, near: &[f64], far: &[f64]) -> (R::Mask, R, R) {
    (a.gt(R::from_f64(8.0)), polynomial(a * a, near), polynomial(a.recip(), far) / a.sqrt())
}

#[derive(Clone, Copy)]
struct I0;
impl Unary for I0 {
    const NAME: &'static str = "i0";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        grown(scaled(a).0, a)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let (is_far, near, far) = short(a, &I0_NEAR_SINGLE, &I0_FAR_SINGLE);
        R::select(is_far, R::select(a.eq(R::INFINITY), a, far * a.exp()), near)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(I0Slope, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct I0e;
impl Unary for I0e {
    const NAME: &'static str = "i0e";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        scaled(x.abs()).0
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let (is_far, near, far) = short(a, &I0_NEAR_SINGLE, &I0_FAR_SINGLE);
        R::select(is_far, far, near * (-a).exp())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(I0eSlope, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct I1;
impl Unary for I1 {
    const NAME: &'static str = "i1";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let y = grown(scaled(a).1, a);
        R::select(x.lt(R::ZERO), -y, y)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let (is_far, near, far) = short(a, &I1_NEAR_SINGLE, &I1_FAR_SINGLE);
        x.sign() * R::select(is_far, R::select(a.eq(R::INFINITY), a, far * a.exp()), near * a)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(I1Slope, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct I1e;
impl Unary for I1e {
    const NAME: &'static str = "i1e";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let y = scaled(x.abs()).1;
        R::select(x.lt(R::ZERO), -y, y)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let (is_far, near, far) = short(a, &I1_NEAR_SINGLE, &I1_FAR_SINGLE);
        x.sign() * R::select(is_far, far, near * a * (-a).exp())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(I1eSlope, g, at.x())
    }
}

/// `I₁(x)`.
#[derive(Clone, Copy)]
struct I0Slope;
impl Slope for I0Slope {
    const NAME: &'static str = "i0_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * I1.f(x)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn times_single<R: Real>(self, g: R, x: R) -> R {
        g * I1.single(x)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(times_slope(I1Slope, &Tensor::ones_like(x), x))
    }
}

/// `e^(−|x|) (I₁(x) − sign(x) I₀(x))`.
#[derive(Clone, Copy)]
struct I0eSlope;
impl Slope for I0eSlope {
    const NAME: &'static str = "i0e_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let a = x.abs();
        let (zero, one, slope) = scaled(a);
        // Far out it is the slope of order 1 and what that takes from the difference, one divided by x.
        let far = slope + one / a;
        let apart = R::select(a.gt(R::from_f64(8.0)), far, zero - one);
        g * R::select(x.eq(R::ZERO), R::ZERO, -x.sign() * apart)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let one = Tensor::ones_like(x);
        Some(times_slope(I1eSlope, &one, x) - x.sign() * times_slope(I0eSlope, &one, x))
    }
}

/// `I₀(x) − I₁(x) / x`.
#[derive(Clone, Copy)]
struct I1Slope;
impl Slope for I1Slope {
    const NAME: &'static str = "i1_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let a = x.abs();
        let (zero, one, _) = scaled(a);
        g * grown(zero - R::select(a.eq(R::ZERO), R::HALF, one / a), a)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        // I₁ − (I₀ − 2 I₁ / x) / x, of which the second part is I₂ / x and a quarter of x near 0.
        let near = x.detach().abs().lt(1e-3);
        let safe = near.choose(1.0, x);
        let second = (safe.i0() - safe.i1() * 2.0 / &safe) / &safe;
        Some(x.i1() - near.choose(x * 0.125, second))
    }
}

/// `e^(−|x|) I₀(x) − e^(−|x|) I₁(x) (sign(x) + 1 / x)`.
#[derive(Clone, Copy)]
struct I1eSlope;
impl Slope for I1eSlope {
    const NAME: &'static str = "i1e_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * scaled(x.abs()).2
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let near = x.detach().abs().lt(1e-3);
        let safe = near.choose(1.0, x);
        let one = Tensor::ones_like(x);
        let far = times_slope(I0eSlope, &one, &safe) - times_slope(I1eSlope, &one, &safe) * (safe.sign() + safe.recip()) + safe.i1e() / safe.square();
        Some(near.choose(-x.sign() + x * 1.875, far))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("i0", "`I₀(x)`, the modified Bessel function of order 0, of each element.", Takes::Floats, of_i0).built(|_| Ok(unary(I0))),
    OpKind::new("i0e", "`e^(−|x|) I₀(x)` of each element.", Takes::Floats, of_i0e).built(|_| Ok(unary(I0e))),
    OpKind::new("i1", "`I₁(x)`, the modified Bessel function of order 1, of each element.", Takes::Floats, of_i1).built(|_| Ok(unary(I1))),
    OpKind::new("i1e", "`e^(−|x|) I₁(x)` of each element.", Takes::Floats, of_i1e).built(|_| Ok(unary(I1e))),
    OpKind::new("i0_grad", "The derivative of `i0`: `g I₁(x)`.", Takes::Floats, of_i0_grad).built(|_| Ok(slope(I0Slope))),
    OpKind::new("i0e_grad", "The derivative of `i0e`: `g e^(−|x|) (I₁(x) − sign(x) I₀(x))`.", Takes::Floats, of_i0e_grad).built(|_| Ok(slope(I0eSlope))),
    OpKind::new("i1_grad", "The derivative of `i1`: `g (I₀(x) − I₁(x) / x)`.", Takes::Floats, of_i1_grad).built(|_| Ok(slope(I1Slope))),
    OpKind::new("i1e_grad", "The derivative of `i1e`.", Takes::Floats, of_i1e_grad).built(|_| Ok(slope(I1eSlope))),
];

fn of_i0(s: &mut Samples) {
    s.each(floats(-12.0..12.0), |x| x[0].i0());
}

fn of_i0e(s: &mut Samples) {
    s.each(floats(-12.0..12.0).avoiding(0.0), |x| x[0].i0e());
}

fn of_i1(s: &mut Samples) {
    s.each(floats(-12.0..12.0), |x| x[0].i1());
}

fn of_i1e(s: &mut Samples) {
    s.each(floats(-12.0..12.0).avoiding(0.0), |x| x[0].i1e());
}

fn of_i0_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-12.0..12.0), |x| times_slope(I0Slope, &x[0], &x[1]));
}

fn of_i0e_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-12.0..12.0).avoiding(0.0), |x| times_slope(I0eSlope, &x[0], &x[1]));
}

fn of_i1_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-12.0..12.0), |x| times_slope(I1Slope, &x[0], &x[1]));
}

fn of_i1e_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-12.0..12.0).avoiding(0.0), |x| times_slope(I1eSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::{I0eSlope, I1eSlope};
    use crate::slope::times_slope;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn bessel() {
        type Function = fn(&Tensor) -> Tensor;
        // Values of mpmath.
        let x = Tensor::from_vec(vec![1e-3, 0.5, 3.0, 7.999, 8.001, 20.0, 100.0, 709.0, 712.0], [9]);
        let wanted: [(Function, [f64; 9]); 6] = [
            (Tensor::i0, [1.000_000_250_000_015_6, 1.063_483_370_741_323_6, 4.880_792_585_865_024_5, 427.164_431_315_202_6, 427.964_177_708_408_84, 43_558_282.559_553_534, 1.073_751_707_131_073_8e42, 1.231_547_706_701_654e306, 2.468_411_057_762_752_3e307]),
            (Tensor::i0e, [0.999_000_749_583_515_6, 0.645_035_270_449_150_1, 0.243_000_354_161_825_4, 0.143_441_072_050_895_68, 0.143_422_493_473_570_44, 0.089_780_311_884_826_02, 0.039_944_379_299_096_68, 0.014_985_235_429_889_94, 0.014_953_620_962_177_634]),
            (Tensor::i1, [0.000_500_000_062_500_002_6, 0.257_894_305_390_896_3, 3.953_370_217_402_609_3, 399.495_736_213_62, 400.250_896_275_185_14, 42_454_973.385_127_77, 1.068_369_390_338_162_5e42, 1.230_678_889_652_478_6e306, 2.466_677_013_524_615_3e307]),
            (Tensor::i1e, [0.000_499_500_312_354_221_3, 0.156_420_803_184_871_7, 0.196_826_713_297_300_86, 0.134_149_972_425_862_05, 0.134_135_015_379_560_68, 0.087_506_222_183_288_67, 0.039_744_153_025_130_25, 0.014_974_663_831_277_437, 0.014_943_116_131_474_01]),
            (|x| times_slope(I0eSlope, &Tensor::ones_like(x), x), [-0.998_501_249_271_161_4, -0.488_614_467_264_278_4, -0.046_173_640_864_524_544, -0.009_291_099_625_033_614, -0.009_287_478_094_009_755, -0.002_274_089_701_537_356_4, -0.000_200_226_273_966_429_96, -1.057_159_861_250_177_6e-5, -1.050_483_070_362_451_6e-5]),
            (|x| times_slope(I1eSlope, &Tensor::ones_like(x), x), [0.499_000_936_916_94, 0.175_772_860_894_534_98, -0.019_435_263_567_909_07, -0.007_479_743_283_562_718, -0.007_477_303_230_769_736, -0.002_101_221_407_627_077, -0.000_197_215_256_284_872_54, -1.054_922_484_487_119_7e-5, -1.048_269_195_294_010_3e-5]),
        ];
        for (i, (f, want)) in wanted.into_iter().enumerate() {
            let error = (f(&x) / Tensor::from_vec(want.to_vec(), [9]) - 1.0).abs().max(..).item();
            assert!(error < 3e-14, "{i}: {error}");
        }
        check(|x| x.i0()).on(floats(-12.0..12.0));
        check(|x| x.i1()).on(floats(-12.0..12.0));
        check(|x| x.i0e()).on(floats(-12.0..12.0).avoiding(0.0));
        check(|x| x.i1e()).on(floats(-12.0..12.0).avoiding(0.0));
        let ends = tensor![f64::INFINITY, f64::NEG_INFINITY, 0.0];
        assert_eq!(ends.i0().to_vec::<f32>(), [f32::INFINITY, f32::INFINITY, 1.0]);
        assert_eq!(ends.i1().to_vec::<f32>(), [f32::INFINITY, f32::NEG_INFINITY, 0.0]);
        assert_eq!(ends.i0e().to_vec::<f32>(), [0.0, 0.0, 1.0]);
        assert_eq!(ends.i1e().to_vec::<f32>(), [0.0; 3]);
        assert!(tensor![f64::NAN].i1e().item().is_nan());
    }
}
