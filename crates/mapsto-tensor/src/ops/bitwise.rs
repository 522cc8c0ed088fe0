//! Bits of integers: and, or, exclusive or, not, shifts.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Binary, Bits, Operand, Real, Unary, Value, binary, map, unary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The bits that both numbers have.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.   * ONNX: `BitwiseAnd`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![6, 3].bitwise_and(5).to_vec::<i64>(), [4, 1]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ or are not of integers.
    /// Masks (bool) have [`and`](Tensor::and), [`or`](Tensor::or) and [`xor`](Tensor::xor).
    #[track_caller]
    pub fn bitwise_and(&self, other: impl Into<Operand>) -> Tensor {
        integers("bitwise_and", self);
        zip(BitwiseAnd, self, &other.into().like("bitwise_and", self))
    }

    /// The bits that at least one of the numbers has.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.   * ONNX: `BitwiseOr`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![6, 3].bitwise_or(5).to_vec::<i64>(), [7, 7]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ or are not of integers.
    /// Masks (bool) have [`and`](Tensor::and), [`or`](Tensor::or) and [`xor`](Tensor::xor).
    #[track_caller]
    pub fn bitwise_or(&self, other: impl Into<Operand>) -> Tensor {
        integers("bitwise_or", self);
        zip(BitwiseOr, self, &other.into().like("bitwise_or", self))
    }

    /// The bits that exactly one of the numbers has.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.   * ONNX: `BitwiseXor`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![6, 3].bitwise_xor(5).to_vec::<i64>(), [3, 6]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ or are not of integers.
    /// Masks (bool) have [`and`](Tensor::and), [`or`](Tensor::or) and [`xor`](Tensor::xor).
    #[track_caller]
    pub fn bitwise_xor(&self, other: impl Into<Operand>) -> Tensor {
        integers("bitwise_xor", self);
        zip(BitwiseXor, self, &other.into().like("bitwise_xor", self))
    }

    /// The bits `other` places higher: `a · 2ᵇ`, wrapping; 0 where `b` is not the number of a bit.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.   * ONNX: `BitShift`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 3].bitwise_left_shift(2).to_vec::<i64>(), [4, 12]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ or are not of integers.
    /// Masks (bool) have [`and`](Tensor::and), [`or`](Tensor::or) and [`xor`](Tensor::xor).
    #[track_caller]
    pub fn bitwise_left_shift(&self, other: impl Into<Operand>) -> Tensor {
        integers("bitwise_left_shift", self);
        zip(LeftShift, self, &other.into().like("bitwise_left_shift", self))
    }

    /// The bits `other` places lower: `⌊a / 2ᵇ⌋`; 0 or −1 where `b` is not the number of a bit.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.   * ONNX: `BitShift`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![9, -9].bitwise_right_shift(2).to_vec::<i64>(), [2, -3]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ or are not of integers.
    /// Masks (bool) have [`and`](Tensor::and), [`or`](Tensor::or) and [`xor`](Tensor::xor).
    #[track_caller]
    pub fn bitwise_right_shift(&self, other: impl Into<Operand>) -> Tensor {
        integers("bitwise_right_shift", self);
        zip(RightShift, self, &other.into().like("bitwise_right_shift", self))
    }

    /// Every bit turned round: `−x − 1`, or `255 − x` of u8.
    ///
    /// * Shape: `[..] → [..]`, integers only.   * ONNX: `BitwiseNot`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![0, 5].bitwise_not().to_vec::<i64>(), [-1, -6]);
    /// ```
    /// # Panics
    /// When the elements are not integers.
    #[track_caller]
    pub fn bitwise_not(&self) -> Tensor {
        integers("bitwise_not", self);
        map(BitwiseNot, self)
    }
}

#[track_caller]
fn integers(op: &str, x: &Tensor) {
    if x.dtype().is_float() || x.dtype() == DType::Bool {
        fail!(op, "integers are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::I64)`");
    }
}

/// Floats have no bits to be worked on: no public method asks for them.
macro_rules! of_bits {
    ($($op:ident, $name:literal, $method:ident;)*) => {$(
        #[derive(Clone, Copy)]
        struct $op;
        impl Binary for $op {
            const NAME: &'static str = $name;
            const KEEP: Keep = Keep::NONE;
            #[inline(always)]
            fn f<R: Real>(self, a: R, b: R) -> R {
                (a + b) * R::NAN
            }
            fn int<V: Bits>(self, a: V, b: V) -> Option<V> {
                Some(a.$method(b))
            }
            fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
                Vjp::from([None, None])
            }
        }
    )*};
}
of_bits! {
    BitwiseAnd, "bitwise_and", bit_and;
    BitwiseOr, "bitwise_or", bit_or;
    BitwiseXor, "bitwise_xor", bit_xor;
    LeftShift, "bitwise_left_shift", shift_left;
    RightShift, "bitwise_right_shift", shift_right;
}

#[derive(Clone, Copy)]
struct BitwiseNot;
impl Unary for BitwiseNot {
    const NAME: &'static str = "bitwise_not";
    const KEEP: Keep = Keep::NONE;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * R::NAN
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(V::ZERO.minus(V::ONE).minus(x))
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("bitwise_and", "The bits that both integers have.", Takes::Ints, of_bitwise_and).built(|_| Ok(binary(BitwiseAnd))),
    OpKind::new("bitwise_or", "The bits that at least one of the integers has.", Takes::Ints, of_bitwise_or).built(|_| Ok(binary(BitwiseOr))),
    OpKind::new("bitwise_xor", "The bits that exactly one of the integers has.", Takes::Ints, of_bitwise_xor).built(|_| Ok(binary(BitwiseXor))),
    OpKind::new("bitwise_left_shift", "The bits some places higher.", Takes::Ints, of_bitwise_left_shift).built(|_| Ok(binary(LeftShift))),
    OpKind::new("bitwise_right_shift", "The bits some places lower.", Takes::Ints, of_bitwise_right_shift).built(|_| Ok(binary(RightShift))),
    OpKind::new("bitwise_not", "Every bit turned round.", Takes::Ints, of_bitwise_not).built(|_| Ok(unary(BitwiseNot))),
];

fn of_bitwise_and(s: &mut Samples) {
    s.pairs(floats(0.0..100.0), floats(0.0..100.0), |x| x[0].bitwise_and(&x[1]));
}

fn of_bitwise_or(s: &mut Samples) {
    s.pairs(floats(0.0..100.0), floats(0.0..100.0), |x| x[0].bitwise_or(&x[1]));
}

fn of_bitwise_xor(s: &mut Samples) {
    s.pairs(floats(0.0..100.0), floats(0.0..100.0), |x| x[0].bitwise_xor(&x[1]));
}

fn of_bitwise_left_shift(s: &mut Samples) {
    s.pairs(floats(0.0..100.0), floats(0.0..8.0), |x| x[0].bitwise_left_shift(&x[1]));
}

fn of_bitwise_right_shift(s: &mut Samples) {
    s.pairs(floats(0.0..100.0), floats(0.0..8.0), |x| x[0].bitwise_right_shift(&x[1]));
}

fn of_bitwise_not(s: &mut Samples) {
    s.each(floats(-100.0..100.0), |x| x[0].bitwise_not());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn bits() {
        type Call = (fn(&Tensor, &Tensor) -> Tensor, fn(i64, i64) -> i64);
        let calls: [Call; 5] = [
            (|a, b| a.bitwise_and(b), |a, b| a & b),
            (|a, b| a.bitwise_or(b), |a, b| a | b),
            (|a, b| a.bitwise_xor(b), |a, b| a ^ b),
            (|a, b| a.bitwise_left_shift(b.bitwise_and(7)), |a, b| a << (b & 7)),
            (|a, b| a.bitwise_right_shift(b.bitwise_and(7)), |a, b| a >> (b & 7)),
        ];
        for (f, want) in calls {
            check2(f).reference(move |a, b| want(a as i64, b as i64) as f64).without_derivative().on(ints(-999..999), ints(-999..999));
        }
        assert_eq!(tensor![-1, 8].bitwise_right_shift(64).to_vec::<i64>(), [-1, 0]);
        assert_eq!(tensor![255, 1].to(DType::U8).bitwise_not().to_vec::<u8>(), [0, 254]);
        let e = catch(|| tensor![1.0].bitwise_and(1)).unwrap_err();
        assert_eq!(e.message(), "bitwise_and: integers are needed, these are f32");
    }
}
