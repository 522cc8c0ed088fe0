//! Comparisons: which elements are equal, smaller or greater; the answer is a tensor of bool.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Value, Compare, Operand, compare, relation};

impl Tensor {
    /// Where `a = b`. NaN equals nothing, not even itself.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), any number; or a tensor and a number.   * ONNX: `Equal`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2, 3].eq(2).to_vec::<bool>(), [false, true, false]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn eq(&self, other: impl Into<Operand>) -> Tensor {
        compare(Eq, self, other)
    }

    /// Where `a ≠ b`. NaN differs from everything, also from itself.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), any number; or a tensor and a number.   * ONNX: `Not(Equal)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2, 3].ne(2).to_vec::<bool>(), [true, false, true]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn ne(&self, other: impl Into<Operand>) -> Tensor {
        compare(Ne, self, other)
    }

    /// Where `a < b`.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), any number; or a tensor and a number.   * ONNX: `Less`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2, 3].lt(2).to_vec::<bool>(), [true, false, false]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn lt(&self, other: impl Into<Operand>) -> Tensor {
        compare(Lt, self, other)
    }

    /// Where `a ≤ b`.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), any number; or a tensor and a number.   * ONNX: `LessOrEqual`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2, 3].le(2).to_vec::<bool>(), [true, true, false]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn le(&self, other: impl Into<Operand>) -> Tensor {
        compare(Le, self, other)
    }

    /// Where `a > b`.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), any number; or a tensor and a number.   * ONNX: `Greater`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![0.5, 2.0].gt(tensor![1.0, 1.0]).to_vec::<bool>(), [false, true]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn gt(&self, other: impl Into<Operand>) -> Tensor {
        compare(Gt, self, other)
    }

    /// Where `a ≥ b`.
    ///
    /// * Shape: `[..], [..] → broadcast` (bool), any number; or a tensor and a number.   * ONNX: `GreaterOrEqual`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![0.5, 1.0].ge(1.0).to_vec::<bool>(), [false, true]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn ge(&self, other: impl Into<Operand>) -> Tensor {
        compare(Ge, self, other)
    }
}

macro_rules! relations {
    ($($relation:ident, $name:literal, $method:ident;)*) => {$(
        #[derive(Clone, Copy)]
        pub(crate) struct $relation;
        impl Compare for $relation {
            const NAME: &'static str = $name;
            #[inline(always)]
            fn f<V: Value>(self, a: V, b: V) -> V::Mask {
                a.$method(b)
            }
        }
    )*};
}
relations! {
    Eq, "eq", eq;
    Ne, "ne", ne;
    Lt, "lt", lt;
    Le, "le", le;
    Gt, "gt", gt;
    Ge, "ge", ge;
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("eq", "Where `a = b`.", Takes::Numbers, of_eq).built(|_| Ok(relation(Eq))),
    OpKind::new("ne", "Where `a ≠ b`.", Takes::Numbers, of_ne).built(|_| Ok(relation(Ne))),
    OpKind::new("lt", "Where `a < b`.", Takes::Numbers, of_lt).built(|_| Ok(relation(Lt))),
    OpKind::new("le", "Where `a ≤ b`.", Takes::Numbers, of_le).built(|_| Ok(relation(Le))),
    OpKind::new("gt", "Where `a > b`.", Takes::Numbers, of_gt).built(|_| Ok(relation(Gt))),
    OpKind::new("ge", "Where `a ≥ b`.", Takes::Numbers, of_ge).built(|_| Ok(relation(Ge))),
];

fn of_eq(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].eq(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].eq(1));
}

fn of_ne(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].ne(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].ne(1));
}

fn of_lt(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].lt(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].lt(1));
}

fn of_le(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].le(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].le(1));
}

fn of_gt(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].gt(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].gt(1));
}

fn of_ge(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].ge(&x[1]));
    s.each(floats(-2.0..2.0), |x| x[0].ge(1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn compare() {
        type Relation = (fn(&Tensor, &Tensor) -> Tensor, fn(f64, f64) -> bool);
        let relations: [Relation; 6] = [
            (|a, b| a.eq(b), |a, b| a == b),
            (|a, b| a.ne(b), |a, b| a != b),
            (|a, b| a.lt(b), |a, b| a < b),
            (|a, b| a.le(b), |a, b| a <= b),
            (|a, b| a.gt(b), |a, b| a > b),
            (|a, b| a.ge(b), |a, b| a >= b),
        ];
        for (f, reference) in relations {
            let want = move |a, b| reference(a, b) as u8 as f64;
            check2(f).reference(want).without_derivative().on(floats(-2.0..2.0), floats(-2.0..2.0));
            check2(f).reference(want).without_derivative().on(ints(0..3), ints(0..3));
        }
        assert!(tensor![1.0, 2.0].eq(tensor![1.0, 2.0]).all(..).to_vec::<bool>()[0]);
        let nan = tensor![f64::NAN, 1.0];
        assert_eq!(nan.eq(&nan).to_vec::<bool>(), [false, true]);
        assert_eq!(nan.ne(&nan).to_vec::<bool>(), [true, false]);
        assert_eq!(nan.le(1.0).to_vec::<bool>(), [false, true]);
    }
}
