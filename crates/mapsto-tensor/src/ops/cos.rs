//! Cosine.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant};

impl Tensor {
    /// The cosine of each element, an angle in radians.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = −sin(x) dy`.   * ONNX: `Cos`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0].cos(), [1.0, 0.54030]);
    /// ```
    #[track_caller]
    pub fn cos(&self) -> Tensor {
        map(Cos, self)
    }
}

#[derive(Clone, Copy)]
struct Cos;
impl Unary for Cos {
    const NAME: &'static str = "cos";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.cos()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        -(g * at.x().sin())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Bounded)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cos", "The cosine of each element, an angle in radians.", Takes::Floats, samples).built(|_| Ok(unary(Cos))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].cos());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn cos() {
        check(|x| x.cos()).reference(f64::cos).on(floats(-9.0..9.0));
    }
}
