//! Hyperbolic sine and cosine.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, polynomial, unary};
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

/// A number `c` beside ln 2 whose difference from any a ≥ 2 is exact, and `e^c / 2`, which is one of f32 to 2e-10: `eᵃ / 2` is their
/// product of `e^(a − c)`, which is infinite no sooner.
const SHIFT: f64 = 91_033.0 / 131_072.0;
const SCALE: f64 = 1.001_380_443_572_998;
/// `(sinh √z / √z − 1) / z` for z ≤ 4, within 1.4e-8 of the sine (by `tests/accuracy/coefficients.py`).
const SINH_SINGLE: [f64; 6] =
    [1.712_655_4e-10, 2.499_525_6e-8, 2.755_879_4e-6, 0.000_198_412_51, 0.008_333_334, 0.166_666_67];

/// A part of `eᵃ / 2`, and `e⁻ᵃ / 2`, for single precision.
#[inline(always)]
fn halves<R: Real>(a: R) -> (R, R) {
    let e = (a - R::from_f64(SHIFT)).exp();
    (e, R::from_f64(0.25 / SCALE) / e)
}

#[derive(Clone, Copy)]
struct Sinh;
impl Unary for Sinh {
    const NAME: &'static str = "sinh";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let e = a.exp_m1();
        x.sign() * R::select(a.gt(R::from_f64(40.0)), half_exp(a), (e + e / (e + R::ONE)) * R::HALF)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let (z, (e, small)) = (a * a, halves(a));
        let near = (a * z).fma(polynomial(z, &SINH_SINGLE), a);
        x.sign() * R::select(a.lt(R::TWO), near, e.fma(R::from_f64(SCALE), -small))
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
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let a = x.abs();
        let e = a.exp();
        R::select(a.gt(R::from_f64(40.0)), half_exp(a), (e + R::ONE / e) * R::HALF)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        let (e, small) = halves(x.abs());
        e.fma(R::from_f64(SCALE), small)
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
