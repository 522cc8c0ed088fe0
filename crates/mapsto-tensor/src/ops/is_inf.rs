//! Where values are infinite.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor};

impl Tensor {
    /// Where an element is `∞` or `−∞`; nowhere among integers.
    ///
    /// * Shape: `[..] → [..]` (bool), any number.   * ONNX: `IsInf`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!((tensor![1.0, -1.0, 0.0] / 0.0).is_inf().to_vec::<bool>(), [true, true, false]);
    /// ```
    #[track_caller]
    pub fn is_inf(&self) -> Tensor {
        if !self.dtype().is_float() {
            return self.device().scope(|| Tensor::full_of(*self.shape_of(), 0.0, DType::Bool));
        }
        self.detach().abs().eq(f64::INFINITY)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("is_inf", "Where an element is `∞` or `−∞`; nowhere among integers.", Takes::Numbers, samples).made_of("abs and eq"),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].is_inf());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn is_inf() {
        let want = |x: f64| x.is_infinite() as u8 as f64;
        check(|x| x.is_inf()).reference(want).without_derivative().on(floats(-2.0..2.0));
        assert_eq!(tensor![i64::MAX].is_inf().to_vec::<bool>(), [false]);
    }
}
