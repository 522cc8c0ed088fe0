//! Slices changed at the positions of lists.

use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::same_dtype;
use crate::shape::{Axis, Shape, broadcast};
use crate::error::named;
use crate::{Scalar, Tensor, fail};
use crate::indices::positions;

impl Tensor {
    /// With one value in the slices at the positions of a list.
    ///
    /// * Shape: `[..], [m] → [..]`, every dtype.   * Gradient: `dx = dy` in the other slices, else 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(x.index_fill(1, &tensor![0], -1.0), [[-1.0, 2.0], [-1.0, 4.0]]);
    /// ```
    /// # Panics
    /// When the indices are not a list, one is not within the axis, or the dtype cannot hold the value.
    #[track_caller]
    pub fn index_fill(&self, axis: impl Into<Axis>, index: &Tensor, value: impl Into<Scalar>) -> Tensor {
        let axis = axis.into().of("index_fill", self.shape());
        if index.rank() != 1 {
            fail!("index_fill", "a list of indices is needed, their shape is {:?}", index.shape());
        }
        let n = self.shape()[axis];
        let index = positions("index_fill", index, n);
        let value = value.into().held_by("index_fill", self.dtype());
        named("index_fill", || {
            let places = self.device().scope(|| Tensor::arange(0..n)).unsqueeze(1);
            let row: Shape = (0..self.rank()).map(|i| if i == axis { n } else { 1 }).collect();
            places.eq(&index).any(1).reshape(row).choose(value, self)
        })
    }

    /// With the slices of `src` added at the positions of a list, in their order.
    ///
    /// * Shape: `[n, a], [m], [m, a] → [n, a]` along axis 0, floats only.   * Gradient: `dx = dy`, `dsrc` the slices of `dy` at the positions.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([2, 2]).index_add(0, &tensor![1, 1], &tensor![[1.0, 2.0], [3.0, 4.0]]);
    /// assert_close!(y, [[0.0, 0.0], [4.0, 6.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within the axis.
    #[track_caller]
    pub fn index_add(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor) -> Tensor {
        let axis = axis.into().of("index_add", self.shape());
        if !self.dtype().is_float() {
            fail!("index_add", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if index.rank() != 1 || src.rank() != self.rank() || *src.shape_of() != self.shape_of().with(axis, index.len()) {
            fail!("index_add", "{:?} indices for slices of {:?} into {:?}, along axis {axis}", index.shape(), src.shape(), self.shape();
                  help = "a list of as many indices as there are slices");
        }
        same_dtype("index_add", self, src);
        let index = positions("index_add", index, self.shape()[axis]);
        named("index_add", || self + super::index_select::index_add(*self.shape_of(), axis, &index, src))
    }

    /// With the slices of `values` at places that the indices name together: `y[i[k], j[k], ..] = values[k, ..]`; of several for one place the last counts.
    ///
    /// * Shape: `[a, b, ..], [k], [k], [k, ..] → [a, b, ..]`; the indices broadcast, and the values to them; any number.   * Gradient: each `dy` to where its element came from.
    /// * ONNX: `ScatterND`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([2, 3]).index_put(&[&tensor![0, 1], &tensor![2, 0]], &tensor![5.0, 6.0]);
    /// assert_close!(y, [[0.0, 0.0, 5.0], [6.0, 0.0, 0.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within its axis.
    #[track_caller]
    pub fn index_put(&self, indices: &[&Tensor], values: &Tensor) -> Tensor {
        let Some((rows, width, places, values)) = places("index_put", self, indices, values) else { return self.clone() };
        named("index_put", || {
            let mut from = crate::memory::room_for(rows);
            from.extend(0..rows as i64);
            places.to_vec::<i64>().iter().enumerate().for_each(|(k, row)| from[*row as usize] = (rows + k) as i64);
            let all = Tensor::cat(&[self.reshape([rows, width]), values], 0);
            all.index_select(0, &self.device().scope(|| Tensor::from_vec(from, [rows]))).reshape(self.shape())
        })
    }

    /// With the slices of `values` added at places that the indices name together, all of several for one place: PyTorch's
    /// `index_put` with `accumulate`.
    ///
    /// * Shape: `[a, b, ..], [k], [k], [k, ..] → [a, b, ..]`; the indices broadcast, and the values to them; floats only.   * Gradient: `dx = dy`, `dvalues` the slices of `dy` at the places.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([3]).index_put_accumulate(&[&tensor![0, 2, 0]], &tensor![1.0, 2.0, 3.0]);
    /// assert_close!(y, [4.0, 0.0, 2.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within its axis.
    #[track_caller]
    pub fn index_put_accumulate(&self, indices: &[&Tensor], values: &Tensor) -> Tensor {
        if !self.dtype().is_float() {
            fail!("index_put_accumulate", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let Some((rows, width, places, values)) = places("index_put_accumulate", self, indices, values) else { return self.clone() };
        named("index_put_accumulate", || self.reshape([rows, width]).index_add(0, &places, &values).reshape(self.shape()))
    }
}

/// The tensor as rows of how many elements, the row of each place that the indices name together, and its values; none where a
/// device has no numbers.
#[track_caller]
fn places(op: &str, x: &Tensor, indices: &[&Tensor], values: &Tensor) -> Option<(usize, usize, Tensor, Tensor)> {
    if indices.is_empty() || indices.len() > x.rank() {
        fail!(op, "{} indices for the axes of {:?}", indices.len(), x.shape(); help = "an index for each axis from the first on");
    }
    same_dtype(op, x, values);
    let (lead, rest) = x.shape().split_at(indices.len());
    let mut many = Shape::new(&[]);
    for index in indices {
        many = broadcast(op, &many, index.shape_of());
    }
    let mut at = indices[0].detach();
    for (i, index) in indices.iter().enumerate() {
        let index = positions(op, index, lead[i]);
        at = named(op, || if i == 0 { index } else { at * lead[i] as i64 + index });
    }
    if !x.device().backend().has_numbers() {
        return None;
    }
    named(op, || {
        let (rows, width) = (lead.iter().product::<usize>(), rest.iter().product::<usize>());
        let whole: Shape = many.iter().chain(rest).copied().collect();
        let count = many.count();
        Some((rows, width, at.expand(many).reshape([count]), values.expand(whole).reshape([count, width])))
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("index_fill", "One value in the slices at the positions of a list.", Takes::All, of_index_fill).made_of("comparisons, any and choose"),
];

fn of_index_fill(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[2], &ints(0..5))], |x| x[0].index_fill(1, &x[1], 1));
    s.of(&[(&[4, 3], &d), (&[0], &ints(0..4))], |x| x[0].index_fill(0, &x[1], 1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn at_places_named_together() {
        check3(|x, i, v| x.index_put(&[i, &i.bitwise_xor(1)], v)).shapes([&[4, 4, 2], &[3], &[3, 2]])
            .formula(|[x, i, v]| Numbers::from_fn(&[4, 4, 2], |at| {
                let here = |k: &usize| i.at(&[*k]) as usize == at[0] && i.at(&[*k]) as usize ^ 1 == at[1];
                (0..3).rev().find(here).map_or(x.at(at), |k| v.at(&[k, at[2]]))
            }))
            .on(floats(-2.0..2.0), ints(0..4), floats(-2.0..2.0));
        let y = tensor![[1, 2], [3, 4]].index_put(&[&tensor![1]], &tensor![9]);
        assert_eq!(y.to_vec::<i64>(), [1, 2, 9, 9]);
        let e = catch(|| y.index_put(&[&tensor![0], &tensor![2]], &tensor![1])).unwrap_err();
        assert_eq!(e.message(), "index_put: the index 2 at position 0 is not within 0..2");
    }

    #[test]
    fn added_at_places_named_together() {
        check3(|x, i, v| x.index_put_accumulate(&[i, &i.bitwise_xor(1)], v)).shapes([&[4, 4, 2], &[5], &[5, 2]])
            .formula(|[x, i, v]| Numbers::from_fn(&[4, 4, 2], |at| {
                let here = |k: &usize| i.at(&[*k]) as usize == at[0] && i.at(&[*k]) as usize ^ 1 == at[1];
                (0..5).filter(here).fold(x.at(at), |y, k| y + v.at(&[k, at[2]]))
            }))
            .on(floats(-2.0..2.0), ints(0..4), floats(-2.0..2.0));
        let y = Tensor::zeros([2, 2]).index_put_accumulate(&[&tensor![[0, 0], [1, 0]]], &tensor![1.0, 10.0]);
        assert_close!(y, [[3.0, 30.0], [1.0, 10.0]]);
    }

    #[test]
    fn at_the_positions_of_a_list() {
        check2(|x, i| x.index_fill(0, i, 0.5)).shapes([&[4, 3], &[2]])
            .formula(|[x, i]| Numbers::from_fn(&[4, 3], |at| if i.values.contains(&(at[0] as f64)) { 0.5 } else { x.at(at) }))
            .on(floats(-2.0..2.0), ints(0..4));
        check3(|x, i, s| x.index_add(1, i, s)).shapes([&[2, 4], &[3], &[2, 3]]).on(floats(-2.0..2.0), ints(0..4), floats(-2.0..2.0));
        let e = catch(|| tensor![1.0].index_add(0, &tensor![1], &tensor![1.0])).unwrap_err();
        assert_eq!(e.message(), "index_add: the index 1 at position 0 is not within 0..1");
    }
}
