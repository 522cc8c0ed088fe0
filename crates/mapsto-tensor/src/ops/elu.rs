//! Exponential linear unit: a relu with a smooth negative side.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Scalar, Tensor};
use crate::elementwise::{Params, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant, Say};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `x` where positive, else `alpha (eˣ − 1)`, of each element; 1 is the usual `alpha`.
    ///
    /// Source: Clevert, Unterthiner, Hochreiter (2015), arXiv:1511.07289, eq. 15.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `x > 0`, else `alpha eˣ dy`.   * ONNX: `Elu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].elu(1.0), [-0.63212, 0.0, 2.0]);
    /// ```
    /// # Panics
    /// When `alpha` is not finite.
    #[track_caller]
    pub fn elu(&self, alpha: f64) -> Tensor {
        map(Elu { alpha: Scalar::Float(alpha).attribute("elu", "alpha", self) }, self)
    }
}

#[derive(Clone, Copy)]
struct Elu {
    alpha: f64,
}
impl Unary for Elu {
    const NAME: &'static str = "elu";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("alpha", self.alpha.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        // A sum of both sides, one of which is 0: around a choice the compiler would put a branch.
        x.max(R::ZERO) + R::param(0, self.alpha) * x.min(R::ZERO).exp_m1()
    }
    fn params(self) -> Params {
        [self.alpha].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(self, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        // Below it goes to −alpha.
        (self.alpha <= -Meaning::LEAST_RECTIFIED).then_some(Meaning::Rectified)
    }
}

impl Slope for Elu {
    const NAME: &'static str = "elu_grad";
    fn slope_attrs(self, say: Say<'_>) {
        say("alpha", self.alpha.into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * R::select(x.gt(R::ZERO), R::ONE, R::param(0, self.alpha)) * x.min(R::ZERO).exp()
    }
    fn params(self) -> Params {
        [self.alpha].into()
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        // Limited to 0 first: eˣ may be infinite on the side that is not taken, and 0 · ∞ is not 0.
        let below = x.clamp(f64::NEG_INFINITY, 0.0).exp() * self.alpha;
        // 0 at the kink itself, as in PyTorch.
        Some(x.detach().ge(0.0).choose(0.0, below))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("elu", "`x` where positive, else `alpha (eˣ − 1)`, of each element; 1 is the usual `alpha`.", Takes::Floats, of_elu).built(|a| Ok(unary(Elu { alpha: a.need("alpha")? }))),
    OpKind::new("elu_grad", "The derivative of `elu`: `g` where `x > 0`, else `g α eˣ`.", Takes::Floats, of_elu_grad).built(|a| Ok(slope(Elu { alpha: a.need("alpha")? }))),
];

fn of_elu(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].elu(1.0));
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].elu(0.5));
}

fn of_elu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0).avoiding(0.0), |x| times_slope(Elu { alpha: 0.5 }, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn elu() {
        check(|x| x.elu(1.5))
            .reference(|x| if x > 0.0 { x } else { 1.5 * x.exp_m1() })
            .on(floats(-3.0..3.0).avoiding(0.0));
    }
}
