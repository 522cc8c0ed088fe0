//! Differences of neighbours.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::error::named;
use crate::{DType, Tensor};

impl Tensor {
    /// The difference of each element and the one before along an axis, `n` times: `yᵢ = xᵢ₊₁ − xᵢ`.
    ///
    /// * Shape: `[a, k] → [a, k − n]` along the last axis, every dtype; of bool, where it changes.   * Gradient: the negative difference of `dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 4.0, 9.0, 16.0].diff(1, 0), [3.0, 5.0, 7.0]);
    /// assert_close!(tensor![1.0, 4.0, 9.0, 16.0].diff(2, 0), [2.0, 2.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn diff(&self, n: usize, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into().of("diff", self.shape());
        named("diff", || {
            let minus = |x: &Tensor| {
                let last = x.shape()[axis].max(1) - 1;
                let (old, new) = (x.slice(axis, ..last), x.slice(axis, x.shape()[axis].min(1)..));
                // Where a mask changes.
                if x.dtype() == DType::Bool { new.xor(&old) } else { new - old }
            };
            (0..n.min(self.shape()[axis])).fold(self.clone(), |x, _| minus(&x))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("diff", "The difference of each element and the one before along an axis.", Takes::Numbers, samples).made_of("slice and sub"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].diff(1, -1));
    s.of(&[(&[4, 3], &d)], |x| x[0].diff(2, 0));
    s.of(&[(&[0, 3], &d)], |x| x[0].diff(1, 0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn diff() {
        check(|x| x.diff(1, 1)).shapes([&[3, 9]]).formula(|[x]| Numbers::from_fn(&[3, 8], |at| x.at(&[at[0], at[1] + 1]) - x.at(at))).on(floats(-2.0..2.0));
        check(|x| x.diff(2, 0)).shapes([&[5, 2]]).on(floats(-2.0..2.0));
        assert_eq!(tensor![true, false, false].diff(1, 0).to_vec::<bool>(), [true, false]);
        assert_eq!((tensor![1, 2].diff(5, 0).len(), tensor![1, 4].diff(0, 0).to_vec::<i64>()), (0, vec![1, 4]));
    }
}
