//! The operators `+ − * /` for tensors and numbers, in every combination of values and references.
//!
//! Numbers are f64 or i64 only: with f32 as well, the compiler could not tell which one the literal in `x * 2.0` is.

use crate::Tensor;
use crate::elementwise::{scalar_like, zip};
use crate::ops::{Add as AddOp, Div as DivOp, Mul as MulOp, Sub as SubOp};
use std::ops::{Add, AddAssign, Div, DivAssign, Index, Mul, MulAssign, Neg, Sub, SubAssign};

macro_rules! operator {
    ($trait:ident, $method:ident, $op:ident, $name:literal) => {
        operator!(@pair $trait, $method, $op, Tensor, Tensor);
        operator!(@pair $trait, $method, $op, Tensor, &Tensor);
        operator!(@pair $trait, $method, $op, &Tensor, Tensor);
        operator!(@pair $trait, $method, $op, &Tensor, &Tensor);
        operator!(@scalar $trait, $method, $op, $name, f64 i64);
    };
    (@pair $trait:ident, $method:ident, $op:ident, $a:ty, $b:ty) => {
        impl $trait<$b> for $a {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, b: $b) -> Tensor {
                #[allow(clippy::needless_borrow)] // half of the combinations are references already
                zip($op, &self, &b)
            }
        }
    };
    (@scalar $trait:ident, $method:ident, $op:ident, $name:literal, $($s:ty)*) => {$(
        operator!(@scalars $trait, $method, $op, $name, $s, Tensor);
        operator!(@scalars $trait, $method, $op, $name, $s, &Tensor);
    )*};
    (@scalars $trait:ident, $method:ident, $op:ident, $name:literal, $s:ty, $t:ty) => {
        impl $trait<$s> for $t {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, b: $s) -> Tensor {
                zip($op, &self, &scalar_like($name, b.into(), &self))
            }
        }
        impl $trait<$t> for $s {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, b: $t) -> Tensor {
                zip($op, &scalar_like($name, self.into(), &b), &b)
            }
        }
    };
}

operator!(Add, add, AddOp, "add");
operator!(Sub, sub, SubOp, "sub");
operator!(Mul, mul, MulOp, "mul");
operator!(Div, div, DivOp, "div");

macro_rules! assignment {
    ($($trait:ident $method:ident: $op:ident $plain:ident),*) => {$(
        assignment!(@each $trait $method $op $plain: Tensor, &Tensor, f64, i64);
    )*};
    (@each $trait:ident $method:ident $op:ident $plain:ident: $($b:ty),*) => {$(
        /// `x += y` is `x = &x + y`: the variable holds a new tensor, and nobody who holds the old one sees a change.
        impl $trait<$b> for Tensor {
            #[track_caller]
            fn $method(&mut self, b: $b) {
                *self = $op::$plain(&*self, b);
            }
        }
    )*};
}
assignment!(AddAssign add_assign: Add add, SubAssign sub_assign: Sub sub, MulAssign mul_assign: Mul mul, DivAssign div_assign: Div div);

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}
impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}

/// What may stand beside a tensor besides f64, i64 and tensors: nothing. The compiler says so by this trait's message.
///
/// ```compile_fail,E0277
/// use mapsto_tensor::prelude::*;
/// let factor: f32 = 0.5;
/// let y = Tensor::ones([2]) * factor;
/// ```
/// ```
/// use mapsto_tensor::prelude::*;
/// let factor: f32 = 0.5;
/// assert_close!(Tensor::ones([2]) * f64::from(factor), [0.5, 0.5]);
/// ```
#[diagnostic::on_unimplemented(
    message = "a tensor cannot be combined with `{Self}`",
    label = "this is neither a tensor nor an f64 or an i64",
    note = "numbers beside tensors are f64 or i64: write `x * f64::from(a)` for an f32 and `x * n as i64` for a usize"
)]
pub trait NumberBeside {}

macro_rules! refused {
    ($($trait:ident $method:ident),*) => {$(
        refused!(@each $trait $method: Tensor, &Tensor);
    )*};
    (@each $trait:ident $method:ident: $($a:ty),*) => {$(
        impl<S: NumberBeside> $trait<S> for $a {
            type Output = Tensor;
            fn $method(self, _: S) -> Tensor {
                unreachable!("no type is `NumberBeside`")
            }
        }
    )*};
}
refused!(Add add, Sub sub, Mul mul, Div div);

/// What may index a tensor by brackets: nothing, because an index gives a view, and brackets give a reference.
///
/// ```compile_fail,E0277
/// use mapsto_tensor::prelude::*;
/// let first = &tensor![1.0, 2.0][0];
/// ```
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!(tensor![1.0, 2.0].select(0, 0).item(), 1.0);
/// ```
#[diagnostic::on_unimplemented(
    message = "a tensor cannot be indexed by brackets",
    label = "brackets give a reference, and a part of a tensor is a tensor of its own",
    note = "write `x.select(0, i)` for one position, `x.slice(0, a..b)` for a range, `x.index((i, a..b))` for several axes"
)]
pub trait Bracket {}

impl<I: Bracket> Index<I> for Tensor {
    type Output = Tensor;
    fn index(&self, _: I) -> &Tensor {
        unreachable!("no type is a `Bracket`")
    }
}

/// What may be compared with a tensor by `==` and `<`: nothing, because such an operator gives one bool and not a
/// bool for each element.
///
/// ```compile_fail,E0277
/// use mapsto_tensor::prelude::*;
/// let above = &tensor![1.0, 2.0] > &tensor![0.0, 3.0];
/// ```
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!(tensor![1.0, 2.0].gt(tensor![0.0, 3.0]).to_vec::<bool>(), [true, false]);
/// ```
#[diagnostic::on_unimplemented(
    message = "a tensor is not compared by operators",
    label = "an operator gives one bool, and not one for each element",
    note = "write `x.gt(&y)`, `x.ge(&y)`, `x.lt(&y)`, `x.le(&y)`, `x.eq(&y)` or `x.ne(&y)`; `assert_close!(x, y)` in tests"
)]
pub trait ComparedByGtLtEqMethods {}

// The compiler shows the next lines where two tensors are compared, and not the message above.
#[rustfmt::skip]
impl<R: ComparedByGtLtEqMethods + ?Sized> PartialEq<R> for Tensor { // write x.eq(&y) for each element
    fn eq(&self, _: &R) -> bool {
        unreachable!("no type is compared by operators")
    }
}
#[rustfmt::skip]
impl<R: ComparedByGtLtEqMethods + ?Sized> PartialOrd<R> for Tensor { // write x.gt(&y) or x.lt(&y)
    fn partial_cmp(&self, _: &R) -> Option<std::cmp::Ordering> {
        unreachable!("no type is compared by operators")
    }
}

#[test]
fn an_assignment_binds_a_new_tensor() {
    use crate::prelude::*;
    let mut x = tensor![1.0, 2.0];
    let before = x.clone();
    x += 1.0;
    x *= &before;
    x -= tensor![1.0, 1.0];
    x /= 2;
    assert_close!(x, [0.5, 2.5]);
    assert_close!(before, [1.0, 2.0]);
    let w = tensor![3.0].leaf();
    let mut y = w.square();
    y += &w;
    assert_close!(y.sum(..).backward().of(&w), [7.0]);
}

#[test]
fn numbers_stand_on_either_side() {
    use crate::prelude::*;
    let x = tensor![1.0, 2.0];
    assert_close!(2.0 * &x + 1, [3.0, 5.0]);
    assert_close!(1.0 / x - 0.5, [0.5, 0.0]);
    assert_eq!((tensor![5, 7] * 3).to_vec::<i64>(), [15, 21]);
    assert!(catch(|| tensor![1] * 0.5).unwrap_err().message().contains("i64 cannot hold 0.5"));
}
