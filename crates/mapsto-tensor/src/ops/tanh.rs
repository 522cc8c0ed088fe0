//! Hyperbolic tangent: an activation that squashes to −1..1.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// Hyperbolic tangent of each element: `y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (1 − y²) dy`, exact in both tails.   * ONNX: `Tanh`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0].tanh(), [-0.76159, 0.0, 0.76159]);
    /// ```
    #[track_caller]
    pub fn tanh(&self) -> Tensor {
        map(Tanh, self)
    }
}

#[derive(Clone, Copy)]
struct Tanh;
impl Unary for Tanh {
    const NAME: &'static str = "tanh";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.tanh()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(TanhSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Bounded)
    }
}

/// `4 e / (1 + e)²` with `e = e^(−2|x|)`: where the result rounds to ±1, `1 − y²` would be 0.
#[derive(Clone, Copy)]
struct TanhSlope;
impl Slope for TanhSlope {
    const NAME: &'static str = "tanh_grad";
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let e = (x.abs() * -R::TWO).exp();
        let half = R::HALF * (R::ONE + e);
        g * (e / (half * half))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(times_slope(TanhSlope, &x.tanh(), x) * -2.0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("tanh", "Hyperbolic tangent of each element: `y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`.", Takes::Floats, of_tanh).built(|_| Ok(unary(Tanh))),
    OpKind::new("tanh_grad", "The derivative of `tanh`: `g · (1 − y²)` with `y = tanh x`.", Takes::Floats, of_tanh_grad).built(|_| Ok(slope(TanhSlope))),
];

fn of_tanh(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].tanh());
}

fn of_tanh_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(TanhSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(TanhSlope, &of(1.0), &of(8.0)).item();
        assert!((slope / 4.501_405_975_637_291_5e-7 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn tanh() {
        check(|x| x.tanh()).reference(f64::tanh).on(floats(-10.0..10.0));
    }
}
