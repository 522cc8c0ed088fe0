//! The gradient of each sample's loss: in two passes back for all samples, where an operation keeps samples apart.

use super::engine::{match_input, samples_at, visit};
use super::{At, Grave, Input, Kept, LeafId, Node, Op, Origin, Ran, Seen, Vjp};
use crate::precision::Precision;
use crate::shape::{MAX_RANK, Shape};
use crate::storage::Shared;
use crate::{Tensor, catch, fail, no_grad, scope};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// The gradients of each of `n` losses at parameters: `found[k][i, ..] = ∂ losses[i] / ∂ params[k]`, of the shape `[n, ..]` with that of the
/// parameter behind; zeros where a loss does not depend on it. The gradient of their sum is the sum over `i`.
///
/// It is exact whatever the losses are made of. Where a parameter meets samples that lie along the first axis, all `n` gradients come
/// from two passes back: the rows of the gradient that arrives there belong to one sample each, which is found out by scaling
/// each loss by another power of two and comparing bit by bit. Elsewhere, as for weights of recurrent layers, it takes a pass for each
/// sample. The graph is kept, and the results are constants.
///
/// Source: Goodfellow (2015), Efficient per-example gradient computations, arXiv:1510.01799.
/// ```
/// use mapsto_tensor::graph::per_sample_grads;
/// use mapsto_tensor::prelude::*;
/// let w = tensor![[1.0, 1.0]].leaf();
/// let x = tensor![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// let losses = x.linear(&w, None).squeeze(1).square(); // [3]: 9, 49, 121
/// let found = per_sample_grads(&losses, &[&w]);
/// assert_close!(found[0].squeeze(1), [[6.0, 12.0], [42.0, 56.0], [110.0, 132.0]]);
/// ```
/// # Panics
/// When `losses` has not one axis with the losses of the samples, or nothing was recorded; when a parameter is no leaf, or has six axes; and
/// where samples are mixed by design, as by batch norm in training.
#[track_caller]
pub fn per_sample_grads<T: Borrow<Tensor>>(losses: &Tensor, params: &[T]) -> Vec<Tensor> {
    let params: Vec<&Tensor> = params.iter().map(Borrow::borrow).collect();
    if losses.rank() != 1 {
        fail!("per_sample_grads", "the losses must be [n], one of each sample, they are {:?}", losses.shape();
              help = "reduce all axes but the first, and do not take the mean over samples");
    }
    for (k, p) in params.iter().enumerate() {
        if p.leaf_id().is_none() {
            fail!("per_sample_grads", "parameter {k}, of shape {:?}, is no leaf", p.shape(); help = "give parameters themselves, or make it one with `.leaf()`");
        }
        if p.rank() == MAX_RANK {
            fail!("per_sample_grads", "parameter {k} has {MAX_RANK} axes, and none is left for the samples");
        }
    }
    let n = losses.len();
    no_grad(|| {
        if n == 0 {
            return params.iter().map(|p| rows(n, p, Vec::new())).collect();
        }
        let Some(visits) = Visits::of(losses, &params) else { return one_by_one(losses, &params) };
        let mut found = Found { params: &params, sums: vec![None; params.len()], slow: HashSet::new() };
        visits.each(&mut found);
        let slow: Vec<usize> = (0..params.len()).filter(|k| found.slow.contains(k)).collect();
        let left: Vec<&Tensor> = slow.iter().map(|&k| params[k]).collect();
        for (k, all) in
            slow.into_iter().zip(if left.is_empty() { Vec::new() } else { one_by_one(losses, &left) })
        {
            found.sums[k] = Some(all);
        }
        found
            .sums
            .into_iter()
            .zip(&params)
            .map(|(sum, p)| sum.unwrap_or_else(|| rows(n, p, Vec::new())))
            .collect()
    })
}

/// A pass back for each loss.
#[track_caller]
fn one_by_one(losses: &Tensor, params: &[&Tensor]) -> Vec<Tensor> {
    let n = losses.len();
    let mut all: Vec<Vec<Tensor>> = params.iter().map(|_| Vec::with_capacity(n)).collect();
    for i in 0..n {
        let mut one = vec![0.0; n];
        one[i] = 1.0;
        let seed = losses.device().scope(|| Tensor::from_vec(one, [n]).to(losses.dtype()));
        for ((list, g), p) in all.iter_mut().zip(samples_at(losses, &seed, params)).zip(params) {
            list.push(g.unwrap_or_else(|| Tensor::zeros_like(p)));
        }
    }
    all.into_iter().zip(params).map(|(list, p)| rows(n, p, list)).collect()
}

/// The gradients at one parameter, one after the other; zeros without any.
fn rows(n: usize, p: &Tensor, list: Vec<Tensor>) -> Tensor {
    if list.is_empty() {
        let shape: Vec<usize> = [n].iter().chain(p.shape()).copied().collect();
        return p.device().scope(|| Tensor::full_of(Shape::new(&shape), 0.0, p.dtype()));
    }
    Tensor::stack(&list, 0).to(p.dtype())
}

/// An operation that a parameter comes into, and the gradient that came to its result.
struct Visit {
    node: Shared<Node>,
    kept: Kept,
    g: Tensor,
    /// Whether row `i` of that gradient comes from loss `i` alone, in groups of as many rows.
    apart: bool,
    /// Whether it is computed from parameters alone.
    of_params: bool,
}

struct Visits {
    n: usize,
    all: Vec<Visit>,
    /// The identities of the parameters.
    ids: Vec<LeafId>,
}

impl Visits {
    /// Passes back with every loss as it is, and with each scaled by a power of two, which moves exponents and no digit.
    #[track_caller]
    fn of(losses: &Tensor, params: &[&Tensor]) -> Option<Visits> {
        let (n, ids) = (losses.len(), params.iter().filter_map(|p| p.leaf_id()).collect::<Vec<_>>());
        if n == 1 || losses.leaf_id().is_some() {
            return None;
        }
        let mut all: Vec<Visit> = Vec::new();
        visit(losses, &Tensor::ones_like(losses), &mut |node, g| {
            if node.op.mixes_samples() {
                mixed(node.op.name());
            }
            let Some(kept) = node.kept().clone() else { return };
            if kept.inputs.iter().any(|input| comes_from(input, node, &ids)) {
                let of_params = kept.inputs.iter().all(|input| is_of_params(input, node));
                all.push(Visit { node: node.clone(), kept, g: g.clone(), apart: false, of_params });
            }
        });
        let mut same = true;
        // By the digits of a sample's number to the base 24: two samples differ in one of them, so none that are mixed look apart in
        // every pass.
        let mut unit = 1;
        while unit < n {
            let powers: Vec<f64> = (0..n).map(|i| 2f64.powi((i / unit % 24) as i32)).collect();
            let scales = losses.device().scope(|| Tensor::from_vec(powers.clone(), [n]).to(losses.dtype()));
            let mut next = 0;
            visit(losses, &scales, &mut |node, scaled| {
                if node
                    .kept()
                    .as_ref()
                    .is_some_and(|kept| kept.inputs.iter().any(|input| comes_from(input, node, &ids)))
                {
                    match all.get_mut(next) {
                        Some(visit)
                            if visit.node.op.name() == node.op.name()
                                && visit.g.shape() == scaled.shape() =>
                        {
                            visit.apart = (unit == 1 || visit.apart) && are_apart(&visit.g, scaled, &powers);
                        }
                        _ => same = false,
                    }
                    next += 1;
                }
            });
            same &= next == all.len();
            unit *= 24;
        }
        same.then_some(Visits { n, all, ids })
    }

    /// The gradients of each sample, as far as operations keep samples apart.
    fn each(&self, found: &mut Found<'_>) {
        let place = |node: &Shared<Node>| std::ptr::from_ref::<Node>(node).addr();
        let apart: HashSet<usize> = self.all.iter().filter(|v| v.apart).map(|v| place(&v.node)).collect();
        // Of values that are computed from parameters alone: the gradient of each sample.
        let mut stacks: HashMap<usize, Option<Tensor>> = HashMap::new();
        for visit in &self.all {
            let stacked = match visit.of_params && !visit.apart {
                true => match stacks.remove(&place(&visit.node)) {
                    Some(Some(stack)) => Some(stack),
                    _ => {
                        self.give_up(visit, None, found);
                        continue;
                    }
                },
                false => None,
            };
            for (j, input) in visit.kept.inputs.iter().enumerate() {
                let node = match input.origin() {
                    Origin::Made(node) if comes_from(input, &visit.node, &self.ids) => {
                        if apart.contains(&place(node)) {
                            continue; // its own gradient is apart, and goes on from there
                        }
                        Some(place(node))
                    }
                    Origin::Leaf(id, _) if input.wanted && self.ids.contains(id) => None,
                    _ => continue,
                };
                let each = match &stacked {
                    Some(stack) => through(visit, stack, j),
                    None if visit.apart => by_sample(visit, j, self.n),
                    None => None,
                };
                match (node, each, input.origin()) {
                    (Some(node), each, _) => {
                        let slot =
                            stacks.entry(node).or_insert_with(|| each.as_ref().map(Tensor::zeros_like));
                        *slot = slot.take().zip(each).map(|(sum, each)| sum + each);
                    }
                    (None, Some(each), Origin::Leaf(id, _)) => found.add(*id, each),
                    _ => self.give_up(visit, Some(j), found),
                }
            }
        }
    }

    /// Leaves the parameters that come into an input, or into all, to a pass for each sample.
    fn give_up(&self, visit: &Visit, j: Option<usize>, found: &mut Found<'_>) {
        let inputs = visit.kept.inputs.iter().enumerate().filter(|(i, _)| j.is_none_or(|j| j == *i));
        for (_, input) in inputs {
            for id in leaves(input.origin()) {
                found.slow.extend(found.params.iter().position(|p| p.leaf_id() == Some(id)));
            }
        }
    }
}

/// What was found, for each parameter.
struct Found<'a> {
    params: &'a [&'a Tensor],
    sums: Vec<Option<Tensor>>,
    slow: HashSet<usize>,
}

impl Found<'_> {
    fn add(&mut self, id: LeafId, each: Tensor) {
        for (sum, _) in self.sums.iter_mut().zip(self.params).filter(|(_, p)| p.leaf_id() == Some(id)) {
            *sum = Some(match sum.take() {
                Some(sum) => sum + &each,
                None => each.clone(),
            });
        }
    }
}

#[track_caller]
#[cold]
fn mixed(op: &str) -> ! {
    fail!("per_sample_grads", "`{op}` mixes the samples of a batch in training, so the loss of one depends on all";
          help = "use a norm of each sample, such as `GroupNorm` or `LayerNorm`, or the running statistics, in `record(|| ..)` instead of `train(|| ..)`")
}

/// Whether a gradient is, row by row, that of the scaled losses divided by the scale.
fn are_apart(g: &Tensor, scaled: &Tensor, powers: &[f64]) -> bool {
    let n = powers.len();
    if !g.shape().first().is_some_and(|rows| rows.is_multiple_of(n)) {
        return false;
    }
    let [g, scaled] = [g, scaled].map(|g| g.to(crate::DType::F64).to_vec::<f64>());
    let width = g.len() / n;
    powers.iter().enumerate().all(|(i, scale)| {
        let row = i * width..(i + 1) * width;
        let most = g[row.clone()].iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        g[row.clone()].iter().zip(&scaled[row]).all(|(a, b)| (a * scale - b).abs() <= 1e-9 * most * scale)
    })
}

/// Whether one of these leaves comes into an input, through operations on leaves alone if not by itself.
fn comes_from(input: &Input, node: &Node, ids: &[LeafId]) -> bool {
    input.wanted
        && match input.origin() {
            Origin::Leaf(id, _) => ids.contains(id),
            Origin::Made(_) => {
                is_of_params(input, node) && leaves(input.origin()).iter().any(|id| ids.contains(id))
            }
            _ => false,
        }
}

/// Whether a value is a leaf, or made of leaves and single numbers by a few operations.
fn is_of_params(input: &Input, node: &Node) -> bool {
    fn is(input: &Input, node: &Node, left: &mut usize) -> bool {
        match input.origin() {
            Origin::Leaf(..) => true,
            Origin::Made(made) if *left > 0 => {
                *left -= 1;
                made.kept().as_ref().is_some_and(|kept| kept.inputs.iter().all(|input| is(input, made, left)))
            }
            Origin::Made(_) => false,
            Origin::Constant | Origin::Unrecorded(_) => input.shape(node).known_count() == 1,
        }
    }
    is(input, node, &mut 64)
}

/// The leaves that a value of parameters is made of.
fn leaves(origin: &Origin) -> Vec<LeafId> {
    match origin {
        Origin::Leaf(id, _) => vec![*id],
        Origin::Made(node) => node
            .kept()
            .iter()
            .flat_map(|kept| &kept.inputs)
            .flat_map(|input| leaves(input.origin()))
            .collect(),
        _ => Vec::new(),
    }
}

/// What comes to input `j` for each sample, where it came to the result for each sample.
fn through(visit: &Visit, stack: &Tensor, j: usize) -> Option<Tensor> {
    let list: Option<Vec<Tensor>> = (0..stack.shape()[0])
        .map(|i| derivative(&visit.node, &visit.kept, &stack.select(0, i as isize), j))
        .collect();
    Some(Tensor::stack(&list?, 0))
}

/// What comes to input `j` for each sample from a gradient whose rows belong to samples: by the operation's own rule, or row by row.
fn by_sample(visit: &Visit, j: usize, n: usize) -> Option<Tensor> {
    let Visit { node, kept, g, .. } = visit;
    let at = At { node, kept, again: false };
    let shape: Vec<usize> = [n].iter().chain(kept.inputs[j].shape(node).iter()).copied().collect();
    if let Some(each) = within(node, || node.op.vjp_each(&at, g, j, n)) {
        return Some(each.reshape(&shape[..]).to(kept.inputs[j].dtype()));
    }
    let list: Option<Vec<Tensor>> = (0..n).map(|i| row(visit, i, j, n)).collect();
    let each = Tensor::stack(&list?, 0);
    if each.shape() != shape {
        return None;
    }
    // An input that does not lie along samples though its size says so gives another sum.
    let whole = derivative(node, kept, g, j)?.to(crate::DType::F64);
    let sum = each.to(crate::DType::F64).sum(0);
    let off = (&sum - &whole).abs().max(..).item();
    let most = each.to(crate::DType::F64).abs().sum(0).max(..).item();
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
        past: super::Marks::default(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// Against a pass for each sample alone, on its own rows.
    fn agrees(n: usize, params: &[&Tensor], xs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) -> bool {
        let losses = record(|| f(xs));
        let found = per_sample_grads(&losses, params);
        let visits = no_grad(|| Visits::of(&losses, params)).expect("two passes that agree");
        let mut fast = Found { params, sums: vec![None; params.len()], slow: HashSet::new() };
        no_grad(|| visits.each(&mut fast));
        for i in 0..n {
            let alone: Vec<Tensor> = xs.iter().map(|x| x.slice(0, i as isize..i as isize + 1)).collect();
            let wanted = grad_or_zeros(&record(|| f(&alone)).sum(..), params);
            for (found, wanted) in found.iter().zip(wanted) {
                assert_close!(found.select(0, i as isize), wanted);
            }
        }
        fast.slow.is_empty()
    }

    #[test]
    fn rows_come_from_two_passes_where_samples_lie_along_the_first_axis() {
        let (w, b) = (Tensor::randn([4, 3]).leaf(), Tensor::randn([4]).leaf());
        let x = Tensor::randn([5, 3]);
        assert!(agrees(5, &[&w, &b], std::slice::from_ref(&x), |x| x[0]
            .linear(&w, Some(&b))
            .tanh()
            .square()
            .sum(1)));
        assert!(agrees(5, &[&w, &b], std::slice::from_ref(&x), |x| x[0]
            .linear_relu(&w, Some(&b))
            .exp()
            .sum(1)));
        assert!(agrees(5, &[&w, &b], std::slice::from_ref(&x), |x| (x[0].matmul(&w.t()) * &b).sin().sum(1)));
        // Weights that are computed from parameters, used twice, and rows of several places each.
        let s = Tensor::randn([3, 3]).leaf();
        let x = Tensor::randn([3, 4, 3]);
        let f = |x: &[Tensor]| {
            let n = x[0].shape()[0];
            let m = (&s * 2.0).matmul(&s.t());
            let y = x[0].reshape([n * 4, 3]).matmul(&m).tanh().reshape([n, 4, 3]);
            (y.matmul(&m) + &s.select(0, 1)).square().sum(&[1, 2][..])
        };
        assert!(agrees(3, &[&s], &[x], f));
        let (k, c) = (Tensor::randn([2, 3, 3, 3]).leaf(), Tensor::randn([2]).leaf());
        let f = |x: &[Tensor]| {
            x[0].conv2d(&k, Some(&c), Conv2dOptions::new().padding(1)).relu().sum(&[1, 2, 3][..])
        };
        assert!(agrees(4, &[&k, &c], &[Tensor::randn([4, 3, 6, 5])], f));
        let (table, gamma) = (Tensor::randn([7, 3]).leaf(), Tensor::randn([3]).leaf());
        let ids = tensor![[1, 2], [2, 2], [6, 0], [3, 3]];
        let f = |x: &[Tensor]| x[0].embedding(&table).layer_norm(&gamma, None, 1e-5).sin().sum(&[1, 2][..]);
        assert!(agrees(4, &[&table, &gamma], &[ids], f));
    }

    #[test]
    fn parts_that_are_computed_again_are_looked_into() {
        let w = Tensor::randn([3, 3]).leaf();
        let held = w.clone();
        let part = move |xs: &[Tensor]| xs[0].linear(&held, None).tanh();
        let f = |x: &[Tensor]| crate::graph::checkpoint(part.clone(), &[&x[0], &w]).square().sum(1);
        assert!(agrees(4, &[&w], &[Tensor::randn([4, 3])], f));
    }

    #[test]
    fn where_samples_lie_elsewhere_it_takes_a_pass_for_each() {
        let w = Tensor::randn([3, 3]).leaf();
        // As many samples as places, which shapes alone cannot tell apart.
        let f = |x: &[Tensor]| x[0].swap(0, 1).contiguous().matmul(&w).tanh().sum(&[0, 2][..]);
        assert!(!agrees(4, &[&w], &[Tensor::randn([4, 4, 3])], f));
        let column = |x: &[Tensor]| w.matmul(&x[0].t()).tanh().sum(0);
        assert!(!agrees(3, &[&w], &[Tensor::randn([3, 3])], column));
    }

    #[test]
    fn what_samples_share_is_still_the_derivative_and_batch_norm_is_refused() {
        // Losses that depend on each other: the definition holds, and no shortcut is taken.
        let w = Tensor::randn([3]).leaf();
        let x = Tensor::randn([4, 3]);
        let f = |w: &Tensor| {
            let y = (&x * w).sum(1);
            &y * y.sum(..)
        };
        let found = per_sample_grads(&f(&w), &[&w]);
        assert_close!(found[0], crate::graph::jacobian(f, &w.detach()));
        let (gamma, beta) = (Tensor::ones([3]).leaf(), Tensor::zeros([3]).leaf());
        let losses = x.batch_norm(&gamma, &beta, 1e-5).0.square().sum(1);
        let e = catch(|| per_sample_grads(&losses, &[&gamma])).unwrap_err();
        assert!(e.message().contains("`batch_norm` mixes the samples"), "{e}");
        let given = x.batch_norm_with(&Tensor::zeros([3]), &Tensor::ones([3]), &gamma, &beta, 1e-5);
        assert_eq!(per_sample_grads(&given.square().sum(1), &[&gamma, &w])[1].to_vec::<f32>(), [0.0; 12]);
    }

    #[test]
    fn mistakes_are_named() {
        let w = Tensor::ones([2]).leaf();
        let y = Tensor::ones([3, 2]) * &w;
        let message = |f: &dyn Fn() -> Vec<Tensor>| catch(f).unwrap_err().message().to_string();
        assert!(message(&|| per_sample_grads(&y, &[&w])).contains("the losses must be [n]"));
        assert!(
            message(&|| per_sample_grads(&y.sum(1), &[&y]))
                .contains("parameter 0, of shape [3, 2], is no leaf")
        );
        assert!(message(&|| per_sample_grads(&tensor![1.0, 2.0], &[&w])).contains("nothing was recorded"));
        assert_eq!(per_sample_grads(&y.slice(0, 0..1).sum(1), &[&w])[0].to_vec::<f32>(), [1.0, 1.0]);
    }
}
