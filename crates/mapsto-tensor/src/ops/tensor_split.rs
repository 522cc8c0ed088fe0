//! A tensor cut into nearly equal parts, or at places of an axis.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::{Tensor, fail};

impl Tensor {
    /// Views of `parts` consecutive parts of an axis, of which the first are longer by one where it cannot be divided: NumPy's
    /// `array_split`. [`split`](Tensor::split) takes sizes, [`chunk`](Tensor::chunk) equal parts.
    ///
    /// * Shape: `[7] → [3], [2], [2]` for 3 parts, every dtype; views.   * Gradient: zeros around each part's.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let parts = Tensor::arange(0..7).tensor_split(3, 0);
    /// assert_eq!(parts[1].to_vec::<i64>(), [3, 4]);
    /// ```
    /// # Panics
    /// When there is no such axis, or `parts` is 0.
    #[track_caller]
    pub fn tensor_split(&self, parts: usize, axis: impl Into<Axis>) -> Vec<Tensor> {
        let axis = axis.into().of("tensor_split", self.shape());
        let n = self.shape()[axis];
        if parts == 0 || parts > n.saturating_add(65_536) {
            fail!("tensor_split", "{parts} parts of axis {axis} of {:?}", self.shape(); help = "at least one part, and not many more than elements");
        }
        named("tensor_split", || {
            let sizes: Vec<usize> = (0..parts).map(|i| n / parts + usize::from(i < n % parts)).collect();
            self.split(&sizes, axis)
        })
    }

    /// Views of the positions of an axis, which vanishes.
    ///
    /// * Shape: `[2, 3] → [3], [3]` for axis 0, every dtype; views.   * Gradient: zeros around each part's.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let rows = tensor![[1.0, 2.0], [3.0, 4.0]].unbind(0);
    /// assert_close!(rows[1], [3.0, 4.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn unbind(&self, axis: impl Into<Axis>) -> Vec<Tensor> {
        let axis = axis.into().of("unbind", self.shape());
        named("unbind", || (0..self.shape()[axis]).map(|i| self.select(axis, i)).collect())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("tensor_split", "Views of nearly equal parts of an axis.", Takes::All, of_tensor_split).made_of("slice"),
    OpKind::new("unbind", "Views of the positions of an axis.", Takes::All, of_unbind).made_of("slice"),
];

fn of_tensor_split(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 7], &d)], |x| x[0].tensor_split(3, 1).remove(1));
    s.of(&[(&[2, 3], &d)], |x| x[0].tensor_split(4, 0).remove(0));
}

fn of_unbind(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].unbind(1).remove(2));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn parts() {
        check(|x| x.tensor_split(3, 1).remove(2)).shapes([&[2, 7]])
            .formula(|[x]| Numbers::from_fn(&[2, 2], |at| x.at(&[at[0], at[1] + 5])))
            .on(floats(-2.0..2.0));
        check(|x| x.unbind(-1).remove(1)).shapes([&[2, 3]]).formula(|[x]| Numbers::from_fn(&[2], |at| x.at(&[at[0], 1]))).on(floats(-2.0..2.0));
        let sizes = |n: usize, k: usize| Tensor::zeros([n]).tensor_split(k, 0).iter().map(|x| x.len()).collect::<Vec<_>>();
        assert_eq!((sizes(7, 3), sizes(2, 4), sizes(0, 1)), (vec![3, 2, 2], vec![1, 1, 0, 0], vec![0]));
        let e = catch(|| tensor![1.0].tensor_split(0, 0)).unwrap_err();
        assert_eq!(e.message(), "tensor_split: 0 parts of axis 0 of [1]");
    }
}
