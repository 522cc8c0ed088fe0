//! Elements picked by the positions that sorting and searching give.

use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, broadcast};
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// [`gather`](Tensor::gather) whose other axes broadcast: `y[.., i, ..] = x[.., index[.., i, ..], ..]`. NumPy calls it `take_along_axis`.
    ///
    /// * Shape: `[a, n], [a, m] → [a, m]` along the last axis, any number.   * Gradient: each `dy` to where its element came from.
    /// * ONNX: `GatherElements`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[3.0, 1.0], [2.0, 4.0]];
    /// assert_close!(x.take_along_dim(&x.argsort(-1), -1), [[1.0, 3.0], [2.0, 4.0]]);
    /// assert_close!(x.take_along_dim(&tensor![[1]], 1), [[1.0], [4.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or an index is not within the axis.
    #[track_caller]
    pub fn take_along_dim(&self, index: &Tensor, axis: impl Into<Axis>) -> Tensor {
        if self.rank() != index.rank() {
            fail!("take_along_dim", "the index {:?} has other axes than {:?}", index.shape(), self.shape(); help = "`unsqueeze` adds an axis");
        }
        let axis = axis.into().of("take_along_dim", self.shape());
        named("take_along_dim", || {
            let others = broadcast("take_along_dim", &self.shape_of().with(axis, 1), &index.shape_of().with(axis, 1));
            let (n, m) = (self.shape()[axis], index.shape()[axis]);
            self.expand(others.with(axis, n)).gather(axis, &index.expand(others.with(axis, m)))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("take_along_dim", "Elements picked along an axis, whose other axes broadcast.", Takes::Numbers, samples).made_of("expand and gather"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 2], &ints(0..5))], |x| x[0].take_along_dim(&x[1], -1));
    s.of(&[(&[3, 5], &d), (&[1, 2], &ints(0..5))], |x| x[0].take_along_dim(&x[1], 1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn take_along_dim() {
        check2(|x, i| x.take_along_dim(i, 1)).shapes([&[3, 5], &[1, 2]])
            .formula(|[x, i]| Numbers::from_fn(&[3, 2], |at| x.at(&[at[0], i.at(&[0, at[1]]) as usize])))
            .on(floats(-2.0..2.0), ints(0..5));
        check2(|x, i| x.take_along_dim(i, 0)).shapes([&[4, 1], &[3, 2]]).on(floats(-2.0..2.0), ints(0..4));
    }
}
