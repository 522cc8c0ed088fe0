//! Logarithm of a number close to one, without losing digits.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// `ln(1 + x)` of each element, accurate near zero.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (1 + x)`.   * ONNX: `Log(Add(x, 1))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0, 1e-7].log1p() * 1e7, [0.0, 6931471.8, 1.0]);
    /// ```
    #[track_caller]
    pub fn log1p(&self) -> Tensor {
        map(Log1p, self)
    }
}

#[derive(Clone, Copy)]
struct Log1p;
impl Unary for Log1p {
    const NAME: &'static str = "log1p";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.ln_1p()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g / (at.x() + 1.0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("log1p", "`ln(1 + x)` of each element, accurate near zero.", Takes::Floats, samples).built(|_| Ok(unary(Log1p))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-0.8..4.0), |x| x[0].log1p());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn log1p() {
        check(|x| x.log1p()).reference(f64::ln_1p).on(floats(-0.8..9.0));
    }
}
