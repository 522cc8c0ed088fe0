//! A product with a logarithm beside 1.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::Operand;
use crate::error::named;
use crate::Tensor;

impl Tensor {
    /// `x ln(1 + y)` of each pair of elements, 0 where `x` is 0 and `y` a number.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `dx = ln(1 + y) g`, `dy = x / (1 + y) · g`; both 0 where `x` is and `y ≤ −1`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 2.0].xlog1py(tensor![-1.0, 2.0]), [0.0, 2.19722]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn xlog1py(&self, other: impl Into<Operand>) -> Tensor {
        let y = other.into().like("xlog1py", self);
        named("xlog1py", || {
            // Where 0 meets an infinite logarithm.
            let infinite = y.detach().le(-1.0).or(&y.detach().is_inf());
            let safe = self.detach().eq(0.0).and(&infinite).choose(0.0, &y);
            self * safe.log1p()
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("xlog1py", "`x ln(1 + y)` of each pair of elements, 0 where `x` is 0.", Takes::Floats, samples).made_of("choose, log1p and mul"),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0).avoiding(0.0), floats(-0.7..2.0), |x| x[0].xlog1py(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn xlog1py() {
        check2(|a, b| a.xlog1py(b)).absolute(1.0).reference(|a, b| if a == 0.0 && !b.is_nan() { 0.0 } else { a * b.ln_1p() }).on(floats(-2.0..2.0).avoiding(0.0), floats(-0.7..2.0));
        let inf = f64::INFINITY;
        let (x, y) = (tensor![0.0, 0.0, 0.0].leaf(), tensor![-1.0, inf, 2.0].leaf());
        let z = x.xlog1py(&y);
        assert_close!(z, [0.0, 0.0, 0.0]);
        let grads = z.sum(..).backward();
        assert_close!(grads.of(&x), [0.0, 0.0, 3f64.ln()]);
        assert_close!(grads.of(&y), [0.0, 0.0, 0.0]);
        assert!(tensor![0.0].xlog1py(tensor![f64::NAN]).item().is_nan());
    }
}
