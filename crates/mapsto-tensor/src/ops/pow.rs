//! Powers with one exponent for all elements.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor};
use crate::elementwise::{Params, Real, Unary, map, unary};
use crate::graph::{At, Keep, Op, Say};

impl Tensor {
    /// `xᵖ` of each element; a negative base is fine with a whole exponent and NaN with others.
    ///
    /// Whole exponents up to 32 are multiplications, ½ and −½ are [`sqrt`](Tensor::sqrt) and [`rsqrt`](Tensor::rsqrt);
    /// [`powt`](Tensor::powt) takes an exponent for each element.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = p xᵖ⁻¹ dy`.   * ONNX: `Pow`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 3.0].pow(3.0), [-8.0, 27.0]);
    /// assert_close!(tensor![4.0, 2.0].pow(-0.5), [0.5, 0.70711]);
    /// ```
    #[track_caller]
    pub fn pow(&self, p: f64) -> Tensor {
        match p {
            // Integers are refused in the name of this operation.
            _ if self.dtype() == DType::Bool => map(Known::<3>, self),
            _ if !self.dtype().is_float() && (p == -1.0 || p.fract() != 0.0) => map(Power { p }, self),
            // With the exponent known to the compiler, a power is vector code.
            -2.0 => map(Known::<-2>, self),
            -1.0 => self.recip(),
            -0.5 => self.rsqrt(),
            0.0 => map(Known::<0>, self),
            0.5 => self.sqrt(),
            1.0 => map(Known::<1>, self),
            2.0 => self.square(),
            3.0 => map(Known::<3>, self),
            4.0 => map(Known::<4>, self),
            _ if p.fract() == 0.0 && p.abs() <= 32.0 => map(Whole { p: p as i32 }, self),
            _ => map(Power { p }, self),
        }
    }
}

#[derive(Clone, Copy)]
struct Power {
    p: f64,
}
impl Unary for Power {
    const NAME: &'static str = "pow";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("p", self.p.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.powf(R::param(0, self.p))
    }
    fn params(self) -> Params {
        [self.p].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().pow(self.p - 1.0) * self.p
    }
}

/// A small whole exponent, by multiplication.
#[derive(Clone, Copy)]
struct Whole {
    p: i32,
}
impl Unary for Whole {
    const NAME: &'static str = "pow";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("p", (self.p as f64).into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.powi(self.p)
    }
    fn params(self) -> Params {
        Params::NONE.shaped_by(self.p as u64)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.x().pow(self.p as f64 - 1.0) * self.p as f64
    }
}

/// One of the commonest exponents.
#[derive(Clone, Copy)]
struct Known<const P: i32>;
impl<const P: i32> Unary for Known<P> {
    const NAME: &'static str = "pow";
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("p", (P as f64).into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.powi(P)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        match P {
            // Not `0 · x⁻¹`, which is NaN at 0.
            0 => Tensor::zeros_like(g),
            1 => g.clone(),
            _ => g * at.x().pow(P as f64 - 1.0) * P as f64,
        }
    }
}

/// The operation of an exponent, as [`Tensor::pow`] chooses it.
fn power(p: f64) -> Box<dyn Op> {
    match p {
        -2.0 => unary(Known::<-2>),
        0.0 => unary(Known::<0>),
        1.0 => unary(Known::<1>),
        3.0 => unary(Known::<3>),
        4.0 => unary(Known::<4>),
        _ if p.fract() == 0.0 && p.abs() <= 32.0 => unary(Whole { p: p as i32 }),
        _ => unary(Power { p }),
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("pow", "`xᵖ` of each element; a negative base is fine with a whole exponent and NaN with others.", Takes::Floats, samples).built(|a| a.need("p").map(power)),
];

fn samples(s: &mut Samples) {
    s.each(floats(-1.5..1.5), |x| x[0].pow(0.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(1.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(2.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(3.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(4.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(7.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-3.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-2.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-1.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-0.5));
    s.each(floats(0.5..1.5), |x| x[0].pow(0.5));
    s.each(floats(0.5..1.5), |x| x[0].pow(2.7));
    s.each(floats(0.5..1.5), |x| x[0].pow(40.0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn pow() {
        for p in [0.0, 1.0, 2.0, 3.0, 4.0, 7.0] {
            check(move |x| x.pow(p)).reference(move |x| x.powf(p)).on(floats(-1.5..1.5));
        }
        for p in [-7.0, -2.0, -1.0, -0.3, 2.7, 40.0] {
            check(move |x| x.pow(p)).tolerance(8.0).reference(move |x| x.powf(p)).on(floats(0.5..1.2));
        }
        check(|x| x.pow(0.5)).reference(f64::sqrt).on(floats(0.5..1.2));
        check(|x| x.pow(-0.5)).reference(|x| 1.0 / x.sqrt()).on(floats(0.5..1.2));
    }

    #[test]
    fn at_zero() {
        let x = tensor![0.0].leaf();
        for (p, want) in [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)] {
            assert_close!(x.pow(p).sum(..).backward().of(&x), [want]);
        }
    }
}
