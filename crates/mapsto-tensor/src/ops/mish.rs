//! Mish: a smooth activation that is not monotonic.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `x tanh(ln(1 + eˣ))` of each element.
    ///
    /// Source: Misra (2019), arXiv:1908.08681, eq. 2.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (t + x (1 − t²) σ(x)) dy` with `t = tanh(ln(1 + eˣ))`, exact in both tails.
    /// * ONNX: `Mish`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].mish(), [-0.30340, 0.0, 1.94396]);
    /// ```
    #[track_caller]
    pub fn mish(&self) -> Tensor {
        map(Mish, self)
    }
}

/// `n = (1 + eˣ)² − 1`, of which `tanh(ln(1 + eˣ)) = n / (n + 2)`; limited where that is 1.
#[inline(always)]
fn odds<R: Real>(x: R) -> R {
    let e = x.min(R::from_f64(40.0)).exp();
    e * (e + R::TWO)
}

#[derive(Clone, Copy)]
struct Mish;
impl Unary for Mish {
    const NAME: &'static str = "mish";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let n = odds(x);
        x * (n / (n + R::TWO))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(MishSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// `t + x (1 − t²) σ(x)`.
#[derive(Clone, Copy)]
struct MishSlope;
impl Slope for MishSlope {
    const NAME: &'static str = "mish_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let n = odds(x);
        let whole = n + R::TWO;
        let rest = R::from_f64(4.0) * (n + R::ONE) / (whole * whole);
        // Limited: beyond, what is left of the bounded part is 0, and 0 · ∞ is not.
        let x = x.max(R::from_f64(-800.0)).min(R::from_f64(800.0));
        g * (n / whole + x * rest * x.sigmoid())
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let x = x.clamp(-300.0, 300.0);
        let (s, t) = (x.sigmoid(), x.softplus().tanh());
        let rest = x.softplus().cosh().square().recip();
        Some(rest * &s * ((1.0 - &s - &t * &s * 2.0) * &x + 2.0))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("mish", "`x tanh(ln(1 + eˣ))` of each element.", Takes::Floats, of_mish).built(|_| Ok(unary(Mish))),
    OpKind::new("mish_grad", "The derivative of `mish`: `g (t + x (1 − t²) σ(x))`.", Takes::Floats, of_mish_grad).built(|_| Ok(slope(MishSlope))),
];

fn of_mish(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].mish());
}

fn of_mish_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(MishSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn mish() {
        check(|x| x.mish()).reference(|x| if x == f64::NEG_INFINITY { f64::NAN } else { x * x.exp().ln_1p().tanh() }).on(floats(-9.0..9.0));
    }
}
