//! Gaussian error linear unit, exact: the activation of BERT and ViT.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope, times_slope_onto};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

impl Tensor {
    /// `x Φ(x)` of each element, where `Φ(x) = ½ (1 + erf(x/√2))` is the normal distribution function.
    /// [`gelu_tanh`](Tensor::gelu_tanh) is the approximation that GPT-2 uses.
    ///
    /// Source: Hendrycks, Gimpel (2016), arXiv:1606.08415, eq. 1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (Φ(x) + x φ(x)) dy`, `φ` the normal density.
    /// * ONNX: `Gelu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0].gelu(), [-0.15866, 0.0, 0.84134]);
    /// ```
    #[track_caller]
    pub fn gelu(&self) -> Tensor {
        map(Gelu, self)
    }
}

#[derive(Clone, Copy)]
struct Gelu;
impl Unary for Gelu {
    const NAME: &'static str = "gelu";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Wide; // with the gradient, 53 ms of a GPT's training step became 20; now 14
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * x.normal().0
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(GeluSlope, g, at.x())
    }
    fn vjp_onto(self, at: &At<'_>, g: Tensor) -> Tensor {
        times_slope_onto(GeluSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// The height of the normal density at 0: `1 / √(2π)`.
const PEAK: f64 = 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;

/// Beyond it the normal density is 0 in f64.
const FAR: f64 = 40.0;

/// `Φ(x) + x φ(x)`.
#[derive(Clone, Copy)]
struct GeluSlope;
impl Slope for GeluSlope {
    const NAME: &'static str = "gelu_grad";
    const OWN: Own = Own::Wide;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let (cdf, density) = x.normal();
        g * (cdf + x * density)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        // Limited where the density is 0 long since: 0 · ∞ is not 0.
        let square = x.clamp(-FAR, FAR).square();
        Some((&square * -0.5).exp() * (2.0 - square) * PEAK)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("gelu", "`x Φ(x)` of each element, where `Φ(x) = ½ (1 + erf(x/√2))` is the normal distribution function.", Takes::Floats, of_gelu).built(|_| Ok(unary(Gelu))),
    OpKind::new("gelu_grad", "The derivative of `gelu`: `g · (Φ(x) + x φ(x))`.", Takes::Floats, of_gelu_grad).built(|_| Ok(slope(GeluSlope))),
];

fn of_gelu(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].gelu());
}

fn of_gelu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(GeluSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(GeluSlope, &of(1.0), &of(-5.0)).item();
        assert!((slope / -7.146_946_001_792_295e-6 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn gelu() {
        use crate::elementwise::Real;
        // Far to the left 1 + erf would cancel; the kernels test that tail against 30 digits.
        check(|x| x.gelu()).reference(|x| x * Real::normal(x).0).on(floats(-6.0..6.0));
        check(|x| x.gelu())
            .reference(|x| 0.5 * x * (1.0 + Real::erf(x / 2f64.sqrt())))
            .absolute(0.05)
            .on(floats(-6.0..6.0));
    }
}
