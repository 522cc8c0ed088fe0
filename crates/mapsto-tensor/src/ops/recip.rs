//! Reciprocal.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `1 / x` of each element; infinite at 0.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = −y² dy`.   * ONNX: `Reciprocal`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![4.0, -0.5].recip(), [0.25, -2.0]);
    /// ```
    #[track_caller]
    pub fn recip(&self) -> Tensor {
        map(Recip, self)
    }
}

#[derive(Clone, Copy)]
struct Recip;
impl Unary for Recip {
    const NAME: &'static str = "recip";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.recip()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(RecipSlope, g, at.x())
    }
}

/// `−y²` with `y = 1 / x`, by `x` as that of `rsqrt`.
#[derive(Clone, Copy)]
struct RecipSlope;
impl Slope for RecipSlope {
    const NAME: &'static str = "recip_grad";
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let y = x.recip();
        -(g * y * y)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(2.0 / x / x / x)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("recip", "`1 / x` of each element; infinite at 0.", Takes::Floats, of_recip).built(|_| Ok(unary(Recip))),
    OpKind::new("recip_grad", "The derivative of `recip`: `−g y²` with `y = 1 / x`.", Takes::Floats, of_recip_grad).built(|_| Ok(slope(RecipSlope))),
];

fn of_recip(s: &mut Samples) {
    s.each(floats(0.3..3.0), |x| x[0].recip());
    s.each(floats(-3.0..-0.3), |x| x[0].recip());
}

fn of_recip_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.5..2.0), |x| times_slope(RecipSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn recip() {
        check(|x| x.recip()).reference(|x| 1.0 / x).on(floats(0.2..9.0));
    }
}
