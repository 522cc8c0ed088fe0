//! Exponential: the function that is its own derivative.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};

impl Tensor {
    /// `eˣ` of each element.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = y dy`.   * ONNX: `Exp`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0].exp(), [1.0, 2.71828]);
    /// ```
    #[track_caller]
    pub fn exp(&self) -> Tensor {
        map(Exp, self)
    }
}

#[derive(Clone, Copy)]
struct Exp;
impl Unary for Exp {
    const NAME: &'static str = "exp";
    const FULL: bool = true;
    const KEEP: Keep = Keep::OUTPUT;
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.exp()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.y()
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        match xs.of(0) {
            Some(Meaning::LogDistribution) => Some(Meaning::Distribution),
            Some(Meaning::LogProbabilities) => Some(Meaning::Probabilities),
            _ => None,
        }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("exp", "`eˣ` of each element.", Takes::Floats, samples).built(|_| Ok(unary(Exp))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].exp());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn exp() {
        check(|x| x.exp()).reference(f64::exp).on(floats(-8.0..8.0));
    }
}
