//! Axes in other places, and several tensors under one shape.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, MAX_RANK, Shape, broadcast};
use crate::{Tensor, fail};
use std::borrow::Borrow;

impl Tensor {
    /// With one axis moved to another place; the others keep their order. NumPy calls it `moveaxis`.
    ///
    /// * Shape: `[a, b, c] → [b, c, a]` for 0 to −1, every dtype; a view.   * Gradient: the axis moved back.
    /// * ONNX: `Transpose`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).movedim(0, -1).shape(), [3, 4, 2]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn movedim(&self, from: impl Into<Axis>, to: impl Into<Axis>) -> Tensor {
        let (from, to) = (from.into(), to.into());
        if from.of_nothing("movedim", self.shape()) && to.of_nothing("movedim", self.shape()) {
            return self.clone();
        }
        let (from, to) = (from.of("movedim", self.shape()), to.of("movedim", self.shape()));
        let mut order: Vec<usize> = (0..self.rank()).filter(|i| *i != from).collect();
        order.insert(to, from);
        self.permute(order)
    }

    /// The tensors expanded to the shape that all of them broadcast to.
    ///
    /// * Shape: `[2, 1], [3] → [2, 3], [2, 3]`, every dtype; views.   * Gradient: the sum over the copies.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::broadcast_tensors(&[tensor![[1.0], [2.0]], tensor![3.0, 4.0]]);
    /// assert_close!(y[0], [[1.0, 1.0], [2.0, 2.0]]);
    /// ```
    /// # Panics
    /// When they do not broadcast.
    #[track_caller]
    pub fn broadcast_tensors<T: Borrow<Tensor>>(parts: &[T]) -> Vec<Tensor> {
        let mut shape = Shape::new(&[]);
        for part in parts {
            shape = broadcast("broadcast_tensors", &shape, part.borrow().shape_of());
        }
        parts.iter().map(|part| part.borrow().expand(shape)).collect()
    }

    /// The points of a grid: for each list its values along an axis of its own, repeated along the others (`indexing="ij"`).
    ///
    /// * Shape: `[m], [n] → [m, n], [m, n]`, every dtype; views.   * Gradient: the sum over the copies.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let grid = Tensor::meshgrid(&[tensor![1, 2], tensor![5, 6, 7]]);
    /// assert_eq!(grid[0].to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
    /// assert_eq!(grid[1].to_vec::<i64>(), [5, 6, 7, 5, 6, 7]);
    /// ```
    /// # Panics
    /// When one is no list.
    #[track_caller]
    pub fn meshgrid<T: Borrow<Tensor>>(lists: &[T]) -> Vec<Tensor> {
        let lists: Vec<&Tensor> = lists.iter().map(Borrow::borrow).collect();
        if let Some(wrong) = lists.iter().find(|list| list.rank() != 1) {
            fail!("meshgrid", "lists are needed, the shape of one is {:?}", wrong.shape());
        }
        if lists.len() > MAX_RANK {
            fail!("meshgrid", "{} lists, the most is {MAX_RANK}", lists.len());
        }
        let shape: Shape = lists.iter().map(|list| list.len()).collect();
        shape.fit("meshgrid");
        let along = |(i, list): (usize, &&Tensor)| {
            let row: Shape = (0..lists.len()).map(|k| if k == i { shape[i] } else { 1 }).collect();
            list.reshape(row).expand(shape)
        };
        lists.iter().enumerate().map(along).collect()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("movedim", "With one axis moved to another place.", Takes::All, of_movedim).made_of("permute"),
    OpKind::new("broadcast_tensors", "Tensors expanded to the shape that all of them broadcast to.", Takes::All, of_broadcast).made_of("expand"),
    OpKind::new("meshgrid", "The points of a grid.", Takes::All, of_meshgrid).made_of("reshape and expand"),
];

fn of_movedim(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].movedim(0, -1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].movedim(2, 1));
}

fn of_broadcast(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| Tensor::stack(&Tensor::broadcast_tensors(x), 0));
}

fn of_meshgrid(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2], &d), (&[3], &d)], |x| Tensor::stack(&Tensor::meshgrid(x), 0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn axes_and_shapes() {
        check(|x| x.movedim(0, 2)).shapes([&[2, 3, 4]]).formula(|[x]| Numbers::from_fn(&[3, 4, 2], |at| x.at(&[at[2], at[0], at[1]]))).on(floats(-2.0..2.0));
        check(|x| x.movedim(-1, 0)).shapes([&[2, 3, 4]]).on(floats(-2.0..2.0));
        check2(|a, b| Tensor::broadcast_tensors(&[a, b])[1].clone()).shapes([&[2, 1], &[3]]).on(floats(-2.0..2.0), floats(-2.0..2.0));
        check2(|a, b| Tensor::meshgrid(&[a, b])[0].clone()).shapes([&[2], &[3]]).formula(|[a, _]| Numbers::from_fn(&[2, 3], |at| a.at(&at[..1]))).on(floats(-2.0..2.0), floats(-2.0..2.0));
    }
}
