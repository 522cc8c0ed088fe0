//! Elements picked along an axis, one for each index.

use super::scatter_add::scatter;
use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::error::named;
use crate::indices::positions;
use crate::shape::Axis;
use crate::{Tensor, fail};

impl Tensor {
    /// `y[.., i, ..] = x[.., index[.., i, ..], ..]`: element by element, along an axis.
    ///
    /// * Shape: `[a, n] → [b, m]` for an index `[b, m]` along the last axis: of the other axes it reaches the first `b` of `a`.
    /// * Gradient: `dx[.., index[.., i, ..], ..] += dy[.., i, ..]`.   * ONNX: `GatherElements`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    /// assert_close!(x.gather(-1, &tensor![[2], [0]]), [[3.0], [4.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or an index is not within the axis.
    #[track_caller]
    pub fn gather(&self, axis: impl Into<Axis>, index: &Tensor) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("gather", self.shape()) {
            return {
                check_shapes("gather", &[1], 0, if index.rank() == 0 { &[1] } else { index.shape() });
                self.reshape([1usize]).gather(0, &index.reshape([index.len()])).reshape(index.shape())
            };
        }
        let axis = axis.of("gather", self.shape());
        check_shapes("gather", self.shape(), axis, index.shape());
        let index = positions("gather", index, self.shape()[axis]);
        let x = named("gather", || first_of(self, index.shape(), Some(axis)));
        apply(Gather { axis }, &[&x, &index])
    }
}

/// The index has the axes of `x`, and but for one axis it is nowhere larger.
#[track_caller]
pub(crate) fn check_shapes(op: &str, x: &[usize], axis: usize, index: &[usize]) {
    let fits = x.len() == index.len() && (0..x.len()).all(|i| i == axis || index[i] <= x[i]);
    if !fits {
        fail!(op, "the index {index:?} does not fit {x:?} along axis {axis}";
              help = "no size but that of axis {axis} may be larger; `unsqueeze` adds an axis, `expand` repeats one, `index_select` takes whole slices");
    }
}

/// The first elements of each axis, as many as `sizes` says, but for one axis that stays whole.
#[track_caller]
pub(super) fn first_of(x: &Tensor, sizes: &[usize], but: Option<usize>) -> Tensor {
    let smaller = (0..x.rank()).filter(|&i| Some(i) != but && sizes[i] < x.shape()[i]);
    smaller.fold(x.clone(), |x, i| x.slice(i, ..sizes[i]))
}

/// `f` of the part of `x` that an index reaches; what it leaves out stays as it is.
#[track_caller]
pub(super) fn reached(x: &Tensor, axis: usize, index: &[usize], f: &dyn Fn(&Tensor) -> Tensor) -> Tensor {
    match (0..x.rank()).find(|&i| i != axis && index[i] < x.shape()[i]) {
        None => f(x),
        Some(i) => Tensor::cat(&[reached(&x.slice(i, ..index[i]), axis, index, f), x.slice(i, index[i]..)], i),
    }
}

pub(crate) struct Gather {
    pub(crate) axis: usize,
}
impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().gather(xs[0], self.axis, xs[1]).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(1)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([Some(scatter(at.shape(0), self.axis, at.b(), g)), None])
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("gather", "`y[.., i, ..] = x[.., index[.., i, ..], ..]`: element by element, along an axis.", Takes::Numbers, samples).built(|a| Ok(Box::new(Gather { axis: a.need("axis")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 2], &ints(0..5))], |x| x[0].gather(1, &x[1]));
    s.of(&[(&[4, 3], &d), (&[7, 3], &ints(0..4))], |x| x[0].gather(0, &x[1]));
    s.of(&[(&[3, 5], &d), (&[3, 0], &ints(0..5))], |x| x[0].gather(-1, &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn gather() {
        check2(|x, i| x.gather(0, i)).shapes([&[4, 3], &[5, 3]])
            .formula(|[x, i]| Numbers::from_fn(&[5, 3], |at| x.at(&[i.at(at) as usize, at[1]])))
            .on(floats(-2.0..2.0), ints(0..4));
        check2(|x, i| x.gather(-1, i)).shapes([&[2, 3, 4], &[2, 3, 1]]).on(floats(-2.0..2.0), ints(0..4));
        check2(|x, i| x.gather(1, i)).shapes([&[2, 3], &[2, 0]]).on(floats(-2.0..2.0), ints(0..3));
        // An index that leaves out a part of the tensor, as in PyTorch.
        check2(|x, i| x.gather(1, i)).shapes([&[3, 4, 2], &[2, 5, 1]])
            .formula(|[x, i]| Numbers::from_fn(&[2, 5, 1], |at| x.at(&[at[0], i.at(at) as usize, at[2]])))
            .on(floats(-2.0..2.0), ints(0..4));
        let message = |i: Tensor| catch(|| Tensor::zeros([2, 3]).gather(1, &i)).unwrap_err().message().to_string();
        assert_eq!(message(tensor![[0], [3]]), "gather: the index 3 at [1, 0] is not within 0..3");
        assert_eq!(message(tensor![0, 1]), "gather: the index [2] does not fit [2, 3] along axis 1");
        assert_eq!(message(tensor![[0], [1], [2]]), "gather: the index [3, 1] does not fit [2, 3] along axis 1");
    }
}
