//! Adding elements to places named by indices: the transpose of `gather`.

use super::gather::{check_shapes, first_of, reached};
use crate::error::named;
use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::indices::positions;
use crate::shape::{Axis, Shape};
use crate::{Tensor, fail};

impl Tensor {
    /// This tensor with `y[.., index[.., i, ..], ..] += src[.., i, ..]` along an axis, added in order of `i`.
    ///
    /// * Shape: `[a, n], [b, m], [c, k] → [a, n]` along the last axis: an index that is smaller than the tensor or the source reaches
    ///   the first elements of their axes.
    /// * Gradient: `dx = dy`, `dsrc[.., i, ..] = dy[.., index[.., i, ..], ..]`.   * ONNX: `ScatterElements`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([3]).scatter_add(0, &tensor![2, 0, 2], &tensor![1.0, 2.0, 3.0]);
    /// assert_close!(y, [2.0, 0.0, 4.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or an index is not within the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("scatter_add", self.shape()) {
            return {
                check_shapes("scatter_add", &[1], 0, if index.rank() == 0 { &[1] } else { index.shape() });
                let row = |x: &Tensor| x.reshape([x.len()]);
                row(self).scatter_add(0, &row(index), &row(src)).reshape(())
            };
        }
        let axis = axis.of("scatter_add", self.shape());
        same_dtype("scatter_add", self, src);
        check_shapes("scatter_add", self.shape(), axis, index.shape());
        check_source("scatter_add", index, src);
        let index = positions("scatter_add", index, self.shape()[axis]);
        let add = |x: &Tensor, src: &Tensor| apply(ScatterAdd { axis }, &[x, &index, src]);
        if index.shape() == src.shape() && index.shape_of().with(axis, self.shape()[axis]) == *self.shape_of() {
            return add(self, src);
        }
        named("scatter_add", || {
            let src = first_of(src, index.shape(), None);
            reached(self, axis, index.shape(), &|x| add(x, &src))
        })
    }
}

/// Each position of the index has an element of the source.
#[track_caller]
pub(super) fn check_source(op: &str, index: &Tensor, src: &Tensor) {
    if index.rank() != src.rank() || (0..src.rank()).any(|i| index.shape()[i] > src.shape()[i]) {
        fail!(op, "{:?} indices for {:?} elements", index.shape(), src.shape(); help = "each index needs its element");
    }
}

/// Zeros with the elements of `src` added at the places of an index that has been checked: how the gradient of
/// `gather` flows. The zeros are nobody else's, so they are written in place.
#[track_caller]
pub(crate) fn scatter(shape: &[usize], axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
    apply(Scatter { axis, shape: Shape::new(shape) }, &[src, index])
}

struct ScatterAdd {
    axis: usize,
}
impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y).plus(xs[2].count())
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().scatter_add(xs[0].detach(), self.axis, xs[1], xs[2]).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(1)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([Some(g.clone()), None, at.wants(2).then(|| g.gather(self.axis, at.b()))])
    }
}

struct Scatter {
    axis: usize,
    shape: Shape,
}
impl Op for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
        say("shape", self.shape[..].into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (src, index) = (xs[0], xs[1]);
        let zeros = src.device().scope(|| Tensor::full_of(self.shape, 0.0, src.dtype()));
        src.device().backend().scatter_add(zeros, self.axis, index, src).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(1)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([Some(g.gather(self.axis, at.b())), None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("scatter_add", "This tensor with `y[.., index[.., i, ..], ..] += src[.., i, ..]` along an axis, added in order of `i`.", Takes::Floats, of_scatter_add).built(|a| Ok(Box::new(ScatterAdd { axis: a.need("axis")? }))),
    OpKind::new("scatter", "The transpose of `gather`: elements added to zeros at their positions.", Takes::Floats, of_scatter).built(|a| Ok(Box::new(Scatter { axis: a.need("axis")?, shape: crate::shape::shape_from(a.need("shape")?)? }))),
];

fn of_scatter_add(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 2], &ints(0..5)), (&[3, 2], &d)], |x| x[0].scatter_add(1, &x[1], &x[2]));
    s.of(&[(&[4, 1], &d), (&[7, 1], &ints(0..4)), (&[7, 1], &d)], |x| x[0].scatter_add(0, &x[1], &x[2]));
    s.of(&[(&[2, 3], &d), (&[2, 0], &ints(0..3)), (&[2, 0], &d)], |x| x[0].scatter_add(-1, &x[1], &x[2]));
}

fn of_scatter(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 2], &d), (&[3, 2], &ints(0..5))], |x| scatter(&[3, 5], 1, &x[1], &x[0]));
    s.of(&[(&[7, 2], &d), (&[7, 2], &ints(0..4))], |x| scatter(&[4, 2], 0, &x[1], &x[0]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn scatter_add() {
        let (x, v) = (floats(-2.0..2.0), floats(-2.0..2.0));
        check3(|x, i, v| x.scatter_add(0, i, v)).shapes([&[4, 3], &[5, 3], &[5, 3]]).on(x.clone(), ints(0..4), v.clone());
        check3(|x, i, v| x.scatter_add(-1, i, v)).shapes([&[2, 4], &[2, 1], &[2, 1]]).on(x, ints(0..4), v);
        let x = Tensor::zeros([2]);
        let y = x.scatter_add(0, &tensor![1], &tensor![5.0]);
        assert_eq!((x.to_vec::<f32>(), y.to_vec::<f32>()), (vec![0.0, 0.0], vec![0.0, 5.0]));
        let e = catch(|| x.scatter_add(0, &tensor![1, 0], &tensor![5.0])).unwrap_err();
        assert_eq!(e.message(), "scatter_add: [2] indices for [1] elements");
        assert_close!(x.scatter_add(0, &tensor![1], &tensor![5.0, 6.0]), [0.0, 5.0]);
        // An index that leaves out a part of both, as in PyTorch.
        check3(|x, i, v| x.scatter_add(1, i, v)).shapes([&[4, 3], &[2, 5], &[3, 6]])
            .formula(|[x, i, v]| Numbers::from_fn(&[4, 3], |at| {
                let met = (0..5).filter(|&k| at[0] < 2 && i.at(&[at[0], k]) == at[1] as f64);
                met.fold(x.at(at), |y, k| y + v.at(&[at[0], k]))
            }))
            .on(floats(-2.0..2.0), ints(0..3), floats(-2.0..2.0));
    }
}
