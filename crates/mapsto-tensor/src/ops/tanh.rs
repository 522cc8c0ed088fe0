//! Hyperbolic tangent: an activation that squashes to −1..1.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// Hyperbolic tangent of each element: `y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (1 − y²) dy`.   * ONNX: `Tanh`.
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
    const KEEP: Keep = Keep::OUTPUT;
    const OWN: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.tanh()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(TanhSlope, g, &at.y())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Bounded)
    }
}

/// `1 − y²`.
#[derive(Clone, Copy)]
struct TanhSlope;
impl Slope for TanhSlope {
    const NAME: &'static str = "tanh_grad";
    const OWN: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, y: R) -> R {
        g * (R::ONE - y * y)
    }
    fn bend(self, y: &Tensor) -> Option<Tensor> {
        Some(y * -2.0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("tanh", "Hyperbolic tangent of each element: `y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`.", Takes::Floats, of_tanh).built(|_| Ok(unary(Tanh))),
    OpKind::new("tanh_grad", "The derivative of `tanh` by its result: `g · (1 − y²)`.", Takes::Floats, of_tanh_grad).built(|_| Ok(slope(TanhSlope))),
];

fn of_tanh(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].tanh());
}

fn of_tanh_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-0.95..0.95), |x| times_slope(TanhSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn tanh() {
        check(|x| x.tanh()).reference(f64::tanh).on(floats(-10.0..10.0));
    }
}
