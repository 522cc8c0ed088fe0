//! What is left of a division, and the whole quotient.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Binary, Bits, Operand, Real, binary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::{Tensor, fail};

impl Tensor {
    /// What is left of `a / b` rounded down, with the sign of the divisor, as `%` in Python: `a − b ⌊a / b⌋`.
    ///
    /// Exact for quotients below 2¹⁰⁴, and NaN beyond; of integers always exact.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.   * Gradient: `da = dy`, `db = −⌊a / b⌋ dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![5.0, -5.0, 5.5].remainder(3.0), [2.0, 1.0, 2.5]);
    /// assert_close!(tensor![5.0].remainder(-3.0), [-1.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or an integer is divided by 0.
    #[track_caller]
    pub fn remainder(&self, other: impl Into<Operand>) -> Tensor {
        divided(Remainder, "remainder", self, other.into())
    }

    /// What is left of `a / b` rounded to 0, with the sign of the dividend, as `fmod` in C: `a − b trunc(a / b)`.
    ///
    /// Exact for quotients below 2¹⁰⁴, and NaN beyond; of integers always exact.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.   * Gradient: `da = dy`, `db = −trunc(a / b) dy`.
    /// * ONNX: `Mod`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![5.0, -5.0, 5.5].fmod(3.0), [2.0, -2.0, 2.5]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or an integer is divided by 0.
    #[track_caller]
    pub fn fmod(&self, other: impl Into<Operand>) -> Tensor {
        divided(Fmod, "fmod", self, other.into())
    }

    /// The quotient rounded down, `⌊a / b⌋`, as `//` in Python.
    ///
    /// Exact for quotients below 2¹⁰⁴, and NaN beyond; of integers always exact.
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.   * Gradient: 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![5.0, -5.0, 5.5].floor_divide(3.0), [1.0, -2.0, 1.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or an integer is divided by 0.
    #[track_caller]
    pub fn floor_divide(&self, other: impl Into<Operand>) -> Tensor {
        divided(FloorDivide, "floor_divide", self, other.into())
    }
}

/// Runs a division. Integers have no quotient by 0, which no result could show.
#[track_caller]
fn divided<B: Binary>(op: B, name: &str, a: &Tensor, b: Operand) -> Tensor {
    let b = b.like(name, a);
    let integers = !b.dtype().is_float() && b.dtype() == a.dtype();
    if integers && b.device().backend().has_numbers() && !b.is_empty() && b.eq(0).any(..).item() == 1.0 {
        fail!(name, "an integer is divided by 0");
    }
    zip(op, a, &b)
}

/// The remainder and the quotient of integers, of a division that rounds down.
#[inline(always)]
fn rounded_down<V: Bits>(a: V, b: V) -> (V, V) {
    let quotient = a.quotient(b);
    let rest = a.minus(quotient.times(b));
    // Of opposite signs the other way round.
    let other = rest.ne(V::ZERO) & (rest.lt(V::ZERO) ^ b.lt(V::ZERO));
    let more = V::select(other, V::ONE, V::ZERO);
    (rest.plus(more.times(b)), quotient.minus(more))
}

/// `a − b ⌊a / b⌋` of numbers that are not negative, in two steps: each takes away a product that is exact with at most 52 bits of
/// the quotient, which rounding may have made too large or too small by one.
#[inline(always)]
fn left<R: Real>(a: R, b: R) -> R {
    const STEP: f64 = 4_503_599_627_370_496.0;
    let far = b * R::from_f64(STEP);
    let is_far = (a / far).ge(R::from_f64(STEP));
    let y = [far, b].into_iter().fold(a, |a, b| {
        let n = (a / b).floor();
        let y = (-n).fma(b, a);
        let y = R::select(y.lt(R::ZERO), y + b, y);
        let y = R::select(y.ge(b), y - b, y);
        R::select(n.gt(R::ZERO), y, a)
    });
    let known = a.lt(R::INFINITY) & b.gt(R::ZERO) & !is_far;
    R::select(known, y, R::NAN)
}

/// The remainder of a division that rounds down.
#[inline(always)]
fn remainder<R: Real>(a: R, b: R) -> R {
    let y = a.sign() * left(a.abs(), b.abs());
    // Of opposite signs the other way round.
    R::select((y * b.sign()).lt(R::ZERO), y + b, y)
}

#[derive(Clone, Copy)]
struct Remainder;
impl Binary for Remainder {
    const NAME: &'static str = "remainder";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        remainder(a, b)
    }
    fn int<V: Bits>(self, a: V, b: V) -> Option<V> {
        Some(rounded_down(a, b).0)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(|| g.clone(), || -(g * at.a().detach().floor_divide(at.b().detach())))
    }
}

#[derive(Clone, Copy)]
struct Fmod;
impl Binary for Fmod {
    const NAME: &'static str = "fmod";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        a.sign() * left(a.abs(), b.abs())
    }
    fn int<V: Bits>(self, a: V, b: V) -> Option<V> {
        Some(a.minus(a.quotient(b).times(b)))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let quotient = || {
            let (a, b) = (at.a().detach(), at.b().detach());
            a.sign() * b.sign() * a.abs().floor_divide(b.abs())
        };
        at.both(|| g.clone(), || -(g * quotient()))
    }
}

#[derive(Clone, Copy)]
struct FloorDivide;
impl Binary for FloorDivide {
    const NAME: &'static str = "floor_divide";
    const KEEP: Keep = Keep::NONE;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        let ratio = a / b;
        let whole = ((a - remainder(a, b)) / b).round();
        let whole = R::select(b.abs().eq(R::INFINITY), R::select((a * b).lt(R::ZERO), ratio - R::ONE, ratio), whole);
        R::select(b.eq(R::ZERO), ratio, whole)
    }
    fn int<V: Bits>(self, a: V, b: V) -> Option<V> {
        Some(rounded_down(a, b).1)
    }
    fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None, None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("remainder", "What is left of `a / b` rounded down, with the sign of the divisor.", Takes::Numbers, of_remainder).built(|_| Ok(binary(Remainder))),
    OpKind::new("fmod", "What is left of `a / b` rounded to 0, with the sign of the dividend.", Takes::Numbers, of_fmod).built(|_| Ok(binary(Fmod))),
    OpKind::new("floor_divide", "The quotient rounded down, `⌊a / b⌋`.", Takes::Numbers, of_floor_divide).built(|_| Ok(binary(FloorDivide))),
];

fn of_remainder(s: &mut Samples) {
    s.pairs(floats(2.6..2.9), floats(1.05..1.2), |x| x[0].remainder(&x[1]));
    s.pairs(floats(-2.9..-2.6), floats(1.05..1.2), |x| x[0].remainder(&x[1]));
}

fn of_fmod(s: &mut Samples) {
    s.pairs(floats(2.6..2.9), floats(1.05..1.2), |x| x[0].fmod(&x[1]));
    s.pairs(floats(-2.9..-2.6), floats(1.05..1.2), |x| x[0].fmod(&x[1]));
}

fn of_floor_divide(s: &mut Samples) {
    s.pairs(floats(2.6..2.9), floats(1.05..1.2), |x| x[0].floor_divide(&x[1]));
    s.pairs(floats(-2.9..-2.6), floats(1.05..1.2), |x| x[0].floor_divide(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn divisions() {
        let (a, b) = (|| floats(2.6..2.9), || floats(1.05..1.2));
        check2(|a, b| a.remainder(b)).reference(f64::rem_euclid).on(a(), b());
        check2(|a, b| a.fmod(b)).reference(|a, b| a % b).on(a(), b());
        check2(|a, b| a.floor_divide(b)).reference(|a, b| (a / b).floor()).on(a(), b());
        check2(|a, b| a.neg().fmod(b)).reference(|a, b| -a % b).on(a(), b());
    }

    #[test]
    fn integers() {
        let (a, b) = (tensor![7, -7, 7, -7, 6], tensor![3, 3, -3, -3, 3]);
        assert_eq!(a.remainder(&b).to_vec::<i64>(), [1, 2, -2, -1, 0]);
        assert_eq!(a.fmod(&b).to_vec::<i64>(), [1, -1, 1, -1, 0]);
        assert_eq!(a.floor_divide(&b).to_vec::<i64>(), [2, -3, -3, 2, 2]);
        assert_eq!(tensor![i64::MAX].remainder(10).to_vec::<i64>(), [7]);
        assert_eq!(tensor![200].to(DType::U8).floor_divide(3).to_vec::<u8>(), [66]);
        let e = catch(|| a.remainder(0)).unwrap_err();
        assert_eq!(e.message(), "remainder: an integer is divided by 0");
    }

    #[test]
    fn signs_ends_and_large_quotients() {
        // Values of Python and NumPy.
        let (a, b) = (tensor![7.0, -7.0, 7.0, -7.0, 1.0, 1e30, 6.0], tensor![3.0, 3.0, -3.0, -3.0, 0.1, 7.0, 3.0]);
        assert_close!(a.remainder(&b), [1.0, 2.0, -2.0, -1.0, 0.099_999_985, 1.0, 0.0]);
        assert_close!(a.fmod(&b), [1.0, -1.0, 1.0, -1.0, 0.099_999_985, 1.0, 0.0]);
        assert_close!(a.slice(0, ..5).floor_divide(b.slice(0, ..5)), [2.0, -3.0, -3.0, 2.0, 9.0]);
        let inf = f64::INFINITY;
        let x = tensor![1.0, -1.0, inf, 1.0];
        let y = tensor![inf, inf, 2.0, 0.0];
        let read = |t: Tensor| t.to_vec::<f32>();
        assert_eq!(read(x.fmod(&y))[..2], [1.0, -1.0]);
        assert_eq!(read(x.remainder(&y))[..2], [1.0, f32::INFINITY]);
        assert!(read(x.fmod(&y))[2..].iter().all(|v| v.is_nan()));
        assert_eq!(read(x.floor_divide(&y))[..2], [0.0, -1.0]);
        assert_eq!(read(x.floor_divide(&y))[3], f32::INFINITY);
        for (a, b) in [(1e17, 3.7), (123_456_789.123, 1e-9), (5e-324, 3.0), (1.0, 5e-324)] {
            let of = |v: f64| Tensor::from_vec(vec![v], [1]);
            let got = of(a).fmod(of(b)).item();
            assert!(got == a % b || (a / b > 1e31 && got.is_nan()), "{a} % {b}: {got}");
        }
    }
}
