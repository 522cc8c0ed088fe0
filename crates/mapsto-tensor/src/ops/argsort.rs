//! The order that sorts an axis.

use crate::check::floats;
use crate::graph::{At, Keep, Op, Ran, Say, Vjp, apply};
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
pub use crate::backend::Order;
use crate::shape::Axis;

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
        let axis = axis.into();
        if axis.of_nothing("argsort", self.shape()) {
            return self.reshape([1usize]).argsort_with(0, order).reshape(());
        }
        let axis = axis.of("argsort", self.shape());
        apply(ArgSort { axis, order }, &[self])
    }
}

struct ArgSort {
    axis: usize,
    order: Order,
}
impl Op for ArgSort {
    fn name(&self) -> &'static str {
        "argsort"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
        say("descending", (self.order == Order::Descending).into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().argsort(&xs[0].detach(), self.axis, self.order).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("argsort", "The positions (i64) that sort an axis from the smallest element to the largest.", Takes::Numbers, samples).built(|a| Ok(Box::new(ArgSort { axis: a.need("axis")?, order: if a.need("descending")? { Order::Descending } else { Order::Ascending } }))),
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
        let rising = |v: &[f64]| {
            let mut at: Vec<usize> = (0..v.len()).collect();
            at.sort_by(|&i, &j| v[i].total_cmp(&v[j]));
            at.into_iter().map(|i| i as f64).collect()
        };
        check(|x| x.argsort(-1)).shapes([&[7, 2003]]).formula(move |[x]| x.along(1, rising)).on(floats(-2.0..2.0));
        check(|x| x.argsort(0)).shapes([&[6, 3]]).formula(move |[x]| x.along(0, rising)).on(ints(0..3));
        check(|x| x.unsqueeze(0).argsort(-1)).on(floats(-2.0..2.0));
        check(|x| x.argsort_with(0, Order::Descending)).shapes([&[6, 3]]).on(ints(0..3));
        let x = crate::tensor![1.0, f64::NAN, 0.0];
        assert_eq!(x.argsort(0).to_vec::<i64>(), [2, 0, 1]);
        assert_eq!(x.argsort_with(0, Order::Descending).to_vec::<i64>(), [1, 0, 2]);
    }
}
