//! The most frequent element.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, Shape};
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The most frequent element of an axis, the smallest of several, and a position (i64) of it.
    ///
    /// * Shape: `[a, n] → ([a], [a])` along the last axis, any number.   * Gradient: `dy` to the element at that position.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3, 1, 2, 2, 3].mode(0);
    /// assert_eq!((y.item_i64(), at.item_i64()), (2, 3));
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn mode(&self, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        let axis = axis.into();
        if axis.of_nothing("mode", self.shape()) {
            return (self.clone(), self.argsort(0));
        }
        let axis = axis.of("mode", self.shape());
        let n = self.shape()[axis];
        if n == 0 {
            fail!("mode", "axis {axis} of {:?} has no elements", self.shape());
        }
        named("mode", || {
            let at = self.argsort(axis);
            let sorted = self.detach().gather(axis, &at);
            let row: Shape = (0..self.rank()).map(|i| if i == axis { n } else { 1 }).collect();
            let places = self.device().scope(|| Tensor::arange(0..n)).reshape(row).expand(self.shape()).contiguous();
            // How many equal elements have been seen: the place less the one at which the element was new.
            let new = sorted.slice(axis, 1..).ne(sorted.slice(axis, ..n - 1)).choose(places.slice(axis, 1..), 0);
            let begins = Tensor::cat(&[places.slice(axis, ..1), new], axis).cummax(axis).0;
            let most = (places - begins).argmax(axis).unsqueeze(axis);
            let at = at.gather(axis, &most);
            (self.gather(axis, &at).squeeze(axis), at.squeeze(axis))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("mode", "The most frequent element of an axis and a position of it.", Takes::Numbers, samples).made_of("argsort, cummax, argmax and gather"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].mode(-1).0);
    s.of(&[(&[4, 3], &d)], |x| x[0].mode(0).1);
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn mode() {
        check(|x| x.mode(1).0).shapes([&[5, 12]])
            .formula(|[x]| x.reduced(&[1], |v| {
                let count = |a: f64| v.iter().filter(|b| **b == a).count();
                v.iter().copied().reduce(|a, b| if count(b) > count(a) || (count(b) == count(a) && b < a) { b } else { a }).unwrap()
            }))
            .on(ints(0..5));
        check(|x| x.mode(0).0).shapes([&[5, 2]]).on(floats(-2.0..2.0));
    }
}
