//! What elementwise operations on any number are written in: arithmetic, comparison and choice.

use std::ops::{BitAnd, BitOr, BitXor, Not};

/// A value that elementwise code adds, compares and chooses: a number, or a [`Sym`](crate::program::Sym) that stands for one.
///
/// A comparison gives a [`Mask`](Value::Mask), which is `bool` for numbers, and [`select`](Value::select) takes one. Code
/// in this form has no branches, so it becomes vector instructions, and it can be written down as a program.
/// ```
/// use mapsto_kernels::real::Value;
/// fn relu<V: Value>(x: V) -> V {
///     V::select(x.gt(V::ZERO), x, V::ZERO)
/// }
/// assert_eq!([relu(-2.0f32), relu(3.0f32)], [0.0, 3.0]);
/// assert_eq!([relu(-2i64), relu(3i64)], [0, 3]);
/// ```
pub trait Value: Copy + 'static {
    /// The answer of a comparison.
    type Mask: Copy
        + BitAnd<Output = Self::Mask>
        + BitOr<Output = Self::Mask>
        + BitXor<Output = Self::Mask>
        + Not<Output = Self::Mask>;
    /// Nothing.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// `self + b`, wrapping for integers.
    fn plus(self, b: Self) -> Self;
    /// `self - b`, wrapping for integers.
    fn minus(self, b: Self) -> Self;
    /// `self · b`, wrapping for integers.
    fn times(self, b: Self) -> Self;
    /// `-self`, wrapping for integers.
    fn negated(self) -> Self;
    /// `|self|`, wrapping for integers.
    fn abs(self) -> Self;
    /// -1, 0 or 1 by sign; zero stays the zero it is (also -0) and NaN stays NaN.
    fn sign(self) -> Self;
    /// The larger one; NaN if either is NaN (unlike `f32::max`).
    fn max(self, b: Self) -> Self;
    /// The smaller one; NaN if either is NaN (unlike `f32::min`).
    fn min(self, b: Self) -> Self;
    /// Whether `self > b`; never for NaN.
    fn gt(self, b: Self) -> Self::Mask;
    /// Whether `self ≥ b`; never for NaN.
    fn ge(self, b: Self) -> Self::Mask;
    /// Whether `self < b`; never for NaN.
    #[inline(always)]
    fn lt(self, b: Self) -> Self::Mask {
        b.gt(self)
    }
    /// Whether `self ≤ b`; never for NaN.
    #[inline(always)]
    fn le(self, b: Self) -> Self::Mask {
        b.ge(self)
    }
    /// Whether `self = b`; never for NaN.
    fn eq(self, b: Self) -> Self::Mask;
    /// Whether `self ≠ b`; always for NaN.
    #[inline(always)]
    fn ne(self, b: Self) -> Self::Mask {
        !self.eq(b)
    }
    /// Whether it is no number; never for integers.
    fn is_nan(self) -> Self::Mask;
    /// `a` where the mask holds, else `b`; without a branch.
    fn select(mask: Self::Mask, a: Self, b: Self) -> Self;
}

/// An integer, or a [`Sym`](crate::program::Sym) that stands for one: what only integers have.
pub trait Bits: Value {
    /// The quotient rounded to 0, wrapping; 0 where `b` is 0.
    fn quotient(self, b: Self) -> Self;
    /// The bits that both have.
    fn bit_and(self, b: Self) -> Self;
    /// The bits that one or both have.
    fn bit_or(self, b: Self) -> Self;
    /// The bits that one alone has.
    fn bit_xor(self, b: Self) -> Self;
    /// The bits `b` places higher; 0 where `b` is not the number of a bit.
    fn shift_left(self, b: Self) -> Self;
    /// The bits `b` places lower, with copies of the sign above them; these alone where `b` is not the number of a bit.
    fn shift_right(self, b: Self) -> Self;
}
