//! The operators `+ − * /` for tensors and numbers, in every combination of values and references.
//!
//! Numbers are f64 or i64 only: with f32 as well, the compiler could not tell which one the literal in `x * 2.0` is.

use crate::Tensor;
use crate::elementwise::{scalar_like, zip};
use crate::ops::{Add as AddOp, Div as DivOp, Mul as MulOp, Sub as SubOp};
use std::ops::{Add, Div, Mul, Neg, Sub};

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

#[test]
fn numbers_stand_on_either_side() {
    use crate::prelude::*;
    let x = tensor![1.0, 2.0];
    assert_close!(2.0 * &x + 1, [3.0, 5.0]);
    assert_close!(1.0 / x - 0.5, [0.5, 0.0]);
    assert_eq!((tensor![5, 7] * 3).to_vec::<i64>(), [15, 21]);
    assert!(catch(|| tensor![1] * 0.5).unwrap_err().message().contains("0.5 is no i64"));
}
