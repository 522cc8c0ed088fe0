//! Sine.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};

impl Tensor {
    /// The sine of each element, an angle in radians.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = cos(x) dy`.   * ONNX: `Sin`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0].sin(), [0.0, 0.84147]);
    /// ```
    #[track_caller]
    pub fn sin(&self) -> Tensor {
        map(Sin, self)
    }
}

#[derive(Clone, Copy)]
struct Sin;
impl Unary for Sin {
    const NAME: &'static str = "sin";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sin()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().cos()
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Bounded)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sin", "The sine of each element, an angle in radians.", Takes::Floats, samples).built(|_| Ok(unary(Sin))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].sin());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn sin() {
        check(|x| x.sin()).reference(f64::sin).on(floats(-9.0..9.0));
    }
}
