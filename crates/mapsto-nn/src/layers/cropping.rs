//! Edges cut off.

use super::LayerKind;
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// The last axes without so many places at their beginnings and ends.
///
/// * Shape: with `[before, after]` for each of the last axes, `[n, .., a] → [n, .., a − before − after]`.
/// * Keras: `Cropping1D`, `Cropping2D` and `Cropping3D`, of channels first; PyTorch: a padding below 0.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = Cropping::new([[1, 0], [0, 2]]).forward(&Tensor::arange(0..12).reshape([1, 1, 3, 4]));
/// assert_eq!(y.to_vec::<i64>(), [4, 5, 8, 9]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Cropping {
    #[module(skip)]
    edges: Vec<[usize; 2]>,
}

impl Cropping {
    /// Cuts `[before, after]` off each of the last axes.
    pub fn new(edges: impl Into<Vec<[usize; 2]>>) -> Cropping {
        Cropping { edges: edges.into() }
    }

    /// Of which axis of a shape nothing would be left, or why there is no such axis.
    fn misfit(&self, shape: &[usize]) -> bool {
        let axes = shape.len().checked_sub(self.edges.len());
        let left = |at: usize, [a, b]: [usize; 2]| a.saturating_add(b) < shape[at];
        !axes.is_some_and(|first| self.edges.iter().enumerate().all(|(i, edge)| left(first + i, *edge)))
    }
}

impl Layer for Cropping {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() <= self.edges.len() || self.misfit(x.shape()) {
            fail!("cropping", "nothing is left of {:?} without {:?}", x.shape(), self.edges);
        }
        let first = x.rank() - self.edges.len();
        self.edges.iter().enumerate().fold(x.clone(), |x, (i, [a, b])| {
            let end = x.shape()[first + i] - b;
            x.slice((first + i) as isize, *a as isize..end as isize)
        })
    }

    fn describe(&self) -> String {
        format!("Cropping({:?})", self.edges)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.edges.concat()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "cropping",
    "The last axes without so many places at their beginnings and ends.",
    |args, input| {
        let list: Vec<usize> = args.main()?;
        let layer = Cropping { edges: list.chunks_exact(2).map(|edge| [edge[0], edge[1]]).collect() };
        if list.is_empty() || list.len() % 2 == 1 {
            return Err(args.error(
                "",
                format!("the places must be pairs, one before and one after each axis, got {list:?}"),
            ));
        }
        if layer.misfit(input) {
            return Err(args.misfit("", format!("nothing is left of {input:?} without {:?}", layer.edges)));
        }
        Ok(Box::new(layer))
    },
)
.options(&[("", "how many places are cut off: before and after the first of the last axes, then the next")])
.example(|| Entry::new("cropping").with_value(vec![1_usize, 1]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn cropping() {
        check_layer(|| Cropping::new([[1, 0], [0, 2]])).gives([2, 1, 3, 4], [2, 1, 2, 2]);
        check_layer(|| Cropping::new([[1, 1]])).gives([2, 5], [2, 3]);
        let e = catch(|| Cropping::new([[1, 1]]).forward(&Tensor::ones([2, 2]))).unwrap_err();
        assert_eq!(e.message(), "cropping: nothing is left of [2, 2] without [[1, 1]]");
        assert!(catch(|| Cropping::new([[0, 0], [0, 1]]).forward(&Tensor::ones([2, 2]))).is_err());
    }
}
