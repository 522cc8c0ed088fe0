//! A relu that lets some of the negative side through, so that no unit dies.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Scalar, Tensor};
use crate::elementwise::{Params, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant, Say};
use crate::slope::{Slope, times_slope};

impl Tensor {
    /// `x` where positive, else `slope · x`, of each element.
    ///
    /// Source: Maas, Hannun, Ng (2013), Rectifier nonlinearities improve neural network acoustic models, ICML.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `x > 0`, else `slope · dy`.   * ONNX: `LeakyRelu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 0.0, 2.0].leaky_relu(0.01), [-0.02, 0.0, 2.0]);
    /// ```
    /// # Panics
    /// When `slope` is not finite.
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Tensor {
        map(LeakyRelu { slope: Scalar::Float(slope).attribute("leaky_relu", "slope", self) }, self)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f64,
}
impl Unary for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("slope", self.slope.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * R::select(x.gt(R::ZERO), R::ONE, R::param(0, self.slope))
    }
    fn params(self) -> Params {
        [self.slope].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(self, g, &at.x().detach())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Scores)
    }
}

impl Slope for LeakyRelu {
    const NAME: &'static str = "leaky_relu_grad";
    fn slope_attrs(self, say: Say<'_>) {
        say("slope", self.slope.into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * R::select(x.gt(R::ZERO), R::ONE, R::param(0, self.slope))
    }
    fn params(self) -> Params {
        [self.slope].into()
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("leaky_relu", "`x` where positive, else `slope · x`, of each element.", Takes::Floats, of_leaky_relu).built(|a| Ok(unary(LeakyRelu { slope: a.need("slope")? }))),
    OpKind::new("leaky_relu_grad", "The derivative of `leaky_relu`: `g` where `x > 0`, else `g` times the slope.", Takes::Floats, of_leaky_relu_grad).built(|a| Ok(crate::slope::slope(LeakyRelu { slope: a.need("slope")? }))),
];

fn of_leaky_relu(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].leaky_relu(0.01));
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].leaky_relu(0.3));
}

fn of_leaky_relu_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0).avoiding(0.0), |x| times_slope(LeakyRelu { slope: 0.3 }, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn leaky_relu() {
        check(|x| x.leaky_relu(0.1))
            .reference(|x| if x > 0.0 { x } else { 0.1 * x })
            .on(floats(-3.0..3.0).avoiding(0.0));
    }
}
