//! The inverse of the error function.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, polynomial, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// The number whose [`erf`](Tensor::erf) is each element; `±∞` at ±1, NaN beyond.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = √π/2 e^(y²) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-0.5, 0.0, 0.999].erfinv(), [-0.47694, 0.0, 2.32675]);
    /// ```
    #[track_caller]
    pub fn erfinv(&self) -> Tensor {
        map(Erfinv, self)
    }
}

/// `erf⁻¹(x) / x` of `x²`, for |x| ≤ ½: a Chebyshev fit in 50 digits, within 3e-19.
const NEAR: [f64; 15] = [
    0.120_139_885_065_755_51,
    -0.096_596_125_436_226_59,
    0.087_358_779_223_890_54,
    -0.001_518_099_134_103_485_2,
    0.030_926_683_556_297_813,
    0.026_965_869_444_275_724,
    0.031_813_288_722_138_12,
    0.036_455_088_153_128_88,
    0.042_837_384_875_337_906,
    0.051_731_254_206_879_476,
    0.064_959_618_500_819_22,
    0.086_552_129_229_212_7,
    0.127_556_175_305_703_15,
    0.232_013_666_534_654_13,
    0.886_226_925_452_758,
];

/// `erf⁻¹(x)` for |x| ≤ ½.
#[inline(always)]
pub(super) fn near<R: Real>(x: R) -> R {
    x * polynomial(x * x, &NEAR)
}

/// The `t` at which the normal distribution's tail is `p ≤ ¼`: Abramowitz and Stegun (1964), 26.2.23, and steps of
/// Halley's method: after one the error is far below that of single precision, after two it is that of the tail itself.
#[inline(always)]
pub(super) fn quantile<R: Real>(p: R, steps: usize) -> R {
    (0..steps).fold(first_quantile(p), |t, _| {
        let (tail, density) = (-t).normal();
        let step = (tail - p) / density;
        t + step / (R::ONE - step * t * R::HALF)
    })
}

/// The quantile of a tail `p` to 4.5e-4, Abramowitz and Stegun (1964), 26.2.23.
#[inline(always)]
pub(super) fn first_quantile<R: Real>(p: R) -> R {
    let u = (p.ln() * R::from_f64(-2.0)).sqrt();
    let above = polynomial(u, &[0.010_328, 0.802_853, 2.515_517]);
    let below = polynomial(u, &[0.001_308, 0.189_269, 1.432_788, 1.0]);
    u - above / below
}

/// For single precision, computed in double: the same over `x²` up to 0.5625, within 1.2e-9 of the result, and for larger x the result
/// over `s = √−ln(1 − x)` up to 4.17, within 1.5e-9 of itself (by `tests/accuracy/coefficients.py`).
const NEAR_SINGLE: [f64; 11] = [
    1.010_693_830_652_305_2,
    -2.074_077_571_954_475_3,
    2.053_853_457_155_825_3,
    -1.071_504_057_204_682_6,
    0.415_974_442_039_618_14,
    -0.026_900_861_262_309_055,
    0.075_119_580_258_028_44,
    0.085_794_801_239_867_37,
    0.127_584_905_703_282_2,
    0.232_013_243_652_510_33,
    0.886_226_926_478_244_7,
];
const FAR_SINGLE: [f64; 13] = [
    8.979_357_224_591_338e-8,
    -3.824_275_044_793_667e-6,
    7.344_835_585_791_696e-5,
    -0.000_846_086_329_963_373_5,
    0.006_546_019_082_059_313,
    -0.036_034_988_607_303_63,
    0.145_638_935_793_617_28,
    -0.438_721_042_650_595_14,
    0.986_713_904_447_222_1,
    -1.633_311_234_721_167_3,
    1.903_276_817_866_092_4,
    -0.348_908_076_569_709_2,
    0.052_293_138_473_695_114,
];

#[derive(Clone, Copy)]
struct Erfinv;
impl Unary for Erfinv {
    const NAME: &'static str = "erfinv";
    const FULL: bool = true;
    const KEEP: Keep = Keep::OUTPUT;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let far = quantile((R::ONE - a) * R::HALF, 2) * R::from_f64(std::f64::consts::FRAC_1_SQRT_2);
        let y = R::select(a.lt(R::HALF), near(x), x.sign() * far);
        R::select(a.eq(R::ONE), x * R::INFINITY, y)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let root = (-(R::ONE - a).ln()).sqrt();
        let far = R::select(a.eq(R::ONE), R::INFINITY, polynomial(root, &FAR_SINGLE));
        let near = x * polynomial(x * x, &NEAR_SINGLE);
        R::select(a.lt(R::from_f64(0.75)), near, x.sign() * far)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Bell, g, &at.y())
    }
}

/// `√π/2 e^(y²)` of the result.
#[derive(Clone, Copy)]
struct Bell;
impl Slope for Bell {
    const NAME: &'static str = "erfinv_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * (R::from_f64(0.886_226_925_452_758) * (x * x).exp())
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some((x.square()).exp() * x * std::f64::consts::PI.sqrt())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("erfinv", "The number whose `erf` is each element; `±∞` at ±1, NaN beyond.", Takes::Floats, of_erfinv).built(|_| Ok(unary(Erfinv))),
    OpKind::new("erfinv_grad", "The derivative of `erfinv` by its result: `g √π/2 e^(y²)`.", Takes::Floats, of_erfinv_grad).built(|_| Ok(slope(Bell))),
];

fn of_erfinv(s: &mut Samples) {
    s.each(floats(-0.95..0.95), |x| x[0].erfinv());
}

fn of_erfinv_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| times_slope(Bell, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn erfinv() {
        // Values of mpmath.
        let x = Tensor::from_vec(vec![1e-20, -0.1, 0.499, 0.501, 0.9, -0.99, 0.999_999, 1.0 - 1e-15], [8]);
        let want = Tensor::from_vec(vec![8.862_269_254_527_58e-21, -0.088_855_990_494_257_69, 0.475_824_280_883_092_37, 0.478_049_452_274_567_5, 1.163_087_153_676_674_3, -1.821_386_367_718_449_4, 3.458_910_737_275_499, 5.675_915_739_744_713], [8]);
        assert!((x.erfinv() / want - 1.0).abs().max(..).item() < 3e-15, "{:?}", x.erfinv());
        check(|x| x.erfinv().erf()).reference(|x| if x.abs() > 1.0 { f64::NAN } else { x }).on(floats(-0.98..0.98));
        assert_eq!(tensor![-1.0, 1.0].erfinv().to_vec::<f32>(), [f32::NEG_INFINITY, f32::INFINITY]);
    }
}
