//! Elementwise operations: what one declares (a function of numbers and a derivative), and how it runs over tensors.

use crate::backend::{CHUNK, MapOp};
use crate::graph::{At, Keep, Op, Vjp, record_at};
use crate::shape::broadcast;
use crate::{DType, Device, Tensor, fail, scope};
use mapsto_kernels::map::{map1, map1_wide, map2, map2_wide, update, update_wide};
pub use mapsto_kernels::real::{Number, Real};
use mapsto_kernels::threads::for_chunks;
use std::panic::Location;

/// A function of one number. `f` is the definition, the kernel and the documentation at once: the compiler turns it
/// into vector code when it is marked `#[inline(always)]`.
///
/// ```
/// use mapsto_tensor::elementwise::{Real, Unary, map};
/// use mapsto_tensor::graph::{At, Keep};
/// use mapsto_tensor::prelude::*;
/// #[derive(Clone, Copy)]
/// struct Softsign;
/// impl Unary for Softsign {
///     const NAME: &'static str = "softsign";
///     const KEEP: Keep = Keep::INPUTS;
///     #[inline(always)]
///     fn f<R: Real>(self, x: R) -> R { x / (R::ONE + x.abs()) }
///     fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor { g / (at.x().abs() + 1.0).square() }
/// }
/// let x = tensor![1.0].leaf();
/// let y = map(Softsign, &x);
/// assert_close!(y, [0.5]);
/// assert_close!(y.sum(..).backward().of(&x), [0.25]);
/// ```
pub trait Unary: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// What the derivative asks for.
    const KEEP: Keep;
    /// Whether so much is computed for an element that AVX-512 pays for one more version of the loop.
    const HEAVY: bool = false;
    /// The value at `x`.
    fn f<R: Real>(self, x: R) -> R;
    /// The value at an integer, for operations that have one.
    fn int(self) -> Option<fn(i64) -> i64> {
        None
    }
    /// The gradient of the input from the gradient `g` of the result.
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor;
    /// The same where `g` is needed no more, so that it may be written over; see [`Op::vjp_onto`].
    fn vjp_onto(self, at: &At<'_>, g: Tensor) -> Tensor {
        self.vjp(at, &g)
    }
}

/// A function of two numbers, broadcast by NumPy's rule.
pub trait Binary: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// What the derivative asks for.
    const KEEP: Keep;
    /// Whether so much is computed for an element that AVX-512 pays for one more version of the loop.
    const HEAVY: bool = false;
    /// The value at `(a, b)`.
    fn f<R: Real>(self, a: R, b: R) -> R;
    /// The value at two integers, for operations that have one.
    fn int(self) -> Option<fn(i64, i64) -> i64> {
        None
    }
    /// The gradients of both inputs, in the broadcast shape.
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp;
}

/// A relation between two numbers, broadcast by NumPy's rule; the result is bool and has no derivative.
pub trait Compare: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// Whether the relation holds.
    fn f<T: PartialOrd>(self, a: T, b: T) -> bool;
}

/// Runs a unary operation.
///
/// # Panics
/// When the elements are integers and the operation has no `int`.
#[track_caller]
pub fn map<U: Unary>(op: U, x: &Tensor) -> Tensor {
    if !x.dtype().is_float() && op.int().is_none() {
        fail!(U::NAME, "floats are needed, this is {}", x.dtype(); help = "convert it with `.to(DType::F32)`");
    }
    let y = x.device().backend().map(&Mapped(op), &[x], x.shape_of(), x.dtype());
    record_at(Mapped(op), y, &[x], Vec::new(), Location::caller())
}

/// Runs a binary operation.
///
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or they are integers and the operation has no `int`.
#[track_caller]
pub fn zip<B: Binary>(op: B, a: &Tensor, b: &Tensor) -> Tensor {
    same_dtype(B::NAME, a, b);
    if !a.dtype().is_float() && op.int().is_none() {
        fail!(B::NAME, "floats are needed, these are {}", a.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    let shape = broadcast(B::NAME, a.shape_of(), b.shape_of());
    let y = a.device().backend().map(&Zipped(op), &[a, b], &shape, a.dtype());
    record_at(Zipped(op), y, &[a, b], Vec::new(), Location::caller())
}

/// Runs a binary operation over its first operand, where nobody else holds that and nothing is recorded: a third less
/// memory passes by (GELU's gradient in a GPT's training step: 7.8 ms rather than 9.3). Elsewhere it is [`zip`].
#[track_caller]
pub(crate) fn zip_onto<B: Binary>(op: B, mut a: Tensor, b: &Tensor) -> Tensor {
    let plain = scope::is_off() && a.shape_of() == b.shape_of() && a.as_slice::<f32>().is_some();
    let Some(from) = b.as_slice::<f32>().filter(|_| plain && a.is_alone()) else { return zip(op, &a, b) };
    let count = from.len();
    for_chunks(a.as_mut_slice::<f32>(), CHUNK, 2 * count, |i, a| {
        let b = &from[i * CHUNK..][..a.len()];
        if B::HEAVY {
            return update_wide(
                a,
                b,
                #[inline(always)]
                move |a, b| op.f(a, b),
            );
        }
        update(
            a,
            b,
            #[inline(always)]
            move |a, b| op.f(a, b),
        )
    });
    crate::trace::emit(B::NAME, &[&a, b], &a, Location::caller());
    a
}

/// Runs a comparison.
///
/// # Panics
/// When the shapes do not broadcast or the dtypes differ.
#[track_caller]
pub fn compare<C: Compare>(op: C, a: &Tensor, b: &Tensor) -> Tensor {
    same_dtype(C::NAME, a, b);
    let shape = broadcast(C::NAME, a.shape_of(), b.shape_of());
    let y = a.device().backend().map(&Compared(op), &[a, b], &shape, DType::Bool);
    crate::trace::emit(C::NAME, &[a, b], &y, Location::caller());
    y
}

/// Both operands must hold the same kind of number: mixing them silently is how precision gets lost.
#[track_caller]
pub(crate) fn same_dtype(op: &str, a: &Tensor, b: &Tensor) {
    if a.dtype() != b.dtype() {
        fail!(op, "dtypes differ: {} and {}", a.dtype(), b.dtype(); help = "convert one with `.to(DType::{:?})`", if a.dtype().is_float() { a.dtype() } else { b.dtype() });
    }
    if a.device() != b.device() {
        fail!(op, "devices differ: {:?} and {:?}", a.device(), b.device());
    }
}

/// The other operand of an operation: a tensor, or a number that adopts the tensor's dtype.
#[derive(Clone)]
pub enum Operand {
    /// A tensor.
    Tensor(Tensor),
    /// A number.
    Scalar(f64),
}

impl Operand {
    /// The operand as a tensor fit to meet `x`.
    #[track_caller]
    pub(crate) fn like(self, op: &str, x: &Tensor) -> Tensor {
        match self {
            Operand::Tensor(t) => t,
            Operand::Scalar(v) => scalar_like(op, v, x),
        }
    }
}

/// A number as a tensor without axes, of the dtype and on the device of `x`.
#[track_caller]
pub(crate) fn scalar_like(op: &str, v: f64, x: &Tensor) -> Tensor {
    if !x.dtype().is_float() && v.fract() != 0.0 {
        fail!(op, "{v} is no {}", x.dtype(); help = "convert the tensor with `.to(DType::F32)`");
    }
    if x.device() == Device::current() {
        Tensor::full_of((), v, x.dtype())
    } else {
        x.device().scope(|| Tensor::full_of((), v, x.dtype()))
    }
}

impl From<&Tensor> for Operand {
    fn from(t: &Tensor) -> Operand {
        Operand::Tensor(t.clone())
    }
}
impl From<Tensor> for Operand {
    fn from(t: Tensor) -> Operand {
        Operand::Tensor(t)
    }
}
macro_rules! scalar_operands {
    ($($t:ty)*) => {$(impl From<$t> for Operand { fn from(v: $t) -> Operand { Operand::Scalar(v as f64) } })*};
}
scalar_operands!(f64 f32 i32 i64 usize);

struct Mapped<U>(U);
struct Zipped<B>(B);
struct Compared<C>(C);

impl<U: Unary> Op for Mapped<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }
    fn keep(&self) -> Keep {
        U::KEEP
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        self.0.vjp(at, g).into()
    }
    fn vjp_onto(&self, at: &At<'_>, g: Tensor) -> Vjp {
        self.0.vjp_onto(at, g).into()
    }
}

impl<U: Unary> MapOp for Mapped<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }
    fn f32(&self, xs: &[&[f32]], y: &mut [f32]) {
        // A copy that moves: what is read through `self` is read again for each element, as `y` might overlap it,
        // and then nothing vectorises (elu: 8.2 ms against 0.37 ms for a million).
        let op = self.0;
        if U::HEAVY {
            return map1_wide(
                xs[0],
                y,
                #[inline(always)]
                move |x| op.f(x),
            );
        }
        map1(
            xs[0],
            y,
            #[inline(always)]
            move |x| op.f(x),
        )
    }
    fn f64(&self, xs: &[&[f64]], y: &mut [f64]) {
        let op = self.0;
        map1(
            xs[0],
            y,
            #[inline(always)]
            move |x| op.f(x),
        )
    }
    fn i64(&self, xs: &[&[i64]], y: &mut [i64]) {
        let f = self.0.int().expect("checked by `map`");
        map1(xs[0], y, f)
    }
}

impl<B: Binary> Op for Zipped<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }
    fn keep(&self) -> Keep {
        B::KEEP
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        self.0.vjp(at, g)
    }
}

impl<B: Binary> MapOp for Zipped<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }
    fn f32(&self, xs: &[&[f32]], y: &mut [f32]) {
        let op = self.0; // as in `Mapped`
        if B::HEAVY {
            return map2_wide(
                xs[0],
                xs[1],
                y,
                #[inline(always)]
                move |a, b| op.f(a, b),
            );
        }
        map2(
            xs[0],
            xs[1],
            y,
            #[inline(always)]
            move |a, b| op.f(a, b),
        )
    }
    fn f64(&self, xs: &[&[f64]], y: &mut [f64]) {
        let op = self.0;
        map2(
            xs[0],
            xs[1],
            y,
            #[inline(always)]
            move |a, b| op.f(a, b),
        )
    }
    fn i64(&self, xs: &[&[i64]], y: &mut [i64]) {
        let f = self.0.int().expect("checked by `zip`");
        map2(xs[0], xs[1], y, f)
    }
}

impl<C: Compare> MapOp for Compared<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn f32(&self, xs: &[&[f32]], y: &mut [f32]) {
        map2(
            xs[0],
            xs[1],
            y,
            #[inline(always)]
            |a, b| self.0.f(a, b) as u8 as f32,
        )
    }
    fn f64(&self, xs: &[&[f64]], y: &mut [f64]) {
        xs[0].iter().zip(xs[1]).zip(y).for_each(|((a, b), y)| *y = self.0.f(*a, *b) as u8 as f64);
    }
    fn i64(&self, xs: &[&[i64]], y: &mut [i64]) {
        xs[0].iter().zip(xs[1]).zip(y).for_each(|((a, b), y)| *y = self.0.f(*a, *b) as i64);
    }
}
