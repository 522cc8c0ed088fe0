//! The largest elements of an axis.

use crate::check::floats;
use crate::graph::{At, Keep, Op, Ran, Say, Vjp, apply};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::Order;
use crate::shape::Axis;
use crate::{Tensor, fail};

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
        self.topk_with(k, axis, Order::Descending)
    }

    /// [`topk`](Tensor::topk) from either end: the largest for a descending order, the smallest for an ascending one.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, 1.0, 4.0, 2.0].topk_with(2, -1, Order::Ascending);
    /// assert_close!(y, [1.0, 2.0]);
    /// assert_eq!(at.to_vec::<i64>(), [1, 3]);
    /// ```
    /// # Panics
    /// As [`topk`](Tensor::topk).
    #[track_caller]
    pub fn topk_with(&self, k: usize, axis: impl Into<Axis>, order: Order) -> (Tensor, Tensor) {
        let axis = axis.into();
        if axis.of_nothing("topk", self.shape()) && k == 1 {
            return (self.clone(), self.argsort(0));
        }
        let axis = axis.of("topk", self.shape());
        let n = self.shape()[axis];
        if k > n {
            let which = if order == Order::Descending { "largest" } else { "smallest" };
            fail!("topk", "the {k} {which} of {n} elements, along axis {axis} of {:?}", self.shape());
        }
        let at = apply(TopK { k, axis, order }, &[self]);
        (self.gather(axis, &at), at)
    }
}

/// The positions of the largest or the smallest elements.
struct TopK {
    k: usize,
    axis: usize,
    order: Order,
}
impl Op for TopK {
    fn name(&self) -> &'static str {
        "topk"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn attrs(&self, say: Say<'_>) {
        say("k", self.k.into());
        say("axis", self.axis.into());
        say("descending", (self.order == Order::Descending).into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().topk(&xs[0].detach(), self.axis, self.k, self.order).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("topk", "The `k` largest elements of an axis, largest first, and their positions (i64).", Takes::Numbers, samples).built(|a| Ok(Box::new(TopK { k: a.need("k")?, axis: a.need("axis")?, order: if a.need("descending")? { Order::Descending } else { Order::Ascending } }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].topk(2, -1).0);
    s.of(&[(&[3, 5], &d)], |x| x[0].topk(3, 0).1);
    s.of(&[(&[3, 5], &d)], |x| x[0].topk_with(3, 1, Order::Ascending).1);
    s.of(&[(&[3, 0], &d)], |x| x[0].topk(0, 1).0);
}

#[cfg(test)]
mod tests {
    use crate::backend::Order;
    use crate::check::*;

    #[test]
    fn topk() {
        check(|x| x.topk(2, -1).0).shapes([&[3, 5]]).on(floats(-2.0..2.0));
        check(|x| x.topk_with(2, 0, Order::Ascending).0).shapes([&[5, 3]]).on(floats(-2.0..2.0));
        assert_eq!(crate::tensor![3.0, f64::NAN, 5.0, 3.0].topk_with(3, 0, Order::Ascending).1.to_vec::<i64>(), [0, 3, 2]);
        check(|x| x.topk(3, 0).1).shapes([&[6, 2]]).on(floats(-2.0..2.0));
        assert_eq!(crate::tensor![3.0, 9.0, 5.0, 7.0].topk(3, 0).1.to_vec::<i64>(), [1, 3, 2]);
        check(|x| x.topk(0, 0).0).shapes([&[4]]).on(floats(-2.0..2.0));
        let e = crate::catch(|| crate::Tensor::zeros([2, 3]).topk(4, 1)).unwrap_err();
        assert_eq!(e.message(), "topk: the 4 largest of 3 elements, along axis 1 of [2, 3]");
    }
}
