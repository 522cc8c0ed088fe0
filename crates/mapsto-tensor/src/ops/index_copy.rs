//! Slices replaced at the positions of a list, or joined with what is there.

use super::scatter_reduce::{Base, Join};
use crate::check::{floats, ints};
use crate::elementwise::same_dtype;
use crate::error::named;
use crate::indices::positions;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, Shape};
use crate::{Tensor, fail};

impl Tensor {
    /// With the slices of `src` at the positions of a list; of several for one position the last counts.
    ///
    /// * Shape: `[n, a], [m], [m, a] → [n, a]` along axis 0, any number.   * Gradient: each slice of `dy` to where it came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([3, 2]).index_copy(0, &tensor![2, 0], &tensor![[1.0, 2.0], [3.0, 4.0]]);
    /// assert_close!(y, [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within the axis.
    #[track_caller]
    pub fn index_copy(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor) -> Tensor {
        let (axis, index) = checked("index_copy", self, axis.into(), index, src);
        if !self.device().backend().has_numbers() {
            return self.clone();
        }
        named("index_copy", || {
            let n = self.shape()[axis];
            let mut from = crate::memory::room_for(n);
            from.extend(0..n as i64);
            index.to_vec::<i64>().iter().enumerate().for_each(|(k, place)| from[*place as usize] = (n + k) as i64);
            let from = self.device().scope(|| Tensor::from_vec(from, [n]));
            Tensor::cat(&[self, src], axis).index_select(axis, &from)
        })
    }

    /// With the slices of `src` joined to what is at the positions of a list, which counts as one of them or is left out.
    ///
    /// * Shape: `[n, a], [m], [m, a] → [n, a]` along axis 0; sums and means of floats.   * Gradient: as that of [`scatter_reduce`](Tensor::scatter_reduce).
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, index, src) = (tensor![1.0, 2.0, 3.0], tensor![0, 0, 2], tensor![5.0, 3.0, 1.0]);
    /// assert_close!(x.index_reduce(0, &index, &src, Join::Mean, Base::Included), [3.0, 2.0, 2.0]);
    /// assert_close!(x.index_reduce(0, &index, &src, Join::Mean, Base::Excluded), [4.0, 2.0, 1.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within the axis.
    #[track_caller]
    pub fn index_reduce(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor, join: Join, base: Base) -> Tensor {
        let (axis, index) = checked("index_reduce", self, axis.into(), index, src);
        named("index_reduce", || {
            let row: Shape = (0..self.rank()).map(|i| if i == axis { index.len() } else { 1 }).collect();
            let places = index.reshape(row).expand(*src.shape_of());
            if (join, base) != (Join::Mean, Base::Included) || self.dtype().size() < 4 || !self.device().backend().has_numbers() {
                return self.scatter_reduce_with(axis, &places, src, join, base);
            }
            // As many meet at each element of a slice: they are counted once.
            let ones = |count: usize| self.device().scope(|| Tensor::full_of([count], 1.0, self.dtype()));
            let n = self.shape()[axis];
            let line: Shape = (0..self.rank()).map(|i| if i == axis { n } else { 1 }).collect();
            let counts = ones(n).scatter_add(0, &index, &ones(index.len())).reshape(line);
            self.scatter_add(axis, &places, src) / counts
        })
    }
}

/// The axis and the positions, checked.
#[track_caller]
fn checked(op: &str, x: &Tensor, axis: Axis, index: &Tensor, src: &Tensor) -> (usize, Tensor) {
    let axis = axis.of(op, x.shape());
    if index.rank() != 1 || src.rank() != x.rank() || *src.shape_of() != x.shape_of().with(axis, index.len()) {
        fail!(op, "{:?} indices for slices of {:?} into {:?}, along axis {axis}", index.shape(), src.shape(), x.shape();
              help = "a list of as many indices as there are slices");
    }
    same_dtype(op, x, src);
    (axis, positions(op, index, x.shape()[axis]))
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("index_copy", "Slices at the positions of a list.", Takes::Numbers, of_index_copy).made_of("cat and index_select"),
    OpKind::new("index_reduce", "Slices joined with those at the positions of a list.", Takes::Floats, of_index_reduce).made_of("scatter_reduce"),
];

fn of_index_copy(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[4, 3], &d), (&[2], &ints(0..4)), (&[2, 3], &d)], |x| x[0].index_copy(0, &x[1], &x[2]));
    s.of(&[(&[2, 4], &d), (&[3], &ints(0..4)), (&[2, 3], &d)], |x| x[0].index_copy(-1, &x[1], &x[2]));
}

fn of_index_reduce(s: &mut Samples) {
    let d = floats(0.5..2.0);
    s.of(&[(&[4, 3], &d), (&[5], &ints(0..4)), (&[5, 3], &d)], |x| x[0].index_reduce(0, &x[1], &x[2], Join::Prod, Base::Included));
    s.of(&[(&[2, 4], &d), (&[3], &ints(0..4)), (&[2, 3], &d)], |x| x[0].index_reduce(-1, &x[1], &x[2], Join::Mean, Base::Excluded));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn slices_at_the_positions_of_a_list() {
        let d = || floats(0.5..2.0);
        check3(|x, i, s| x.index_copy(1, i, s)).shapes([&[2, 4], &[3], &[2, 3]])
            .formula(|[x, i, s]| Numbers::from_fn(&[2, 4], |at| {
                (0..3).rev().find(|&k| i.at(&[k]) == at[1] as f64).map_or(x.at(at), |k| s.at(&[at[0], k]))
            }))
            .on(d(), ints(0..4), d());
        for base in [Base::Included, Base::Excluded] {
            check3(move |x, i, s| x.index_reduce(0, i, s, Join::Prod, base)).shapes([&[4, 2], &[5], &[5, 2]])
                .formula(move |[x, i, s]| Numbers::from_fn(&[4, 2], |at| {
                    let met: Vec<f64> = (0..5).filter(|&k| i.at(&[k]) == at[0] as f64).map(|k| s.at(&[k, at[1]])).collect();
                    let first = if base == Base::Included || met.is_empty() { x.at(at) } else { 1.0 };
                    met.into_iter().fold(first, |a, b| a * b)
                }))
                .on(d(), ints(0..4), d());
        }
        assert_eq!(tensor![1, 2].index_copy(0, &tensor![1], &tensor![9]).to_vec::<i64>(), [1, 9]);
        let e = catch(|| tensor![1.0].index_copy(0, &tensor![0, 0], &tensor![1.0])).unwrap_err();
        assert!(e.message().starts_with("index_copy: [2] indices for slices of [1]"), "{e}");
    }
}
