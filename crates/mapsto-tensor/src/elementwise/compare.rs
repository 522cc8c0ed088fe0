//! Comparisons: what one declares, and how it runs over tensors, beside another tensor or a number.

use super::{Operand, same_dtype};
use crate::backend::MapOp;
use crate::graph::{At, Op, Ran, Vjp, apply};
use crate::scalar::{Beside, Scalar};
use crate::shape::broadcast;
use crate::written::{Written, written};
use crate::{DType, Tensor};
use mapsto_kernels::program::{Params, Program};
use mapsto_kernels::real::Value;

/// A relation between two numbers, broadcast by NumPy's rule; the result is bool and has no derivative.
pub trait Compare: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// Whether the relation holds.
    fn f<V: Value>(self, a: V, b: V) -> V::Mask;
}

/// Runs a comparison with a tensor or a number. A number is compared exactly, whether the dtype of `a` can hold it or
/// not; beside floats it is rounded to their dtype first, unless it would become infinite.
///
/// # Panics
/// When the shapes do not broadcast or the dtypes differ.
#[track_caller]
pub fn compare<C: Compare>(op: C, a: &Tensor, b: impl Into<Operand>) -> Tensor {
    match b.into() {
        Operand::Tensor(b) => {
            if a.dtype() != b.dtype() {
                let [a, b] = &crate::autocast::widest(C::NAME, a, &b);
                return apply(Compared(op), &[a, b]);
            }
            same_dtype(C::NAME, a, &b);
            apply(Compared(op), &[a, &b])
        }
        Operand::Scalar(v) => beside(op, a, v),
    }
}

#[track_caller]
fn beside<C: Compare>(op: C, a: &Tensor, v: Scalar) -> Tensor {
    if a.dtype().is_float() {
        // Where it would become infinite, both are compared in f64.
        let dtype = if v.within(a.dtype()) { a.dtype() } else { DType::F64 };
        return apply(Compared(op), &[a, &a.device().scope(|| Tensor::rounded((), v, dtype))]);
    }
    let with = |v: i64| {
        let v = Scalar::Int(v);
        let dtype = if v.within(a.dtype()) { a.dtype() } else { DType::I64 };
        a.device().scope(|| Tensor::rounded((), v, dtype))
    };
    // Of two unequal numbers: the answer where `a` is above, and where it is below.
    let (above, below) = (op.f(1, 0), op.f(0, 1));
    match v.beside_integers() {
        Beside::Integer(v) => apply(Compared(op), &[a, &with(v)]),
        Beside::Above(v) => {
            let is_above = compare(crate::ops::Gt, a, v);
            match (above, below) {
                (true, false) => is_above,
                (false, true) => is_above.not(),
                (always, _) => is_above.choose(always as i64, always as i64).to(DType::Bool),
            }
        }
        Beside::All(v) => a.is_nan().choose(false as i64, op.f(0.0, v) as i64).to(DType::Bool),
    }
}

struct Compared<C>(C);

/// A comparison as a value.
pub(crate) fn relation<C: Compare>(op: C) -> Box<dyn Op> {
    Box::new(Compared(op))
}

impl<C: Compare> Op for Compared<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    #[inline]
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (a, b) = (xs[0], xs[1]);
        // A number comes in the widest type of its class, so that it is compared exactly.
        let widest = if a.dtype().is_float() { DType::F64 } else { DType::I64 };
        if b.rank() > 0 || b.dtype() != widest {
            if a.dtype() != b.dtype() {
                let [a, b] = &crate::autocast::widest(C::NAME, a, b);
                return self.run(&[a, b]);
            }
            same_dtype(C::NAME, a, b);
        }
        let shape = broadcast(C::NAME, a.shape_of(), b.shape_of());
        a.device().backend().map(self, xs, &shape, DType::Bool).into()
    }
    fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None, None])
    }
}

impl<C: Compare> MapOp for Compared<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn program(&self) -> Written {
        let op = self.0;
        written::<Compared<C>>(&Params::NONE, move || Program::of(2, |x| op.f(x[0], x[1]).as_sym()))
    }
    fn int_program(&self) -> Option<Written> {
        Some(self.program())
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        self.0.f(xs[0], xs[1]) as u8 as f32
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        self.0.f(xs[0], xs[1]) as u8 as f64
    }
    #[cfg(test)]
    fn i64(&self, xs: &[i64]) -> i64 {
        self.0.f(xs[0], xs[1]) as i64
    }
}
