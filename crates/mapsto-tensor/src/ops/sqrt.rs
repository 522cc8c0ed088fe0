//! Square root.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// `√x` of each element; NaN below 0.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (2 y)`, infinite at 0.   * ONNX: `Sqrt`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![4.0, 2.0].sqrt(), [2.0, 1.41421]);
    /// ```
    #[track_caller]
    pub fn sqrt(&self) -> Tensor {
        map(Sqrt, self)
    }
}

#[derive(Clone, Copy)]
struct Sqrt;
impl Unary for Sqrt {
    const NAME: &'static str = "sqrt";
    const KEEP: Keep = Keep::OUTPUT;
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sqrt()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g / (at.y() * 2.0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sqrt", "`√x` of each element; NaN below 0.", Takes::Floats, samples).built(|_| Ok(unary(Sqrt))),
];

fn samples(s: &mut Samples) {
    s.each(floats(0.1..4.0), |x| x[0].sqrt());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn sqrt() {
        check(|x| x.sqrt()).reference(f64::sqrt).on(floats(0.1..9.0));
    }
}
