//! Rounding up.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// The smallest integer not below each element.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: 0.   * ONNX: `Ceil`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.4, 0.5, 2.0].ceil(), [-1.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn ceil(&self) -> Tensor {
        map(Ceil, self)
    }
}

#[derive(Clone, Copy)]
struct Ceil;
impl Unary for Ceil {
    const NAME: &'static str = "ceil";
    const KEEP: Keep = Keep::NONE;
    const FLAT: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.ceil()
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x)
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("ceil", "The smallest integer not below each element.", Takes::Floats, samples).built(|_| Ok(unary(Ceil))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.4..2.4).avoiding(-2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0).avoiding(2.0), |x| x[0].ceil());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn ceil() {
        let domain = floats(-2.0..2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0);
        check(|x| x.ceil()).reference(f64::ceil).on(domain);
    }
}
