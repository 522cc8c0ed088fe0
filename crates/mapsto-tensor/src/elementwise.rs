//! Elementwise operations: what one declares (a function of numbers and a derivative), and how it runs over tensors.

mod compare;
mod dtypes;
mod operand;
mod own;
mod polynomial;

pub(crate) use compare::relation;
pub use compare::{Compare, compare};
use dtypes::check_integers;
pub(crate) use dtypes::{differ, same_dtype};
pub use operand::Operand;
pub use own::Own;
pub(crate) use polynomial::{chebyshev, polynomial};

use crate::Tensor;
use crate::autocast::widest;
use crate::backend::{MapOp, tiles};
use crate::graph::{At, Keep, Meaning, Meant, Op, Owned, Ran, Say, Vjp, apply, apply_onto};
pub(crate) use crate::scalar::scalar_like;
use crate::shape::{Shape, broadcast};
use crate::written::{Written, written};
use mapsto_kernels::map::{map1, map1_wide, map2, map2_wide, update, update_wide};
pub use mapsto_kernels::program::Params;
use mapsto_kernels::program::Program;
pub use mapsto_kernels::real::{Bits, Number, Real, Value};

/// A function of one number. `f` is the definition, the kernel and the documentation at once: it writes itself down as a
/// program, which runs over tiles; where there is a loop of its own, the compiler turns `f` into vector code when it is
/// marked `#[inline(always)]`. It may not branch on values: a comparison gives a mask, and [`Value::select`] chooses.
///
/// A field that `f` reads is a parameter: `f` reads it by [`Real::param`], and `params` lists it.
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
    /// Which loop of its own f32 has beside the program.
    const OWN: Own = Own::Never;
    /// Whether half and single precision are computed in double and rounded once: for functions whose formula loses digits.
    const DOUBLE: bool = false;
    /// The value at `x`.
    fn f<R: Real>(self, x: R) -> R;
    /// Whether half and single precision have a form of their own, [`Unary::single`].
    const SINGLE: bool = false;
    /// The same in a form that is exact to single precision: of fewer steps than `f`, or one that loses no digits where `f` does.
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        self.f(x)
    }
    /// Says every attribute, as [`Op::attrs`].
    fn attrs(self, _say: Say<'_>) {}
    /// Whether it is meant for bool, as 0 and 1, where it has a value at integers.
    const BOOL: bool = false;
    /// The value at an integer, for operations that have one; it wraps around.
    #[inline(always)]
    fn int<V: Bits>(self, x: V) -> Option<V> {
        let _ = x;
        None
    }
    /// The fields that `f` reads, by the indices it gives to [`Real::param`].
    fn params(self) -> Params {
        Params::NONE
    }
    /// As [`Op::is_flat`].
    const FLAT: bool = false;
    /// Whether [`autocast`](crate::autocast()) gives it its operand in f32.
    const FULL: bool = false;
    /// What the numbers of the result mean, as [`Op::meaning`].
    fn meaning(self, _xs: &Meant<'_>) -> Option<Meaning> {
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
    /// Which loop of its own f32 has beside the program.
    const OWN: Own = Own::Never;
    /// Whether half and single precision are computed in double and rounded once: for functions whose formula loses digits.
    const DOUBLE: bool = false;
    /// The value at `(a, b)`.
    fn f<R: Real>(self, a: R, b: R) -> R;
    /// Whether half and single precision have a form of their own, [`Binary::single`].
    const SINGLE: bool = false;
    /// The same in a form that is exact to single precision: of fewer steps than `f`, or one that loses no digits where `f` does.
    #[inline(always)]
    fn single<R: Real>(self, a: R, b: R) -> R {
        self.f(a, b)
    }
    /// Says every attribute, as [`Op::attrs`].
    fn attrs(self, _say: Say<'_>) {}
    /// Whether it is meant for bool, as 0 and 1, where it has a value at integers.
    const BOOL: bool = false;
    /// The value at two integers, for operations that have one; it wraps around.
    #[inline(always)]
    fn int<V: Bits>(self, a: V, b: V) -> Option<V> {
        let _ = (a, b);
        None
    }
    /// The fields that `f` reads, by the indices it gives to [`Real::param`].
    fn params(self) -> Params {
        Params::NONE
    }
    /// Whether [`autocast`](crate::autocast()) gives it its operands in f32.
    const FULL: bool = false;
    /// The gradients of both inputs, in the broadcast shape.
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp;
    /// What the numbers of the result mean, as [`Op::meaning`].
    fn meaning(self, _xs: &Meant<'_>) -> Option<Meaning> {
        None
    }
}

/// Runs a unary operation.
///
/// # Panics
/// When the elements are integers and the operation has no `int`.
#[track_caller]
pub fn map<U: Unary>(op: U, x: &Tensor) -> Tensor {
    apply(Mapped(op), &[x])
}

/// Runs a binary operation.
///
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or they are integers and the operation has no `int`.
#[track_caller]
pub fn zip<B: Binary>(op: B, a: &Tensor, b: &Tensor) -> Tensor {
    apply(Zipped(op), &[a, b])
}

/// Runs a binary operation over its first operand, where nobody else holds that and nothing is recorded: a third less
/// memory passes by (GELU's gradient in a GPT's training step: 7.8 ms rather than 9.3). Elsewhere it is [`zip`].
#[track_caller]
pub(crate) fn zip_onto<B: Binary>(op: B, a: Tensor, b: &Tensor) -> Tensor {
    apply_onto(Zipped(op), [a, b.clone()])
}

/// Runs a binary operation whose operands' dtypes have been checked.
#[track_caller]
#[inline]
fn run_zipped(op: &dyn MapOp, name: &str, xs: &[&Tensor]) -> Ran {
    let (a, b) = (xs[0], xs[1]);
    let backend = a.device().backend();
    if a.shape_of() == b.shape_of() {
        return backend.map(op, xs, a.shape_of(), a.dtype()).into();
    }
    let shape = broadcast(name, a.shape_of(), b.shape_of());
    backend.map(op, xs, &shape, a.dtype()).into()
}

/// The same for operands of different floats, where `autocast` lets them meet; refused elsewhere.
#[track_caller]
#[cold]
fn mixed(op: &dyn MapOp, name: &str, a: &Tensor, b: &Tensor) -> Ran {
    let [a, b] = &widest(name, a, b);
    run_zipped(op, name, &[a, b])
}

/// The derivative of a binary operation along `dxs`, from its `part` for each input.
fn moved(part: &dyn Fn(usize, &Tensor) -> Option<Tensor>, dxs: &[Option<Tensor>]) -> Tensor {
    let moved = dxs.iter().enumerate().filter_map(|(i, dx)| part(i, dx.as_ref()?)).reduce(|a, b| a + b);
    moved.unwrap_or_else(|| Tensor::zeros_like(dxs.iter().flatten().next().expect("an input that moves")))
}

struct Mapped<U>(U);
struct Zipped<B>(B);

/// A unary operation as a value.
pub(crate) fn unary<U: Unary>(op: U) -> Box<dyn Op> {
    Box::new(Mapped(op))
}

/// A binary operation as a value.
pub(crate) fn binary<B: Binary>(op: B) -> Box<dyn Op> {
    Box::new(Zipped(op))
}

impl<U: Unary> Op for Mapped<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn attrs(&self, say: Say<'_>) {
        self.0.attrs(say)
    }
    #[inline]
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        if !x.dtype().is_float() {
            let takes = self.0.int(0i64).is_some();
            check_integers(U::NAME, "this is", x.dtype(), takes, U::BOOL);
        }
        x.device().backend().map(self, xs, x.shape_of(), x.dtype()).into()
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
    /// Each element depends on one: the Jacobian is diagonal, and its transpose the same.
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        self.0.vjp(at, dxs[0].as_ref().expect("the only input moves"))
    }
    #[inline]
    fn is_flat(&self) -> bool {
        U::FLAT
    }
    #[inline]
    fn is_full(&self) -> bool {
        U::FULL
    }
    fn sums_along(&self, xs: &Meant<'_>) -> Option<usize> {
        xs.sums_along(0)
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        self.0.meaning(xs)
    }
}

impl<U: Unary> MapOp for Mapped<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }
    fn program(&self) -> Written {
        let (op, params) = (self.0, self.0.params());
        written::<Mapped<U>>(&params, move || Program::with(params, 1, |x| op.f(x[0])))
    }
    fn single_program(&self) -> Option<Written> {
        if !U::SINGLE {
            return None;
        }
        let (op, params) = (self.0, self.0.params());
        Some(written::<Single<U>>(&params, move || Program::with(params, 1, |x| op.single(x[0]))))
    }
    fn int_program(&self) -> Option<Written> {
        let (op, params) = (self.0, self.0.params());
        op.int(0i64)?;
        let int = move || Program::with(params, 1, |x| op.int(x[0]).expect("it has one for i64"));
        Some(written::<Int<U>>(&params, int))
    }
    fn params(&self) -> Params {
        self.0.params()
    }
    fn in_double(&self) -> bool {
        U::DOUBLE
    }
    fn own(&self, xs: &[&[f32]], y: &mut [f32]) -> bool {
        // Known while compiling, so that loops that never run are not compiled: a twelfth of this crate's code.
        if const { U::OWN.is_never() } {
            return false;
        }
        // A copy that moves: what is read through `self` is read again for each element, as `y` might overlap it,
        // and then nothing vectorises (elu: 8.2 ms against 0.37 ms for a million).
        let op = self.0;
        let runs = U::OWN.runs(y.len());
        if const { U::OWN.is_wide() } {
            map1_wide(
                xs[0],
                y,
                #[inline(always)]
                move |x| op.single(x),
            );
        } else if runs {
            map1(
                xs[0],
                y,
                #[inline(always)]
                move |x| op.single(x),
            );
        }
        runs
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        self.0.single(xs[0])
    }
    #[cfg(test)]
    fn single_in_double(&self, xs: &[f64]) -> f64 {
        self.0.single(xs[0])
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        self.0.f(xs[0])
    }
    #[cfg(test)]
    fn i64(&self, xs: &[i64]) -> i64 {
        self.0.int(xs[0]).expect("it has one")
    }
}

/// Stands for the program of an operation on integers, which is kept beside that on reals.
type Int<Op> = (Op, std::marker::PhantomData<i64>);

/// Stands for the program of an operation in single precision, likewise.
type Single<Op> = (Op, std::marker::PhantomData<f32>);

impl<B: Binary> Op for Zipped<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn attrs(&self, say: Say<'_>) {
        self.0.attrs(say)
    }
    #[inline]
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (a, b) = (xs[0], xs[1]);
        if a.dtype() != b.dtype() || a.device() != b.device() {
            return mixed(self, B::NAME, a, b);
        }
        if !a.dtype().is_float() {
            let takes = self.0.int(0i64, 0).is_some();
            check_integers(B::NAME, "these are", a.dtype(), takes, B::BOOL);
        }
        run_zipped(self, B::NAME, xs)
    }
    fn run_onto(&self, mut xs: Owned) -> Ran {
        let [a, b] = &mut xs.0[..] else { unreachable!("two inputs") };
        if const { B::OWN.is_never() } {
            return self.run(&[a, b]); // as in `own`
        }
        let op = self.0;
        let written = B::OWN.runs(a.len())
            && tiles::onto(
                a,
                b,
                #[inline(always)]
                move |a, b| {
                    if const { B::OWN.is_wide() } {
                        update_wide(
                            a,
                            b,
                            #[inline(always)]
                            move |a, b| op.single(a, b),
                        )
                    } else {
                        update(
                            a,
                            b,
                            #[inline(always)]
                            move |a, b| op.single(a, b),
                        )
                    }
                },
            );
        if !written {
            return self.run(&[a, b]);
        }
        xs.0.swap_remove(0).into()
    }
    fn keep(&self) -> Keep {
        B::KEEP
    }
    #[inline]
    fn is_full(&self) -> bool {
        B::FULL
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        self.0.vjp(at, g)
    }
    /// Beside a number, what the other operand does.
    fn sums_along(&self, xs: &Meant<'_>) -> Option<usize> {
        xs.sums_along(if xs.is_number(0) { 1 } else { 0 })
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        self.0.meaning(xs)
    }
    /// Each element depends on one pair, so both Jacobians are diagonal in the broadcast shape.
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        moved(&|i, dx| self.0.vjp(at, &dx.expand(Shape::new(at.y_shape()))).take(i), dxs)
    }
}

impl<B: Binary> MapOp for Zipped<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }
    fn program(&self) -> Written {
        let (op, params) = (self.0, self.0.params());
        written::<Zipped<B>>(&params, move || Program::with(params, 2, |x| op.f(x[0], x[1])))
    }
    fn single_program(&self) -> Option<Written> {
        if !B::SINGLE {
            return None;
        }
        let (op, params) = (self.0, self.0.params());
        Some(written::<Single<B>>(&params, move || Program::with(params, 2, |x| op.single(x[0], x[1]))))
    }
    fn int_program(&self) -> Option<Written> {
        let (op, params) = (self.0, self.0.params());
        op.int(0i64, 0)?;
        let int = move || Program::with(params, 2, |x| op.int(x[0], x[1]).expect("it has one for i64"));
        Some(written::<Int<B>>(&params, int))
    }
    fn params(&self) -> Params {
        self.0.params()
    }
    fn in_double(&self) -> bool {
        B::DOUBLE
    }
    fn own(&self, xs: &[&[f32]], y: &mut [f32]) -> bool {
        if const { B::OWN.is_never() } {
            return false; // as in `Mapped`
        }
        let op = self.0;
        let runs = B::OWN.runs(y.len());
        if const { B::OWN.is_wide() } {
            map2_wide(
                xs[0],
                xs[1],
                y,
                #[inline(always)]
                move |a, b| op.single(a, b),
            );
        } else if runs {
            map2(
                xs[0],
                xs[1],
                y,
                #[inline(always)]
                move |a, b| op.single(a, b),
            );
        }
        runs
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        self.0.single(xs[0], xs[1])
    }
    #[cfg(test)]
    fn single_in_double(&self, xs: &[f64]) -> f64 {
        self.0.single(xs[0], xs[1])
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        self.0.f(xs[0], xs[1])
    }
    #[cfg(test)]
    fn i64(&self, xs: &[i64]) -> i64 {
        self.0.int(xs[0], xs[1]).expect("it has one")
    }
}
