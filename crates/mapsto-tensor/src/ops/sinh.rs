//! Hyperbolic sine and cosine.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::Tensor;

impl Tensor {
    /// Hyperbolic sine of each element: `y = (eˣ − e⁻ˣ) / 2`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = cosh(x) dy`.   * ONNX: `Sinh`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].sinh(), [-1.17520, 0.0, 3.62686]);
    /// ```
    #[track_caller]
    pub fn sinh(&self) -> Tensor {
        map(Sinh, self)
    }

    /// Hyperbolic cosine of each element: `y = (eˣ + e⁻ˣ) / 2`.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = sinh(x) dy`.   * ONNX: `Cosh`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].cosh(), [1.54308, 1.0, 3.76220]);
    /// ```
    #[track_caller]
    pub fn cosh(&self) -> Tensor {
        map(Cosh, self)
    }
}

/// `eᵃ / 2` of a large number, by its root: `eᵃ` itself may be infinite.
#[inline(always)]
fn half_exp<R: Real>(a: R) -> R {
    let root = (a * R::HALF).exp();
    root * R::HALF * root
}

#[derive(Clone, Copy)]
struct Sinh;
impl Unary for Sinh {
    const NAME: &'static str = "sinh";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let e = a.exp_m1();
        x.sign() * R::select(a.gt(R::from_f64(40.0)), half_exp(a), (e + e / (e + R::ONE)) * R::HALF)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().cosh()
    }
}

#[derive(Clone, Copy)]
struct Cosh;
impl Unary for Cosh {
    const NAME: &'static str = "cosh";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let e = a.exp();
        R::select(a.gt(R::from_f64(40.0)), half_exp(a), (e + R::ONE / e) * R::HALF)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().sinh()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sinh", "Hyperbolic sine of each element: `y = (eˣ − e⁻ˣ) / 2`.", Takes::Floats, of_sinh).built(|_| Ok(unary(Sinh))),
    OpKind::new("cosh", "Hyperbolic cosine of each element: `y = (eˣ + e⁻ˣ) / 2`.", Takes::Floats, of_cosh).built(|_| Ok(unary(Cosh))),
];

fn of_sinh(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].sinh());
}

fn of_cosh(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].cosh());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn hyperbolic_functions() {
        check(|x| x.sinh()).reference(f64::sinh).on(floats(-8.0..8.0));
        check(|x| x.cosh()).reference(f64::cosh).on(floats(-8.0..8.0));
    }

    #[test]
    fn they_reach_as_far_as_their_dtype() {
        let x = Tensor::from_vec(vec![710.0, -710.0], [2]);
        assert!((x.cosh() / 710f64.cosh() - 1.0).abs().max(..).item() < 1e-14);
        assert!(x.sinh().is_finite() && tensor![89.0, -89.0].sinh().is_finite());
    }
}
