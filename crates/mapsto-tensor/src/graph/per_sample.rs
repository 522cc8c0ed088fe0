//! The gradient of each sample's loss: in two passes back for all samples, where an operation keeps samples apart.

mod apart;
mod origins;
mod parts;

use super::engine::{samples_at, visit};
use super::{Kept, LeafId, Node, Origin, Vjp};
use crate::shape::{MAX_RANK, Shape};
use crate::storage::Shared;
use crate::{Tensor, fail, no_grad};
use apart::are_apart;
use origins::{comes_from, is_of_params, leaves};
use parts::{by_rows, by_rule, samples_first, through};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};

/// The gradients of each of `n` losses at parameters: `found[k][i, ..] = ∂ losses[i] / ∂ params[k]`, of the shape `[n, ..]` with that of the
/// parameter behind; zeros where a loss does not depend on it. The gradient of their sum is the sum over `i`.
///
/// It is exact whatever the losses are made of. Where a parameter meets samples that lie along the first axis, all `n` gradients come
/// from two passes back: the rows of the gradient that arrives there belong to one sample each, which is found out by scaling
/// each loss by another power of two and comparing bit by bit. Elsewhere, as for weights that meet sequences of different lengths from
/// their ends, it takes a pass for each sample. The graph is kept, and the results are constants.
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
    /// The same with samples along its first axis, where they lie elsewhere in the result.
    first: Option<Tensor>,
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
                let first = samples_first(node, &kept, g);
                all.push(Visit { node: node.clone(), kept, g: g.clone(), first, apart: false, of_params });
            }
        });
        let mut same = true;
        // By the digits of a sample's number: two samples differ in one of them, so none that are mixed look apart in every pass. Of
        // 16 bits 24 powers leave room for gradients, of others 64, half of them below 1, so that 64 samples take one pass.
        let (base, least) = if losses.dtype().size() < 4 { (24, 0) } else { (64, -32) };
        let mut unit = 1;
        while unit < n {
            let powers: Vec<f64> = (0..n).map(|i| 2f64.powi((i / unit % base) as i32 + least)).collect();
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
                            if unit == 1 || visit.apart {
                                let scaled = visit
                                    .first
                                    .as_ref()
                                    .and_then(|_| samples_first(node, &visit.kept, scaled))
                                    .unwrap_or_else(|| scaled.clone());
                                visit.apart =
                                    are_apart(visit.first.as_ref().unwrap_or(&visit.g), &scaled, &powers);
                            }
                        }
                        _ => same = false,
                    }
                    next += 1;
                }
            });
            same &= next == all.len();
            unit *= base;
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
            let mut own: Option<Vjp> = None;
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
                    None if visit.apart => {
                        let own = own.get_or_insert_with(|| by_rule(visit, self.n));
                        let each = own.0.get_mut(j).and_then(Option::take);
                        each.map(|each| each.to(input.dtype())).or_else(|| by_rows(visit, j, self.n))
                    }
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

#[cfg(test)]
mod tests;
