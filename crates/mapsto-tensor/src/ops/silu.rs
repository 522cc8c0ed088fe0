//! Sigmoid linear unit, also called swish: a smooth relu.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `x σ(x)` of each element, with `σ` the [`sigmoid`](Tensor::sigmoid).
    ///
    /// Source: Elfwing, Uchibe, Doya (2017), arXiv:1702.03118; Ramachandran, Zoph, Le (2017), arXiv:1710.05941.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = σ (1 + x (1 − σ)) dy`.   * ONNX: `Mul(x, Sigmoid(x))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 1.0].silu(), [-0.26894, 0.0, 0.73106]);
    /// ```
    #[track_caller]
    pub fn silu(&self) -> Tensor {
        map(Silu, self)
    }
}

#[derive(Clone, Copy)]
struct Silu;
impl Unary for Silu {
    const NAME: &'static str = "silu";
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * x.sigmoid()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SiluSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// `σ (1 + x (1 − σ))`.
#[derive(Clone, Copy)]
struct SiluSlope;
impl Slope for SiluSlope {
    const NAME: &'static str = "silu_grad";
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let s = x.sigmoid();
        // Limited where s is 0 long since: 0 · ∞ is not 0.
        let x = x.max(-R::from_f64(1000.0));
        g * (s * (R::ONE + x * (R::ONE - s)))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        // Limited where the slope is 0 or 1 long since (0 · ∞ is not 0); σ(−x) keeps the digits that 1 − σ(x) loses.
        let x = x.clamp(-1000.0, 1000.0);
        let (s, rest) = (x.sigmoid(), (-&x).sigmoid());
        Some(&s * &rest * (2.0 + x * (&rest - &s)))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("silu", "`x σ(x)` of each element, with `σ` the `sigmoid`.", Takes::Floats, of_silu).built(|_| Ok(unary(Silu))),
    OpKind::new("silu_grad", "The derivative of `silu`: `g · s (1 + x (1 − s))` with `s = sigmoid x`.", Takes::Floats, of_silu_grad).built(|_| Ok(slope(SiluSlope))),
];

fn of_silu(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].silu());
}

fn of_silu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(SiluSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn the_slope_keeps_its_digits_in_the_tail() {
        let of = |v: f64| Tensor::from_vec(vec![v], [1]);
        let slope = times_slope(SiluSlope, &of(1.0), &of(-16.0)).item();
        assert!((slope / -1.688_027_228_199_821_7e-6 - 1.0).abs() < 1e-9, "{slope:e}");
    }

    #[test]
    fn silu() {
        check(|x| x.silu()).reference(|x| x / (1.0 + (-x).exp())).on(floats(-9.0..9.0));
    }
}
