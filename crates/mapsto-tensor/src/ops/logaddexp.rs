//! Sums and products of which one part is a logarithm.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Binary, Operand, Real, binary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::ternary::{Ternary, product3, ternary, zip3};
use crate::Tensor;

impl Tensor {
    /// `ln(eᵃ + eᵇ)` of each pair of elements, without overflow.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `da = σ(a − b) dy`, `db = σ(b − a) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1000.0].logaddexp(tensor![0.0, 1000.0]), [0.69315, 1000.69315]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn logaddexp(&self, other: impl Into<Operand>) -> Tensor {
        zip(Logaddexp, self, &other.into().like("logaddexp", self))
    }

    /// `log₂(2ᵃ + 2ᵇ)` of each pair of elements, without overflow.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `da = 2ᵃ⁻ʸ dy`, `db = 2ᵇ⁻ʸ dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1000.0].logaddexp2(tensor![0.0, 1000.0]), [1.0, 1001.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn logaddexp2(&self, other: impl Into<Operand>) -> Tensor {
        zip(Logaddexp2, self, &other.into().like("logaddexp2", self))
    }

    /// `x ln y` of each pair of elements, 0 where `x` is 0 and `y` a number.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `dx = ln y · g`, `dy = x / y · g`; both 0 where `x` and `y` are.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 2.0].xlogy(tensor![0.0, 3.0]), [0.0, 2.19722]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn xlogy(&self, other: impl Into<Operand>) -> Tensor {
        zip(Xlogy, self, &other.into().like("xlogy", self))
    }
}

#[derive(Clone, Copy)]
struct Logaddexp;
impl Binary for Logaddexp {
    const NAME: &'static str = "logaddexp";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        let most = a.max(b);
        let y = most + (-(a - b).abs()).exp().ln_1p();
        // Two equal ones may be infinite.
        R::select(a.eq(b), a + R::from_f64(std::f64::consts::LN_2), y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| g * zip(Share, at.a(), at.b()), || g * zip(Share, at.b(), at.a()))
    }
}

#[derive(Clone, Copy)]
struct Logaddexp2;
impl Binary for Logaddexp2 {
    const NAME: &'static str = "logaddexp2";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        let most = a.max(b);
        let y = most + ((a - b).abs() * R::from_f64(-std::f64::consts::LN_2)).exp().ln_1p() * R::from_f64(std::f64::consts::LOG2_E);
        // Two equal ones may be infinite.
        R::select(a.eq(b), a + R::ONE, y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let ln = |x: &Tensor| x * std::f64::consts::LN_2;
        at.both(|| g * zip(Share, &ln(at.a()), &ln(at.b())), || g * zip(Share, &ln(at.b()), &ln(at.a())))
    }
}

/// The share `σ(a − b)` of the first part.
#[derive(Clone, Copy)]
struct Share;
impl Binary for Share {
    const NAME: &'static str = "logaddexp_grad";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        R::select(a.eq(b), R::HALF, (a - b).sigmoid())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let bend = || {
            let d = at.a() - at.b();
            g * d.sigmoid() * (-d).sigmoid()
        };
        at.both(bend, || -bend())
    }
}

#[derive(Clone, Copy)]
struct Xlogy;
impl Binary for Xlogy {
    const NAME: &'static str = "xlogy";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        R::select(a.eq(R::ZERO) & !b.is_nan(), R::ZERO, a * b.ln())
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| zip3(Logarithm, g, at.a(), at.b()), || zip3(Ratio, g, at.a(), at.b()))
    }
}

/// Where the derivatives are 0, and the second number with 1 in its place there.
fn nothing(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    let nothing = a.detach().eq(0.0).and(&b.detach().le(0.0));
    let safe = nothing.choose(1.0, b);
    (nothing, safe)
}

/// `g ln b`; 0 where a is 0 and b not positive, and where g is 0 and the logarithm not finite: an element whose result nobody uses.
#[derive(Clone, Copy)]
struct Logarithm;
impl Ternary for Logarithm {
    const NAME: &'static str = "xlogy_grad_x";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        let unused = g.eq(R::ZERO) & (b.le(R::ZERO) | b.eq(R::INFINITY));
        R::select(a.eq(R::ZERO) & b.le(R::ZERO) | unused, R::ZERO, g * b.ln())
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        let (nothing, safe) = nothing(a, b);
        let infinite = b.detach().le(0.0).or(&b.detach().eq(f64::INFINITY));
        let nothing = nothing.or(&g.detach().eq(0.0).and(&infinite));
        nothing.choose(0.0, g * nothing.choose(1.0, safe).log())
    }
}

/// `g a / b`, 0 where a is and b is not positive.
#[derive(Clone, Copy)]
struct Ratio;
impl Ternary for Ratio {
    const NAME: &'static str = "xlogy_grad_y";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        R::select(a.eq(R::ZERO) & b.le(R::ZERO), R::ZERO, product3(g, a, b.recip()))
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        let (nothing, b) = nothing(a, b);
        nothing.choose(0.0, g * a / b)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("xlogy_grad_x", "The derivative of `xlogy` by the factor: `g ln b`.", Takes::Floats, of_logarithm).built(|_| Ok(ternary(Logarithm))),
    OpKind::new("xlogy_grad_y", "The derivative of `xlogy` by the number under the logarithm: `g a / b`.", Takes::Floats, of_ratio).built(|_| Ok(ternary(Ratio))),
    OpKind::new("logaddexp", "`ln(eᵃ + eᵇ)` of each pair of elements, without overflow.", Takes::Floats, of_logaddexp).built(|_| Ok(binary(Logaddexp))),
    OpKind::new("logaddexp2", "`log₂(2ᵃ + 2ᵇ)` of each pair of elements, without overflow.", Takes::Floats, of_logaddexp2).built(|_| Ok(binary(Logaddexp2))),
    OpKind::new("logaddexp_grad", "The derivative of `logaddexp`: the share `σ(a − b)`.", Takes::Floats, of_share).built(|_| Ok(binary(Share))),
    OpKind::new("xlogy", "`x ln y` of each pair of elements, 0 where `x` is 0.", Takes::Floats, of_xlogy).built(|_| Ok(binary(Xlogy))),
];

fn of_logarithm(s: &mut Samples) {
    let (d, b) = (floats(-2.0..2.0).avoiding(0.0), floats(0.3..2.0));
    s.of(&[(&[3, 4], &d), (&[3, 4], &d), (&[4], &b)], |x| zip3(Logarithm, &x[0], &x[1], &x[2]));
}

fn of_ratio(s: &mut Samples) {
    let (d, b) = (floats(-2.0..2.0).avoiding(0.0), floats(0.3..2.0));
    s.of(&[(&[3, 4], &d), (&[3, 4], &d), (&[4], &b)], |x| zip3(Ratio, &x[0], &x[1], &x[2]));
}

fn of_logaddexp(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].logaddexp(&x[1]));
}

fn of_logaddexp2(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].logaddexp2(&x[1]));
}

fn of_share(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| zip(Share, &x[0], &x[1]));
}

fn of_xlogy(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0).avoiding(0.0), floats(0.3..2.0), |x| x[0].xlogy(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn with_logarithms() {
        check2(|a, b| a.logaddexp(b)).absolute(1.0).reference(|a, b| (a.exp() + b.exp()).ln()).on(floats(-3.0..3.0), floats(-3.0..3.0));
        check2(|a, b| a.logaddexp2(b)).absolute(1.0).reference(|a, b| (a.exp2() + b.exp2()).log2()).on(floats(-3.0..3.0), floats(-3.0..3.0));
        check2(|a, b| a.xlogy(b)).absolute(1.0).reference(|a, b| a * b.ln()).on(floats(-2.0..2.0).avoiding(0.0), floats(0.3..2.0));
        let low = tensor![f64::NEG_INFINITY, f64::NEG_INFINITY].leaf();
        let y = low.logaddexp(tensor![f64::NEG_INFINITY, 1.0]);
        assert_eq!(y.to_vec::<f32>(), [f32::NEG_INFINITY, 1.0]);
        assert_close!(y.sum(..).backward().of(&low), [0.5, 0.0]);
        let (x, y) = (tensor![0.0, 0.0].leaf(), tensor![0.0, f64::INFINITY].leaf());
        let z = x.xlogy(&y);
        assert_close!(z, [0.0, 0.0]);
        assert_close!(z.sum(..).backward().of(&y), [0.0, 0.0]);
        // What nobody uses has no slope, whatever its logarithm is.
        let b = tensor![2.0].leaf();
        for unused in [0.0, -1.0, f64::INFINITY] {
            let y = b.xlogy(tensor![0.7, unused]).slice(0, 0..1);
            assert_close!(y.sum(..).backward().of(&b), [0.7f64.ln()]);
        }
    }
}
