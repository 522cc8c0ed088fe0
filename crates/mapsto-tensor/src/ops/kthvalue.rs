//! The element at a place of the order.

use super::quantile::filled_axis;
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::{Tensor, fail};

impl Tensor {
    /// The `k`-th smallest element of an axis and its position (i64), `k` counted from 1 as in PyTorch; NaN counts as the largest.
    ///
    /// * Shape: `[a, n] → ([a], [a])` along the last axis, any number.   * Gradient: `dy` to where the element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, 1.0, 4.0, 2.0].kthvalue(3, 0);
    /// assert_eq!((y.item(), at.item_i64()), (3.0, 0));
    /// ```
    /// # Panics
    /// When there is no such axis, or `k` is not from 1 to its size.
    #[track_caller]
    pub fn kthvalue(&self, k: usize, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        let axis = axis.into();
        if axis.of_nothing("kthvalue", self.shape()) && k == 1 {
            return (self.clone(), named("kthvalue", || self.argsort(0)));
        }
        let axis = filled_axis("kthvalue", self, axis);
        let n = self.shape()[axis];
        if k == 0 || k > n {
            fail!("kthvalue", "element {k} of {n}, along axis {axis} of {:?}", self.shape(); help = "`k` is from 1, the smallest, to {n}, the largest");
        }
        named("kthvalue", || {
            let at = self.argsort(axis).slice(axis, k - 1..k);
            (self.gather(axis, &at).squeeze(axis), at.squeeze(axis))
        })
    }

    /// The elements of the first axis from the smallest to the largest: [`sort`](Tensor::sort) of axis 0 without the positions.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[3.0, 1.0], [2.0, 5.0]].msort(), [[2.0, 1.0], [3.0, 5.0]]);
    /// ```
    #[track_caller]
    pub fn msort(&self) -> Tensor {
        named("msort", || self.sort(0).0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("kthvalue", "The `k`-th smallest element of an axis and its position.", Takes::Numbers, of_kthvalue).made_of("argsort and gather"),
    OpKind::new("msort", "The elements of the first axis from the smallest to the largest.", Takes::Numbers, of_msort).made_of("sort"),
];

fn of_kthvalue(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].kthvalue(2, -1).0);
    s.of(&[(&[4, 3], &d)], |x| x[0].kthvalue(4, 0).1);
}

fn of_msort(s: &mut Samples) {
    s.of(&[(&[4, 3], &floats(-2.0..2.0))], |x| x[0].msort());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn places_in_the_order() {
        let third = |v: &[f64]| {
            let mut v = v.to_vec();
            v.sort_by(f64::total_cmp);
            v[2]
        };
        check(|x| x.kthvalue(3, 1).0).shapes([&[3, 6]]).formula(move |[x]| x.reduced(&[1], third)).on(floats(-2.0..2.0));
        check(|x| x.kthvalue(1, 0).0).shapes([&[4]]).on(floats(-2.0..2.0));
        check(|x| x.msort()).shapes([&[4, 3]]).on(floats(-2.0..2.0));
        let (y, at) = tensor![f64::NAN, 1.0].kthvalue(2, 0);
        assert!(y.item().is_nan() && at.item_i64() == 0);
        let e = catch(|| tensor![1.0, 2.0].kthvalue(3, 0)).unwrap_err();
        assert_eq!(e.message(), "kthvalue: element 3 of 2, along axis 0 of [2]");
        assert_eq!(Tensor::scalar(4.0).kthvalue(1, 0).0.item(), 4.0);
    }
}
