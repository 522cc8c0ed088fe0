//! Powers with an exponent for each element.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor};
use crate::error::named;
use crate::elementwise::{Binary, Operand, Real, binary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::ternary::{Ternary, product3, ternary, zip3};

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

    /// `aᵇ` of each pair of elements in f64, whatever dtypes they have.
    ///
    /// * Shape: `[..], [..] → broadcast` (f64), any number; or a tensor and a number.   * Gradient: as [`powt`](Tensor::powt).
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![2, 9].float_power(0.5);
    /// assert_eq!((y.dtype(), y.to_vec::<f64>()[1]), (DType::F64, 3.0));
    /// ```
    /// # Panics
    /// When the shapes do not broadcast.
    #[track_caller]
    pub fn float_power(&self, exponent: impl Into<Operand>) -> Tensor {
        named("float_power", || {
            let base = self.to(DType::F64);
            let exponent = match exponent.into() {
                Operand::Tensor(b) => b.to(DType::F64),
                Operand::Scalar(b) => base.device().scope(|| Tensor::full_of((), b, DType::F64)),
            };
            base.powt(&exponent)
        })
    }
}

#[derive(Clone, Copy)]
struct PowerOf;
impl Binary for PowerOf {
    const NAME: &'static str = "powt";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a.powf(b)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| zip3(ByBase, g, at.a(), at.b()), || zip3(ByExponent, g, at.a(), at.b()))
    }
}

/// `g b aᵇ⁻¹`, 0 where b is. The power is a square: its root is a number where the product is one.
#[derive(Clone, Copy)]
struct ByBase;
impl Ternary for ByBase {
    const NAME: &'static str = "powt_grad_base";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        let root = a.abs().powf((b - R::ONE) * R::HALF);
        // Whether b − 1 is even is asked of b: the difference may be rounded, from 2²⁴ on in f32.
        let half = b * R::HALF;
        let (even, whole) = (half.floor().eq(half), b.floor().eq(b));
        let sign = R::select(whole, R::select(even, -R::ONE, R::ONE), R::NAN);
        // What makes it smaller comes first: b, or the root.
        let small = b.abs().lt(R::ONE);
        let (first, last) = (R::select(small, b, R::ONE), R::select(small, R::ONE, b));
        let power = g * first * root * root * last * R::select(a.lt(R::ZERO), sign, R::ONE);
        R::select(b.eq(R::ZERO), R::ZERO, power)
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        // The formula gives 0 · ∞ there, so it is evaluated elsewhere instead.
        let flat = b.detach().eq(0.0);
        flat.choose(0.0, g * b * a.powt(&flat.choose(1.0, b - 1.0)))
    }
}

/// `g aᵇ ln a`, 0 where a is 0 and b at least 0.
#[derive(Clone, Copy)]
struct ByExponent;
impl Ternary for ByExponent {
    const NAME: &'static str = "powt_grad_exponent";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        R::select(a.eq(R::ZERO) & b.ge(R::ZERO), R::ZERO, product3(g, a.powf(b), a.ln()))
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        let flat = a.detach().eq(0.0).and(&b.detach().ge(0.0));
        let base = flat.choose(1.0, a);
        flat.choose(0.0, g * base.powt(b) * base.log())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("powt", "`aᵇ` of each pair of elements; NaN where `a` is negative and `b` no whole number.", Takes::Floats, samples).built(|_| Ok(binary(PowerOf))),
    OpKind::new("powt_grad_base", "The derivative of `powt` by the base: `g b aᵇ⁻¹`.", Takes::Floats, of_base).built(|_| Ok(ternary(ByBase))),
    OpKind::new("powt_grad_exponent", "The derivative of `powt` by the exponent: `g aᵇ ln a`.", Takes::Floats, of_exponent).built(|_| Ok(ternary(ByExponent))),
];

fn samples(s: &mut Samples) {
    s.pairs(floats(0.3..2.0), floats(-2.0..2.0), |x| x[0].powt(&x[1]));
}

fn of_base(s: &mut Samples) {
    let (d, a) = (floats(-2.0..2.0), floats(0.3..2.0));
    s.of(&[(&[3, 4], &d), (&[3, 4], &a), (&[4], &d)], |x| zip3(ByBase, &x[0], &x[1], &x[2]));
    s.of(&[(&[], &d), (&[], &a), (&[], &d)], |x| zip3(ByBase, &x[0], &x[1], &x[2]));
}

fn of_exponent(s: &mut Samples) {
    let (d, a) = (floats(-2.0..2.0), floats(0.3..2.0));
    s.of(&[(&[3, 4], &d), (&[3, 4], &a), (&[4], &d)], |x| zip3(ByExponent, &x[0], &x[1], &x[2]));
    s.of(&[(&[], &d), (&[], &a), (&[], &d)], |x| zip3(ByExponent, &x[0], &x[1], &x[2]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn float_power() {
        use crate::prelude::*;
        let y = tensor![2, 3].float_power(tensor![-1, 2]);
        assert_eq!((y.dtype(), y.to_vec::<f64>()), (DType::F64, vec![0.5, 9.0]));
        let x = tensor![3.0].leaf();
        assert_close!(x.float_power(2.0).sum(..).backward().of(&x), [6.0]);
        assert!(catch(|| tensor![1.0, 2.0].float_power(tensor![1.0, 2.0, 3.0])).is_err());
    }

    #[test]
    fn powt_grad() {
        let (d, a) = (|| floats(-2.0..2.0), || floats(0.5..2.0));
        check3(|g, a, b| zip3(ByBase, g, a, b)).tolerance(8.0).reference(|g, a, b| g * b * a.powf(b - 1.0)).on(d(), a(), d());
        check3(|g, a, b| zip3(ByExponent, g, a, b)).tolerance(8.0).absolute(1.0).reference(|g, a, b| g * a.powf(b) * a.ln()).on(d(), a(), d());
    }

    #[test]
    fn the_sign_of_a_power_is_that_of_its_exponent_before_rounding() {
        // b − 1 is odd, and none of these dtypes holds it.
        for (dtype, b) in [(DType::F16, 2050.0), (DType::BF16, 258.0), (DType::F32, 16_777_218.0)] {
            let (a, b) = (Tensor::full_of([1], -1.0, dtype).leaf(), Tensor::full_of([1], b, dtype));
            let da = a.powt(&b).backward_with(&Tensor::full_of([1], 1e-3, dtype)).of(&a).item();
            assert!((da / (-1e-3 * b.item()) - 1.0).abs() < 0.01, "{dtype}: {da}");
        }
    }
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
