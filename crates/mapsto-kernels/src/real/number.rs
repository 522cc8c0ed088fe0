//! The numbers that kernels run over, floats and integers alike.

use super::{Bits, Value};
use std::fmt::{Debug, Display};

/// A number that kernels add, multiply and compare: `f32`, `f64`, `i64`, `i32`, `u8`, `i8`.
///
/// Integers wrap around on overflow (as in NumPy and PyTorch), floats carry NaN through `max` and `min`.
/// ```
/// use mapsto_kernels::real::Value;
/// assert_eq!(Value::plus(i64::MAX, 1), i64::MIN);
/// assert!(Value::max(f32::NAN, 1.0).is_nan());
/// ```
pub trait Number: Value<Mask = bool> + PartialOrd + Send + Sync + Debug + Display + Default {
    /// The type in which long sums of this one are accumulated: `f64` for floats, `i64` for integers.
    type Wide: Number;
    /// The value that every other one exceeds or equals: `-inf` for floats.
    const LOWEST: Self;
    /// The value that exceeds or equals every other one: `+inf` for floats.
    const HIGHEST: Self;
    /// The same value in the accumulation type.
    fn widen(self) -> Self::Wide;
    /// The accumulated value rounded (integers: wrapped) to this type.
    fn narrow(wide: Self::Wide) -> Self;
}

/// The comparisons of [`Value`], which are the same for floats and integers: their masks are bools.
macro_rules! compared {
    () => {
        #[inline(always)]
        fn gt(self, b: Self) -> bool {
            self > b
        }
        #[inline(always)]
        fn ge(self, b: Self) -> bool {
            self >= b
        }
        #[inline(always)]
        fn eq(self, b: Self) -> bool {
            self == b
        }
        #[inline(always)]
        fn select(mask: bool, a: Self, b: Self) -> Self {
            if mask { a } else { b }
        }
    };
}

macro_rules! float {
    ($t:ident) => {
        impl Value for $t {
            type Mask = bool;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self - b
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self * b
            }
            #[inline(always)]
            fn negated(self) -> Self {
                -self
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn sign(self) -> Self {
                let negative = if self < 0.0 { -1.0 } else { self };
                if self > 0.0 { 1.0 } else { negative }
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                // `b` is also the answer when it is NaN: every comparison with it is false.
                if (self > b) | self.is_nan() { self } else { b }
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                if (self < b) | self.is_nan() { self } else { b }
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            compared!();
        }
        impl Number for $t {
            type Wide = f64;
            const LOWEST: Self = $t::NEG_INFINITY;
            const HIGHEST: Self = $t::INFINITY;
            #[inline(always)]
            fn widen(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn narrow(wide: f64) -> Self {
                wide as $t
            }
        }
    };
}
float!(f32);
float!(f64);

macro_rules! integer {
    ($($t:ident)*) => {$(
        impl Value for $t {
            type Mask = bool;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            #[inline(always)]
            fn negated(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            #[allow(unused_comparisons)] // the macro also serves u8
            fn abs(self) -> Self {
                if self < 0 { self.wrapping_neg() } else { self }
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn sign(self) -> Self {
                let up = (self > 0) as $t;
                if self < 0 { (0 as $t).wrapping_sub(1) } else { up }
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                if self > b { self } else { b }
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                if self < b { self } else { b }
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                false
            }
            compared!();
        }
        impl Bits for $t {
            #[inline(always)]
            fn quotient(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_div(b) }
            }
            #[inline(always)]
            fn bit_and(self, b: Self) -> Self {
                self & b
            }
            #[inline(always)]
            fn bit_or(self, b: Self) -> Self {
                self | b
            }
            #[inline(always)]
            fn bit_xor(self, b: Self) -> Self {
                self ^ b
            }
            #[inline(always)]
            fn shift_left(self, b: Self) -> Self {
                u32::try_from(b).ok().and_then(|b| self.checked_shl(b)).unwrap_or(0)
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn shift_right(self, b: Self) -> Self {
                let sign = if self < 0 { (0 as $t).wrapping_sub(1) } else { 0 };
                u32::try_from(b).ok().and_then(|b| self.checked_shr(b)).unwrap_or(sign)
            }
        }
        impl Number for $t {
            type Wide = i64;
            const LOWEST: Self = $t::MIN;
            const HIGHEST: Self = $t::MAX;
            #[inline(always)]
            fn widen(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn narrow(wide: i64) -> Self {
                wide as $t
            }
        }
    )*};
}
integer!(i64 i32 u8 i8);

#[test]
fn integers_wrap() {
    assert_eq!([i64::MAX.plus(1), i64::MIN.minus(1), i64::MIN.negated()], [i64::MIN, i64::MAX, i64::MIN]);
    assert_eq!([Value::sign(-5i64), Value::sign(0), Value::sign(9)], [-1, 0, 1]);
    assert_eq!([(-7i64).quotient(2), 7i64.quotient(0), i64::MIN.quotient(-1)], [-3, 0, i64::MIN]);
    assert_eq!(
        [1i8.shift_left(9), (-1i8).shift_left(-1), (-8i8).shift_right(1), (-8i8).shift_right(99)],
        [0, 0, -4, -1]
    );
    assert_eq!([200u8.shift_right(1), 200u8.shift_right(8), 200u8.bit_xor(255)], [100, 0, 55]);
    assert_eq!([Value::sign(5u8), Value::max(3u8, 5), Value::min(3, 5)], [1, 5, 3]);
}
