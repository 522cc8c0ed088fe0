//! The normal distribution function, its logarithm and its inverse.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;
use super::erfcx::scaled;
use super::erfinv::{first_quantile, near, quantile};

impl Tensor {
    /// `Φ(x)` of each element, the share of the normal distribution below it.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = e^(−x²/2) / √(2π) · dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.96].ndtr(), [0.15866, 0.5, 0.97500]);
    /// ```
    #[track_caller]
    pub fn ndtr(&self) -> Tensor {
        map(Ndtr, self)
    }

    /// `ln Φ(x)` of each element, a number far left too, where [`ndtr`](Tensor::ndtr) is 0.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = φ(x) / Φ(x) · dy`, φ being the density.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-100.0, 0.0, 1.0].log_ndtr(), [-5005.52441, -0.69315, -0.17275]);
    /// ```
    #[track_caller]
    pub fn log_ndtr(&self) -> Tensor {
        map(LogNdtr, self)
    }

    /// The number below which a share of the normal distribution lies, the inverse of [`ndtr`](Tensor::ndtr): `−∞` at 0, `∞` at 1,
    /// NaN beyond.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = √(2π) e^(y²/2) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.025, 0.5, 0.9].ndtri(), [-1.95996, 0.0, 1.28155]);
    /// ```
    #[track_caller]
    pub fn ndtri(&self) -> Tensor {
        map(Ndtri, self)
    }
}

#[derive(Clone, Copy)]
struct Ndtr;
impl Unary for Ndtr {
    const NAME: &'static str = "ndtr";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.normal().0
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Density, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct LogNdtr;
impl Unary for LogNdtr {
    const NAME: &'static str = "log_ndtr";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let left = (scaled(x.abs() * R::from_f64(std::f64::consts::FRAC_1_SQRT_2)) * R::HALF).ln() - x * x * R::HALF;
        R::select(x.lt(-R::ONE), left, (-(-x).normal().0).ln_1p())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Hazard, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct Ndtri;
impl Unary for Ndtri {
    const NAME: &'static str = "ndtri";
    const KEEP: Keep = Keep::OUTPUT;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, p: R) -> R {
        ndtri(p, 2)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, p: R) -> R {
        ndtri(p, 1)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Spread, g, &at.y())
    }
}

/// The quantile of `p`, whose tails are improved so many times.
#[inline(always)]
fn ndtri<R: Real>(p: R, steps: usize) -> R {
    let (low, high) = (p.lt(R::from_f64(0.25)), p.gt(R::from_f64(0.75)));
    let tail = R::select(low, p, R::ONE - p);
    let far = if steps < 2 { quantile(tail, steps) } else { far_quantile(tail, steps) };
    let far = R::select(tail.eq(R::ZERO), R::INFINITY, far);
    let middle = near(p - R::HALF + (p - R::HALF)) * R::from_f64(std::f64::consts::SQRT_2);
    R::select(low, -far, R::select(high, far, middle))
}

/// As [`quantile`], also of the smallest numbers, whose density has lost its digits: there by logarithms, `ln Q(t) = ln p`.
#[inline(always)]
fn far_quantile<R: Real>(p: R, steps: usize) -> R {
    let log = p.ln();
    let by_logarithms = (0..steps).fold(first_quantile(p), |t, _| {
        let whole = scaled(t * R::from_f64(std::f64::consts::FRAC_1_SQRT_2));
        let off = (whole * R::HALF).ln() - t * t * R::HALF - log;
        // The slope of the logarithm is the density over the tail, √(2/π) over the scaled tail.
        t + off * whole * R::from_f64(1.253_314_137_315_500_3)
    });
    R::select(p.lt(R::from_f64(1e-290)), by_logarithms, quantile(p, steps))
}

/// `e^(−x²/2) / √(2π)`.
#[derive(Clone, Copy)]
struct Density;
impl Slope for Density {
    const NAME: &'static str = "ndtr_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * x.normal().1
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        // Limited where the density is 0 long since: 0 · ∞ is not 0.
        let x = x.clamp(-60.0, 60.0);
        Some(-times_slope(Density, &x, &x))
    }
}

/// `φ(x) / Φ(x) = √(2/π) / (e^(x²/2) erfc(−x/√2))`, to all digits on both sides.
#[derive(Clone, Copy)]
struct Hazard;
impl Slope for Hazard {
    const NAME: &'static str = "log_ndtr_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let left = R::from_f64(0.797_884_560_802_865_4) / scaled(x.abs() * R::from_f64(std::f64::consts::FRAC_1_SQRT_2));
        let (share, density) = x.normal();
        g * R::select(x.lt(R::ZERO), left, density / share)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let ratio = times_slope(Hazard, &Tensor::ones_like(x), x);
        Some(-(&ratio * (&ratio + x)))
    }
}

/// `√(2π) e^(y²/2)` of the result.
#[derive(Clone, Copy)]
struct Spread;
impl Slope for Spread {
    const NAME: &'static str = "ndtri_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, y: R) -> R {
        g * (R::from_f64(2.506_628_274_631_000_5) * (y * y * R::HALF).exp())
    }
    fn bend(self, y: &Tensor) -> Option<Tensor> {
        Some(times_slope(Spread, y, y))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("ndtr", "`Φ(x)` of each element, the share of the normal distribution below it.", Takes::Floats, of_ndtr).built(|_| Ok(unary(Ndtr))),
    OpKind::new("log_ndtr", "`ln Φ(x)` of each element.", Takes::Floats, of_log_ndtr).built(|_| Ok(unary(LogNdtr))),
    OpKind::new("ndtri", "The number below which a share of the normal distribution lies.", Takes::Floats, of_ndtri).built(|_| Ok(unary(Ndtri))),
    OpKind::new("ndtr_grad", "The derivative of `ndtr`: `g e^(−x²/2) / √(2π)`.", Takes::Floats, of_ndtr_grad).built(|_| Ok(slope(Density))),
    OpKind::new("log_ndtr_grad", "The derivative of `log_ndtr`: `g φ(x) / Φ(x)`.", Takes::Floats, of_log_ndtr_grad).built(|_| Ok(slope(Hazard))),
    OpKind::new("ndtri_grad", "The derivative of `ndtri` by its result: `g √(2π) e^(y²/2)`.", Takes::Floats, of_ndtri_grad).built(|_| Ok(slope(Spread))),
];

fn of_ndtr(s: &mut Samples) {
    s.each(floats(-3.0..3.0), |x| x[0].ndtr());
}

fn of_log_ndtr(s: &mut Samples) {
    s.each(floats(-4.0..3.0), |x| x[0].log_ndtr());
}

fn of_ndtri(s: &mut Samples) {
    s.each(floats(0.05..0.95), |x| x[0].ndtri());
}

fn of_ndtr_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-3.0..3.0), |x| times_slope(Density, &x[0], &x[1]));
}

fn of_log_ndtr_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..3.0), |x| times_slope(Hazard, &x[0], &x[1]));
}

fn of_ndtri_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| times_slope(Spread, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn ndtr() {
        let close = |y: Tensor, want: &[f64], bound: f64| {
            let error = (y / Tensor::from_vec(want.to_vec(), [want.len()]) - 1.0).abs().max(..).item();
            assert!(error < bound, "{error}");
        };
        let of = |x: &[f64]| Tensor::from_vec(x.to_vec(), [x.len()]);
        // Values of mpmath.
        close(of(&[-100_000_000.0, -100.0, -5.0, -1.001, -0.999, 0.0, 1.0, 5.0, 10.0]).log_ndtr(), &[-5_000_000_000_000_019.0, -5_005.524_208_694_205, -15.064_998_393_988_725, -1.842_547_180_756_076_7, -1.839_496_910_164_778, -std::f64::consts::LN_2, -0.172_753_779_023_449_88, -2.866_516_129_637_636e-7, -7.619_853_024_160_525e-24], 5e-15);
        close(of(&[1.0e-300, 1.0e-10, 0.01, 0.249_9, 0.250_1, 0.49, 0.6, 0.76, 0.999_999]).ndtri(), &[-37.047_096_299_361_2, -6.361_340_902_404_057, -2.326_347_874_040_841, -0.674_804_470_110_61, -0.674_175_097_074_659, -0.025_068_908_258_711_057, 0.253_347_103_135_799_7, 0.706_302_562_840_087_5, 4.753_424_308_817_087], 5e-15);
        // The smallest numbers, whose density has lost its digits.
        close(of(&[5e-324, 1e-320, 1e-310]).ndtri(), &[-38.467_405_617_144_346, -38.269_125_343_032_65, -37.663_060_331_949_524], 5e-15);
        check(|x| x.ndtr()).on(floats(-3.0..3.0));
        check(|x| x.log_ndtr()).on(floats(-4.0..3.0));
        check(|x| x.ndtri()).on(floats(0.05..0.95));
        let inf = f32::INFINITY;
        assert_eq!(tensor![0.0, 1.0].ndtri().to_vec::<f32>(), [-inf, inf]);
        assert!(tensor![-0.1, 1.1, f64::NAN].ndtri().is_nan().all(..).item() == 1.0);
        let ends = tensor![f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(ends.log_ndtr().to_vec::<f32>(), [0.0, -inf]);
        assert_eq!(ends.ndtr().to_vec::<f32>(), [1.0, 0.0]);
        let x = tensor![-1e4, -1.0, 0.0, 50.0].leaf();
        assert_close!(x.log_ndtr().sum(..).backward().of(&x), [10_000.000_1, 1.525_135, 0.797_885, 0.0]);
    }
}
