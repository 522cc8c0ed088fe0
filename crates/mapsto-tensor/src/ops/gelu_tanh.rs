//! Gaussian error linear unit in its tanh form: the activation of GPT-2.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `½ x (1 + tanh u)` of each element, with `u = √(2/π) (x + 0.044715 x³)`: [`gelu`](Tensor::gelu) within 5e-4.
    ///
    /// Source: Hendrycks, Gimpel (2016), arXiv:1606.08415, section 2.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = ½ (1 + t + x (1 − t²) u′) dy`, `t = tanh u`.
    /// * Error in f32: `2⁻²¹ (1 + 2 |u|)` of the value, for a rounding of `u` is multiplied there by the exponential.
    /// * ONNX: `Gelu` with `approximate="tanh"`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0].gelu_tanh(), [-0.15881, 0.0, 0.84119]);
    /// ```
    #[track_caller]
    pub fn gelu_tanh(&self) -> Tensor {
        map(GeluTanh, self)
    }
}

#[derive(Clone, Copy)]
struct GeluTanh;
impl Unary for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        // ½ (1 + tanh u) = σ(2u), which does not cancel to the left.
        x * twice_inner(x).sigmoid()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(GeluTanhSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// `√(2/π)`.
const SCALE: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
/// Beyond it the slope is 0 or 1, in f64 too.
const FAR: f64 = 40.0;
/// The weight of the cube.
const CUBE: f64 = 0.044715;

/// `2 u = 2 √(2/π) (x + 0.044715 x³)`.
#[inline(always)]
fn twice_inner<R: Real>(x: R) -> R {
    R::from_f64(2.0 * SCALE) * x * (R::ONE + R::from_f64(CUBE) * x * x)
}

/// `½ (1 + t + x (1 − t²) u′)`, which is `s (1 + 2 x u′ σ(−2u))` with `s = σ(2u)`.
#[derive(Clone, Copy)]
struct GeluTanhSlope;
impl Slope for GeluTanhSlope {
    const NAME: &'static str = "gelu_tanh_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        // Limited where the tanh is ±1 long since: 0 · ∞ is not 0.
        let x = x.max(-R::from_f64(FAR)).min(R::from_f64(FAR));
        let u = twice_inner(x);
        let e = (-u.abs()).exp();
        let (all, right) = ((R::ONE + e).recip(), u.gt(R::ZERO));
        let (s, rest) = (R::select(right, R::ONE, e) * all, R::select(right, e, R::ONE) * all);
        let du = R::from_f64(2.0 * SCALE) * (R::ONE + R::from_f64(3.0 * CUBE) * x * x);
        g * (s * (R::ONE + x * rest * du))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let x = x.clamp(-FAR, FAR);
        let square = x.square();
        let u = &x * (1.0 + &square * CUBE) * SCALE;
        let (t, twice) = (u.tanh(), u * 2.0);
        let du = (1.0 + square * (3.0 * CUBE)) * SCALE;
        let ddu = &x * (6.0 * CUBE * SCALE);
        // 1 − t² without its cancellation.
        let bell = twice.sigmoid() * (-twice).sigmoid() * 4.0;
        Some(bell * (&du + x * 0.5 * (ddu - t * du.square() * 2.0)))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("gelu_tanh", "`½ x (1 + tanh u)` of each element, with `u = √(2/π) (x + 0.044715 x³)`: `gelu` within 5e-4.", Takes::Floats, of_gelu_tanh).built(|_| Ok(unary(GeluTanh))),
    OpKind::new("gelu_tanh_grad", "The derivative of `gelu_tanh`: `g` times the slope at `x`.", Takes::Floats, of_gelu_tanh_grad).built(|_| Ok(slope(GeluTanhSlope))),
];

fn of_gelu_tanh(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].gelu_tanh());
}

fn of_gelu_tanh_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(GeluTanhSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(GeluTanhSlope, &of(1.0), &of(-5.0)).item();
        assert!((slope / -1.546_361_987_532_593_3e-6 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn gelu_tanh() {
        check(|x| x.gelu_tanh())
            .reference(|x| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()))
            .absolute(0.05) // here 1 + tanh cancels far to the left
            .on(floats(-6.0..6.0));
    }
}
