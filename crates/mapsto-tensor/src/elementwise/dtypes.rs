//! What operations say of operands whose dtypes they do not take.

use crate::{DType, Tensor, fail};

/// What an operation that has a value at integers, or none, and one at bools, or none, says to this dtype of such.
#[track_caller]
pub(super) fn check_integers(op: &str, found: &str, dtype: DType, integers: bool, bools: bool) {
    if !integers {
        let what = if found == "this is" { "it" } else { "them" };
        fail!(op, "floats are needed, {found} {dtype}"; help = "convert {what} with `.to(DType::F32)`");
    }
    if dtype == DType::Bool && !bools {
        fail!(op, "there is no such arithmetic of bool"; help = "convert it with `.to(DType::I64)`; `not`, `and`, `or`, `xor` are for bool")
    }
}

/// Both operands must hold the same kind of number: mixing them silently is how precision gets lost.
#[track_caller]
#[inline]
pub(crate) fn same_dtype(op: &str, a: &Tensor, b: &Tensor) {
    if a.dtype() != b.dtype() || a.device() != b.device() {
        differ(op, a, b)
    }
}

#[track_caller]
#[cold]
pub(crate) fn differ(op: &str, a: &Tensor, b: &Tensor) -> ! {
    if a.dtype() != b.dtype() {
        fail!(op, "dtypes differ: {} and {}", a.dtype(), b.dtype(); help = "{}", conversion(a.dtype(), b.dtype()));
    }
    fail!(op, "devices differ: {:?} and {:?}", a.device(), b.device())
}

/// How operands of these dtypes get one: by a float rather than by an integer.
fn conversion(a: DType, b: DType) -> String {
    match (a.is_float(), b.is_float()) {
        (true, false) => format!("convert the second with `.to(DType::{a:?})`"),
        (false, true) => format!("convert the first with `.to(DType::{b:?})`"),
        _ => format!("convert the first with `.to(DType::{b:?})`, or the second with `.to(DType::{a:?})`"),
    }
}
