//! The term of an entropy, and a product with a logarithm beside 1.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Operand, Real, Unary, map, unary};
use crate::error::named;
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `−x ln x` of each element, the term of an entropy: 0 at 0, `−∞` below.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = −(ln x + 1) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 0.5, 1.0].entr(), [0.0, 0.34657, 0.0]);
    /// ```
    #[track_caller]
    pub fn entr(&self) -> Tensor {
        map(Entr, self)
    }

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

#[derive(Clone, Copy)]
struct Entr;
impl Unary for Entr {
    const NAME: &'static str = "entr";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let y = R::select(x.eq(R::ZERO), R::ZERO, -(x * x.ln()));
        R::select(x.lt(R::ZERO), -R::INFINITY, y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(EntrSlope, g, at.x())
    }
}

/// `−(ln x + 1)`.
#[derive(Clone, Copy)]
struct EntrSlope;
impl Slope for EntrSlope {
    const NAME: &'static str = "entr_grad";
    const DOUBLE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        -(g * (x.ln() + R::ONE))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(-x.recip())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("entr", "`−x ln x` of each element, 0 at 0.", Takes::Floats, of_entr).built(|_| Ok(unary(Entr))),
    OpKind::new("entr_grad", "The derivative of `entr`: `−g (ln x + 1)`.", Takes::Floats, of_entr_grad).built(|_| Ok(slope(EntrSlope))),
    OpKind::new("xlog1py", "`x ln(1 + y)` of each pair of elements, 0 where `x` is 0.", Takes::Floats, of_xlog1py).made_of("choose, log1p and mul"),
];

fn of_entr(s: &mut Samples) {
    s.each(floats(0.1..3.0), |x| x[0].entr());
}

fn of_entr_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.1..3.0), |x| times_slope(EntrSlope, &x[0], &x[1]));
}

fn of_xlog1py(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0).avoiding(0.0), floats(-0.7..2.0), |x| x[0].xlog1py(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn entropies() {
        check(|x| x.entr()).absolute(1.0).reference(|x| -x * x.ln()).on(floats(0.1..3.0));
        check2(|a, b| a.xlog1py(b)).absolute(1.0).reference(|a, b| a * b.ln_1p()).on(floats(-2.0..2.0).avoiding(0.0), floats(-0.7..2.0));
        let inf = f64::INFINITY;
        assert_close!(tensor![0.0, -1.0, inf].entr(), [0.0, -inf, -inf]);
        let (x, y) = (tensor![0.0, 0.0, 0.0].leaf(), tensor![-1.0, inf, 2.0].leaf());
        let z = x.xlog1py(&y);
        assert_close!(z, [0.0, 0.0, 0.0]);
        let grads = z.sum(..).backward();
        assert_close!(grads.of(&x), [0.0, 0.0, 3f64.ln()]);
        assert_close!(grads.of(&y), [0.0, 0.0, 0.0]);
        assert!(tensor![0.0].xlog1py(tensor![f64::NAN]).item().is_nan());
    }
}
