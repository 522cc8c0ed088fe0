//! Rounding down.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// The largest integer not above each element.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: 0.   * ONNX: `Floor`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.4, 0.5, 2.0].floor(), [-2.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn floor(&self) -> Tensor {
        map(Floor, self)
    }
}

#[derive(Clone, Copy)]
struct Floor;
impl Unary for Floor {
    const NAME: &'static str = "floor";
    const KEEP: Keep = Keep::NONE;
    const FLAT: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.floor()
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x)
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("floor", "The largest integer not above each element.", Takes::Floats, samples).built(|_| Ok(unary(Floor))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.4..2.4).avoiding(-2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0).avoiding(2.0), |x| x[0].floor());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn floor() {
        let domain = floats(-2.0..2.0).avoiding(-1.0).avoiding(0.0).avoiding(1.0);
        check(|x| x.floor()).reference(f64::floor).on(domain);
    }
}
