//! `Tied`: one layer with several owners, who train and save it once.

use super::{Item, ItemMut, Layer, Module, Path, Then};
use mapsto_tensor::{DType, Tensor};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A layer that several parts of a model own together, such as an embedding of an encoder and a decoder, or weights that read words
/// and score them.
///
/// * Parameters: those of the layer, under the path of the owner that is visited first. A model that holds every owner counts them
///   once, saves them once, and an optimizer moves them once by the sum of the gradients; a loaded value is there for every owner.
///   A file that has them under the paths of the others too, as PyTorch writes it, is loaded with these names as
///   [`Exceptions`](crate::Exceptions).
/// * A part of a model that holds one owner and is trained by itself moves the layer for all.
/// * It is not `Clone`, since a copy of one owner would either leave the others or still be trained with them. To copy a model,
///   build it again and load its `state_dict`.
///
/// `Arc<L>` is not a layer: an optimizer writes parameters through `&mut`, which several owners of an `Arc` cannot have. Here the layer
/// lies behind a lock, which a forward pass holds to read and a writing visit to write.
/// ```
/// use mapsto_nn::{Tied, prelude::*};
/// #[derive(Module)]
/// # #[module(crate = mapsto_nn)]
/// struct Words { read: Tied<Embedding>, body: Linear, score: Tied<Embedding> }
///
/// impl Layer for Words {
///     fn forward(&self, ids: &Tensor) -> Tensor {
///         let h = ids.apply(&self.read).apply(&self.body).tanh();
///         self.score.with(|words| h.linear(&words.weight, None))
///     }
/// }
///
/// let read = Tied::new(Embedding::new(100, 8));
/// let net = Words { score: read.share(), read, body: Linear::new(8, 8) };
/// assert_eq!(net.parameter_count(), 100 * 8 + 8 * 8 + 8);
/// assert_eq!(net.state_dict()[0].0, "read.weight");
/// assert_eq!(net.forward(&tensor![[1, 2, 3]]).shape(), [1, 3, 100]);
/// ```
pub struct Tied<L> {
    layer: Arc<RwLock<L>>,
}

impl<L: Layer> Tied<L> {
    /// A layer with one owner so far.
    pub fn new(layer: L) -> Tied<L> {
        Tied { layer: Arc::new(RwLock::new(layer)) }
    }

    /// The same layer for one more owner.
    #[must_use]
    pub fn share(&self) -> Tied<L> {
        Tied { layer: self.layer.clone() }
    }

    /// What `read` makes of the layer. Use its parameters inside, and do not apply or visit it: it is locked for writing visits.
    pub fn with<R>(&self, read: impl FnOnce(&L) -> R) -> R {
        // A mistake inside a forward pass changes nothing, so the layer is whole after it.
        read(&self.layer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets `write` change the layer, for all owners. Do not apply or visit the layer inside: it is locked.
    pub fn with_mut<R>(&mut self, write: impl FnOnce(&mut L) -> R) -> R {
        write(&mut self.layer.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the layer lies, which tells it from others during a visit.
    fn place(&self) -> usize {
        Arc::as_ptr(&self.layer).addr()
    }
}

impl<L: Layer> Module for Tied<L> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        if path.meets(self.place()) {
            self.with(|layer| layer.visit(path, f));
        }
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        if path.meets(self.place()) {
            self.with_mut(|layer| layer.visit_mut(path, f));
        }
    }
}

impl<L: Layer> Layer for Tied<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_then(x, &[]).0
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        // Not through `with`, which would hide the caller's line.
        self.layer.read().unwrap_or_else(PoisonError::into_inner).forward_then(x, then)
    }

    fn name(&self) -> Cow<'static, str> {
        "Tied".into()
    }

    fn describe(&self) -> String {
        format!("Tied({})", self.with(|layer| layer.describe()))
    }

    fn input_dtype(&self) -> DType {
        self.with(|layer| layer.input_dtype())
    }
}

impl<L: Layer> fmt::Debug for Tied<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use crate::{Tied, matches};

    #[derive(Module)]
    #[module(crate = crate)]
    struct Translator {
        encoder: Sequential,
        decoder: Sequential,
    }

    fn translator() -> Translator {
        let words = Tied::new(Embedding::new(5, 3));
        Translator {
            encoder: seq![words.share(), Linear::new(3, 3)],
            decoder: seq![words, Linear::new(3, 2)],
        }
    }

    fn answers(model: &Translator) -> Tensor {
        let ids = tensor![[0, 1, 4]];
        ids.apply(&model.encoder).sum(..) + ids.apply(&model.decoder).square().sum(..)
    }

    #[test]
    fn tied() {
        check_layer(|| Tied::new(Linear::new(3, 2))).gives([5, 3], [5, 2]);
        check_layer(|| seq![Tied::new(Embedding::new(4, 2))]).gives([2, 3], [2, 3, 2]);
    }

    #[test]
    fn two_owners_train_count_and_save_a_layer_once() {
        let mut model = translator();
        let names: Vec<String> = model.state_dict().into_iter().map(|(name, _)| name).collect();
        let once =
            ["encoder.0.weight", "encoder.1.weight", "encoder.1.bias", "decoder.1.weight", "decoder.1.bias"];
        assert_eq!(names, once);
        assert_eq!(model.parameter_count(), 5 * 3 + (3 * 3 + 3) + (3 * 2 + 2));

        let weight = |part: &Sequential| part.parameters()[0].1.detach();
        let before = weight(&model.encoder);
        let grads = train(|| answers(&model)).backward();
        let g = grads.of(&model.parameters()[0].1).clone();
        Sgd::new(0.5).step(&mut model, grads);
        assert_close!(weight(&model.encoder), before - g * 0.5);
        assert_eq!(weight(&model.encoder).to_vec::<f32>(), weight(&model.decoder).to_vec::<f32>());
    }

    #[test]
    fn a_loaded_layer_is_there_for_both_owners() {
        let (from, mut to) = (translator(), translator());
        assert_ne!(answers(&from).item(), answers(&to).item());
        to.load_state_dict(from.state_dict(), &Exceptions::none()).unwrap();
        assert_eq!(answers(&from).item(), answers(&to).item());
        assert_eq!(to.freeze("encoder.0.*").unwrap(), 1);
        assert!(!matches("encoder.0.*", "decoder.0.weight"));
        let grads = train(|| answers(&to)).backward();
        assert_eq!(grads.len(), 4);
        assert!(catch(|| from.encoder.clone()).unwrap_err().help_text().unwrap().contains("`Tied`"));
    }
}
