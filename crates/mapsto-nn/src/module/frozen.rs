//! `frozen`: a module whose parameters are constants for a while.

use super::{Module, ModuleExt};
use mapsto_tensor::{LeafId, with_frozen};

/// Runs `body` with the parameters of `module` as constants: their gradients are not computed, those that go through the module
/// are.
///
/// A generator learns from what the discriminator says, and the discriminator's own gradients are not wanted then: without them
/// the backward pass takes less time. It is the same as freezing the module before and unfreezing it after, and asks for no
/// `&mut`.
/// ```
/// use mapsto_nn::prelude::*;
/// let (g, d) = (Linear::new(1, 1).no_bias(), Linear::new(1, 1).no_bias());
/// let loss = |x: &Tensor| x.apply(&g).apply(&d).sum(..);
/// let x = tensor![[2.0]];
/// let grads = train(|| frozen(&d, || loss(&x))).backward();
/// assert_close!(grads.of(&g.weight), [[2.0 * d.weight.item()]]);
/// assert!(grads.get(&d.weight).is_none());
/// ```
pub fn frozen<R>(module: &dyn Module, body: impl FnOnce() -> R) -> R {
    let ids: Vec<LeafId> = module.parameters().iter().filter_map(|(_, p)| p.leaf_id()).collect();
    with_frozen(ids, body)
}

#[test]
fn gradients_through_a_frozen_module_are_those_of_a_free_one() {
    use crate::prelude::*;
    seed(1);
    let (g, d) = (Linear::new(3, 3), seq![Linear::new(3, 4), Tensor::tanh, Linear::new(4, 1)]);
    let x = Tensor::randn([5, 3]);
    let loss = || x.apply(&g).apply(&d).square().mean(..);
    let (free, held) = (train(loss).backward(), train(|| frozen(&d, loss)).backward());
    assert_eq!((free.len(), held.len()), (6, 2));
    assert_eq!(free.of(&g.weight).to_vec::<f32>(), held.of(&g.weight).to_vec::<f32>());
}
