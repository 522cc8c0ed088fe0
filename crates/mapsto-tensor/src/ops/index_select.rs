//! Whole slices along an axis, by their positions.

use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::indices::positions;
use crate::shape::{Axis, Shape};
use crate::{Tensor, fail};

impl Tensor {
    /// The slices at the positions of a list: `y[.., i, ..] = x[.., index[i], ..]`.
    ///
    /// * Shape: `[n, a] → [m, a]` for `m` indices along axis 0.
    /// * Gradient: `dx[.., index[i], ..] += dy[.., i, ..]`.   * ONNX: `Gather`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    /// assert_close!(x.index_select(0, &tensor![2, 0]), [[5.0, 6.0], [1.0, 2.0]]);
    /// ```
    /// # Panics
    /// When the indices are not a list, or one is not within the axis.
    #[track_caller]
    pub fn index_select(&self, axis: impl Into<Axis>, index: &Tensor) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("index_select", self.shape()) {
            return match index.len() {
                1 => self.reshape([1usize]).index_select(0, &index.reshape([1usize])).reshape(()),
                n => fail!("index_select", "{n} indices for a tensor without axes, which has one element"),
            };
        }
        let axis = axis.of("index_select", self.shape());
        if index.rank() != 1 {
            fail!("index_select", "a list of indices is needed, their shape is {:?}", index.shape();
                  help = "`gather` picks element by element, `embedding` takes ids of any shape");
        }
        self.shape_of().with(axis, index.len()).fit("index_select");
        let index = positions("index_select", index, self.shape()[axis]);
        apply(IndexSelect { axis }, &[self, &index])
    }
}

struct IndexSelect {
    axis: usize,
}
impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
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
        xs[0].device().backend().index_select(xs[0], self.axis, xs[1]).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(1)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([Some(index_add(Shape::new(at.shape(0)), self.axis, at.b(), g)), None])
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

/// Zeros with the slices of `src` added at the positions of a list that has been checked: how the gradient of
/// `index_select` and of `embedding` flows. The zeros are nobody else's, so they are written in place.
#[track_caller]
pub(crate) fn index_add(shape: Shape, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
    apply(IndexAdd { axis, shape }, &[src, index])
}

struct IndexAdd {
    axis: usize,
    shape: Shape,
}
impl Op for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
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
        src.device().backend().index_add(zeros, self.axis, index, src).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(1)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([Some(g.index_select(self.axis, at.b())), None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("index_select", "The slices at the positions of a list: `y[.., i, ..] = x[.., index[i], ..]`.", Takes::Numbers, of_index_select).built(|a| Ok(Box::new(IndexSelect { axis: a.need("axis")? }))),
    OpKind::new("index_add", "The transpose of `index_select`: slices added to zeros at their positions.", Takes::Floats, of_index_add).built(|a| Ok(Box::new(IndexAdd { axis: a.need("axis")?, shape: crate::shape::shape_from(a.need("shape")?)? }))),
];

fn of_index_select(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[4], &ints(0..5))], |x| x[0].index_select(1, &x[1]));
    s.of(&[(&[4, 1, 2], &d), (&[3], &ints(0..4))], |x| x[0].index_select(0, &x[1]));
    s.of(&[(&[3, 5], &d), (&[0], &ints(0..5))], |x| x[0].index_select(-1, &x[1]));
}

fn of_index_add(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d), (&[4], &ints(0..5))], |x| index_add(Shape::new(&[3, 5]), 1, &x[1], &x[0]));
    s.of(&[(&[3, 2], &d), (&[3], &ints(0..4))], |x| index_add(Shape::new(&[4, 2]), 0, &x[1], &x[0]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn index_select() {
        check2(|x, i| x.index_select(0, i)).shapes([&[4, 3], &[6]])
            .formula(|[x, i]| Numbers::from_fn(&[6, 3], |at| x.at(&[i.at(&at[..1]) as usize, at[1]])))
            .on(floats(-2.0..2.0), ints(0..4));
        check2(|x, i| x.index_select(1, i)).shapes([&[2, 3, 4], &[2]]).on(floats(-2.0..2.0), ints(0..3));
        check2(|x, i| x.index_select(-1, i)).shapes([&[2, 3], &[0]]).on(floats(-2.0..2.0), ints(0..3));
        let (x, i) = (Tensor::randn([6, 5, 4]), tensor![2, 0, 2, 1]);
        for view in [x.slice(0, 1..5), x.select(1, 2), x.slice(1, ..1).expand([6, 5, 4]), x.slice(0, ..1).expand([6, 5, 4])] {
            assert_eq!(view.index_select(0, &i).to_vec::<f32>(), view.contiguous().index_select(0, &i).to_vec::<f32>());
        }
        let e = catch(|| Tensor::zeros([2, 3]).index_select(1, &tensor![0, 5])).unwrap_err();
        assert_eq!(e.message(), "index_select: the index 5 at position 1 is not within 0..3");
    }
}
