//! A part of an axis replaced.

use super::{Place, Span};
use crate::check::floats;
use crate::elementwise::same_dtype;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::{Tensor, fail};

impl Tensor {
    /// With another tensor in the place of a range of an axis: what `x[1:3] = src` means in Python, as a new tensor.
    ///
    /// * Shape: `[5, 3], [2, 3] → [5, 3]` for `slice_scatter(0, 1..3, &src)`, any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([4]).slice_scatter(0, 1..3, &tensor![5.0, 6.0]);
    /// assert_close!(y, [0.0, 5.0, 6.0, 0.0]);
    /// ```
    /// # Panics
    /// When the range does not lie within the axis, or the shape or the dtype of `src` is another than the slice's.
    #[track_caller]
    pub fn slice_scatter(&self, axis: impl Into<Axis>, range: impl Into<Span>, src: &Tensor) -> Tensor {
        let axis = axis.into().of("slice_scatter", self.shape());
        let (start, end) = self.check_range("slice_scatter", axis, range.into());
        same_dtype("slice_scatter", self, src);
        if *src.shape_of() != self.shape_of().with(axis, end - start) {
            fail!("slice_scatter", "{:?} for the slice {start}..{end} of axis {axis} of {:?}", src.shape(), self.shape(); help = "`expand` it to the shape of the slice");
        }
        named("slice_scatter", || Tensor::cat(&[&self.slice(axis, ..start), src, &self.slice(axis, end..)], axis))
    }

    /// With another tensor at one position of an axis.
    ///
    /// * Shape: `[5, 3], [3] → [5, 3]` for `select_scatter(0, 1, &src)`, any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([2, 2]).select_scatter(0, -1, &tensor![5.0, 6.0]);
    /// assert_close!(y, [[0.0, 0.0], [5.0, 6.0]]);
    /// ```
    /// # Panics
    /// When there is no such position, or the shape or the dtype of `src` is another than the slice's.
    #[track_caller]
    pub fn select_scatter(&self, axis: impl Into<Axis>, i: impl Into<Place>, src: &Tensor) -> Tensor {
        let axis = axis.into().of("select_scatter", self.shape());
        let at = self.check_position("select_scatter", axis, i.into());
        if *src.shape_of() != self.shape_of().without(axis) {
            fail!("select_scatter", "{:?} for position {at} of axis {axis} of {:?}", src.shape(), self.shape(); help = "`expand` it to the shape of the slice");
        }
        same_dtype("select_scatter", self, src);
        named("select_scatter", || self.slice_scatter(axis, at..at + 1, &src.unsqueeze(axis)))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("slice_scatter", "A range of an axis replaced.", Takes::Numbers, of_slice_scatter).made_of("slice and cat"),
    OpKind::new("select_scatter", "A position of an axis replaced.", Takes::Numbers, of_select_scatter).made_of("slice and cat"),
];

fn of_slice_scatter(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 2], &d)], |x| x[0].slice_scatter(1, 1..3, &x[1]));
    s.of(&[(&[3, 5], &d), (&[0, 5], &d)], |x| x[0].slice_scatter(0, 3.., &x[1]));
}

fn of_select_scatter(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3], &d)], |x| x[0].select_scatter(1, -1, &x[1]));
    s.of(&[(&[3], &d), (&[], &d)], |x| x[0].select_scatter(0, 0, &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn parts_replaced() {
        let d = || floats(-2.0..2.0);
        check2(|x, s| x.slice_scatter(1, 1..3, s)).shapes([&[2, 4], &[2, 2]])
            .formula(|[x, s]| Numbers::from_fn(&[2, 4], |at| if (1..3).contains(&at[1]) { s.at(&[at[0], at[1] - 1]) } else { x.at(at) }))
            .on(d(), d());
        check2(|x, s| x.select_scatter(0, 2, s)).shapes([&[3, 2], &[2]])
            .formula(|[x, s]| Numbers::from_fn(&[3, 2], |at| if at[0] == 2 { s.at(&at[1..]) } else { x.at(at) }))
            .on(d(), d());
        let e = catch(|| Tensor::zeros([4]).slice_scatter(0, 1..3, &tensor![1.0])).unwrap_err();
        assert_eq!(e.message(), "slice_scatter: [1] for the slice 1..3 of axis 0 of [4]");
        let e = catch(|| Tensor::zeros([4]).select_scatter(0, 4, &Tensor::scalar(1.0))).unwrap_err();
        assert_eq!(e.message(), "select_scatter: there is no position 4 in axis 0 of [4]");
    }
}
