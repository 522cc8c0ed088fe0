//! Powers with an exponent for each element.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Binary, Real, binary, zip};
use crate::graph::{At, Keep, Vjp};

impl Tensor {
    /// `aᵇ` of each pair of elements; NaN where `a` is negative and `b` no whole number.
    /// For one exponent, [`pow`](Tensor::pow) is faster.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only.   * Gradient: `da = b aᵇ⁻¹ dy`, `db = y ln(a) dy`; both 0 where
    ///   the power does not change: `b = 0`, or `a = 0` with `b ≥ 0`.   * ONNX: `Pow`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![2.0, 9.0].powt(&tensor![3.0, 0.5]), [8.0, 3.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn powt(&self, exponent: &Tensor) -> Tensor {
        zip(PowerOf, self, exponent)
    }
}

#[derive(Clone, Copy)]
struct PowerOf;
impl Binary for PowerOf {
    const NAME: &'static str = "powt";
    const KEEP: Keep = Keep::BOTH;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a.powf(b)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (a, b) = (at.a(), at.b());
        // The formulas give 0 · ∞ at those places, so they are evaluated elsewhere instead.
        at.both(
            || {
                let flat = b.detach().eq(0.0);
                flat.where_(0.0, g * b * a.powt(&flat.where_(1.0, b - 1.0)))
            },
            || {
                let flat = a.detach().eq(0.0).and(&b.detach().ge(0.0));
                flat.where_(0.0, g * at.y() * flat.where_(1.0, a).log())
            },
        )
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("powt", "`aᵇ` of each pair of elements; NaN where `a` is negative and `b` no whole number.", Takes::Floats, samples).built(|_| Ok(binary(PowerOf))),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(0.3..2.0), floats(-2.0..2.0), |x| x[0].powt(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn powt() {
        check2(|a, b| a.powt(b)).tolerance(4.0).reference(f64::powf).on(floats(0.5..2.0), floats(-2.0..2.0));
    }

    #[test]
    fn at_zero() {
        let (a, b) = (tensor![0.0, 0.0, 3.0].leaf(), tensor![0.0, 2.0, 0.0].leaf());
        let grads = a.powt(&b).sum(..).backward();
        assert_close!(grads.of(&a), [0.0, 0.0, 0.0]);
        assert_close!(grads.of(&b), [0.0, 0.0, 1.09861]);
    }
}
