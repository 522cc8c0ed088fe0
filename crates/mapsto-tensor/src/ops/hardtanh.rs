//! Activations of straight pieces: relu6, hardtanh, hardsigmoid, hardswish.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Params, Real, Unary, map, unary};
use crate::graph::{At, Keep, Meaning, Meant, Say};
use crate::slope::{Slope, slope, times_slope};
use crate::{Scalar, Tensor, fail};

impl Tensor {
    /// `min(max(x, 0), 6)` of each element.
    ///
    /// Source: Krizhevsky (2010), "Convolutional deep belief networks on CIFAR-10".
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `0 < x < 6`, else 0.   * ONNX: `Clip`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.5, 9.0].relu6(), [0.0, 0.5, 6.0]);
    /// ```
    #[track_caller]
    pub fn relu6(&self) -> Tensor {
        map(Relu6, self)
    }

    /// Each element limited to `lo..=hi`, usually −1 and 1; unlike [`clamp`](Tensor::clamp) it has no slope at the limits themselves.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `lo < x < hi`, else 0.   * ONNX: `Clip`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-3.0, 0.5, 9.0].hardtanh(-1.0, 1.0), [-1.0, 0.5, 1.0]);
    /// ```
    /// # Panics
    /// When `lo` exceeds `hi`, or one of them is not finite.
    #[track_caller]
    pub fn hardtanh(&self, lo: f64, hi: f64) -> Tensor {
        let lo = Scalar::Float(lo).attribute("hardtanh", "lo", self);
        let hi = Scalar::Float(hi).attribute("hardtanh", "hi", self);
        if lo > hi {
            fail!("hardtanh", "the lower limit {lo} exceeds the upper limit {hi}");
        }
        map(Hardtanh { lo, hi }, self)
    }

    /// `min(max(x + 3, 0), 6) / 6` of each element: a sigmoid of straight pieces.
    ///
    /// Source: Howard et al. (2019), arXiv:1905.02244, section 5.2; Keras and PyTorch have the same slope.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / 6` where `−3 < x < 3`, else 0.
    /// * ONNX: `HardSigmoid`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-4.0, 0.0, 1.5].hardsigmoid(), [0.0, 0.5, 0.75]);
    /// ```
    #[track_caller]
    pub fn hardsigmoid(&self) -> Tensor {
        map(Hardsigmoid, self)
    }

    /// `x · min(max(x + 3, 0), 6) / 6` of each element: [`silu`](Tensor::silu) of straight pieces and a parabola.
    ///
    /// Source: Howard et al. (2019), arXiv:1905.02244, section 5.2.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (x / 3 + ½) dy` where `−3 < x < 3`, 0 below and `dy` above.
    /// * ONNX: `HardSwish`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-4.0, -1.0, 1.5, 4.0].hardswish(), [0.0, -0.33333, 1.125, 4.0]);
    /// ```
    #[track_caller]
    pub fn hardswish(&self) -> Tensor {
        map(Hardswish, self)
    }
}

#[derive(Clone, Copy)]
struct Relu6;
impl Unary for Relu6 {
    const NAME: &'static str = "relu6";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.max(R::ZERO).min(R::from_f64(6.0))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Inside { lo: 0.0, hi: 6.0 }, g, &at.x().detach())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

#[derive(Clone, Copy)]
struct Hardtanh {
    lo: f64,
    hi: f64,
}
impl Unary for Hardtanh {
    const NAME: &'static str = "hardtanh";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("lo", self.lo.into());
        say("hi", self.hi.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.max(R::param(0, self.lo)).min(R::param(1, self.hi))
    }
    fn params(self) -> Params {
        [self.lo, self.hi].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Inside { lo: self.lo, hi: self.hi }, g, &at.x().detach())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        if self.hi <= 1.0 && self.lo >= -1.0 {
            return Some(if self.lo >= 0.0 { Meaning::Probabilities } else { Meaning::Bounded });
        }
        (self.lo >= Meaning::LEAST_RECTIFIED).then_some(Meaning::Rectified)
    }
}

#[derive(Clone, Copy)]
struct Hardsigmoid;
impl Unary for Hardsigmoid {
    const NAME: &'static str = "hardsigmoid";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        (x + R::from_f64(3.0)).max(R::ZERO).min(R::from_f64(6.0)) / R::from_f64(6.0)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Inside { lo: -3.0, hi: 3.0 }, g, &at.x().detach()) * (1.0 / 6.0)
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Probabilities)
    }
}

#[derive(Clone, Copy)]
struct Hardswish;
impl Unary for Hardswish {
    const NAME: &'static str = "hardswish";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * ((x + R::from_f64(3.0)).max(R::ZERO).min(R::from_f64(6.0)) / R::from_f64(6.0))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(HardswishSlope, g, at.x())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Rectified)
    }
}

/// 0 at the limits and beyond, else 1; of NaN 1 as in PyTorch, for what is no number is beyond no limit.
#[derive(Clone, Copy)]
struct Inside {
    lo: f64,
    hi: f64,
}
impl Slope for Inside {
    const NAME: &'static str = "hardtanh_grad";
    fn slope_attrs(self, say: Say<'_>) {
        say("lo", self.lo.into());
        say("hi", self.hi.into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        R::select(x.le(R::param(0, self.lo)) | x.ge(R::param(1, self.hi)), R::ZERO, g)
    }
    fn params(self) -> Params {
        [self.lo, self.hi].into()
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

/// `x / 3 + ½` between −3 and 3, 0 below and 1 above.
#[derive(Clone, Copy)]
struct HardswishSlope;
impl Slope for HardswishSlope {
    const NAME: &'static str = "hardswish_grad";
    const DOUBLE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let three = R::from_f64(3.0);
        let middle = g * (x / three + R::HALF);
        R::select(x.le(-three), R::ZERO, R::select(x.lt(three), middle, g))
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        Some(x.detach().abs().lt(3.0).choose(Tensor::full_like(x, 1.0 / 3.0), 0.0))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("relu6", "`min(max(x, 0), 6)` of each element.", Takes::Floats, of_relu6).built(|_| Ok(unary(Relu6))),
    OpKind::new("hardtanh", "Each element limited to `lo..=hi`, without a slope at the limits.", Takes::Floats, of_hardtanh).built(|a| Ok(unary(Hardtanh { lo: a.need("lo")?, hi: a.need("hi")? }))),
    OpKind::new("hardsigmoid", "`min(max(x + 3, 0), 6) / 6` of each element.", Takes::Floats, of_hardsigmoid).built(|_| Ok(unary(Hardsigmoid))),
    OpKind::new("hardswish", "`x · min(max(x + 3, 0), 6) / 6` of each element.", Takes::Floats, of_hardswish).built(|_| Ok(unary(Hardswish))),
    OpKind::new("hardtanh_grad", "The derivative of `hardtanh`: `g` between the limits, else 0.", Takes::Floats, of_inside).built(|a| Ok(slope(Inside { lo: a.need("lo")?, hi: a.need("hi")? }))),
    OpKind::new("hardswish_grad", "The derivative of `hardswish`.", Takes::Floats, of_hardswish_grad).built(|_| Ok(slope(HardswishSlope))),
];

fn of_relu6(s: &mut Samples) {
    s.each(floats(-2.0..8.0).avoiding(0.0).avoiding(6.0), |x| x[0].relu6());
}

fn of_hardtanh(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(-1.0).avoiding(0.5), |x| x[0].hardtanh(-1.0, 0.5));
}

fn of_hardsigmoid(s: &mut Samples) {
    s.each(floats(-4.0..4.0).avoiding(-3.0).avoiding(3.0), |x| x[0].hardsigmoid());
}

fn of_hardswish(s: &mut Samples) {
    s.each(floats(-4.0..4.0).avoiding(-3.0).avoiding(3.0), |x| x[0].hardswish());
}

fn of_inside(s: &mut Samples) {
    let (g, x) = (floats(-2.0..2.0), floats(-2.0..2.0).avoiding(-1.0).avoiding(0.5));
    s.pairs(g, x, |x| times_slope(Inside { lo: -1.0, hi: 0.5 }, &x[0], &x[1]));
}

fn of_hardswish_grad(s: &mut Samples) {
    let (g, x) = (floats(-2.0..2.0), floats(-4.0..4.0).avoiding(-3.0).avoiding(3.0));
    s.pairs(g, x, |x| times_slope(HardswishSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn straight_pieces() {
        let limit = |x: f64, lo: f64, hi: f64| if x.is_nan() { x } else { x.clamp(lo, hi) };
        check(|x| x.relu6()).reference(move |x| limit(x, 0.0, 6.0)).on(floats(-2.0..8.0).avoiding(0.0).avoiding(6.0));
        check(|x| x.hardtanh(-1.0, 0.5)).reference(move |x| limit(x, -1.0, 0.5)).on(floats(-2.0..2.0).avoiding(-1.0).avoiding(0.5));
        let domain = || floats(-4.0..4.0).avoiding(-3.0).avoiding(3.0);
        check(|x| x.hardsigmoid()).reference(move |x| limit(x + 3.0, 0.0, 6.0) / 6.0).on(domain());
        check(|x| x.hardswish()).reference(move |x| x * limit(x + 3.0, 0.0, 6.0) / 6.0).on(domain());
    }

    #[test]
    fn at_the_kinks_themselves() {
        // Gradients of torch.nn.functional.
        let slopes = |f: fn(&Tensor) -> Tensor, x: [f64; 2]| {
            let x = Tensor::from_vec(x.to_vec(), [2]).leaf();
            f(&x).sum(..).backward().of(&x).to_vec::<f64>()
        };
        assert_eq!(slopes(|x| x.relu6(), [0.0, 6.0]), [0.0, 0.0]);
        assert_eq!(slopes(|x| x.hardtanh(-1.0, 1.0), [-1.0, 1.0]), [0.0, 0.0]);
        assert_eq!(slopes(|x| x.hardsigmoid(), [-3.0, 3.0]), [0.0, 0.0]);
        assert_eq!(slopes(|x| x.hardswish(), [-3.0, 3.0]), [0.0, 1.0]);
    }
}
