//! Places in a sorted list.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::same_dtype;
use crate::error::named;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// Where each value would stand in this sorted list, so that it stays sorted: before its equals, or behind them.
    ///
    /// * Shape: `[n], [..] → [..]` (i64), any number; NaN stands behind all else. The list is not checked to be sorted.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let list = tensor![1.0, 3.0, 5.0];
    /// assert_eq!(list.searchsorted(&tensor![3.0, 4.0, 9.0], Side::Left).to_vec::<i64>(), [1, 2, 3]);
    /// assert_eq!(list.searchsorted(&tensor![3.0], Side::Right).to_vec::<i64>(), [2]);
    /// ```
    /// # Panics
    /// When this is no list, or the dtypes differ.
    #[track_caller]
    pub fn searchsorted(&self, values: &Tensor, side: Side) -> Tensor {
        search("searchsorted", self, values, side)
    }

    /// The bucket of each element between sorted boundaries: [`searchsorted`](Tensor::searchsorted) from the other side.
    ///
    /// * Shape: `[..], [n] → [..]` (i64), any number.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![0.5, 1.0, 7.0].bucketize(&tensor![1.0, 5.0], Side::Left);
    /// assert_eq!(y.to_vec::<i64>(), [0, 0, 2]);
    /// ```
    /// # Panics
    /// When the boundaries are no list, or the dtypes differ.
    #[track_caller]
    pub fn bucketize(&self, boundaries: &Tensor, side: Side) -> Tensor {
        search("bucketize", boundaries, self, side)
    }
}

/// Which side of its equals a value stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before them.
    Left,
    /// Behind them.
    Right,
}

/// By halving, for all values at once: as many rounds as bits in the length of the list.
#[track_caller]
fn search(op: &str, list: &Tensor, values: &Tensor, side: Side) -> Tensor {
    if list.rank() != 1 {
        fail!(op, "a sorted list is needed, the shape is {:?}", list.shape());
    }
    same_dtype(op, list, values);
    named(op, || {
        let shape = *values.shape_of();
        let (list, values, n) = (list.detach(), values.detach().reshape([-1]), list.len());
        let mut at = values.device().scope(|| Tensor::full_of([values.len()], 0, DType::I64));
        let mut step = if n == 0 { 0 } else { n.next_power_of_two() };
        while step > 0 {
            let next = &at + step as i64;
            let there = list.index_select(0, &next.minimum(n).sub(1));
            // Not "below": what is no number is below nothing.
            let above = if side == Side::Left { there.ge(&values) } else { there.gt(&values) };
            // And what is a number is below all that is none.
            let above = above.or(&there.ne(&there).and(&values.eq(&values)));
            at = next.le(n).and(&above.not()).choose(&next, &at);
            step /= 2;
        }
        at.reshape(&shape[..])
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("searchsorted", "Where values would stand in a sorted list.", Takes::Numbers, of_searchsorted).made_of("index_select, comparisons and choose"),
    OpKind::new("bucketize", "The buckets of elements between sorted boundaries.", Takes::Numbers, of_bucketize).made_of("searchsorted"),
];

fn of_searchsorted(s: &mut Samples) {
    let d = floats(0.0..9.0);
    s.of(&[(&[5], &d), (&[3, 2], &d)], |x| x[0].sort(0).0.searchsorted(&x[1], Side::Left));
    s.of(&[(&[4], &d), (&[7], &d)], |x| x[0].sort(0).0.searchsorted(&x[1], Side::Right));
}

fn of_bucketize(s: &mut Samples) {
    let d = floats(0.0..9.0);
    s.of(&[(&[3, 2], &d), (&[5], &d)], |x| x[0].bucketize(&x[1].sort(0).0, Side::Left));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn places() {
        for (side, n) in [(Side::Left, 0), (Side::Right, 1), (Side::Left, 8), (Side::Right, 13), (Side::Left, 31)] {
            let list = ints(0..9).draw(&[n], 1).sort(0).0;
            let values = ints(-1..11).draw(&[4, 9], 2);
            let sorted = list.to_vec::<i64>();
            let want: Vec<i64> = values.to_vec::<i64>().iter()
                .map(|v| sorted.iter().filter(|l| if side == Side::Left { *l < v } else { *l <= v }).count() as i64)
                .collect();
            assert_eq!(list.searchsorted(&values, side).to_vec::<i64>(), want);
            assert_eq!(values.bucketize(&list, side).to_vec::<i64>(), want);
        }
        let list = tensor![-1.0, 0.0, 1.0, f64::NAN, f64::NAN];
        assert_eq!(list.searchsorted(&tensor![-2.0, 0.0, 0.5], Side::Left).to_vec::<i64>(), [0, 1, 2]);
        assert_eq!(list.searchsorted(&tensor![0.0, 7.0], Side::Right).to_vec::<i64>(), [2, 3]);
        assert_eq!(tensor![1.0, 2.0].searchsorted(&tensor![f64::NAN, f64::INFINITY], Side::Left).to_vec::<i64>(), [2, 2]);
    }
}
