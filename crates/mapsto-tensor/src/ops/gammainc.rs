//! The incomplete gamma functions: the shares of the gamma distribution below and above a number.

use crate::by_number::ByNumber;
use crate::check::floats;
use crate::elementwise::Operand;
use crate::graph::{At, Op, apply};
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor};
use super::zeta::zeta;
use std::f64::consts::TAU;

impl Tensor {
    /// `P(a, x) = 1/Γ(a) ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt` of each pair of elements, with this tensor as `a`: the share of the gamma distribution
    /// below x. SciPy calls it `gammainc`, PyTorch also `igamma`.
    ///
    /// Source: DiDonato and Morris (1986), Computation of the incomplete gamma function ratios; Temme (1979) for large `a`.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats of at least 0; or a tensor and a number.   * Gradient: `dx = xᵃ⁻¹ e⁻ˣ / Γ(a) · dy`; none for `a`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.5].gammainc(tensor![1.0, 3.0]), [0.63212, 0.69378]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a gradient by `a` is asked for.
    #[track_caller]
    pub fn gammainc(&self, x: impl Into<Operand>) -> Tensor {
        run(LOWER, self, x.into())
    }

    /// `Q(a, x) = 1 − P(a, x)` of each pair of elements, to all digits where it is small. SciPy calls it `gammaincc`, PyTorch
    /// also `igammac`.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats of at least 0; or a tensor and a number.   * Gradient: `dx = −xᵃ⁻¹ e⁻ˣ / Γ(a) · dy`; none for `a`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.5].gammaincc(tensor![1.0, 3.0]), [0.36788, 0.30622]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a gradient by `a` is asked for.
    #[track_caller]
    pub fn gammaincc(&self, x: impl Into<Operand>) -> Tensor {
        run(UPPER, self, x.into())
    }
}

#[track_caller]
fn run(op: ByNumber, a: &Tensor, x: Operand) -> Tensor {
    let x = x.like(op.name, a);
    op.check(a, "the shape `a`");
    apply(op, &[a, &x])
}

const LOWER: ByNumber = ByNumber { name: "gammainc", f: |a, x| shares(a, x).0, slope: times_density };
const UPPER: ByNumber = ByNumber { name: "gammaincc", f: |a, x| shares(a, x).1, slope: |at, g| -times_density(at, g) };

/// `g xᵃ⁻¹ e⁻ˣ / Γ(a)`, by its logarithm, in f64, where that keeps its digits.
fn times_density(at: &At<'_>, g: &Tensor) -> Tensor {
    let (a, x) = (at.a().detach().to(DType::F64), at.b().to(DType::F64));
    let log = (&a - 1.0).xlogy(&x) - x - a.lgamma();
    (g.to(DType::F64) * log.exp()).to(g.dtype())
}

/// `P(a, x)` and `Q(a, x)`.
pub(super) fn shares(a: f64, x: f64) -> (f64, f64) {
    if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 || (a == 0.0 && x == 0.0) || (a == f64::INFINITY && x == a) {
        return (f64::NAN, f64::NAN);
    }
    if x == 0.0 || a == f64::INFINITY {
        return (0.0, 1.0);
    }
    if a == 0.0 || x == f64::INFINITY {
        return (1.0, 0.0);
    }
    if a > LARGE {
        return uniform(a, x);
    }
    if x < 1.1 && a < 1.0 {
        let q = small(a, x);
        return if q < 0.5 { (1.0 - q, q) } else { series(a, x) };
    }
    if x < a + 1.0 { series(a, x) } else { fraction(a, x) }
}

/// From here on Temme's expansion is exact to all digits.
const LARGE: f64 = 20_000.0;

/// `P` by its power series.
fn series(a: f64, x: f64) -> (f64, f64) {
    let (mut sum, mut term, mut n) = (1.0, 1.0, a);
    while term > sum * 1e-17 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    let p = (factor(a, x) * sum).min(1.0);
    (p, 1.0 - p)
}

/// `Q` by its continued fraction, as Lentz evaluates it.
fn fraction(a: f64, x: f64) -> (f64, f64) {
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (f64::INFINITY, 1.0 / b);
    let mut h = d;
    for i in 1..100_000 {
        let i = i as f64;
        let an = i * (a - i);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        let step = c * d;
        h *= step;
        if (step - 1.0).abs() < 2e-16 {
            break;
        }
    }
    let q = factor(a, x) * a * h;
    (1.0 - q, q)
}

/// `Q` of a small `a` and `x`, where 1 and `P` cancel: `−(xᵃ / Γ(a + 1) − 1)` and what the series of `P` has behind its first term.
fn small(a: f64, x: f64) -> f64 {
    let log = a * x.ln() - lgamma_of_next(a);
    let (mut sum, mut power, mut n) = (0.0, 1.0, 1.0);
    loop {
        power *= -x / n;
        let term = power / (a + n);
        sum += term;
        if term.abs() <= 1e-17 * sum.abs() || n > 100.0 {
            break;
        }
        n += 1.0;
    }
    -log.exp_m1() - log.exp() * a * sum
}

/// `ln Γ(1 + a)` for `0 ≤ a ≤ 1`: Abramowitz and Stegun (1964), 6.1.33.
fn lgamma_of_next(a: f64) -> f64 {
    const LESS: f64 = 0.422_784_335_098_467_1; // 1 − γ
    // Each is a series by itself, and the same for all elements.
    static ZETAS: std::sync::LazyLock<[f64; 60]> = std::sync::LazyLock::new(|| std::array::from_fn(|k| zeta(k as f64, 2.0)));
    let (mut sum, mut power) = (a * LESS - a.ln_1p(), -a);
    for (k, zeta) in ZETAS.iter().enumerate().skip(2) {
        power *= -a;
        let term = power * zeta / k as f64;
        sum += term;
        if term.abs() < 1e-18 {
            break;
        }
    }
    sum
}

/// `xᵃ e⁻ˣ / Γ(a + 1)`.
fn factor(a: f64, x: f64) -> f64 {
    if a <= 1.0 {
        return (a * x.ln() - x - lgamma_of_next(a)).exp();
    }
    if a < 12.0 {
        // Γ(a + 1) as a product above 1.
        let (mut n, mut product) = (a, 1.0);
        while n > 1.0 {
            product *= n;
            n -= 1.0;
        }
        return (a * x.ln() - x - lgamma_of_next(n)).exp() / product;
    }
    // By Stirling's series, so that no large numbers cancel in the exponent.
    let v = 1.0 / (a * a);
    let rest = (1.0 / 12.0 - v * (1.0 / 360.0 - v * (1.0 / 1260.0 - v * (1.0 / 1680.0 - v * (1.0 / 1188.0 - v * 691.0 / 360_360.0))))) / a;
    (a * less((x - a) / a) - rest).exp() / (TAU * a).sqrt()
}

/// `ln(1 + u) − u`, to all digits.
fn less(u: f64) -> f64 {
    if u.abs() > 0.4 {
        return u.ln_1p() - u;
    }
    // With r = u / (u + 2), ln(1 + u) = 2 (r + r³/3 + ..) and u = 2 r / (1 − r).
    let r = u / (u + 2.0);
    let (mut sum, mut power, mut k) = (0.0, r, 1.0);
    loop {
        power *= r * r;
        k += 2.0;
        let term = power / k;
        sum += term;
        if term.abs() <= 1e-18 * r.abs() {
            break;
        }
    }
    2.0 * sum - u * r
}

/// Temme's coefficients, rows of powers of 1/a and columns of powers of η.
const TEMME: [&[f64]; 5] = [&[-0.333_333_333_333_333_3, 0.083_333_333_333_333_33, -0.014_814_814_814_814_815, 0.001_157_407_407_407_407_3, 0.000_352_733_686_067_019_4, -0.000_178_755_144_032_921_8, 3.919_263_178_522_438e-5, -2.185_448_510_679_992e-6, -1.854_062_210_715_16e-6, 8.296_711_340_953_087e-7, -1.766_595_273_682_607_8e-7, 6.707_853_543_401_498e-9, 1.026_180_978_424_030_9e-8, -4.382_036_018_453_353e-9, 9.147_699_582_236_79e-10, -2.551_419_399_494_624_8e-11, -5.830_772_132_550_426e-11, 2.436_194_802_066_741_5e-11], &[-0.001_851_851_851_851_852, -0.003_472_222_222_222_222, 0.002_645_502_645_502_645_4, -0.000_990_226_337_448_559_6, 0.000_205_761_316_872_427_98, -4.018_775_720_164_609e-7, -1.809_855_033_448_997_7e-5, 7.649_160_916_081_11e-6, -1.612_090_089_456_344_6e-6, 4.647_127_802_807_434e-9, 1.378_633_446_915_721e-7, -5.752_545_603_517_705e-8, 1.195_162_859_977_814_8e-8, -1.754_324_171_974_764_7e-11], &[0.004_133_597_883_597_883, -0.002_681_327_160_493_827_3, 0.000_771_604_938_271_604_9, 2.009_387_860_082_304_7e-6, -0.000_107_366_532_263_651_6, 5.292_344_882_912_012_5e-5, -1.276_063_518_861_872_8e-5, 3.423_578_734_096_138e-8, 1.372_195_730_906_293_4e-6, -6.298_992_138_380_055e-7], &[0.000_649_434_156_378_600_8, 0.000_229_472_093_621_399_17, -0.000_469_189_494_395_255_7, 0.000_267_720_632_062_838_85, -7.561_801_671_883_977e-5, -2.396_505_113_867_297e-7, 1.108_265_411_534_730_2e-5], &[-0.000_861_888_290_916_711_7, 0.000_784_039_221_720_066_6, -0.000_299_072_480_303_190_2, -1.463_845_257_884_341_8e-6, 6.641_498_215_465_122e-5]];

/// Temme's expansion around `x = a`, uniform in x.
fn uniform(a: f64, x: f64) -> (f64, f64) {
    let u = (x - a) / a;
    let half = -less(u);
    let eta = (2.0 * half).sqrt().copysign(u);
    let row = |c: &&[f64]| c.iter().rev().fold(0.0, |sum, c| sum * eta + c);
    let sum = TEMME.iter().map(row).rev().fold(0.0, |sum, row| sum / a + row);
    // η is at most 0.37 where e^(−a η²/2) is a number, for which the rows are long enough.
    let rest = (-a * half).exp() / (TAU * a).sqrt() * if eta.abs() < 0.5 { sum } else { 0.0 };
    let tail = 0.5 * erfc((a * half).sqrt());
    if u < 0.0 { (tail - rest, 1.0 - tail + rest) } else { (1.0 - tail - rest, tail + rest) }
}

/// `1 − erf(z)` of `z ≥ 0`.
fn erfc(z: f64) -> f64 {
    super::erfcx::scaled(z) * (-z * z).exp()
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("gammainc", "The share `P(a, x)` of the gamma distribution below x.", Takes::Floats, of_gammainc).built(|_| Ok(Box::new(LOWER) as Box<dyn Op>)),
    OpKind::new("gammaincc", "The share `Q(a, x)` of the gamma distribution above x.", Takes::Floats, of_gammaincc).built(|_| Ok(Box::new(UPPER) as Box<dyn Op>)),
];

fn of_gammainc(s: &mut Samples) {
    s.each(floats(0.3..9.0), |x| Tensor::full_like(&x[0], 2.5).gammainc(&x[0]));
    s.each(floats(0.3..9.0), |x| Tensor::full_like(&x[0], 0.75).gammainc(&x[0]));
}

fn of_gammaincc(s: &mut Samples) {
    s.each(floats(0.3..9.0), |x| Tensor::full_like(&x[0], 2.5).gammaincc(&x[0]));
    s.each(floats(0.3..9.0), |x| Tensor::full_like(&x[0], 0.75).gammaincc(&x[0]));
}

#[cfg(test)]
mod tests {
    use super::shares;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn shares_of_the_gamma_distribution() {
        check(|x| tensor![2.5].to(x.dtype()).gammainc(x)).on(floats(0.3..9.0));
        check(|x| tensor![0.7].to(x.dtype()).gammaincc(x)).on(floats(0.3..9.0));
        // Values of mpmath.
        for (a, x, p, q) in GAMMAS {
            let (gp, gq) = shares(a, x);
            let bound = |v: f64| 2e-13 * v.abs() + 1e-300;
            assert!((gp - p).abs() < bound(p) && (gq - q).abs() < bound(q), "{a} {x}: {gp:e} {p:e}, {gq:e} {q:e}");
        }
        // At its ends as torch.special.gammainc.
        let inf = f64::INFINITY;
        for (a, x, p) in [(0.0, 1.0, 1.0), (1.0, 0.0, 0.0), (2.0, inf, 1.0), (inf, 2.0, 0.0)] {
            assert_eq!(shares(a, x), (p, 1.0 - p));
        }
        for (a, x) in [(0.0, 0.0), (-1.0, 1.0), (2.0, -1.0), (inf, inf), (f64::NAN, 1.0)] {
            assert!(shares(a, x).0.is_nan());
        }
        let a = tensor![2.0].leaf();
        let e = catch(|| train(|| a.gammainc(1.0))).unwrap_err();
        assert_eq!(e.message(), "gammainc: there is no derivative by the shape `a`");
    }

    const GAMMAS: [(f64, f64, f64, f64); 25] = [
        (1.0e-8, 1.0e-8, 0.999_999_821_565_364_9, 1.784_346_350_532_936_4e-7),
        (0.001, 0.5, 0.999_439_933_343_529_2, 0.000_560_066_656_470_749_8),
        (0.001, 5.0, 0.999_998_849_018_660_3, 1.150_981_339_730_861e-6),
        (0.3, 0.01, 0.279_240_996_359_014_84, 0.720_759_003_640_985_1),
        (0.3, 1.05, 0.921_570_336_054_839_4, 0.078_429_663_945_160_59),
        (0.9, 1.0, 0.675_392_441_674_053_2, 0.324_607_558_325_946_8),
        (0.5, 30.0, 0.999_999_999_999_990_6, 9.485_737_571_073_848e-15),
        (1.0, 2.0, 0.864_664_716_763_387_3, 0.135_335_283_236_612_7),
        (2.5, 1.0e-5, 9.515_260_653_112_765e-14, 0.999_999_999_999_904_9),
        (2.5, 3.0, 0.693_781_081_586_721_6, 0.306_218_918_413_278_4),
        (11.9, 3.0, 8.248_546_511_170_293e-5, 0.999_917_514_534_888_3),
        (12.1, 25.0, 0.998_460_853_348_346_6, 0.001_539_146_651_653_470_7),
        (50.0, 50.0, 0.518_808_315_472_043_3, 0.481_191_684_527_956_74),
        (50.0, 51.5, 0.601_446_703_973_447_5, 0.398_553_296_026_552_54),
        (100.0, 250.0, 1.0, 1.173_701_770_448_787_4e-27),
        (1_000.0, 900.0, 0.000_549_902_265_711_782_9, 0.999_450_097_734_288_2),
        (1_000.0, 1_200.0, 0.999_999_998_711_839_4, 1.288_160_608_628_143_3e-9),
        (19_999.0, 20_050.0, 0.641_579_508_315_389_1, 0.358_420_491_684_610_93),
        (20_001.0, 20_050.0, 0.636_285_517_894_642_6, 0.363_714_482_105_357_34),
        (20_001.0, 19_000.0, 3.072_065_638_160_122e-13, 0.999_999_999_999_692_8),
        (20_001.0, 23_000.0, 1.0, 2.555_065_496_776_94e-91),
        (1_000_000.0, 1_003_000.0, 0.998_638_259_353_782_4, 0.001_361_740_646_217_591_5),
        (1_000_000.0, 990_000.0, 5.446_644_693_010_809e-24, 1.0),
        (1_000_000_000.0, 1_000_000_000.0, 0.500_004_205_220_870_1, 0.499_995_794_779_129_9),
        (1_000_000_000_000.0, 1_000_001_000_000.0, 0.841_344_746_068_583_2, 0.158_655_253_931_416_72),
    ];
}
