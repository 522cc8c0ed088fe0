//! What a derivative sees: the kept values of its operation, and which gradients are wanted.

use super::{Kept, Node, Origin};
use crate::Tensor;
use crate::dtype::DType;
use crate::storage::Shared;
use crate::tensor::Inner;
use smallvec::SmallVec;

/// The point at which a derivative is taken.
pub struct At<'a> {
    pub(super) node: &'a Shared<Node>,
    pub(super) kept: &'a Kept,
    pub(super) again: bool,
}

impl At<'_> {
    /// The first input.
    pub fn x(&self) -> &Tensor {
        self.input(0)
    }

    /// The first input of two.
    pub fn a(&self) -> &Tensor {
        self.input(0)
    }

    /// The second input of two.
    pub fn b(&self) -> &Tensor {
        self.input(1)
    }

    /// Input `i`.
    ///
    /// # Panics
    /// When the operation's `keep` does not name it.
    pub fn input(&self, i: usize) -> &Tensor {
        let value = self.kept.inputs[i].value();
        value.unwrap_or_else(|| {
            panic!("{}: the derivative reads input {i}, which `keep` does not name", self.node.op.name())
        })
    }

    /// The result.
    ///
    /// # Panics
    /// When the operation's `keep` does not name it.
    pub fn y(&self) -> Tensor {
        let y = self.kept.y.as_ref();
        let y = y.unwrap_or_else(|| {
            panic!("{}: the derivative reads the result, which `keep` does not name", self.node.op.name())
        });
        if !self.again {
            return y.clone();
        }
        Tensor(Shared::new(Inner { origin: Origin::Made(self.node.clone()), ..(*y.0).clone() }))
    }

    /// What a fused kernel kept besides, in its order.
    pub fn kept(&self) -> &[Tensor] {
        &self.kept.extra
    }

    /// The gradient at input `i` if some inputs were others, which have the same result.
    pub(crate) fn vjp_with(&self, others: &[(usize, Tensor)], i: usize, g: &Tensor) -> Option<Tensor> {
        let mut kept = self.kept.clone();
        for (j, input) in kept.inputs.iter_mut().enumerate() {
            input.wanted = j == i;
            if let Some((_, other)) = others.iter().find(|(k, _)| *k == j) {
                input.seen = super::Seen::Whole(other.detach());
            }
        }
        self.node.op.vjp(&At { node: self.node, kept: &kept, again: false }, g).take(i)
    }

    /// Whether the gradient of input `i` is wanted.
    pub fn wants(&self, i: usize) -> bool {
        self.kept.inputs[i].wanted
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.kept.inputs.len()
    }

    /// The shape of input `i`, kept or not.
    pub fn shape(&self, i: usize) -> &[usize] {
        self.kept.inputs[i].shape(self.node)
    }

    /// The dtype of input `i`, kept or not.
    pub fn dtype(&self, i: usize) -> DType {
        self.kept.inputs[i].dtype()
    }

    /// The shape of the result.
    pub fn y_shape(&self) -> &[usize] {
        &self.node.shape
    }

    /// Whether the derivative itself will be differentiated.
    pub fn is_differentiated_again(&self) -> bool {
        self.again
    }

    /// The gradients of two inputs, each computed only if it is wanted.
    pub fn both(&self, a: impl FnOnce() -> Tensor, b: impl FnOnce() -> Tensor) -> Vjp {
        Vjp::from([self.wants(0).then(a), self.wants(1).then(b)])
    }
}

/// The gradients of an operation's inputs, in order; `None` for those without one.
pub struct Vjp(pub(super) SmallVec<[Option<Tensor>; 3]>);

impl Vjp {
    /// The gradient of input `i`, taken out.
    pub fn take(mut self, i: usize) -> Option<Tensor> {
        self.0.get_mut(i).and_then(Option::take)
    }
}

impl From<Tensor> for Vjp {
    fn from(g: Tensor) -> Vjp {
        Vjp::from([Some(g)])
    }
}
impl<const N: usize> From<[Option<Tensor>; N]> for Vjp {
    #[inline]
    fn from(gs: [Option<Tensor>; N]) -> Vjp {
        // A third of what `collect` takes, which asks for the room of as many at first.
        let mut list = SmallVec::new();
        gs.into_iter().for_each(|g| list.push(g));
        Vjp(list)
    }
}
impl From<Vec<Option<Tensor>>> for Vjp {
    fn from(g: Vec<Option<Tensor>>) -> Vjp {
        Vjp(SmallVec::from_vec(g))
    }
}
