//! The modified Bessel functions of the first kind, of orders 0 and 1, also without their growth.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, chebyshev, map, polynomial, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

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

/// `e⁻ˣ I₀(x)` of `t = x / 4 − 1`, for x up to 8, in Chebyshev polynomials: a fit in 40 digits, as those below.
const I0_NEAR: [f64; 30] = [
    0.338_397_637_204_738_03,
    -0.304_682_672_343_198_4,
    0.171_620_901_522_208_77,
    -0.094_901_097_048_047_64,
    0.049_305_284_239_670_71,
    -0.023_737_414_805_899_47,
    0.010_546_460_394_594_998,
    -0.004_324_309_995_050_576,
    0.001_639_475_616_941_335_7,
    -0.000_576_375_574_538_582_4,
    0.000_188_502_885_095_841_65,
    -5.754_195_010_082_104e-5,
    1.644_844_807_072_889_6e-5,
    -4.416_738_358_458_750_5e-6,
    1.117_387_539_120_103_7e-6,
    -2.670_793_853_940_612e-7,
    6.046_995_022_541_919e-8,
    -1.300_025_009_986_248e-8,
    2.659_823_724_682_386_6e-9,
    -5.189_795_601_635_263e-10,
    9.675_809_035_373_237e-11,
    -1.726_826_291_441_556e-11,
    2.955_052_663_129_64e-12,
    -4.856_446_783_111_929e-13,
    7.676_185_498_604_936e-14,
    -1.168_533_287_799_345_1e-14,
    1.715_391_285_555_133e-15,
    -2.431_279_846_547_955e-16,
    3.330_794_518_822_238_4e-17,
    -4.415_341_646_479_339_5e-18,
];
/// `e⁻ˣ I₁(x) / x`, likewise.
const I1_NEAR: [f64; 29] = [
    0.126_293_593_221_816_82,
    -0.176_416_518_357_834_06,
    0.102_643_658_689_847_1,
    -0.052_945_981_208_094_99,
    0.024_726_449_030_626_516,
    -0.010_564_084_894_626_197,
    0.004_156_422_944_312_888,
    -0.001_513_572_450_631_253_2,
    0.000_512_285_956_168_575_8,
    -0.000_161_760_815_825_896_74,
    4.781_565_107_550_054e-5,
    -1.327_316_365_603_943_6e-5,
    3.470_251_308_137_678_5e-6,
    -8.568_720_264_695_455e-7,
    2.003_294_753_552_135_3e-7,
    -4.445_059_128_796_328e-8,
    9.381_537_386_495_773e-9,
    -1.887_249_751_722_829_4e-9,
    3.625_590_281_552_117e-10,
    -6.663_489_723_502_027e-11,
    1.173_618_629_889_090_1e-11,
    -1.983_974_397_764_943_6e-12,
    3.223_793_365_945_575e-13,
    -5.042_185_504_727_912e-14,
    7.600_684_294_735_408e-15,
    -1.105_596_947_735_386_2e-15,
    1.553_631_957_736_200_5e-16,
    -2.111_421_214_358_166e-17,
    2.777_914_112_761_046_4e-18,
];
/// `√x e⁻ˣ I₀(x)` of `t = 16 / x − 1`, for x from 8 on.
const I0_FAR: [f64; 27] = [
    0.402_245_205_507_054_4,
    0.003_369_116_478_255_694_3,
    6.889_758_346_916_825e-5,
    2.891_370_520_834_756_7e-6,
    2.048_918_589_469_063_8e-7,
    2.266_668_990_498_178e-8,
    3.396_232_025_708_386_5e-9,
    4.940_602_388_224_97e-10,
    1.188_914_710_784_643_9e-11,
    -3.149_916_527_963_241_6e-11,
    -1.321_581_184_044_771_3e-11,
    -1.794_178_531_506_806_2e-12,
    7.180_124_451_383_666e-13,
    3.852_778_382_742_142_6e-13,
    1.540_086_217_521_41e-14,
    -4.150_569_347_287_222e-14,
    -9.554_846_698_828_307e-15,
    3.811_680_669_352_622_4e-15,
    1.772_560_133_056_526_3e-15,
    -3.425_485_619_677_219e-16,
    -2.827_623_980_516_583_6e-16,
    3.461_222_867_697_461e-17,
    4.465_621_420_296_76e-17,
    -4.830_504_485_944_182e-18,
    -7.233_180_487_874_754e-18,
    9.921_475_412_173_699e-19,
    1.193_650_890_845_982e-18,
];
/// `√x e⁻ˣ I₁(x)`, likewise.
const I1_FAR: [f64; 27] = [
    0.389_288_117_509_140_05,
    -0.009_761_097_491_361_469,
    -0.000_110_588_938_762_623_71,
    -3.882_564_808_877_691e-6,
    -2.512_236_237_870_209e-7,
    -2.631_468_846_889_519_6e-8,
    -3.835_380_385_964_237e-9,
    -5.589_743_462_196_584e-10,
    -1.897_495_812_350_541_3e-11,
    3.252_603_583_015_488_4e-11,
    1.412_580_743_661_378_2e-11,
    2.035_628_544_147_089_6e-12,
    -7.198_551_776_245_908e-13,
    -4.083_551_111_092_197_4e-13,
    -2.101_541_842_772_664_3e-14,
    4.272_440_016_711_951e-14,
    1.042_027_698_412_880_2e-14,
    -3.814_403_072_437_007_5e-15,
    -1.880_354_775_510_782_5e-15,
    3.308_202_310_920_928_5e-16,
    2.962_628_997_645_95e-16,
    -3.209_525_921_993_424e-17,
    -4.650_305_368_489_358_6e-17,
    4.414_348_323_071_708e-18,
    7.517_296_310_842_105e-18,
    -9.314_178_867_326_884e-19,
    -1.242_193_275_194_891e-18,
];
/// `x √x e⁻ˣ (I₀(x) − I₁(x))`, likewise: the difference itself would lose digits.
const APART_FAR: [f64; 32] = [
    0.204_639_144_919_860_4,
    0.005_348_526_093_538_557,
    0.000_191_505_000_951_264_15,
    1.203_261_597_625_665_8e-5,
    1.195_697_647_020_837_3e-6,
    1.716_841_771_873_406e-7,
    2.833_810_656_854_469_3e-8,
    3.051_206_849_093_951e-9,
    -7.434_135_453_836_242e-10,
    -5.767_283_909_234_434e-10,
    -1.519_361_082_826_822_8e-10,
    5.668_790_622_840_184e-12,
    1.804_470_061_607_724e-11,
    4.253_572_073_419_977e-12,
    -1.155_590_382_647_305_5e-12,
    -7.770_703_288_312_627e-13,
    1.436_804_383_009_546_2e-14,
    1.091_302_833_164_442_7e-13,
    1.140_606_927_428_416_6e-14,
    -1.504_914_479_085_871_7e-14,
    -2.855_581_070_480_802_4e-15,
    2.231_497_401_700_214_3e-15,
    5.272_258_797_814_568e-16,
    -3.688_525_888_515_701e-16,
    -8.535_599_196_682_51e-17,
    6.754_931_522_628_081e-17,
    1.181_145_520_866_533_7e-17,
    -1.322_521_233_030_354_9e-17,
    -1.050_587_529_196_337_7e-18,
    2.637_200_706_410_813e-18,
    -1.153_582_402_196_744e-19,
    -5.070_077_303_995_214e-19,
];

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

/// For single precision, computed in double: `I₀(x)` and `I₁(x) / x` of `x²` up to 64, and both without their growth, times √x, of
/// `1/x` up to ⅛, each within 9e-9 of itself (by `tests/accuracy/coefficients.py`).
const I0_NEAR_SINGLE: [f64; 10] = [
    5.716_108_182_701_177e-17,
    5.815_560_595_249_626e-15,
    2.634_194_445_576_403_5e-12,
    4.623_517_180_810_393e-10,
    6.800_497_659_048_693e-8,
    6.779_313_662_405_842e-6,
    0.000_434_043_822_556_946_33,
    0.015_624_949_259_475_369,
    0.250_000_055_958_073_2,
    0.999_999_991_124_211_9,
];
const I1_NEAR_SINGLE: [f64; 10] = [
    2.750_470_805_627_428_2e-18,
    3.504_487_476_863_326e-16,
    1.617_829_493_772_944e-13,
    3.318_279_495_880_446e-11,
    5.662_107_020_862_401_5e-9,
    6.780_215_853_877_775e-7,
    5.425_457_669_680_376e-5,
    0.002_604_162_676_984_826_4,
    0.062_500_005_214_933_94,
    0.499_999_998_969_391_8,
];
const I0_FAR_SINGLE: [f64; 8] = [
    6.820_688_309_016_056,
    -1.174_993_421_136_742_3,
    0.214_976_214_294_380_4,
    0.040_180_760_829_102_53,
    0.029_257_818_972_531_817,
    0.028_051_470_987_705_007,
    0.049_867_784_930_136_855,
    0.398_942_280_276_355_2,
];
const I1_FAR_SINGLE: [f64; 8] = [
    -6.898_622_698_265_761,
    0.987_765_218_000_367_5,
    -0.199_576_192_466_019_4,
    -0.056_336_199_996_980_14,
    -0.040_804_373_853_144_64,
    -0.046_754_071_688_720_21,
    -0.149_603_354_857_430_87,
    0.398_942_280_609_899_56,
];

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
