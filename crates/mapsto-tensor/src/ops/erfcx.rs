//! The error function's complement without its fall.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, chebyshev, map, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `e^(x²) erfc(x)` of each element: about `1 / (√π x)` far right, where [`erfc`](Tensor::erfc) is 0 long since.
    ///
    /// Source: Shepherd and Laframboise (1981), Chebyshev approximation of (1 + 2x) exp(x²) erfc x in 0 ≤ x < ∞.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (2 x y − 2/√π) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0, 1e4].erfcx(), [5.00898, 1.0, 0.42758, 0.0000564]);
    /// ```
    #[track_caller]
    pub fn erfcx(&self) -> Tensor {
        map(Erfcx, self)
    }
}

/// `(1 + 2 x) e^(x²) erfc(x)` of `t = (x − 15/4) / (x + 15/4)`, for x from 0 on, in Chebyshev polynomials (Shepherd and Laframboise 1981): a fit in 60 digits.
const SCALED: [f64; 26] = [
    1.177_578_934_567_401_7,
    -0.004_590_054_580_646_478,
    -0.084_249_133_366_517_92,
    0.059_209_939_998_191_89,
    -0.026_658_668_435_305_753,
    0.009_074_997_670_705_265,
    -0.002_413_163_540_417_608,
    0.000_490_775_836_525_808_6,
    -6.916_973_302_501_207e-5,
    4.139_027_986_073_01e-6,
    7.740_383_066_198_49e-7,
    -2.188_640_104_923_439_7e-7,
    1.076_499_946_567_091e-8,
    4.521_959_811_218_287e-9,
    -7.754_400_208_831_351e-10,
    -6.318_088_340_886_684e-11,
    2.868_795_010_930_67e-11,
    1.945_586_854_577_734_7e-13,
    -9.654_696_748_433_44e-13,
    3.252_548_148_148_74e-14,
    3.347_811_948_286_805_6e-14,
    -1.864_562_880_419_313e-15,
    -1.250_795_053_068_864_8e-15,
    7.418_235_256_624_044e-17,
    5.068_148_904_796_111e-17,
    -2.237_056_659_435_999_5e-18,
];
/// `(1 + 2 x)² (2/√π − 2 x e^(x²) erfc(x))`, likewise: the difference itself would lose digits.
const FALL: [f64; 28] = [
    2.220_602_224_347_926,
    0.338_149_157_854_843_4,
    -0.478_064_707_240_149_1,
    0.229_915_994_763_752_16,
    -0.058_506_716_560_431_084,
    0.000_179_758_767_640_811_86,
    0.007_344_642_884_831_960_5,
    -0.003_827_223_400_331_194,
    0.001_172_220_297_017_850_7,
    -0.000_230_375_550_215_122_73,
    2.211_413_492_973_450_2e-5,
    2.185_965_838_113_752_6e-6,
    -1.049_150_448_053_633e-6,
    9.045_308_061_681_21e-8,
    2.217_777_841_424_570_5e-8,
    -5.516_129_335_919_508e-9,
    -2.433_302_233_708_413e-10,
    2.169_399_551_338_013_6e-10,
    -5.366_283_225_603_341e-12,
    -7.954_006_687_162_879e-12,
    5.362_131_784_689_535e-13,
    3.028_340_588_750_968e-13,
    -2.780_725_386_269_693_2e-14,
    -1.249_716_092_979_984_9e-14,
    1.189_764_081_226_356_7e-15,
    5.617_171_355_125_805e-16,
    -4.313_046_460_564_934_6e-17,
    -2.692_236_372_962_037_5e-17,
];

/// The variable of both sums: from −1 at 0 to 1 at infinity.
#[inline(always)]
fn inner<R: Real>(a: R) -> R {
    R::ONE - R::from_f64(7.5) / (a + R::from_f64(3.75))
}

/// `e^(a²) erfc(a)` for `a ≥ 0`.
#[inline(always)]
pub(super) fn scaled<R: Real>(a: R) -> R {
    chebyshev(inner(a), &SCALED) / (R::ONE + a + a)
}

/// `e^(x²) erfc(x)`.
#[inline(always)]
fn erfcx<R: Real>(x: R) -> R {
    let right = scaled(x.abs());
    // e^(x²) is the square of a root that does not overflow; what rounding takes from x² is put back. It is ∞ from −26.7 on.
    let a = x.abs().min(R::from_f64(27.0));
    let square = a * a;
    let root = (square * R::HALF).exp();
    let root = (a.fma(a, -square) * R::HALF).fma(root, root);
    R::select(x.lt(R::ZERO), R::TWO * root * root - right, right)
}

#[derive(Clone, Copy)]
struct Erfcx;
impl Unary for Erfcx {
    const NAME: &'static str = "erfcx";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        erfcx(x)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(ErfcxSlope, g, at.x())
    }
}

/// `2 x e^(x²) erfc(x) − 2/√π`.
#[derive(Clone, Copy)]
struct ErfcxSlope;
impl Slope for ErfcxSlope {
    const NAME: &'static str = "erfcx_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let a = x.abs();
        let wide = R::ONE + a + a;
        let right = -chebyshev(inner(a), &FALL) / wide / wide;
        let left = R::TWO * x * erfcx(x) - R::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
        g * R::select(x.lt(R::ZERO), left, right)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some((x.erfcx() + times_slope(ErfcxSlope, &Tensor::ones_like(x), x) * x) * 2.0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("erfcx", "`e^(x²) erfc(x)` of each element.", Takes::Floats, of_erfcx).built(|_| Ok(unary(Erfcx))),
    OpKind::new("erfcx_grad", "The derivative of `erfcx`: `g (2 x y − 2/√π)`.", Takes::Floats, of_erfcx_grad).built(|_| Ok(slope(ErfcxSlope))),
];

fn of_erfcx(s: &mut Samples) {
    s.each(floats(-2.0..6.0), |x| x[0].erfcx());
}

fn of_erfcx_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..6.0), |x| times_slope(ErfcxSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn erfcx() {
        // Values of mpmath.
        let x = Tensor::from_vec(vec![-26.0, -3.0, -0.1, 1e-9, 0.5, 3.0, 30.0, 1e3, 1e10], [9]);
        let close = |y: Tensor, want: Vec<f64>| {
            let error = (y / Tensor::from_vec(want, [9]) - 1.0).abs().max(..).item();
            assert!(error < 3e-15, "{error}");
        };
        close(x.erfcx(), vec![7.657_724_931_490_568e293, 16_205.988_853_999_586, 1.123_643_354_199_209_5, 0.999_999_998_871_620_8, 0.615_690_344_192_925_9, 0.179_001_151_181_389_96, 0.018_795_888_861_416_75, 0.000_564_189_301_453_387_6, 5.641_895_835_477_563e-11]);
        close(times_slope(ErfcxSlope, &Tensor::ones_like(&x), &x), vec![-3.982_016_964_375_095_4e295, -97_237.061_503_164_62, -1.353_107_837_935_354_5, -1.128_379_165_095_512_6, -0.512_688_822_902_586_7, -0.054_372_260_007_172_87, -0.000_625_835_410_507_484_1, -5.641_887_372_654_967e-7, -5.641_895_835_477_562_6e-21]);
        check(|x| x.erfcx()).on(floats(-2.0..6.0));
        let ends = tensor![f64::INFINITY, f64::NEG_INFINITY, -30.0, f64::NAN].erfcx().to_vec::<f32>();
        assert_eq!(ends[..3], [0.0, f32::INFINITY, f32::INFINITY]);
        assert!(ends[3].is_nan());
    }
}
