//! Natural logarithm.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};

impl Tensor {
    /// `ln x` of each element; `−∞` at 0, NaN below. Near 1, [`log1p`](Tensor::log1p) is more accurate.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / x`.   * ONNX: `Log`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 10.0].log(), [0.0, 2.30259]);
    /// ```
    #[track_caller]
    pub fn log(&self) -> Tensor {
        map(Log, self)
    }
}

#[derive(Clone, Copy)]
struct Log;
impl Unary for Log {
    const NAME: &'static str = "log";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.ln()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g / at.x()
    }
    fn meaning(self, xs: &Meant<'_>) -> Option<Meaning> {
        match xs.of(0) {
            Some(Meaning::Distribution) => Some(Meaning::LogDistribution),
            Some(Meaning::Probabilities) => Some(Meaning::LogProbabilities),
            _ => None,
        }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("log", "`ln x` of each element; `−∞` at 0, NaN below.", Takes::Floats, samples).built(|_| Ok(unary(Log))),
];

fn samples(s: &mut Samples) {
    s.each(floats(0.1..4.0), |x| x[0].log());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn log() {
        check(|x| x.log()).reference(f64::ln).on(floats(0.1..9.0));
    }
}
