//! The term of an entropy.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
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
    const WIDE: bool = true;
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
];

fn of_entr(s: &mut Samples) {
    s.each(floats(0.1..3.0), |x| x[0].entr());
}

fn of_entr_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.1..3.0), |x| times_slope(EntrSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn entropies() {
        check(|x| x.entr()).absolute(1.0).reference(|x| if x < 0.0 { f64::NEG_INFINITY } else if x == 0.0 { 0.0 } else { -x * x.ln() }).on(floats(0.1..3.0));
        let inf = f64::INFINITY;
        assert_close!(tensor![0.0, -1.0, inf].entr(), [0.0, -inf, -inf]);
    }
}
