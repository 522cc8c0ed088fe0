//! The gradient of a tensor while it arrives: whole from most of its uses, in parts from its slices.

use crate::Tensor;
use crate::elementwise::zip_onto;
use crate::ops::Add;
use crate::shape::Shape;

/// What has arrived so far.
pub(super) enum Arriving {
    Whole(Tensor),
    /// Of slices along one axis, each with the place where it begins.
    Parts(usize, Vec<(usize, Tensor)>),
}

impl Arriving {
    /// Adds the gradient from another use, of a tensor of shape `shape`.
    pub(super) fn add(&mut self, other: Arriving, shape: &Shape) {
        match (&mut *self, other) {
            (Arriving::Parts(axis, parts), Arriving::Parts(other, more)) if *axis == other => {
                parts.extend(more)
            }
            (sum, other) => {
                let before = std::mem::replace(sum, Arriving::Parts(0, Vec::new()));
                *sum = Arriving::Whole(zip_onto(Add, before.whole(shape), &other.whole(shape)));
            }
        }
    }

    /// The gradient, of shape `shape`; zeros where no part has arrived.
    pub(super) fn whole(self, shape: &Shape) -> Tensor {
        let (axis, mut parts) = match self {
            Arriving::Whole(g) => return g,
            Arriving::Parts(axis, parts) => (axis, parts),
        };
        parts.sort_by_key(|(start, _)| *start);
        let (mut pieces, mut end) = (Vec::new(), 0);
        for (start, part) in &parts {
            if *start < end {
                return overlapping(axis, &parts, shape);
            }
            pieces.extend(zeros(part, axis, start - end));
            pieces.push(part.clone());
            end = start + part.shape()[axis];
        }
        pieces.extend(parts.first().and_then(|(_, part)| zeros(part, axis, shape[axis] - end)));
        Tensor::cat(&pieces, axis)
    }
}

/// Zeros for a gap of `n` along an axis, if there is one.
fn zeros(like: &Tensor, axis: usize, n: usize) -> Option<Tensor> {
    let shape = like.shape_of().with(axis, n);
    (n > 0).then(|| like.device().scope(|| Tensor::full_of(shape, 0.0, like.dtype())))
}

/// The sum of parts that share elements.
fn overlapping(axis: usize, parts: &[(usize, Tensor)], shape: &Shape) -> Tensor {
    let padded = parts.iter().map(|(start, part)| {
        let mut around = vec![(0, 0); shape.len()];
        around[axis] = (*start, shape[axis] - start - part.shape()[axis]);
        part.pad(&around, 0.0)
    });
    padded.reduce(|a, b| a + b).expect("a part")
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn parts_that_meet_overlap_or_leave_gaps_have_one_gradient() {
        let d = || floats(-2.0..2.0);
        let squares = |x: &Tensor, ranges: &[(isize, isize)], axis: usize| {
            let part = |&(a, b): &(isize, isize)| x.slice(axis, a..b).square().sum(..) * (a + 2 * b) as f64;
            ranges.iter().map(part).reduce(|a, b| a + b).expect("a range")
        };
        check(move |x| squares(x, &[(0, 2), (2, 3), (3, 7)], 1)).shapes([&[2, 7, 3]]).on(d());
        check(move |x| squares(&(x * 2.0), &[(4, 6), (0, 2), (2, 3)], 1)).shapes([&[2, 7, 3]]).on(d());
        check(move |x| squares(&(x * 2.0), &[(0, 2), (2, 7)], 1) * x.sum(..)).shapes([&[2, 7]]).on(d());
        check(move |x| squares(&(x * 2.0), &[(5, 7), (1, 3), (3, 3)], 0)).shapes([&[7, 2]]).on(d());
        check(move |x| squares(&(x * 2.0), &[(1, 4), (3, 6)], 0)).shapes([&[7, 2]]).on(d());
        check(move |x| {
            let y = x * 2.0;
            squares(&y, &[(1, 4), (4, 6)], 0) + squares(&y, &[(0, 1)], 1) + y.square().sum(..)
        })
        .shapes([&[7, 2]])
        .on(d());
    }
}
