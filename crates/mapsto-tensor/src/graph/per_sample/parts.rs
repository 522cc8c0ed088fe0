//! What comes to an input of an operation for each sample: by the operation's own rule, or row by row.

use super::Visit;
use crate::graph::engine::match_input;
use crate::graph::{At, Grave, Input, Kept, Marks, Node, Op, Origin, Ran, Seen, Vjp};
use crate::precision::Precision;
use crate::storage::Shared;
use crate::{DType, Tensor, catch, scope};
use std::sync::Mutex;

/// What comes to input `j` for each sample, where it came to the result for each sample.
pub(super) fn through(visit: &Visit, stack: &Tensor, j: usize) -> Option<Tensor> {
    let list: Option<Vec<Tensor>> = (0..stack.shape()[0])
        .map(|i| derivative(&visit.node, &visit.kept, &stack.select(0, i as isize), j))
        .collect();
    Some(Tensor::stack(&list?, 0))
}

/// The gradient of a result with samples along the first axis, where they lie elsewhere in it.
pub(super) fn samples_first(node: &Shared<Node>, kept: &Kept, g: &Tensor) -> Option<Tensor> {
    node.op.samples_first(&At { node, kept, again: false }, g)
}

/// What comes to inputs for each sample by the operation's own rule, from a gradient whose rows belong to samples.
pub(super) fn by_rule(visit: &Visit, n: usize) -> Vjp {
    let Visit { node, kept, g, .. } = visit;
    let Vjp(all) = within(node, || node.op.vjp_each(&At { node, kept, again: false }, g, n));
    let shaped = |(j, each): (usize, Option<Tensor>)| {
        let shape: Vec<usize> = [n].iter().chain(kept.inputs.get(j)?.shape(node).iter()).copied().collect();
        each.map(|each| each.reshape(&shape[..]))
    };
    Vjp(all.into_iter().enumerate().map(shaped).collect())
}

/// What comes to input `j` for each sample from a gradient whose rows belong to samples, row by row.
pub(super) fn by_rows(visit: &Visit, j: usize, n: usize) -> Option<Tensor> {
    let Visit { node, kept, g, first, .. } = visit;
    if first.is_some() {
        return None;
    }
    let shape: Vec<usize> = [n].iter().chain(kept.inputs[j].shape(node).iter()).copied().collect();
    let list: Option<Vec<Tensor>> = (0..n).map(|i| row(visit, i, j, n)).collect();
    let each = Tensor::stack(&list?, 0);
    if each.shape() != shape {
        return None;
    }
    // An input that does not lie along samples though its size says so gives another sum.
    let inner = if each.dtype().size() <= 2 { DType::F32 } else { each.dtype() };
    let whole = derivative(node, kept, g, j)?.to(inner);
    let off = (&each.to(inner).sum(0) - &whole).abs().max(..).item();
    let most = each.to(inner).abs().sum(0).max(..).item();
    let digits = if each.dtype().size() <= 2 { 0.05 } else { 1e-4 };
    (each.is_empty() || off <= digits * most).then_some(each)
}

/// What sample `i` alone gives.
fn row(visit: &Visit, i: usize, j: usize, n: usize) -> Option<Tensor> {
    let Visit { node, kept, g, .. } = visit;
    let rows = g.shape()[0];
    let cut = |x: &Tensor, rows: usize| {
        let each = rows / n;
        x.slice(0, (i * each) as isize..((i + 1) * each) as isize)
    };
    let input = |k: usize, input: &Input| -> Input {
        let is_samples =
            k != j && input.shape(node).first() == Some(&rows) && !matches!(input.origin(), Origin::Leaf(..));
        let shape = match is_samples {
            true => input.shape(node).with(0, rows / n),
            false => *input.shape(node),
        };
        let seen = match &input.seen {
            Seen::Whole(x) if is_samples => Seen::Whole(cut(&x.detach(), rows)),
            Seen::Whole(x) => Seen::Whole(x.detach()),
            Seen::Outline { dtype, .. } => {
                Seen::Outline { origin: Origin::Constant, shape: Some(Box::new(shape)), dtype: *dtype }
            }
        };
        Input { wanted: k == j, seen }
    };
    let inputs: smallvec::SmallVec<[Input; 3]> =
        kept.inputs.iter().enumerate().map(|(k, x)| input(k, x)).collect();
    let g = cut(g, rows).contiguous();
    let (mut y, mut extra) = (kept.y.as_ref().map(|y| cut(&y.detach(), rows)), Vec::new());
    if !kept.extra.is_empty() {
        // What a kernel kept is known to it alone.
        let xs: Vec<&Tensor> = inputs.iter().map(Input::value).collect::<Option<_>>()?;
        let ran = catch(|| within(node, || node.op.run(&xs))).ok()?;
        if ran.y.shape() != g.shape() {
            return None;
        }
        (y, extra) = (y.map(|_| ran.y.clone()), ran.kept);
    }
    let part = Shared::new(Node {
        serial: 0,
        shape: *g.shape_of(),
        dtype: node.dtype,
        precision: node.precision,
        past: Marks::default(),
        kept: Grave(Mutex::new(None)),
        op: Box::new(Same(node.clone())),
    });
    derivative(&part, &Kept { inputs, y, extra }, &g, j)
}

/// What comes to input `j`, in its shape and dtype; none where the operation has no derivative at these shapes.
fn derivative(node: &Shared<Node>, kept: &Kept, g: &Tensor, j: usize) -> Option<Tensor> {
    let found = catch(|| {
        let at = At { node, kept, again: false };
        let Vjp(all) = within(node, || node.op.vjp(&at, g));
        Vjp(all).take(j).map(|g| match_input(g, &kept.inputs[j], node))
    });
    found.ok().flatten()
}

/// Runs what belongs to an operation in its precision.
fn within<R>(node: &Node, body: impl FnOnce() -> R) -> R {
    let precision: Precision = node.precision.of_derivative();
    scope::within(|m| m.of_precision(precision), body)
}

/// An operation that another node holds.
struct Same(Shared<Node>);
impl Op for Same {
    fn name(&self) -> &'static str {
        self.0.op.name()
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.0.op.run(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        self.0.op.vjp(at, g)
    }
}
