//! Numbers beside tensors: what a dtype can hold of them, and what is refused.
//!
//! A number adopts the dtype of the tensor that it stands beside. It never changes silently on the way: an integer dtype
//! takes whole numbers within its range, and a float dtype takes what does not become infinite in it. Comparisons need no
//! conversion and are exact for every number.

use crate::dtype::Element;
use crate::{DType, Device, Tensor, fail};

/// A number as it was written: integers stay exact.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::full_of([1], i64::MAX - 1, DType::I64);
/// assert_eq!((&x + 1).item_i64(), i64::MAX);
/// assert!(catch(|| tensor![1u8, 2] + 300).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
}

macro_rules! from {
    ($($t:ty => $kind:ident as $as:ty),*) => {$(
        impl From<$t> for Scalar {
            #[inline]
            fn from(v: $t) -> Scalar {
                Scalar::$kind(v as $as)
            }
        }
    )*};
}
from!(f64 => Float as f64, f32 => Float as f64, i64 => Int as i64, i32 => Int as i64, u8 => Int as i64, bool => Int as i64);

impl From<usize> for Scalar {
    #[inline]
    fn from(v: usize) -> Scalar {
        // Beyond i64 no integer dtype holds it anyway, and as a float it still compares as the greater one.
        i64::try_from(v).map_or(Scalar::Float(v as f64), Scalar::Int)
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Int(v) => v.fmt(f),
            Scalar::Float(v) if v.abs() >= 1e16 || (*v != 0.0 && v.abs() < 1e-5) => write!(f, "{v:e}"),
            Scalar::Float(v) => v.fmt(f),
        }
    }
}

impl Scalar {
    /// The number as a float, rounded if it must be.
    #[inline]
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Int(v) => v as f64,
            Scalar::Float(v) => v,
        }
    }

    /// The number as an element: rounded to a float, wrapped or saturated to an integer.
    pub(crate) fn of<T: Element>(self) -> T {
        match self {
            Scalar::Float(v) => T::from_f64(v),
            Scalar::Int(v) => T::from_i64(v),
        }
    }

    /// The number as an integer, if it is one that i64 holds.
    #[inline]
    fn to_i64(self) -> Option<i64> {
        match self {
            Scalar::Int(v) => Some(v),
            // 2⁶³ itself is not an i64; −2⁶³ is one.
            Scalar::Float(v) if v.fract() == 0.0 && (-TOP..TOP).contains(&v) => Some(v as i64),
            Scalar::Float(_) => None,
        }
    }

    /// The number itself, where a dtype can hold it: for floats, unless a finite number would become infinite; for
    /// integers, whole numbers within their range; for bool every number, of which only 0 is false.
    #[track_caller]
    #[inline]
    pub(crate) fn held_by(self, op: &str, dtype: DType) -> Scalar {
        if dtype.is_float() {
            let v = self.to_f64();
            if v.abs() >= infinite_from(dtype) && v.is_finite() {
                self.too_large(op, dtype);
            }
            return self;
        }
        if dtype == DType::Bool {
            return Scalar::Int((self.to_f64() != 0.0) as i64);
        }
        let (lo, hi) = range(dtype);
        match self.to_i64() {
            Some(v) if (lo..=hi).contains(&v) => Scalar::Int(v),
            found => self.not_held(op, dtype, found.is_some() || self.to_f64().abs() >= TOP),
        }
    }

    /// Whether a dtype holds the number: floats, unless it becomes infinite; integers and bool, if it is within their range.
    pub(crate) fn within(self, dtype: DType) -> bool {
        let v = self.to_f64();
        if !dtype.is_float() {
            let (lo, hi) = range(dtype);
            return self.to_i64().is_some_and(|v| (lo..=hi).contains(&v));
        }
        v.abs() < infinite_from(dtype) || !v.is_finite()
    }

    /// The number as a setting of an operation on `x`: finite, and held by the type that is computed in.
    #[track_caller]
    pub(crate) fn attribute(self, op: &str, name: &str, x: &Tensor) -> f64 {
        if !self.to_f64().is_finite() {
            fail!(op, "`{name}` must be finite, got {self}");
        }
        self.held_by(op, if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 }).to_f64()
    }

    #[track_caller]
    #[cold]
    fn too_large(self, op: &str, dtype: DType) -> ! {
        fail!(op, "{self} is infinite in {dtype}";
              help = "convert the tensor with `.to(DType::{:?})`, or write `f64::INFINITY` if that is meant", if self.to_f64().abs() > f32::MAX as f64 { DType::F64 } else { DType::F32 })
    }

    #[track_caller]
    #[cold]
    fn not_held(self, op: &str, dtype: DType, out_of_range: bool) -> ! {
        if !out_of_range {
            fail!(op, "{dtype} cannot hold {self}"; help = "convert the tensor with `.to(DType::F32)`");
        }
        let (lo, hi) = range(dtype);
        let wider = if dtype == DType::I64 || self.to_i64().is_none() { DType::F64 } else { DType::I64 };
        fail!(op, "{dtype} cannot hold {self}, it reaches from {lo} to {hi}"; help = "convert the tensor with `.to(DType::{wider:?})`")
    }
}

/// `2⁶³`.
const TOP: f64 = 9_223_372_036_854_775_808.0;

/// The smallest and the largest integer of an integer dtype.
fn range(dtype: DType) -> (i64, i64) {
    match dtype {
        DType::I32 => (i32::MIN as i64, i32::MAX as i64),
        DType::I8 => (i8::MIN as i64, i8::MAX as i64),
        DType::U8 => (0, u8::MAX as i64),
        DType::Bool => (0, 1),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The least number that rounds to infinity in a float dtype: half a step above the largest finite one.
fn infinite_from(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 65_520.0,
        DType::BF16 => 3.39617752923046e38,
        DType::F32 => 3.4028235677973366e38,
        _ => f64::INFINITY,
    }
}

/// A number as a tensor without axes, of the dtype and on the device of `x`: how a number enters arithmetic.
///
/// # Panics
/// When the dtype cannot hold the number, or `x` is bool, which has no arithmetic with numbers.
#[track_caller]
pub(crate) fn scalar_like(op: &str, v: Scalar, x: &Tensor) -> Tensor {
    if x.dtype() == DType::Bool {
        fail!(op, "{v} stands beside a tensor of bool"; help = "convert the tensor with `.to(DType::I64)`, or compare it");
    }
    filled_like(v.held_by(op, x.dtype()), x)
}

/// The same for a number that is put into a tensor: bool takes every number, and only 0 is false.
#[track_caller]
pub(crate) fn fill_like(op: &str, v: Scalar, x: &Tensor) -> Tensor {
    filled_like(v.held_by(op, x.dtype()), x)
}

fn filled_like(v: Scalar, x: &Tensor) -> Tensor {
    let dtype = x.dtype();
    if x.device() == Device::current() {
        Tensor::rounded((), v, dtype)
    } else {
        x.device().scope(|| Tensor::rounded((), v, dtype))
    }
}

/// How every element of an integer tensor compares with a number: by an integer, or in one way for all.
pub(crate) enum Beside {
    /// Exactly as with this integer.
    Integer(i64),
    /// Never equal: above where above this integer, else below.
    Above(i64),
    /// All elements are below, or all are above, or the number is NaN.
    All(f64),
}

impl Scalar {
    /// What a comparison of integers with this number gives.
    pub(crate) fn beside_integers(self) -> Beside {
        match (self, self.to_i64()) {
            (_, Some(v)) => Beside::Integer(v),
            (Scalar::Float(v), None) if (-TOP..TOP).contains(&v) => Beside::Above(v.floor() as i64),
            (v, None) => Beside::All(v.to_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_infinite_from_where_they_round_to_infinity() {
        for dtype in [DType::F16, DType::BF16, DType::F32] {
            let read = |v: f64| Tensor::rounded((), Scalar::Float(v), dtype).item();
            let end = infinite_from(dtype);
            assert!(read(end.next_down()).is_finite() && read(end).is_infinite(), "{dtype} {end}");
        }
    }

    #[test]
    fn whole_floats_are_integers() {
        assert_eq!(Scalar::from(3.0).held_by("add", DType::U8), Scalar::Int(3));
        assert_eq!(Scalar::from(-TOP).held_by("add", DType::I64), Scalar::Int(i64::MIN));
        assert!(crate::catch(|| Scalar::from(TOP).held_by("add", DType::I64)).is_err());
        assert_eq!(Scalar::from(u64::MAX as usize), Scalar::Float(2.0 * TOP));
    }
}
