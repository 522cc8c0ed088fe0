//! The order that sorts an axis.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
pub use crate::backend::Order;
use crate::shape::Axis;
use std::panic::Location;

impl Tensor {
    /// The positions (i64) that sort an axis from the smallest element to the largest; equal elements keep their
    /// order, NaN counts as the largest.
    ///
    /// * Shape: `[..] → [..]`.   * Gradient: none.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![3.0, 1.0, 2.0].argsort(0).to_vec::<i64>(), [1, 2, 0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn argsort(&self, axis: impl Into<Axis>) -> Tensor {
        self.argsort_with(axis, Order::Ascending)
    }

    /// [`argsort`](Tensor::argsort) in either order.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![3.0, 1.0, 2.0].argsort_with(0, Order::Descending).to_vec::<i64>(), [0, 2, 1]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn argsort_with(&self, axis: impl Into<Axis>, order: Order) -> Tensor {
        let axis = axis.into().of("argsort", self.shape());
        let y = self.device().backend().argsort(&self.detach(), axis, order);
        crate::trace::emit("argsort", &[self], &y, Location::caller());
        y
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("argsort", "The positions (i64) that sort an axis from the smallest element to the largest.", Takes::Numbers, samples),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].argsort(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].argsort(1));
    s.of(&[(&[1, 7], &d)], |x| x[0].argsort(0));
    s.of(&[(&[0, 3], &d)], |x| x[0].argsort_with(0, Order::Descending));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn argsort() {
        check(|x| x.unsqueeze(0).argsort(-1)).on(floats(-2.0..2.0));
        check(|x| x.argsort_with(0, Order::Descending)).shapes([&[6, 3]]).on(ints(0..3));
        let x = crate::tensor![1.0, f64::NAN, 0.0];
        assert_eq!(x.argsort(0).to_vec::<i64>(), [2, 0, 1]);
        assert_eq!(x.argsort_with(0, Order::Descending).to_vec::<i64>(), [1, 0, 2]);
    }
}
