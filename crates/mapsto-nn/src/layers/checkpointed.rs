//! A part of a model whose inner values are computed again in the backward pass instead of being kept.

use super::LayerKind;
use crate::module::ModuleExt;
use crate::spec::build_layers;
use crate::{Item, ItemMut, Layer, Module, Path};
use mapsto_spec::Entry;
use mapsto_tensor::graph::checkpoint;
use mapsto_tensor::{DType, Tensor, fail, is_recording};
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// `y = f(x)`, of which training keeps `x` alone: the backward pass computes `f(x)` again, with the same random numbers.
///
/// The layer must not be written between the two, as by an optimizer's step, which is an error.
///
/// A deep model whose blocks are checkpointed takes the memory of one block beside its inputs, and a third more time. Loss, gradients
/// and running statistics are the same, to the bit. PyTorch: `torch.utils.checkpoint.checkpoint(f, x)`; Keras: `RematScope`.
///
/// * Shape: that of `f`.   * Parameters: those of `f`, under its own names.
///
/// Source: Chen, Xu, Zhang, Guestrin (2016), Training deep nets with sublinear memory cost, arXiv:1604.06174.
/// ```
/// use mapsto_nn::prelude::*;
/// let block = seq![Linear::new(4, 4), Tensor::tanh, Dropout::new(0.5)];
/// let (plain, held, x) = (block.clone(), Checkpointed::new(block), Tensor::ones([2, 4]));
/// let run = |layer: &dyn Layer| { seed(1); train(|| layer.forward(&x).sum(..)).backward() };
/// assert_eq!(run(&plain).norm(), run(&held).norm());
/// ```
pub struct Checkpointed<L> {
    /// The graph owns the layer too, until the backward pass has run through it.
    layer: Arc<Held<L>>,
}

struct Held<L> {
    layer: RwLock<L>,
    /// How often a writing visit began.
    writes: AtomicU64,
}

impl<L: Layer> Checkpointed<L> {
    /// Checkpoints a layer.
    pub fn new(layer: L) -> Checkpointed<L> {
        Checkpointed { layer: Arc::new(Held { layer: RwLock::new(layer), writes: AtomicU64::new(0) }) }
    }

    fn read(&self) -> RwLockReadGuard<'_, L> {
        // A mistake inside a forward pass changes nothing, so the layer is whole after it.
        self.layer.layer.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Layer> Module for Checkpointed<L> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        self.read().visit(path, f);
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        self.layer.writes.fetch_add(1, Ordering::Relaxed);
        self.layer.layer.write().unwrap_or_else(PoisonError::into_inner).visit_mut(path, f);
    }
}

impl<L: Layer + 'static> Layer for Checkpointed<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        // Not through `read`, which would hide the caller's line.
        let layer = self.layer.layer.read().unwrap_or_else(PoisonError::into_inner);
        if !is_recording() {
            return layer.forward(x);
        }
        let parameters = layer.parameters();
        let wanted: Vec<&Tensor> = std::iter::once(x).chain(parameters.iter().map(|(_, p)| p)).collect();
        let (held, before) = (self.layer.clone(), self.layer.writes.load(Ordering::Relaxed));
        let again = move |xs: &[Tensor]| {
            if held.writes.load(Ordering::Relaxed) != before {
                fail!("checkpointed", "the layer was written between its forward pass and `backward`, which computes it again";
                      help = "call `backward` before the optimizer's step");
            }
            held.layer.read().unwrap_or_else(PoisonError::into_inner).forward(&xs[0])
        };
        checkpoint(again, &wanted)
    }

    fn name(&self) -> Cow<'static, str> {
        "Checkpointed".into()
    }

    fn describe(&self) -> String {
        format!("Checkpointed({})", self.read().describe())
    }

    fn input_dtype(&self) -> DType {
        self.read().input_dtype()
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(Checkpointed::new(self.read().clone_layer()?)))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.read().entries()?))
    }
}

impl<L: Layer + Clone> Clone for Checkpointed<L> {
    fn clone(&self) -> Checkpointed<L> {
        Checkpointed::new(self.read().clone())
    }
}

impl<L: Layer + 'static> fmt::Debug for Checkpointed<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "checkpointed",
    "The given layers, whose inner values are computed again in the backward pass instead of being kept.",
    |args, input| {
        let entries: Vec<Entry> = args.main()?;
        let body = build_layers(&entries, input)?;
        args.record_main(body.entries);
        Ok(Box::new(Checkpointed::new(body.layers)))
    },
)
.options(&[("", "the layers")])
.example(|| Entry::new("checkpointed").with_value(vec![Entry::new("relu")]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn checkpointed() {
        check_layer(|| Checkpointed::new(seq![Linear::new(3, 5), Tensor::tanh, Linear::new(5, 2)]))
            .gives([4, 3], [4, 2]);
        check_layer(|| seq![Checkpointed::new(seq![Embedding::new(4, 2)])]).gives([2, 3], [2, 3, 2]);
    }

    #[test]
    fn training_moves_the_same_bits_and_statistics_once() {
        let block = || seq![Linear::new(6, 6), BatchNorm1d::new(6), Tensor::relu, Dropout::new(0.3)];
        let plain = seq![Linear::new(4, 6), block(), block(), Linear::new(6, 1)];
        let held = seq![
            Linear::new(4, 6),
            Checkpointed::new(block()),
            Checkpointed::new(block()),
            Linear::new(6, 1)
        ];
        let start = plain.state_dict();
        let run = |mut net: Sequential| {
            net.load_state_dict(start.clone(), &Exceptions::none()).unwrap();
            seed(3);
            let (x, mut opt) = (Tensor::randn([16, 4]), Adam::new(0.01));
            for _ in 0..5 {
                let loss = train(|| net.forward(&x).square().mean(..));
                opt.step(&mut net, loss.backward());
            }
            let bits = |(name, t): (String, Tensor)| (name, t.to_vec::<f32>());
            net.state_dict().into_iter().map(bits).collect::<Vec<_>>()
        };
        assert_eq!(run(plain), run(held));
    }

    #[test]
    fn a_step_before_backward_is_refused() {
        let mut net = seq![Checkpointed::new(Linear::new(1, 1))];
        let x = Tensor::ones([2, 1]);
        let [first, second] = [1.0, 2.0].map(|c| train(|| (net.forward(&x) * c).sum(..)));
        Sgd::new(0.1).step(&mut net, first.backward());
        let error = catch(|| second.backward()).unwrap_err();
        assert!(error.message().contains("written between its forward pass and `backward`"), "{error}");
    }

    #[test]
    fn a_frozen_part_stays_and_a_clone_learns_by_itself() {
        let mut net = seq![Checkpointed::new(seq![Linear::new(2, 2)]), Linear::new(2, 1)];
        assert_eq!(net.freeze("0.*").unwrap(), 2);
        let x = Tensor::ones([3, 2]);
        assert_eq!(train(|| net.forward(&x).sum(..)).backward().len(), 2);
        let (copy, before) = (net.clone(), net.forward(&x).to_vec::<f32>());
        let grads = train(|| net.forward(&x).square().sum(..)).backward();
        Sgd::new(0.1).step(&mut net, grads);
        assert_eq!(copy.forward(&x).to_vec::<f32>(), before);
    }
}
