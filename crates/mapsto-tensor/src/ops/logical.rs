//! Logic on masks: and, or, exclusive or, not.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Value, Binary, Real, Unary, binary, map, unary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// Where both masks hold.
    ///
    /// * Shape: `[..], [..] → broadcast`, bool only.   * ONNX: `And`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![-1, 1, 3];
    /// assert_eq!(x.gt(0).and(&x.lt(3)).to_vec::<bool>(), [false, true, false]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or one is not bool.
    #[track_caller]
    pub fn and(&self, other: &Tensor) -> Tensor {
        masks("and", &[self, other]);
        zip(And, self, other)
    }

    /// Where at least one mask holds.
    ///
    /// * Shape: `[..], [..] → broadcast`, bool only.   * ONNX: `Or`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![-1, 1, 3];
    /// assert_eq!(x.lt(0).or(&x.ge(3)).to_vec::<bool>(), [true, false, true]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or one is not bool.
    #[track_caller]
    pub fn or(&self, other: &Tensor) -> Tensor {
        masks("or", &[self, other]);
        zip(Or, self, other)
    }

    /// Where exactly one mask holds.
    ///
    /// * Shape: `[..], [..] → broadcast`, bool only.   * ONNX: `Xor`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![-1, 1, 3];
    /// assert_eq!(x.gt(0).xor(&x.gt(1)).to_vec::<bool>(), [false, true, false]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or one is not bool.
    #[track_caller]
    pub fn xor(&self, other: &Tensor) -> Tensor {
        masks("xor", &[self, other]);
        zip(Xor, self, other)
    }

    /// Where the mask does not hold.
    ///
    /// * Shape: `[..] → [..]`, bool only.   * ONNX: `Not`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![true, false].not().to_vec::<bool>(), [false, true]);
    /// ```
    /// # Panics
    /// When it is not bool.
    #[track_caller]
    pub fn not(&self) -> Tensor {
        masks("not", &[self]);
        map(Not, self)
    }
}

#[track_caller]
fn masks(op: &str, xs: &[&Tensor]) {
    if let Some(x) = xs.iter().find(|x| x.dtype() != DType::Bool) {
        fail!(op, "masks (bool) are needed, this is {}", x.dtype(); help = "compare it, e.g. `x.ne(0)`");
    }
}

/// On the numbers 0 and 1, logic is arithmetic: and is the smaller, or the larger, exclusive or the distance.
macro_rules! connectives {
    ($($connective:ident, $name:literal, $f:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $connective;
        impl Binary for $connective {
            const NAME: &'static str = $name;
            const KEEP: Keep = Keep::NONE;
            const BOOL: bool = true;
            #[inline(always)]
            fn f<R: Real>(self, a: R, b: R) -> R {
                let f: fn(R, R) -> R = $f;
                f(a, b)
            }
            #[inline(always)]
            fn int<V: Value>(self, a: V, b: V) -> Option<V> {
                let f: fn(V, V) -> V = $f;
                Some(f(a, b))
            }
            fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
                Vjp::from([None, None])
            }
        }
    )*};
}
connectives! {
    And, "and", |a, b| a.min(b);
    Or, "or", |a, b| a.max(b);
    Xor, "xor", |a, b| Value::select(a.eq(b), Value::ZERO, Value::ONE);
}

#[derive(Clone, Copy)]
struct Not;
impl Unary for Not {
    const NAME: &'static str = "not";
    const KEEP: Keep = Keep::NONE;
    const BOOL: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        R::ONE - x
    }
    fn int<V: Value>(self, x: V) -> Option<V> {
        Some(V::ONE.minus(x))
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        Tensor::zeros_like(g)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("and", "Where both masks hold.", Takes::Bools, of_and).built(|_| Ok(binary(And))),
    OpKind::new("or", "Where at least one mask holds.", Takes::Bools, of_or).built(|_| Ok(binary(Or))),
    OpKind::new("xor", "Where exactly one mask holds.", Takes::Bools, of_xor).built(|_| Ok(binary(Xor))),
    OpKind::new("not", "Where the mask does not hold.", Takes::Bools, of_not).built(|_| Ok(unary(Not))),
];

fn of_and(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].and(&x[1]));
}

fn of_or(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].or(&x[1]));
}

fn of_xor(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].xor(&x[1]));
}

fn of_not(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].not());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn logical() {
        type Connective = (fn(&Tensor, &Tensor) -> Tensor, fn(bool, bool) -> bool);
        let connectives: [Connective; 3] = [(Tensor::and, |a, b| a & b), (Tensor::or, |a, b| a | b), (Tensor::xor, |a, b| a ^ b)];
        for (f, reference) in connectives {
            check2(move |a, b| f(&a.gt(0), &b.gt(0)))
                .reference(move |a, b| reference(a > 0.0, b > 0.0) as u8 as f64)
                .without_derivative()
                .on(ints(0..2), ints(0..2));
        }
        check(|x| x.gt(0).not())
            .reference(|x| (x.is_nan() || x <= 0.0) as u8 as f64)
            .without_derivative()
            .on(floats(-1.0..1.0));
        let e = catch(|| tensor![1].and(&tensor![true])).unwrap_err();
        assert!(e.message().contains("masks (bool) are needed, this is i64"), "{e}");
    }
}
