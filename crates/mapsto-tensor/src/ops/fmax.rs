//! The larger and the smaller of two, of which one may be no number.

use crate::check::floats;
use crate::elementwise::Operand;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;

impl Tensor {
    /// The larger of each pair of elements; where one is NaN the other, unlike [`maximum`](Tensor::maximum).
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.   * Gradient: `dy` to the larger one, a half to each of two equal ones.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, f64::NAN].fmax(tensor![0.0, 2.0]), [1.0, 2.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn fmax(&self, other: impl Into<Operand>) -> Tensor {
        let other = other.into().like("fmax", self);
        named("fmax", || self.maximum(&other).unless_nan(self, &other))
    }

    /// The smaller of each pair of elements; where one is NaN the other, unlike [`minimum`](Tensor::minimum).
    ///
    /// * Shape: `[..], [..] → broadcast`, any number; or a tensor and a number.   * Gradient: `dy` to the smaller one, a half to each of two equal ones.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, f64::NAN].fmin(tensor![0.0, 2.0]), [0.0, 2.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn fmin(&self, other: impl Into<Operand>) -> Tensor {
        let other = other.into().like("fmin", self);
        named("fmin", || self.minimum(&other).unless_nan(self, &other))
    }

    /// This, but `b` where `a` is NaN and `a` where `b` is.
    #[track_caller]
    fn unless_nan(&self, a: &Tensor, b: &Tensor) -> Tensor {
        if !self.dtype().is_float() {
            return self.clone();
        }
        a.detach().is_nan().choose(b, b.detach().is_nan().choose(a, self))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("fmax", "The larger of each pair of elements that are numbers.", Takes::Numbers, of_fmax).made_of("maximum and choose"),
    OpKind::new("fmin", "The smaller of each pair of elements that are numbers.", Takes::Numbers, of_fmin).made_of("minimum and choose"),
];

fn of_fmax(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].fmax(&x[1]));
}

fn of_fmin(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| x[0].fmin(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn larger_and_smaller_numbers() {
        check2(|a, b| a.fmax(b)).reference(f64::max).on(floats(-2.0..2.0), floats(-2.0..2.0));
        check2(|a, b| a.fmin(b)).reference(f64::min).on(floats(-2.0..2.0), floats(-2.0..2.0));
        let (a, b) = (tensor![f64::NAN, 1.0, f64::NAN].leaf(), tensor![2.0, f64::NAN, f64::NAN].leaf());
        let y = a.fmax(&b);
        assert!(y.to_vec::<f32>()[..2] == [2.0, 1.0] && y.to_vec::<f32>()[2].is_nan());
        let grads = y.slice(0, ..2).sum(..).backward();
        assert_eq!((grads.of(&a).to_vec::<f32>(), grads.of(&b).to_vec::<f32>()), (vec![0.0, 1.0, 0.0], vec![1.0, 0.0, 0.0]));
        assert_eq!(tensor![1, 5].fmin(3).to_vec::<i64>(), [1, 3]);
    }
}
