//! Where values are not numbers.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;

impl Tensor {
    /// Where an element is NaN; nowhere among integers.
    ///
    /// * Shape: `[..] → [..]` (bool), any number.   * ONNX: `IsNaN`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, f64::NAN].is_nan().to_vec::<bool>(), [false, true]);
    /// ```
    #[track_caller]
    pub fn is_nan(&self) -> Tensor {
        self.ne(self) // NaN alone differs from itself
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("is_nan", "Where an element is NaN; nowhere among integers.", Takes::Numbers, samples).made_of("ne"),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].is_nan());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn is_nan() {
        let want = |x: f64| x.is_nan() as u8 as f64;
        check(|x| x.is_nan()).reference(want).without_derivative().on(floats(-2.0..2.0));
        check(|x| x.log().is_nan()).without_derivative().on(floats(-2.0..2.0));
    }
}
