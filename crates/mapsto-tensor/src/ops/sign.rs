//! The sign of a number.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Real, Unary, map, unary};
use crate::graph::{At, Keep};

impl Tensor {
    /// −1, 0 or 1 for each element, by its sign; NaN stays NaN.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: 0.   * ONNX: `Sign`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-3.0, 0.0, 2.0].sign(), [-1.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn sign(&self) -> Tensor {
        map(Sign, self)
    }
}

#[derive(Clone, Copy)]
struct Sign;
impl Unary for Sign {
    const NAME: &'static str = "sign";
    const KEEP: Keep = Keep::NONE;
    const FLAT: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sign()
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(x.sign())
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sign", "−1, 0 or 1 for each element, by its sign; NaN stays NaN.", Takes::Numbers, samples).built(|_| Ok(unary(Sign))),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(0.0), |x| x[0].sign());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn sign() {
        check(|x| x.sign())
            .reference(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() })
            .on(floats(-9.0..9.0).avoiding(0.0));
    }
}
