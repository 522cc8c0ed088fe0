//! Sorting along an axis.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::Order;
use crate::shape::Axis;

impl Tensor {
    /// The elements of an axis from the smallest to the largest, and the positions (i64) they came from; equal elements
    /// keep their order, NaN counts as the largest.
    ///
    /// * Shape: `[..] → ([..], [..])`.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, 1.0, 2.0].sort(0);
    /// assert_close!(y, [1.0, 2.0, 3.0]);
    /// assert_eq!(at.to_vec::<i64>(), [1, 2, 0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn sort(&self, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        self.sort_with(axis, Order::Ascending)
    }

    /// [`sort`](Tensor::sort) in either order.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![3.0, 1.0, 2.0].sort_with(0, Order::Descending).0, [3.0, 2.0, 1.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn sort_with(&self, axis: impl Into<Axis>, order: Order) -> (Tensor, Tensor) {
        let axis = axis.into();
        if axis.of_nothing("sort", self.shape()) {
            return (self.clone(), self.argsort_with(0, order));
        }
        let axis = axis.of("sort", self.shape());
        let at = self.argsort_with(axis, order);
        (self.gather(axis, &at), at)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sort", "The elements of an axis from the smallest to the largest, and the positions (i64) they came from.", Takes::Numbers, samples).made_of("argsort and gather"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].sort(-1).0);
    s.of(&[(&[3, 5], &d)], |x| x[0].sort(0).1);
    s.of(&[(&[0, 3], &d)], |x| x[0].sort_with(0, Order::Descending).0);
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn sort() {
        check(|x| x.unsqueeze(0).sort(-1).0).on(floats(-2.0..2.0));
        check(|x| x.sort(0).0).shapes([&[5, 3]]).on(floats(-2.0..2.0));
    }
}
