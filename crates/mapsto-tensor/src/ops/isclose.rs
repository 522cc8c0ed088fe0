//! Comparison within a tolerance.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::Operand;
use crate::error::named;
use crate::{Scalar, Tensor, fail};

impl Tensor {
    /// Where `|a − b| ≤ atol + rtol · |b|`, or both are equal, as infinities are; NaN is close to nothing.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), floats only; or a tensor and a number. PyTorch and NumPy take `rtol` 1e-5 and `atol` 1e-8.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![1.0, 100.0, 0.0].isclose(tensor![1.0001, 101.0, 1e-9], 1e-3, 1e-8);
    /// assert_eq!(y.to_vec::<bool>(), [true, false, true]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a tolerance is below 0 or not finite.
    #[track_caller]
    pub fn isclose(&self, other: impl Into<Operand>, rtol: f64, atol: f64) -> Tensor {
        named("isclose", || {
            let other = other.into().like("isclose", self);
            if !self.dtype().is_float() {
                fail!("isclose", "floats are needed, these are {}", self.dtype(); help = "integers are equal or not: `a.eq(&b)`");
            }
            if !(rtol >= 0.0 && atol >= 0.0) {
                fail!("isclose", "tolerances must be at least 0, got `rtol` {rtol} and `atol` {atol}");
            }
            let bound = other.abs() * Scalar::Float(rtol).attribute("isclose", "rtol", self)
                + Scalar::Float(atol).attribute("isclose", "atol", self);
            // Far from an infinity no number is near, though the bound is infinite.
            let near = (self - &other).abs().le(&bound).and(&other.is_inf().not());
            near.or(&self.eq(&other))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("isclose", "Where two numbers are equal within a tolerance.", Takes::Floats, samples).made_of("sub, abs and comparisons"),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].isclose(&x[1], 0.5, 0.25));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn isclose() {
        let want = |a: f64, b: f64| ((a - b).abs() <= 0.25 + 0.5 * b.abs()) as u8 as f64;
        check2(|a, b| a.isclose(b, 0.5, 0.25)).reference(want).without_derivative().on(floats(-2.0..2.0), floats(-2.0..2.0));
        let inf = f64::INFINITY;
        let (a, b) = (tensor![inf, inf, 1.0, f64::NAN], tensor![inf, -inf, inf, f64::NAN]);
        assert_eq!(a.isclose(&b, 1e-5, 1e-8).to_vec::<bool>(), [true, false, false, false]);
    }
}
