//! Activations that shrink numbers: hardshrink, softshrink, tanhshrink.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Params, Real, Unary, map, polynomial, unary};
use crate::graph::{At, Keep, Meaning, Meant, Say};
use crate::slope::{Slope, slope, times_slope};
use crate::{Scalar, Tensor, fail};

impl Tensor {
    /// Each element, or 0 where it is within `±lambda`, usually ½.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `|x| > lambda`, else 0.   * ONNX: `Shrink`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.3, 0.8].hardshrink(0.5), [-1.0, 0.0, 0.8]);
    /// ```
    /// # Panics
    /// When `lambda` is negative or not finite.
    #[track_caller]
    pub fn hardshrink(&self, lambda: f64) -> Tensor {
        map(Hardshrink { lambda: size("hardshrink", lambda, self) }, self)
    }

    /// Each element moved towards 0 by `lambda`, usually ½, and 0 where it is nearer than that.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `|x| > lambda`, else 0.   * ONNX: `Shrink`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.3, 0.8].softshrink(0.5), [-0.5, 0.0, 0.3]);
    /// ```
    /// # Panics
    /// When `lambda` is negative or not finite.
    #[track_caller]
    pub fn softshrink(&self, lambda: f64) -> Tensor {
        map(Softshrink { lambda: size("softshrink", lambda, self) }, self)
    }

    /// `x − tanh(x)` of each element, to all digits near 0.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = tanh² x · dy`.   * ONNX: `Sub(x, Tanh(x))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 0.01, 1.0].tanhshrink(), [-1.03597, 3.3332e-7, 0.23841]);
    /// ```
    #[track_caller]
    pub fn tanhshrink(&self) -> Tensor {
        map(Tanhshrink, self)
    }
}

/// A width of at least 0.
#[track_caller]
fn size(op: &str, lambda: f64, x: &Tensor) -> f64 {
    let lambda = Scalar::Float(lambda).attribute(op, "lambda", x);
    if lambda < 0.0 {
        fail!(op, "`lambda` must be at least 0, got {lambda}");
    }
    lambda
}

#[derive(Clone, Copy)]
struct Hardshrink {
    lambda: f64,
}
impl Unary for Hardshrink {
    const NAME: &'static str = "hardshrink";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("lambda", self.lambda.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        R::select(x.abs().le(R::param(0, self.lambda)), R::ZERO, x)
    }
    fn params(self) -> Params {
        [self.lambda].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Outside { lambda: self.lambda }, g, &at.x().detach())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Scores)
    }
}

#[derive(Clone, Copy)]
struct Softshrink {
    lambda: f64,
}
impl Unary for Softshrink {
    const NAME: &'static str = "softshrink";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("lambda", self.lambda.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let lambda = R::param(0, self.lambda);
        x - x.max(-lambda).min(lambda)
    }
    fn params(self) -> Params {
        [self.lambda].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(Outside { lambda: self.lambda }, g, &at.x().detach())
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Scores)
    }
}

#[derive(Clone, Copy)]
struct Tanhshrink;
impl Unary for Tanhshrink {
    const NAME: &'static str = "tanhshrink";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let z = x * x;
        let near = x * z * polynomial(z, &CUBIC);
        R::select(x.abs().lt(R::HALF), near, x - x.tanh())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().tanh().square()
    }
    fn meaning(self, _: &Meant<'_>) -> Option<Meaning> {
        Some(Meaning::Scores)
    }
}

/// 0 within `±lambda`, else 1.
#[derive(Clone, Copy)]
struct Outside {
    lambda: f64,
}
impl Slope for Outside {
    const NAME: &'static str = "shrink_grad";
    fn slope_attrs(self, say: Say<'_>) {
        say("lambda", self.lambda.into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        R::select(x.abs().le(R::param(0, self.lambda)), R::ZERO, g)
    }
    fn params(self) -> Params {
        [self.lambda].into()
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

/// `(x − tanh x) / x³` of `x²`, for |x| ≤ ½: a Chebyshev fit in 50 digits, within 2e-18.
const CUBIC: [f64; 11] = [
    2.294_854_741_168_448_5e-5,
    -8.819_014_552_796_585e-5,
    0.000_236_350_790_972_750_86,
    -0.000_589_465_948_284_875_7,
    0.001_455_760_680_845_126_8,
    -0.003_592_121_783_201_609,
    0.008_863_235_197_797_702,
    -0.021_869_488_525_836_745,
    0.053_968_253_968_089_19,
    -0.133_333_333_333_332_3,
    0.333_333_333_333_333_3,
];

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("hardshrink", "Each element, or 0 where it is within `±lambda`.", Takes::Floats, of_hardshrink).built(|a| Ok(unary(Hardshrink { lambda: a.need("lambda")? }))),
    OpKind::new("softshrink", "Each element moved towards 0 by `lambda`.", Takes::Floats, of_softshrink).built(|a| Ok(unary(Softshrink { lambda: a.need("lambda")? }))),
    OpKind::new("tanhshrink", "`x − tanh(x)` of each element, to all digits near 0.", Takes::Floats, of_tanhshrink).built(|_| Ok(unary(Tanhshrink))),
    OpKind::new("shrink_grad", "The derivative of `hardshrink` and `softshrink`: 0 within `±lambda`, else `g`.", Takes::Floats, of_outside).built(|a| Ok(slope(Outside { lambda: a.need("lambda")? }))),
];

fn of_hardshrink(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(-0.5).avoiding(0.5), |x| x[0].hardshrink(0.5));
}

fn of_softshrink(s: &mut Samples) {
    s.each(floats(-2.0..2.0).avoiding(-0.5).avoiding(0.5), |x| x[0].softshrink(0.5));
}

fn of_tanhshrink(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].tanhshrink());
}

fn of_outside(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0).avoiding(-0.5).avoiding(0.5), |x| times_slope(Outside { lambda: 0.5 }, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn shrunk() {
        let domain = || floats(-2.0..2.0).avoiding(-0.5).avoiding(0.5);
        check(|x| x.hardshrink(0.5)).reference(|x| if x.abs() <= 0.5 { 0.0 } else { x }).on(domain());
        check(|x| x.softshrink(0.5)).reference(|x| if x.abs() <= 0.5 { 0.0 } else { x - 0.5 * x.signum() }).on(domain());
        check(|x| x.tanhshrink()).reference(|x| if x == 0.0 { x } else { x - x.tanh() }).on(floats(1.0..3.0));
        check(|x| x.tanhshrink()).on(floats(-2.0..2.0));
        let e = catch(|| tensor![1.0].softshrink(-1.0)).unwrap_err();
        assert_eq!(e.message(), "softshrink: `lambda` must be at least 0, got -1");
    }
}
