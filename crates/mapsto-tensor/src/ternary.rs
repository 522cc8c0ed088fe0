//! Derivatives as one function of three numbers: factors may leave the range of numbers where their product stays in it.
//!
//! In one pass everything between the inputs and the result is computed in f32 at least, and the order of the factors is
//! chosen element by element.

use crate::autocast::met;
use crate::backend::{MapOp, Params, Program, Written};
use crate::elementwise::{Real, same_dtype};
use crate::graph::{At, Fast, Fused, Op, Vjp, boxed, fused};
use crate::shape::broadcast;
use crate::written::written;
use crate::{Tensor, fail};

/// A function of three numbers, broadcast by NumPy's rule, with its definition in other operations.
pub(crate) trait Ternary: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// The value at `(a, b, c)`.
    fn f<R: Real>(self, a: R, b: R, c: R) -> R;
    /// The definition, of which the derivative is taken.
    fn compose(self, a: &Tensor, b: &Tensor, c: &Tensor) -> Tensor;
}

/// Runs an operation on three tensors.
#[track_caller]
pub(crate) fn zip3<T: Ternary>(op: T, a: &Tensor, b: &Tensor, c: &Tensor) -> Tensor {
    fused(Zipped3(op), &[a, b, c])
}

/// An operation on three tensors as a value.
pub(crate) fn ternary<T: Ternary>(op: T) -> Box<dyn Op> {
    boxed(Zipped3(op))
}

/// `a b c`: the largest times the smallest, then times the other one. So no partial product leaves the range of numbers
/// where the whole does not.
#[inline(always)]
pub(crate) fn product3<R: Real>(a: R, b: R, c: R) -> R {
    let (a, b) = larger_first(a, b);
    let (b, c) = larger_first(b, c);
    let (a, b) = larger_first(a, b);
    a * c * b
}

#[inline(always)]
fn larger_first<R: Real>(a: R, b: R) -> (R, R) {
    let wrong = a.abs().lt(b.abs());
    (R::select(wrong, b, a), R::select(wrong, a, b))
}

struct Zipped3<T>(T);

impl<T: Ternary> Fused for Zipped3<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=3
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        self.0.compose(xs[0], xs[1], xs[2])
    }
    fn wide(&self) -> bool {
        true
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (a, b, c) = (xs[0], xs[1], xs[2]);
        if let Some(wide) = met(xs) {
            return self.cpu(&[&wide[0], &wide[1], &wide[2]]);
        }
        same_dtype(T::NAME, a, b);
        same_dtype(T::NAME, a, c);
        if !a.dtype().is_float() {
            fail!(T::NAME, "floats are needed, these are {}", a.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let shape = broadcast(T::NAME, &broadcast(T::NAME, a.shape_of(), b.shape_of()), c.shape_of());
        Some(a.device().backend().map(self, xs, &shape, a.dtype()).into())
    }
    fn cpu_vjp(&self, _: &At<'_>, _: &Tensor) -> Option<Vjp> {
        None
    }
}

impl<T: Ternary> MapOp for Zipped3<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn program(&self) -> Written {
        let op = self.0;
        written::<Zipped3<T>>(&Params::NONE, move || Program::of(3, |x| op.f(x[0], x[1], x[2])))
    }
    fn int_program(&self) -> Option<Written> {
        None
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        self.0.f(xs[0], xs[1], xs[2])
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        self.0.f(xs[0], xs[1], xs[2])
    }
    #[cfg(test)]
    fn i64(&self, _: &[i64]) -> i64 {
        unreachable!("derivatives are of floats")
    }
}
