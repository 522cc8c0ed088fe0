//! The largest elements of an axis.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::Order;
use crate::shape::Axis;
use crate::{Tensor, fail};
use std::panic::Location;

impl Tensor {
    /// The `k` largest elements of an axis, largest first, and their positions (i64); the first of equal elements comes
    /// first, NaN counts as the largest.
    ///
    /// * Shape: `[a, n] → ([a, k], [a, k])` along the last axis.   * Gradient: each `dy` to where its element came from.
    /// * ONNX: `TopK`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, 1.0, 4.0, 2.0].topk(2, -1);
    /// assert_close!(y, [4.0, 3.0]);
    /// assert_eq!(at.to_vec::<i64>(), [2, 0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or it has less than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        let axis = axis.into().of("topk", self.shape());
        let n = self.shape()[axis];
        if k > n {
            fail!("topk", "the {k} largest of {n} elements, along axis {axis} of {:?}", self.shape());
        }
        let at = self.device().backend().topk(&self.detach(), axis, k, Order::Descending);
        crate::trace::emit("topk", &[self], &at, Location::caller());
        (self.gather(axis, &at), at)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("topk", "The `k` largest elements of an axis, largest first, and their positions (i64).", Takes::Numbers, samples),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].topk(2, -1).0);
    s.of(&[(&[3, 5], &d)], |x| x[0].topk(3, 0).1);
    s.of(&[(&[3, 0], &d)], |x| x[0].topk(0, 1).0);
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn topk() {
        check(|x| x.topk(2, -1).0).shapes([&[3, 5]]).on(floats(-2.0..2.0));
        check(|x| x.topk(3, 0).1).shapes([&[6, 2]]).on(floats(-2.0..2.0));
        check(|x| x.topk(0, 0).0).shapes([&[4]]).on(floats(-2.0..2.0));
        let e = crate::catch(|| crate::Tensor::zeros([2, 3]).topk(4, 1)).unwrap_err();
        assert_eq!(e.message(), "topk: the 4 largest of 3 elements, along axis 1 of [2, 3]");
    }
}
