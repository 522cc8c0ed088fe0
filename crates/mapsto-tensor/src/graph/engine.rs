//! Reverse-mode differentiation: nodes are taken in falling order of their serial number, so each comes after all its uses.

#[cfg(test)]
mod tests;

use super::arriving::Arriving;
use super::origin::{check_recorded, lost};
use super::{At, Grads, Input, LeafId, LeafKind, Node, Origin};
use super::{anomaly, hook};
use crate::error::here;
use crate::shape::Shape;
use crate::storage::Shared;
use crate::{Tensor, fail, no_grad, record, scope};
use std::borrow::Borrow;

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

    /// The gradients of `sum(self · g)` at every leaf: `backward` for results that are not scalar.
    ///
    /// # Panics
    /// When `g` has another shape, when nothing was recorded, or when the graph has been used up.
    #[track_caller]
    pub fn backward_with(&self, g: &Tensor) -> Grads {
        check_seed(self, g);
        let mut grads = Grads::default();
        if let Origin::Made(node) = &self.0.origin
            && node.past.get().is_elsewhere()
        {
            grads.miss_another_thread();
        }
        here(|| no_grad(|| walk(self, g.clone(), Graph::UsedUp, 0, &mut grads)));
        grads.round();
        if hook::on_leaves() {
            here(|| no_grad(|| hook::of_leaves(&mut grads)));
        }
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
/// When `y` is not a scalar, or when it was not computed from one of `xs`.
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
    hooked(&xs, &mut found);
    found.map(|g| g.expect("checked above"))
}

/// The gradients of the scalar `y` at any number of tensors, with zeros at those that `y` does not depend on.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let (a, b) = (tensor![3.0].leaf(), tensor![1.0, 2.0].leaf());
/// let found = grad_or_zeros(&a.square().sum(..), &[&a, &b]);
/// assert_close!(found[0], [6.0]);
/// assert_close!(found[1], [0.0, 0.0]);
/// ```
/// # Panics
/// When `y` is not a scalar, or when nothing was recorded.
#[track_caller]
pub fn grad_or_zeros<T: Borrow<Tensor>>(y: &Tensor, xs: &[T]) -> Vec<Tensor> {
    if y.len() != 1 {
        fail!("grad_or_zeros", "a scalar was expected, {:?} has {} elements", y.shape(), y.len();
              help = "reduce it first, e.g. `y.sum(..)`, or give the gradient to `grad_with`");
    }
    grad_with(y, &Tensor::ones_like(y), xs)
}

/// The gradients of `sum(y · g)` at any number of tensors, with zeros at those that `y` does not depend on: the
/// product of the gradient `g` at `y` with the Jacobian of `y`. They are differentiable, and the graph is kept.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = tensor![1.0, 2.0].leaf();
/// let found = grad_with(&x.square(), &tensor![1.0, 10.0], &[&x]);
/// assert_close!(found[0], [2.0, 40.0]);
/// ```
/// # Panics
/// When `g` has another shape than `y`, or when nothing was recorded.
#[track_caller]
pub fn grad_with<T: Borrow<Tensor>>(y: &Tensor, g: &Tensor, xs: &[T]) -> Vec<Tensor> {
    let xs: Vec<&Tensor> = xs.iter().map(Borrow::borrow).collect();
    let mut found = vec![None; xs.len()];
    grads_at(y, g, &xs, &mut found);
    hooked(&xs, &mut found);
    found.into_iter().zip(xs).map(|(g, x)| g.unwrap_or_else(|| Tensor::zeros_like(x))).collect()
}

/// Shows the gradients of leaves to their hooks, recorded.
#[track_caller]
fn hooked(xs: &[&Tensor], found: &mut [Option<Tensor>]) {
    if !hook::on_leaves() {
        return;
    }
    for (x, found) in xs.iter().zip(found) {
        if let (Some(id), Some(g)) = (x.leaf_id(), &*found)
            && let Some(changed) = here(|| record(|| hook::of_leaf(id, g)))
        {
            *found = Some(changed);
        }
    }
}

/// As [`grad_or_zeros`], and all zeros where nothing was recorded.
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
    let targets: Vec<Target<'_>> = xs
        .iter()
        .map(|x| match &x.0.origin {
            Origin::Constant | Origin::Unrecorded(_) => Target::Nothing,
            Origin::Leaf(id, kind) => Target::Leaf(*id, *kind),
            Origin::Made(node) => Target::Node(node),
        })
        .collect();
    // Below the lowest target there is nothing to find, unless a leaf is wanted: leaves have no place in the order.
    let leaf = targets.iter().any(|t| matches!(t, Target::Leaf(..)));
    let lowest =
        targets.iter().filter_map(|t| if let Target::Node(n) = t { Some(n.serial) } else { None }).min();
    let stop = if leaf { 0 } else { lowest.unwrap_or(u64::MAX) };
    here(|| record(|| walk(y, g.clone(), Graph::Kept, stop, &mut Search { targets: &targets, found })));
}

/// The gradients at `xs` as constants, with the graph kept.
#[track_caller]
pub(super) fn samples_at(y: &Tensor, g: &Tensor, xs: &[&Tensor]) -> Vec<Option<Tensor>> {
    check_seed(y, g);
    let targets: Vec<Target<'_>> = xs
        .iter()
        .filter_map(|x| {
            if let Origin::Leaf(id, kind) = &x.0.origin { Some(Target::Leaf(*id, *kind)) } else { None }
        })
        .collect();
    let mut found = vec![None; xs.len()];
    here(|| {
        no_grad(|| walk(y, g.clone(), Graph::Kept, 0, &mut Search { targets: &targets, found: &mut found }))
    });
    found
}

/// Shows every node on the way back with the whole gradient of its result, but for those that are computed again, whose insides are
/// shown; the graph is kept.
#[track_caller]
pub(super) fn visit(y: &Tensor, g: &Tensor, look: &mut dyn FnMut(&Shared<Node>, &Tensor)) {
    struct Visitor<'a> {
        look: &'a mut dyn FnMut(&Shared<Node>, &Tensor),
        last: Option<(Shared<Node>, Tensor)>,
    }
    impl Visitor<'_> {
        fn show(&mut self) {
            if let Some((node, g)) = self.last.take() {
                (self.look)(&node, &g);
            }
        }
    }
    impl Sink for Visitor<'_> {
        fn leaf(&mut self, _: LeafId, _: Tensor) {}
        fn wants_parameters(&self) -> bool {
            true
        }
        fn node(&mut self, node: &Shared<Node>, g: &Tensor) {
            self.show();
            self.last = Some((node.clone(), g.clone()));
        }
        fn again(&mut self) {
            self.last = None;
        }
    }
    check_seed(y, g);
    let mut visitor = Visitor { look, last: None };
    here(|| no_grad(|| walk(y, g.clone(), Graph::Read, 0, &mut visitor)));
    visitor.show();
}

/// What gradients are delivered to.
trait Sink {
    /// A gradient of a leaf; there may be more of the same leaf.
    fn leaf(&mut self, id: LeafId, g: Tensor);
    /// Whether it waits for the gradients of parameters.
    fn wants_parameters(&self) -> bool;
    /// The whole gradient of a node's result.
    fn node(&mut self, _: &Shared<Node>, _: &Tensor) {}
    /// That node is computed again, and its gradient goes on in there.
    fn again(&mut self) {}
}

impl Sink for Grads {
    fn leaf(&mut self, id: LeafId, g: Tensor) {
        self.add(id, g);
    }
    fn wants_parameters(&self) -> bool {
        true
    }
}

/// The search for the gradients at some tensors.
struct Search<'a> {
    targets: &'a [Target<'a>],
    found: &'a mut [Option<Tensor>],
}

enum Target<'a> {
    Nothing,
    Leaf(LeafId, LeafKind),
    Node(&'a Shared<Node>),
}

impl Search<'_> {
    fn add(&mut self, g: &Tensor, here: impl Fn(&Target<'_>) -> bool) {
        for (slot, _) in self.found.iter_mut().zip(self.targets).filter(|(_, t)| here(t)) {
            *slot = Some(match slot.take() {
                Some(sum) => sum + g,
                None => g.clone(),
            });
        }
    }
}

impl Sink for Search<'_> {
    fn leaf(&mut self, id: LeafId, g: Tensor) {
        self.add(&g, |t| matches!(t, Target::Leaf(wanted, _) if *wanted == id));
    }
    fn wants_parameters(&self) -> bool {
        self.targets.iter().any(|t| matches!(t, Target::Leaf(_, LeafKind::Parameter)))
    }
    fn node(&mut self, node: &Shared<Node>, g: &Tensor) {
        self.add(g, |t| matches!(t, Target::Node(wanted) if Shared::is(wanted, node)));
    }
}

/// Says that a graph was used up.
#[cold]
#[track_caller]
pub(super) fn freed(what: &str, op: &str) -> ! {
    fail!(what, "the values kept by `{op}` were freed by an earlier `backward`";
          help = "use `grad(&y, [&x])`, which keeps them, for all but the last derivative; or compute the loss again")
}

/// What becomes of the values that the graph keeps.
#[derive(Clone, Copy, PartialEq)]
enum Graph {
    /// Freed as they are used.
    UsedUp,
    /// Left as they are, for another walk.
    Kept,
    /// The same for gradients that are not differentiated, so that kernels compute them; those of leaves are left out.
    Read,
}

#[track_caller]
fn check_seed(y: &Tensor, g: &Tensor) {
    check_recorded(y);
    if y.shape() != g.shape() {
        fail!("backward", "the gradient's shape {:?} is not the result's {:?}", g.shape(), y.shape());
    }
}

/// Nodes whose gradients have begun to arrive, in rising order of serial number. They are few at any time, and most come
/// in at the end: a sorted list beats a tree.
struct Pending(Vec<(Shared<Node>, Arriving)>);

impl Pending {
    fn add(&mut self, node: Shared<Node>, g: Arriving) {
        // Two threads may have given the same number, so a number may name several nodes.
        let end = self.0.partition_point(|(n, _)| n.serial <= node.serial);
        let mut same = self.0[..end].iter_mut().rev().take_while(|(n, _)| n.serial == node.serial);
        match same.find(|(n, _)| Shared::is(n, &node)) {
            Some((_, sum)) => sum.add(g, &node.shape),
            None => self.0.insert(end, (node, g)),
        }
    }
}

/// Takes nodes in falling order of serial number, down to `stop`, and hands every finished gradient to `sink`. It runs in a
/// scope of its own, in which each derivative sets the precision of its operation.
#[track_caller]
fn walk(y: &Tensor, g: Tensor, graph: Graph, stop: u64, sink: &mut dyn Sink) {
    scope::set_precision(scope::precision().of_derivative());
    let mut pending = Pending(Vec::with_capacity(8));
    // Parts of leaves, which have no place in the order; of 16 bits they are added up in f32, by the sink.
    let mut of_leaves: Vec<(LeafId, Shape, Arriving)> = Vec::new();
    let deliver = |pending: &mut Pending, origin: Origin, g: Tensor, sink: &mut dyn Sink| match origin {
        Origin::Constant | Origin::Unrecorded(_) => {}
        Origin::Leaf(id, _) => sink.leaf(id, g),
        Origin::Made(node) => pending.add(node, Arriving::Whole(g)),
    };
    deliver(&mut pending, y.0.origin.clone(), g, sink);
    while let Some((mut node, g)) = pending.0.pop() {
        if node.serial < stop {
            break;
        }
        let past = node.past.get();
        let is_marked = past.is_marked();
        if is_marked && past.is_lost() && sink.wants_parameters() {
            lost(node.op.name());
        }
        let mut g = g.whole(&node.shape);
        if is_marked && past.is_hooked() {
            g = hook::of_node(&node, g);
        }
        sink.node(&node, &g);
        let mut kept = match graph {
            Graph::UsedUp => Node::take_kept(&mut node),
            Graph::Read => node.kept().clone(),
            Graph::Kept => node.kept().clone().map(|mut kept| {
                kept.inputs.iter_mut().for_each(Input::as_recorded);
                kept
            }),
        };
        let Some(kept) = &mut kept else { freed("backward", node.op.name()) };
        // Differentiable again, a part goes the plain way, through the derivative of its slice.
        if graph == Graph::UsedUp
            && let Some((axis, start)) = node.op.part()
        {
            match kept.inputs[0].origin() {
                Origin::Made(input) => {
                    pending.add(input.clone(), Arriving::Parts(axis, vec![(start, g)]));
                    continue;
                }
                Origin::Leaf(id, _) if g.dtype().size() > 2 => {
                    let (id, shape) = (*id, *kept.inputs[0].shape(&node));
                    let part = Arriving::Parts(axis, vec![(start, g)]);
                    match of_leaves.iter_mut().find(|(leaf, ..)| *leaf == id) {
                        Some((_, shape, sum)) => sum.add(part, shape),
                        None => of_leaves.push((id, shape, part)),
                    }
                    continue;
                }
                _ => {}
            }
        }
        let at = At { node: &node, kept, again: graph == Graph::Kept };
        scope::set_precision(node.precision.of_derivative());
        if let Some(y) = node.op.again(&at) {
            if y.shape_of() != &node.shape {
                fail!(node.op.name(), "computed again, the result is {:?}, and it was {:?}", y.shape(), node.shape;
                      help = "what is computed again must not depend on what has changed since");
            }
            sink.again();
            deliver(&mut pending, y.0.origin.clone(), g, sink);
            continue;
        }
        if graph == Graph::Read {
            let leaves = kept.inputs.iter_mut().filter(|input| matches!(input.origin(), Origin::Leaf(..)));
            leaves.for_each(|input| input.wanted = false);
        }
        let at = At { node: &node, kept, again: graph == Graph::Kept };
        #[cfg(mutants)]
        let strided = !g.layout().is_contiguous();
        let vjp = if is_marked && past.is_looked_at() {
            anomaly::derivative(&node, &at, &g)
        } else {
            node.op.vjp_onto(&at, g)
        };
        if vjp.0.len() != kept.inputs.len() {
            wrong_count(node.op.name(), vjp.0.len(), kept.inputs.len());
        }
        #[cfg(mutants)]
        let vjp = super::Vjp(
            vjp.0
                .into_iter()
                .enumerate()
                .map(|(i, g)| {
                    g.map(|g| super::mutant::gradient(node.op.name(), i, graph == Graph::Kept, strided, g))
                })
                .collect(),
        );
        for (input, g) in kept.inputs.iter_mut().zip(vjp.0) {
            if let Some(g) = g.filter(|_| input.wanted) {
                let g = match_input(g, input, &node);
                deliver(&mut pending, input.take_origin(), g, sink);
            }
        }
    }
    of_leaves.into_iter().for_each(|(id, shape, g)| sink.leaf(id, g.whole(&shape)));
}

#[track_caller]
#[cold]
fn wrong_count(op: &str, found: usize, wanted: usize) -> ! {
    fail!(op, "its derivative gave {found} gradients for {wanted} inputs";
          help = "`Op::vjp` must answer one for each input, `None` where there is none")
}

/// Undoes broadcasting, here and nowhere else: sums over the axes that were added or stretched.
pub(super) fn match_input(g: Tensor, input: &Input, node: &Node) -> Tensor {
    let (shape, op) = (input.shape(node), node.op.name());
    let g = g.stored_as(input.dtype());
    if g.shape_of() == shape {
        return g;
    }
    let lead = g.rank().checked_sub(shape.len());
    let fits = lead.is_some_and(|lead| {
        shape.iter().zip(&g.shape()[lead..]).all(|(&want, &have)| want == have || want == 1)
    });
    if !fits {
        fail!(op, "its derivative gave an input of shape {shape:?} a gradient of shape {:?}", g.shape();
              help = "`Op::vjp` must answer in the input's shape, or in one that it broadcasts to");
    }
    let lead = lead.unwrap_or_default();
    let axes: Vec<usize> =
        (0..g.rank()).filter(|&i| i < lead || (shape[i - lead] == 1 && g.shape()[i] != 1)).collect();
    g.sum(&axes[..]).reshape(*shape)
}
