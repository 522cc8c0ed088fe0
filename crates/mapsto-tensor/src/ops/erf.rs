//! Error function: the area under a bell curve.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `2/√π ∫₀ˣ e^(−t²) dt` of each element.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = 2/√π e^(−x²) dy`.   * ONNX: `Erf`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 0.5].erf(), [-0.84270, 0.0, 0.52050]);
    /// ```
    #[track_caller]
    pub fn erf(&self) -> Tensor {
        map(Erf, self)
    }
}

#[derive(Clone, Copy)]
struct Erf;
impl Unary for Erf {
    const NAME: &'static str = "erf";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.erf()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Bell, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Bounded)
    }
}

/// `2/√π e^(−x²)`.
#[derive(Clone, Copy)]
pub(super) struct Bell;
impl Slope for Bell {
    const NAME: &'static str = "erf_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        // Limited where the bell is 0 long since, so that no square is infinite; and what rounding takes from the square is
        // put back, which in the tail of f32 would be 80 units in the last place.
        let x = x.abs().min(R::from_f64(40.0));
        let square = x * x;
        let e = (-square).exp();
        g * (R::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (x.fma(x, -square)).fma(-e, e))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        // Limited where the bell is 0 long since: 0 · ∞ is not 0.
        let x = x.clamp(-40.0, 40.0);
        Some((-x.square()).exp() * x * (-2.0 * std::f64::consts::FRAC_2_SQRT_PI))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("erf", "`2/√π ∫₀ˣ e^(−t²) dt` of each element.", Takes::Floats, of_erf).built(|_| Ok(unary(Erf))),
    OpKind::new("erf_grad", "The derivative of `erf`: `g · 2/√π · e^(−x²)`.", Takes::Floats, of_erf_grad).built(|_| Ok(slope(Bell))),
];

fn of_erf(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].erf());
}

fn of_erf_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(Bell, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(Bell, &of(1.0), &of(4.0)).item();
        assert!((slope / 1.269_823_467_186_655_8e-7 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn erf() {
        check(|x| x.erf()).reference(by_simpson).on(floats(-4.0..4.0));
    }

    /// The definition, by Simpson's rule over 20,000 intervals: exact to 1e-14.
    fn by_simpson(x: f64) -> f64 {
        if !x.is_finite() {
            return if x.is_nan() { x } else { x.signum() };
        }
        let (n, f) = (20_000, |t: f64| (-t * t).exp());
        let h = x / n as f64;
        let inner: f64 = (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(i as f64 * h)).sum();
        std::f64::consts::FRAC_2_SQRT_PI * h / 3.0 * (f(0.0) + inner + f(x))
    }
}
