//! Forward-mode differentiation: how a result moves as its inputs move, node by node in rising order.

use super::engine::freed;
use super::fused::Identity;
use super::{At, Node, Origin, Vjp, grads_or_zeros};
use crate::elementwise::map;
use crate::shape::broadcast;
use crate::storage::Shared;
use crate::{Tensor, fail, record, scope};
use std::collections::{HashMap, HashSet};

/// The result of `f` at `xs`, and how it moves as they move by `dxs`: the Jacobian times a vector.
///
/// One run costs as much whatever the number of results, where [`grad`](super::grad) costs as much whatever the number of
/// inputs. What comes out can be differentiated again.
///
/// ```
/// use mapsto_tensor::graph::jvp;
/// use mapsto_tensor::prelude::*;
/// let (y, dy) = jvp(|[x]| x.square(), [&tensor![1.0, 3.0]], [&tensor![1.0, 0.5]]);
/// assert_close!(y, [1.0, 9.0]);
/// assert_close!(dy, [2.0, 3.0]);
/// ```
/// # Panics
/// When a direction has another shape than its input, or an input is not of floats.
#[track_caller]
pub fn jvp<const N: usize>(
    f: impl FnOnce([&Tensor; N]) -> Tensor,
    xs: [&Tensor; N],
    dxs: [&Tensor; N],
) -> (Tensor, Tensor) {
    for (i, (x, dx)) in xs.iter().zip(&dxs).enumerate() {
        if x.shape() != dx.shape() || x.dtype() != dx.dtype() {
            fail!(
                "jvp",
                "input {i} is {:?} of {}, its direction {:?} of {}",
                x.shape(),
                x.dtype(),
                dx.shape(),
                dx.dtype()
            );
        }
    }
    // Points of the graph of their own: a tangent comes from this use of an input alone, and what comes out still depends on
    // all that the input came from.
    let points = xs.map(point);
    let y = record(|| f(points.each_ref()));
    let dy = record(|| push(&y, &points, &dxs));
    (y, dy)
}

/// An input as a point of the graph of its own.
#[track_caller]
pub(super) fn point(x: &Tensor) -> Tensor {
    let is_followed = x.is_recorded() || x.leaf_id().is_some();
    record(|| map(Identity, &if is_followed { x.clone() } else { x.leaf() }))
}

/// The tangent of `y` where those of some points of the graph are known.
#[track_caller]
pub(super) fn push(y: &Tensor, points: &[Tensor], dxs: &[&Tensor]) -> Tensor {
    // By address: the list of nodes keeps all of them.
    let mut found: HashMap<*const Node, Tensor> = HashMap::new();
    let mut first = u64::MAX;
    for (point, dx) in points.iter().zip(dxs) {
        if let Origin::Made(node) = &point.0.origin {
            first = first.min(node.serial);
            found.insert(std::ptr::from_ref::<Node>(node), (*dx).clone());
        }
    }
    let of = |origin: &Origin, found: &HashMap<*const Node, Tensor>| match origin {
        Origin::Made(node) => found.get(&std::ptr::from_ref::<Node>(node)).cloned(),
        _ => None,
    };
    for node in &nodes_after(y, first) {
        let at_node = std::ptr::from_ref::<Node>(node);
        if found.contains_key(&at_node) {
            continue;
        }
        let Some(kept) = node.kept().clone() else { freed("jvp", node.op.name()) };
        let dxs: Vec<Option<Tensor>> = kept.inputs.iter().map(|input| of(input.origin(), &found)).collect();
        if dxs.iter().any(Option::is_some) {
            let at = At { node, kept: &kept, again: true };
            let dy =
                scope::within(|m| m.of_precision(node.precision.of_derivative()), || node.op.jvp(&at, &dxs));
            let dy = if dy.shape_of() == &node.shape { dy } else { dy.expand(node.shape) };
            found.insert(at_node, dy);
        }
    }
    of(&y.0.origin, &found).unwrap_or_else(|| Tensor::zeros_like(y))
}

/// Every node that a tensor was computed by, each after all that it was computed from.
pub(super) fn nodes(y: &Tensor) -> Vec<Shared<Node>> {
    nodes_after(y, 0)
}

/// Those of them with at least this number: what was made before a node does not depend on it.
fn nodes_after(y: &Tensor, first: u64) -> Vec<Shared<Node>> {
    let mut all: Vec<Shared<Node>> = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![y.0.origin.clone()];
    while let Some(origin) = open.pop() {
        let Origin::Made(node) = origin else { continue };
        if node.serial >= first && seen.insert(std::ptr::from_ref::<Node>(&node)) {
            open.extend(node.kept().iter().flat_map(|k| &k.inputs).map(|i| i.origin().clone()));
            all.push(node);
        }
    }
    // Inputs have smaller numbers; two threads may have given the same ones, to nodes of which neither uses the other.
    all.sort_by_key(|node| node.serial);
    all
}

/// The tangent by the derivative of the derivative: `J dx = ∂/∂g ⟨Jᵀ g, dx⟩` for any `g`.
pub(super) fn twice(vjp: &dyn Fn(&At<'_>, &Tensor) -> Vjp, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
    record(|| {
        let device = dxs.iter().flatten().next().expect("an input that moves").device();
        let g = device.scope(|| Tensor::full_of(at.node.shape, 0.0, at.node.dtype)).leaf();
        let backward = vjp(at, &g).0;
        let products = backward.into_iter().zip(dxs).filter_map(|(back, dx)| Some((back?, dx.as_ref()?)));
        let products = products.map(|(back, dx)| {
            // The derivative may answer in the broadcast shape, and in the input's dtype or in a wider one.
            let wide = broadcast("jvp", back.shape_of(), dx.shape_of());
            let dx = dx.expand(wide).to(back.dtype());
            (back * dx).sum(..).to(g.dtype())
        });
        match products.reduce(|a, b| a + b) {
            Some(sum) => grads_or_zeros(&sum, &[&g]).remove(0),
            None => g.detach(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::assert_tensors_close;
    use crate::prelude::*;

    /// The tangent of one more dtype than a leaf has: `y` by central differences along `dxs`.
    fn central(call: fn(&[Tensor]) -> Tensor, xs: &[Tensor], dxs: &[Option<Tensor>]) -> Tensor {
        let step = 1e-6;
        let moved = |by: f64| -> Vec<Tensor> {
            let one = |(x, dx): (&Tensor, &Option<Tensor>)| match dx {
                Some(dx) => x + dx * by,
                None => x.clone(),
            };
            xs.iter().zip(dxs).map(one).collect()
        };
        (call(&moved(step)) - call(&moved(-step))) / (2.0 * step)
    }

    #[test]
    fn every_operation_moves_as_differences_say() {
        let (mut kinds, mut compared) = (0, 0);
        for kind in crate::ops::OPS.iter().filter(|k| k.takes(DType::F64)) {
            let before = compared;
            for (i, sample) in kind.samples(DType::F64, 5).iter().enumerate() {
                let y = sample.run();
                if y.dtype() != DType::F64 || y.is_empty() || !y.is_finite() {
                    continue;
                }
                let mut key = 0;
                let dxs: Vec<Option<Tensor>> = sample
                    .inputs
                    .iter()
                    .map(|x| {
                        key += 1;
                        let dx = || crate::check::floats(-1.0..1.0).draw(x.shape(), key);
                        x.dtype().is_float().then(dx)
                    })
                    .collect();
                let leaves: Vec<Tensor> = sample
                    .inputs
                    .iter()
                    .map(|x| if x.dtype().is_float() { point(x) } else { x.clone() })
                    .collect();
                let (float, dirs): (Vec<Tensor>, Vec<&Tensor>) =
                    leaves.iter().zip(&dxs).filter_map(|(x, dx)| Some((x.clone(), dx.as_ref()?))).unzip();
                let dy = record(|| push(&(sample.call)(&leaves), &float, &dirs));
                let numeric = central(sample.call, &sample.inputs, &dxs);
                assert_tensors_close(&dy, &numeric, 2e-6, 2e-5, &format!("{} {i} {sample:?}", kind.name));
                compared += 1;
            }
            kinds += usize::from(compared > before);
        }
        println!("{compared} samples of {kinds} kinds of operations move as differences say");
        assert!(kinds > 90, "{kinds}");
    }

    #[test]
    fn tangents_add_up_over_uses_and_are_differentiable() {
        let x = tensor![0.5];
        let (y, dy) = jvp(|[x]| x * x.tanh() + x, [&x], [&tensor![2.0]]);
        let t = 0.5f64.tanh();
        assert_close!(y, [0.5 * t + 0.5]);
        assert_close!(dy, [2.0 * (t + 0.5 * (1.0 - t * t) + 1.0)]);
        let outer = x.leaf();
        let (_, dy) = jvp(|[v]| v * v * &outer, [&x], [&tensor![1.0]]);
        let [d] = grad(&dy.sum(..), [&outer]);
        assert_close!(d, [1.0]);
        let (_, none) = jvp(|[_]| tensor![3.0], [&x], [&tensor![1.0]]);
        assert_close!(none, [0.0]);
        // Of a dtype between, and of a second jvp: (u³)'' = 6u.
        let cubed = |[u]: [&Tensor; 1]| u * u * u;
        let one = tensor![1.0];
        let first = |[z]: [&Tensor; 1]| jvp(cubed, [z], [&one]).1;
        assert_close!(jvp(first, [&tensor![2.0]], [&one]).1, [12.0]);
        assert_close!(jvp(|[z]| jvp(cubed, [z], [&one]).0, [&tensor![2.0]], [&one]).1, [12.0]);
        let (_, dy) = jvp(|[x]| x.to(DType::F64).square().to(DType::F16), [&tensor![3.0]], [&one]);
        assert_close!(dy.to(DType::F32), [6.0]);
        // What comes out depends on all that the input came from: y = 9x²·x, dy = 2·3x·x.
        let x = tensor![2.0].leaf();
        let h = &x * 3.0;
        assert_close!(jvp(|[z]| z * z * &x, [&h], [&one]).0.sum(..).backward().of(&x), [108.0]);
        let h = &x * 3.0;
        assert_close!(jvp(|[z]| z * z * &x, [&h], [&one]).1.sum(..).backward().of(&x), [24.0]);
        let w = tensor![2.0].parameter();
        let (y, _) = train(|| jvp(|[w]| w.square(), [&w], [&one]));
        assert_close!(y.sum(..).backward().of(&w), [4.0]);
        // A graph that was used up on the way is no constant.
        let used = |[z]: [&Tensor; 1]| {
            let h = z.exp();
            let _ = h.sum(..).backward();
            h * 2.0
        };
        let e = catch(|| jvp(used, [&tensor![0.0]], [&one])).unwrap_err();
        assert!(e.message().contains("freed by an earlier `backward`"), "{e}");
        let x = tensor![0.5];
        let e = catch(|| jvp(|[x]| x.clone(), [&x], [&tensor![1.0, 2.0]])).unwrap_err();
        assert!(e.message().starts_with("jvp: input 0 is [1]"), "{e}");
    }
}
