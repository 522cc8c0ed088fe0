//! Exponential linear units of other forms: selu, celu.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Params, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant, Say};
use crate::slope::{Slope, slope, times_slope};
use crate::{Scalar, Tensor, fail};

impl Tensor {
    /// `λ x` where positive, else `λ α (eˣ − 1)`, of each element, with the `λ = 1.0507` and `α = 1.6733` that keep mean 0 and variance 1.
    ///
    /// Source: Klambauer, Unterthiner, Mayr, Hochreiter (2017), arXiv:1706.02515, eq. 2.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = λ dy` where `x > 0`, else `λ α eˣ dy`.
    /// * ONNX: `Selu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].selu(), [-1.11133, 0.0, 2.10140]);
    /// ```
    #[track_caller]
    pub fn selu(&self) -> Tensor {
        map(Selu, self)
    }

    /// `x` where positive, else `alpha (e^(x / alpha) − 1)`, of each element: smooth for every `alpha`; 1 is the usual one.
    ///
    /// Source: Barron (2017), arXiv:1704.07483, eq. 2.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `x > 0`, else `e^(x / alpha) dy`.
    /// * ONNX: `Celu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].celu(2.0), [-0.78694, 0.0, 2.0]);
    /// ```
    /// # Panics
    /// When `alpha` is 0 or not finite.
    #[track_caller]
    pub fn celu(&self, alpha: f64) -> Tensor {
        let alpha = Scalar::Float(alpha).attribute("celu", "alpha", self);
        if alpha == 0.0 {
            fail!("celu", "`alpha` must not be 0");
        }
        map(Celu { alpha }, self)
    }
}

/// λ and α to the digits of a double (arXiv:1706.02515, appendix).
const SCALE: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

#[derive(Clone, Copy)]
struct Selu;
impl Unary for Selu {
    const NAME: &'static str = "selu";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        (x.max(R::ZERO) + R::from_f64(ALPHA) * x.min(R::ZERO).exp_m1()) * R::from_f64(SCALE)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SeluSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// `λ` where positive, else `λ α eˣ`.
#[derive(Clone, Copy)]
struct SeluSlope;
impl Slope for SeluSlope {
    const NAME: &'static str = "selu_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * (R::select(x.gt(R::ZERO), R::ONE, R::from_f64(ALPHA)) * x.min(R::ZERO).exp() * R::from_f64(SCALE))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let below = x.clamp(f64::NEG_INFINITY, 0.0).exp() * (ALPHA * SCALE);
        Some(x.detach().ge(0.0).choose(0.0, below))
    }
}

#[derive(Clone, Copy)]
struct Celu {
    alpha: f64,
}
impl Unary for Celu {
    const NAME: &'static str = "celu";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("alpha", self.alpha.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let alpha = R::param(0, self.alpha);
        x.max(R::ZERO) + alpha * (x.min(R::ZERO) / alpha).exp_m1()
    }
    fn params(self) -> Params {
        [self.alpha].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(CeluSlope { alpha: self.alpha }, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        // Below it goes to −alpha; of a negative one it has no least value.
        (0.0..=-Meaning::LEAST_RECTIFIED).contains(&self.alpha).then_some(Meaning::Rectified)
    }
}

/// 1 where positive, else `e^(x / α)`.
#[derive(Clone, Copy)]
struct CeluSlope {
    alpha: f64,
}
impl Slope for CeluSlope {
    const NAME: &'static str = "celu_grad";
    const WIDE: bool = true;
    fn slope_attrs(self, say: Say<'_>) {
        say("alpha", self.alpha.into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * (x.min(R::ZERO) / R::param(0, self.alpha)).exp()
    }
    fn params(self) -> Params {
        [self.alpha].into()
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let below = (x.clamp(f64::NEG_INFINITY, 0.0) / self.alpha).exp() / self.alpha;
        Some(x.detach().ge(0.0).choose(0.0, below))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("selu", "`λ x` where positive, else `λ α (eˣ − 1)`, of each element.", Takes::Floats, of_selu).built(|_| Ok(unary(Selu))),
    OpKind::new("selu_grad", "The derivative of `selu`: `g λ` where `x > 0`, else `g λ α eˣ`.", Takes::Floats, of_selu_grad).built(|_| Ok(slope(SeluSlope))),
    OpKind::new("celu", "`x` where positive, else `alpha (e^(x / alpha) − 1)`, of each element.", Takes::Floats, of_celu).built(|a| Ok(unary(Celu { alpha: a.need("alpha")? }))),
    OpKind::new("celu_grad", "The derivative of `celu`: `g` where `x > 0`, else `g e^(x / α)`.", Takes::Floats, of_celu_grad).built(|a| Ok(slope(CeluSlope { alpha: a.need("alpha")? }))),
];

fn of_selu(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].selu());
}

fn of_selu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0).avoiding(0.0), |x| times_slope(SeluSlope, &x[0], &x[1]));
}

fn of_celu(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].celu(1.0));
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].celu(0.5));
}

fn of_celu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0).avoiding(0.0), |x| times_slope(CeluSlope { alpha: 0.5 }, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn units() {
        check(|x| x.selu())
            .reference(|x| 1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() })
            .on(floats(-3.0..3.0).avoiding(0.0));
        check(|x| x.celu(1.5)).reference(|x| if x > 0.0 { x } else { 1.5 * (x / 1.5).exp_m1() }).on(floats(-3.0..3.0).avoiding(0.0));
    }
}
