//! A part of a tensor along its axes: ranges, single positions, reversed order; all are views.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::shape::Axis;
use crate::{Layout, Tensor, fail};
use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// The positions between two ends, as users write them: `1..3`, `..n`, `-2..`, `..`, of any of the usual integers.
/// Negative ends count from the back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) from: Bound<isize>,
    pub(super) to: Bound<isize>,
}

impl From<RangeFull> for Span {
    fn from(_: RangeFull) -> Span {
        Span { from: Bound::Unbounded, to: Bound::Unbounded }
    }
}

/// One position of an axis, of any of the usual integers; a negative one counts from the back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub(super) isize);

macro_rules! positions_from {
    ($($t:ident)*) => {$(
        impl From<$t> for Place {
            // No axis reaches to `isize::MAX`, which stands for all that is beyond it.
            #[inline]
            fn from(i: $t) -> Place { Place(isize::try_from(i).unwrap_or(isize::MAX)) }
        }
        positions_from!(@ranges $t: Range RangeFrom RangeInclusive RangeTo RangeToInclusive);
    )*};
    (@ranges $t:ident: $($range:ident)*) => {$(
        impl From<$range<$t>> for Span {
            #[inline]
            fn from(r: $range<$t>) -> Span {
                let at = |&i: &$t| Place::from(i).0;
                Span { from: r.start_bound().map(at), to: r.end_bound().map(at) }
            }
        }
    )*};
}
positions_from!(i32 i64 isize usize);

impl Tensor {
    /// The elements of a range along an axis; negative ends count from the back.
    ///
    /// * Shape: `[5, 3] → [2, 3]` for `slice(0, 1..3)`.   * Gradient: zeros around the gradient.   * ONNX: `Slice`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = Tensor::arange(0..5);
    /// assert_eq!(x.slice(0, 1..3).to_vec::<i64>(), [1, 2]);
    /// assert_eq!(x.slice(0, -2..).to_vec::<i64>(), [3, 4]);
    /// let n: usize = 2;
    /// assert_eq!(x.slice(0, ..n).to_vec::<i64>(), [0, 1]);
    /// ```
    /// # Panics
    /// When the range does not lie within the axis.
    #[track_caller]
    #[doc(alias = "narrow")]
    pub fn slice(&self, axis: impl Into<Axis>, range: impl Into<Span>) -> Tensor {
        let axis = axis.into().of("slice", self.shape());
        let (start, end) = self.check_range("slice", axis, range.into());
        apply(Slice { axis, start, end }, &[self])
    }

    /// Where a range along an axis begins and ends, for an operation that speaks in its own name.
    #[track_caller]
    #[inline]
    pub(super) fn check_range(&self, op: &str, axis: usize, range: Span) -> (usize, usize) {
        let n = self.shape()[axis] as isize;
        let from_back = |i: isize| if i < 0 { i + n } else { i };
        let start = match range.from {
            Bound::Included(i) => from_back(i),
            Bound::Excluded(i) => from_back(i).saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.to {
            Bound::Included(i) => from_back(i).saturating_add(1),
            Bound::Excluded(i) => from_back(i),
            Bound::Unbounded => n,
        };
        if start < 0 || end > n || start > end {
            fail!(op, "the range {start}..{end} does not lie in axis {axis} of {:?}", self.shape());
        }
        (start as usize, end as usize)
    }

    /// Position `i` of an axis, which vanishes; negative positions count from the back.
    ///
    /// * Shape: `[5, 3] → [3]` for `select(0, i)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(x.select(0, -1), [3.0, 4.0]);
    /// for i in 0..x.shape()[0] {
    ///     assert_eq!(x.select(0, i).shape(), [2]);
    /// }
    /// ```
    /// # Panics
    /// When there is no such position.
    #[track_caller]
    pub fn select(&self, axis: impl Into<Axis>, i: impl Into<Place>) -> Tensor {
        let axis = axis.into().of("select", self.shape());
        let at = self.check_position("select", axis, i.into());
        self.slice(axis, at..at + 1).squeeze(axis)
    }

    /// A position of an axis counted from its beginning, likewise.
    #[track_caller]
    pub(super) fn check_position(&self, op: &str, axis: usize, Place(i): Place) -> isize {
        let n = self.shape()[axis] as isize;
        let at = if i < 0 { i + n } else { i };
        if at < 0 || at >= n {
            fail!(op, "there is no position {i} in axis {axis} of {:?}", self.shape());
        }
        at
    }

    /// Reversed along an axis; a view with a negative stride.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::arange(0..3).flip(0).to_vec::<i64>(), [2, 1, 0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn flip(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("flip", self.shape()) {
            return self.clone();
        }
        let axis = axis.of("flip", self.shape());
        apply(Flip { axis }, &[self])
    }
}

struct Slice {
    axis: usize,
    start: usize,
    end: usize,
}
impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, _: &[Outline], _: &Outline) -> Cost {
        Cost::NONE
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
        say("start", self.start.into());
        say("end", self.end.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (x, &Slice { axis, start, end }) = (xs[0], self);
        let mut layout: Layout = *x.layout();
        // Of an operation that was built from attributes: beyond a view lie elements that are not its own.
        if start > end || layout.shape.get(axis).is_none_or(|&n| end > n) {
            fail!("slice", "axis {axis} of {:?} has no range {start}..{end}", x.shape());
        }
        if !x.is_empty() && end > start {
            layout.offset = (layout.offset as isize + start as isize * layout.strides[axis]) as usize;
        }
        layout.shape = layout.shape.with(axis, end - start);
        Tensor::raw(x.0.storage.clone(), layout, x.dtype()).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (n, k) = (at.shape(0)[self.axis], g.shape()[self.axis]);
        let around: Vec<(usize, usize)> = (0..g.rank())
            .map(|i| if i == self.axis { (self.start, n - self.start - k) } else { (0, 0) })
            .collect();
        g.pad(&around, 0.0).into()
    }
    fn part(&self) -> Option<(usize, usize)> {
        Some((self.axis, self.start))
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

struct Flip {
    axis: usize,
}
impl Op for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, _: &[Outline], _: &Outline) -> Cost {
        Cost::NONE
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (x, axis) = (xs[0], self.axis);
        let mut layout: Layout = *x.layout();
        if !x.is_empty() {
            let last = (layout.shape[axis] - 1) as isize;
            layout.offset = (layout.offset as isize + last * layout.strides[axis]) as usize;
        }
        layout.strides[axis] = -layout.strides[axis];
        Tensor::raw(x.0.storage.clone(), layout, x.dtype()).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.flip(self.axis).into()
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("slice", "The elements of a range along an axis; negative ends count from the back.", Takes::All, of_slice).built(|a| Ok(Box::new(Slice { axis: a.need("axis")?, start: a.need("start")?, end: a.need("end")? }))),
    OpKind::new("flip", "Reversed along an axis; a view with a negative stride.", Takes::All, of_flip).built(|a| Ok(Box::new(Flip { axis: a.need("axis")? }))),
];

fn of_slice(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[5, 3], &d)], |x| x[0].slice(0, 1..3));
    s.of(&[(&[2, 7], &d)], |x| x[0].slice(-1, -3..));
    s.of(&[(&[4, 2], &d)], |x| x[0].slice(0, 2..2));
    s.of(&[(&[5, 3], &d)], |x| x[0].select(0, -1));
}

fn of_flip(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[5], &d)], |x| x[0].flip(0));
    s.of(&[(&[2, 3, 2], &d)], |x| x[0].flip(-2));
    s.of(&[(&[0, 3], &d)], |x| x[0].flip(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn positions_and_ends_are_integers_of_any_kind() {
        let x = Tensor::arange(0..5);
        let read = |y: Tensor| y.to_vec::<i64>();
        let (n, k, j) = (2usize, -2i64, 1i32);
        assert_eq!((read(x.slice(0, n..)), read(x.slice(0, k..)), read(x.slice(0, j..=3))), (vec![2, 3, 4], vec![3, 4], vec![1, 2, 3]));
        assert_eq!((read(x.slice(0, ..)), read(x.slice(0usize, ..n))), (vec![0, 1, 2, 3, 4], vec![0, 1]));
        assert_eq!((x.select(0, n).item(), x.select(0, k).item(), x.select(0, j).item()), (2.0, 3.0, 1.0));
        assert!(catch(|| x.slice(0, 0..usize::MAX)).is_err() && catch(|| x.select(0, usize::MAX)).is_err());
    }

    #[test]
    fn slice() {
        check(|x| x.reshape([-1]).slice(0, ..1.min(x.len() as isize))).on(floats(-2.0..2.0));
        check(|x| x.unsqueeze(0).select(0, 0)).formula(|[x]| x.clone()).on(floats(-2.0..2.0));
        check(|x| x.slice(1, 2..2009).slice(0, 1..))
            .shapes([&[6, 2010]])
            .formula(|[x]| Numbers::from_fn(&[5, 2007], |at| x.at(&[at[0] + 1, at[1] + 2])))
            .on(floats(-2.0..2.0));
        check(|x| x.unsqueeze(0).flip(-1))
            .formula(|[x]| {
                let mut shape = x.shape.clone();
                shape.insert(0, 1);
                let last = shape.len() - 1;
                x.shaped(&shape).along(last, |v| v.iter().rev().copied().collect())
            })
            .on(floats(-2.0..2.0));
    }
}
