//! Reverse-mode differentiation: nodes are taken in falling order of their serial number, so each comes after all its uses.

use super::arriving::Arriving;
use super::{At, Grads, Input, Kept, LeafId, Node, Origin};
use crate::shape::Shape;
use crate::{Tensor, fail, no_grad, record};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Tensor {
    /// The gradients of this scalar at every leaf it was computed from.
    ///
    /// Kept values are freed on the way, so a second `backward` through the same operations is an error;
    /// [`grad`] keeps them.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0].leaf();
    /// let grads = x.square().sum(..).backward();
    /// assert_close!(grads.of(&x), [2.0, 4.0, 6.0]);
    /// ```
    /// # Panics
    /// When there is more than one element, when nothing was recorded, or when the graph has been used up.
    #[track_caller]
    pub fn backward(&self) -> Grads {
        if self.len() != 1 {
            fail!("backward", "a scalar was expected, {:?} has {} elements", self.shape(), self.len();
                  help = "reduce it first, e.g. `loss.mean(..)`, or give the gradient to `backward_with`");
        }
        self.backward_with(&Tensor::ones_like(self))
    }

    /// The gradients of `sum(self · g)` at every leaf: `backward` for results that are no scalar.
    ///
    /// # Panics
    /// When `g` has another shape, when nothing was recorded, or when the graph has been used up.
    #[track_caller]
    pub fn backward_with(&self, g: &Tensor) -> Grads {
        check_seed(self, g);
        let mut grads = Grads::default();
        no_grad(|| {
            walk(self, g, Graph::UsedUp, 0, &mut |at, g| {
                if let Target::Leaf(id) = at {
                    grads.add(id, g);
                }
            })
        });
        grads
    }
}

/// The gradients of the scalar `y` at the tensors `xs`, themselves differentiable; the graph is kept.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = tensor![2.0].leaf();
/// let [dx] = grad(&(&x * &x * &x).sum(..), [&x]);
/// let [ddx] = grad(&dx.sum(..), [&x]);
/// assert_close!(dx, [12.0]);
/// assert_close!(ddx, [12.0]);
/// ```
/// # Panics
/// When `y` is no scalar, or when it was not computed from one of `xs`.
#[track_caller]
pub fn grad<const N: usize>(y: &Tensor, xs: [&Tensor; N]) -> [Tensor; N] {
    if y.len() != 1 {
        fail!("grad", "a scalar was expected, {:?} has {} elements", y.shape(), y.len(); help = "reduce it first, e.g. `y.sum(..)`");
    }
    let mut found = [const { None }; N];
    grads_at(y, &Tensor::ones_like(y), &xs, &mut found);
    if let Some(i) = found.iter().position(Option::is_none) {
        fail!("grad", "the scalar does not depend on input {i}, of shape {:?}", xs[i].shape();
              help = "make it a leaf with `.leaf()` before it is used, or compute inside `train(|| ..)` for parameters");
    }
    found.map(|g| g.expect("checked above"))
}

/// As [`grad`] for any number of inputs, with zeros where `y` does not depend on one.
#[track_caller]
pub(crate) fn grads_or_zeros(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    let mut found = vec![None; xs.len()];
    if y.is_recorded() {
        grads_at(y, &Tensor::ones_like(y), xs, &mut found);
    }
    found.into_iter().zip(xs).map(|(g, x)| g.unwrap_or_else(|| Tensor::zeros_like(x))).collect()
}

/// The gradients of `sum(y · g)` at `xs`, differentiable again, added into `found`; none where `y` does not depend on x.
#[track_caller]
pub(super) fn grads_at(y: &Tensor, g: &Tensor, xs: &[&Tensor], found: &mut [Option<Tensor>]) {
    check_seed(y, g);
    let targets: Vec<Target> = xs
        .iter()
        .map(|x| match &x.0.origin {
            Origin::Constant => Target::Nothing,
            Origin::Leaf(id, _) => Target::Leaf(*id),
            Origin::Made(node) => Target::Node(node.serial),
        })
        .collect();
    // Below the lowest target there is nothing to find, unless a leaf is wanted: leaves have no place in the order.
    let leaf = targets.iter().any(|t| matches!(t, Target::Leaf(_)));
    let lowest = targets.iter().filter_map(|t| if let Target::Node(s) = t { Some(*s) } else { None }).min();
    let stop = if leaf { 0 } else { lowest.unwrap_or(u64::MAX) };
    record(|| {
        walk(y, g, Graph::Kept, stop, &mut |at, g| {
            for (slot, _) in found.iter_mut().zip(&targets).filter(|(_, t)| **t == at) {
                *slot = Some(match slot.take() {
                    Some(sum) => sum + g,
                    None => g.clone(),
                });
            }
        })
    });
}

/// What a gradient has arrived at.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    Nothing,
    Leaf(LeafId),
    Node(u64),
}

/// What becomes of the values that the graph keeps.
#[derive(Clone, Copy, PartialEq)]
enum Graph {
    /// Freed as they are used.
    UsedUp,
    /// Left as they are, for another walk.
    Kept,
}

#[track_caller]
fn check_seed(y: &Tensor, g: &Tensor) {
    if matches!(y.0.origin, Origin::Constant) {
        fail!("backward", "these values were computed outside `train(|| ..)`, so nothing was recorded";
              help = "compute the loss inside `train(|| ..)`, or make an input a leaf with `.leaf()`");
    }
    if y.shape() != g.shape() {
        fail!("backward", "the gradient's shape {:?} is not the result's {:?}", g.shape(), y.shape());
    }
}

/// Takes nodes in falling order of serial number, down to `stop`, and hands every finished gradient to `arrived`.
#[track_caller]
fn walk(y: &Tensor, g: &Tensor, graph: Graph, stop: u64, arrived: &mut dyn FnMut(Target, &Tensor)) {
    let mut pending: BTreeMap<u64, (Arc<Node>, Option<Arriving>)> = BTreeMap::new();
    let deliver =
        |pending: &mut BTreeMap<u64, (Arc<Node>, Option<Arriving>)>, node: &Arc<Node>, g: Arriving| {
            let (_, sum) = pending.entry(node.serial).or_insert_with(|| (node.clone(), None));
            *sum = Some(match sum.take() {
                Some(sum) => sum.add(g, &node.shape),
                None => g,
            });
        };
    match &y.0.origin {
        Origin::Constant => {}
        Origin::Leaf(id, _) => arrived(Target::Leaf(*id), g),
        Origin::Made(node) => deliver(&mut pending, node, Arriving::Whole(g.clone())),
    }
    while let Some((serial, (node, g))) = pending.pop_last() {
        if serial < stop {
            break;
        }
        let g = g.expect("delivered").whole(&node.shape);
        arrived(Target::Node(serial), &g);
        let kept: Option<Kept> = match graph {
            Graph::UsedUp => node.kept().take(),
            Graph::Kept => node.kept().clone(),
        };
        let Some(kept) = kept else {
            fail!("backward", "the values kept by `{}` were freed by an earlier `backward`", node.op.name();
                  help = "use `grad(&y, [&x])`, which keeps them, for all but the last derivative; or compute the loss again");
        };
        // Differentiable again, a part goes the plain way, through the derivative of its slice.
        if graph == Graph::UsedUp
            && let (Some((axis, start)), Origin::Made(input)) = (node.op.part(), &kept.inputs[0].origin)
        {
            deliver(&mut pending, input, Arriving::Parts(axis, vec![(start, g)]));
            continue;
        }
        let vjp = node.op.vjp(&At { node: &node, kept: &kept, again: graph == Graph::Kept }, &g);
        drop(g);
        assert_eq!(vjp.0.len(), kept.inputs.len(), "{}: one gradient for each input", node.op.name());
        for (input, g) in kept.inputs.iter().zip(vjp.0) {
            if let Some(g) = g.filter(|_| !matches!(input.origin, Origin::Constant)) {
                let g = match_input(g, input, node.op.name());
                match &input.origin {
                    Origin::Constant => {}
                    Origin::Leaf(id, _) => arrived(Target::Leaf(*id), &g),
                    Origin::Made(node) => deliver(&mut pending, node, Arriving::Whole(g)),
                }
            }
        }
    }
}

/// Undoes broadcasting, here and nowhere else: sums over the axes that were added or stretched.
fn match_input(g: Tensor, input: &Input, op: &str) -> Tensor {
    let g = if g.dtype() == input.dtype { g } else { g.to(input.dtype) };
    if g.shape_of() == &input.shape {
        return g;
    }
    let lead = g.rank().checked_sub(input.shape.len());
    let fits = lead.is_some_and(|lead| {
        input.shape.iter().zip(&g.shape()[lead..]).all(|(&want, &have)| want == have || want == 1)
    });
    assert!(fits, "{op}: the derivative for an input of shape {:?} has shape {:?}", input.shape, g.shape());
    let lead = lead.unwrap_or_default();
    let axes: Vec<usize> =
        (0..g.rank()).filter(|&i| i < lead || (input.shape[i - lead] == 1 && g.shape()[i] != 1)).collect();
    let shape: Shape = input.shape;
    g.sum(&axes[..]).reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn gradients_of_a_shared_value_add_up() {
        let x = tensor![2.0].leaf();
        let h = x.square();
        let grads = (&h * &h + &h).sum(..).backward(); // x⁴ + x²
        assert_close!(grads.of(&x), [4.0 * 8.0 + 4.0]);
    }

    #[test]
    fn a_second_backward_says_what_to_do() {
        let x = tensor![2.0].leaf();
        let y = x.square().sum(..);
        let _ = y.backward();
        let e = catch(|| y.backward()).unwrap_err();
        assert!(e.message().contains("freed by an earlier `backward`"), "{e}");
    }

    #[test]
    fn forgetting_train_is_loud() {
        let w = tensor![2.0].parameter();
        let e = catch(|| w.square().sum(..).backward()).unwrap_err();
        assert!(e.message().contains("outside `train(|| ..)`"), "{e}");
        assert_close!(train(|| w.square().sum(..)).backward().of(&w), [4.0]);
    }

    #[test]
    fn grad_reaches_intermediate_values_and_differentiates_again() {
        let x = tensor![0.5].leaf();
        let h = x.tanh();
        let [dh, dx] = grad(&h.square().sum(..), [&h, &x]);
        assert_close!(dh, [2.0 * 0.5f64.tanh()]);
        let [ddx] = grad(&dx.sum(..), [&x]);
        let (t, s) = (0.5f64.tanh(), 1.0 - 0.5f64.tanh().powi(2));
        assert_close!(ddx, [2.0 * s * s - 4.0 * t * t * s]);
    }

    #[test]
    fn a_million_operations_go_forward_backward_and_away_on_a_small_stack() {
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(|| {
                let x = tensor![1.0].leaf();
                let chain = || (0..1_000_000).fold(x.clone(), |y, _| -y);
                assert_close!(chain().sum(..).backward().of(&x), [1.0]);
                drop(chain());
            })
            .expect("a thread starts")
            .join()
            .expect("no overflow");
    }
}
