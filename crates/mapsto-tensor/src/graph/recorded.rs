//! What was recorded, step by step, and a walk back through it by a rule of one's own: for attributions that put something else in the
//! place of a derivative.

use super::engine::match_input;
use super::{At, Node, Op, Origin};
use crate::storage::Shared;
use crate::{Error, ErrorKind, LeafId, Result, Tensor, fail, no_grad, trace};

/// An operation that ran and was recorded, with its inputs and its result.
pub struct Recorded {
    taped: trace::Taped,
}

/// What ran, in its order.
pub struct Recording {
    steps: Vec<Recorded>,
}

/// Runs `body` and gives the operations of this thread whose results gradients come back through, with all values.
///
/// ```
/// use mapsto_tensor::graph::{self, recorded};
/// use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, -2.0]].leaf();
/// let (y, recording) = recorded(|| x.relu().sum(1));
/// assert_eq!(recording.steps().len(), 2);
/// // The plain derivative, and one that lets everything through the first step.
/// let plain = |_: usize, step: &graph::Recorded, g: &Tensor| Ok(step.vjp(g));
/// assert_close!(recording.walk(&y, &tensor![1.0], &x, plain)?, [[1.0, 0.0]]);
/// let open = |i: usize, step: &graph::Recorded, g: &Tensor| Ok(if i == 0 { vec![Some(g.clone())] } else { step.vjp(g) });
/// assert_close!(recording.walk(&y, &tensor![1.0], &x, open)?, [[1.0, 1.0]]);
/// # Ok::<(), Error>(())
/// ```
pub fn recorded<R>(body: impl FnOnce() -> R) -> (R, Recording) {
    let (result, tape) = trace::tape(body);
    let is_kept = |taped: &trace::Taped| taped.node.kept().is_some();
    (result, Recording { steps: tape.into_iter().filter(is_kept).map(|taped| Recorded { taped }).collect() })
}

impl Recorded {
    /// The operation.
    pub fn op(&self) -> &dyn Op {
        &*self.taped.node.op
    }

    /// Its inputs.
    pub fn inputs(&self) -> &[Tensor] {
        &self.taped.inputs
    }

    /// Its result.
    pub fn output(&self) -> &Tensor {
        &self.taped.output
    }

    /// The inputs through which gradients go on, by their positions.
    pub fn wanted(&self) -> Vec<usize> {
        let kept = self.taped.node.kept();
        let wanted = kept.iter().flat_map(|kept| kept.inputs.iter().enumerate());
        wanted.filter(|(_, input)| input.wanted).map(|(i, _)| i).collect()
    }

    /// The gradients of its inputs, in their shapes, where that of its result is `g`; none where gradients do not go on.
    ///
    /// # Panics
    /// When `g` has another shape than the result, or when the graph has been used up.
    #[track_caller]
    pub fn vjp(&self, g: &Tensor) -> Vec<Option<Tensor>> {
        let node = &self.taped.node;
        if g.shape_of() != &node.shape {
            fail!("vjp", "the gradient's shape {:?} is not the result's {:?}", g.shape(), node.shape);
        }
        let kept = node.kept().clone();
        let Some(kept) = kept else { super::engine::freed("vjp", node.op.name()) };
        no_grad(|| {
            let found = node.op.vjp(&At { node, kept: &kept, again: false }, g);
            let each = kept.inputs.iter().zip(found.0);
            each.map(|(input, g)| g.filter(|_| input.wanted).map(|g| match_input(g, input, node))).collect()
        })
    }

    /// Whether its result is computed again when gradients come, so that nothing of its inside is known.
    pub fn is_opaque(&self) -> bool {
        let node = &self.taped.node;
        let kept = node.kept().clone();
        kept.is_some_and(|kept| no_grad(|| node.op.again(&At { node, kept: &kept, again: false })).is_some())
    }
}

impl Recording {
    /// The steps.
    pub fn steps(&self) -> &[Recorded] {
        &self.steps
    }

    /// What comes to `x` from `g` at `y`, where `rule` says what each step hands on to its inputs: in their shapes, none where nothing goes
    /// on. Zeros where nothing comes to `x`.
    ///
    /// # Errors
    /// Those of the rule; `x` is neither a leaf nor the result of a step.
    pub fn walk(
        &self,
        y: &Tensor,
        g: &Tensor,
        x: &Tensor,
        mut rule: impl FnMut(usize, &Recorded, &Tensor) -> Result<Vec<Option<Tensor>>>,
    ) -> Result<Tensor> {
        let Some(goal) = Key::of(x) else {
            let message = format!("nothing comes to a constant of shape {:?}", x.shape());
            return Err(
                Error::new(ErrorKind::Model, message).help("make it a leaf with `.leaf()` before it is used")
            );
        };
        let mut arrived: Vec<(Key, Tensor)> = Key::of(y).map(|key| (key, g.clone())).into_iter().collect();
        for (i, step) in self.steps.iter().enumerate().rev() {
            let made = Key::Made(std::ptr::from_ref::<Node>(&step.taped.node));
            if made == goal {
                break;
            }
            let Some(at) = arrived.iter().position(|(key, _)| *key == made) else { continue };
            let (_, g) = arrived.swap_remove(at);
            let found = no_grad(|| rule(i, step, &g))?;
            for (input, g) in step.inputs().iter().zip(found) {
                let (Some(g), Some(key)) = (g, Key::of(input)) else { continue };
                match arrived.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, sum)) => *sum = no_grad(|| &*sum + &g),
                    None => arrived.push((key, g)),
                }
            }
        }
        let found = arrived.into_iter().find(|(key, _)| *key == goal);
        Ok(found.map_or_else(|| Tensor::zeros_like(x), |(_, g)| g))
    }
}

/// What a recorded value is known by.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Leaf(LeafId),
    Made(*const Node),
}

impl Key {
    fn of(x: &Tensor) -> Option<Key> {
        match &x.0.origin {
            Origin::Leaf(id, _) => Some(Key::Leaf(*id)),
            Origin::Made(node) => Some(Key::Made(std::ptr::from_ref::<Node>(node as &Shared<Node>))),
            Origin::Constant | Origin::Unrecorded(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::recorded;
    use crate::prelude::*;
    use crate::{graph, ops};

    /// Through every sample of every operation, the walk by plain derivatives gives what `grad_with` gives, to the bit but for the order
    /// in which several gradients of one value are added.
    #[test]
    fn the_walk_by_derivatives_is_the_gradient_for_every_operation() {
        let mut compared = 0;
        for kind in ops::OPS {
            for sample in kind.samples(DType::F64, 5) {
                let leaves: Vec<Tensor> = sample
                    .inputs
                    .iter()
                    .map(|x| if x.dtype().is_float() { x.leaf() } else { x.clone() })
                    .collect();
                seed(3);
                let (y, recording) = recorded(|| (sample.call)(&leaves));
                if !y.is_recorded() {
                    continue;
                }
                let g = Tensor::rand(y.shape()).to(y.dtype());
                for x in leaves.iter().filter(|x| x.dtype().is_float() && !x.is_empty()) {
                    let wanted = grad_with(&y, &g, &[x]).remove(0);
                    let found = recording.walk(&y, &g, x, |_, step, g| Ok(step.vjp(g))).unwrap();
                    let gap = (&found - &wanted).abs().max(..).item() / wanted.abs().max(..).item().max(1.0);
                    assert!(gap < 1e-12, "{}: {gap}", kind.name);
                    compared += 1;
                }
            }
        }
        assert!(compared > 200, "{compared}");
        println!("{compared} gradients compared");
    }

    #[test]
    fn a_walk_to_a_constant_is_refused() {
        let x = tensor![1.0].leaf();
        let (y, recording) = recorded(|| x.exp());
        let found = recording.walk(&y, &tensor![1.0], &tensor![2.0], |_, step, g| Ok(step.vjp(g)));
        assert!(found.unwrap_err().message().starts_with("nothing comes to a constant"));
        let other = tensor![1.0].leaf();
        assert_close!(
            recording.walk(&y, &tensor![1.0], &other, |_, step, g| Ok(step.vjp(g))).unwrap(),
            [0.0]
        );
        let _ = graph::print(&y);
    }
}
