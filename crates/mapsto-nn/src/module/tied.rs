//! `Tied`: one layer with several owners, who train and save it once.

use super::{AtLengths, Item, ItemMut, Layer, Module, Path, Then};
use mapsto_tensor::{DType, Tensor, fail};
use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
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
/// * Clones: [`deep_copy(&model)`](deep_copy) copies a model with the layer once, which the copy's own parts share. `clone` alone sees one
///   owner at a time and cannot know of the others, so it is an error while there are several.
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

thread_local! {
    /// The copies that [`deep_copy`] has made so far, by where the layers lie.
    static COPIES: RefCell<Option<HashMap<usize, Box<dyn Any>>>> = const { RefCell::new(None) };
}

/// A copy of a model under identities of its own, in which the parts that share a [`Tied`] layer share its copy. It may also be a part
/// of a model: what that shares with the rest is then copied for it alone.
///
/// PyTorch: `copy.deepcopy(model)`.
/// ```
/// use mapsto_nn::{Tied, deep_copy, prelude::*};
/// let words = Tied::new(Embedding::new(5, 3));
/// let net = seq![seq![words.share()], seq![Linear::new(3, 3)], Residual::new(seq![Tied::new(Linear::new(3, 3))])];
/// let target = deep_copy(&net);
/// assert_eq!(target.parameter_count(), net.parameter_count());
/// assert!(catch(|| net.clone()).is_err()); // which would not know that `words` has another owner
/// ```
/// # Panics
/// When a layer inside cannot be cloned, see [`Layer::clone_layer`].
#[track_caller]
pub fn deep_copy<M: Clone>(model: &M) -> M {
    /// Puts back what an outer copy has made, also after a panic.
    struct Back(Option<HashMap<usize, Box<dyn Any>>>);
    impl Drop for Back {
        fn drop(&mut self) {
            COPIES.set(self.0.take());
        }
    }
    let _back = Back(COPIES.replace(Some(HashMap::new())));
    model.clone()
}

impl<L: Layer + Clone> Tied<L> {
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

/// The copy that the model's copy has of the layer, inside of [`deep_copy`]; a plain clone of a layer with one owner.
///
/// # Panics
/// When there are several owners, outside of [`deep_copy`].
impl<L: Layer + Clone + 'static> Clone for Tied<L> {
    #[track_caller]
    fn clone(&self) -> Tied<L> {
        let known = COPIES.with_borrow(|copies| {
            let copies = copies.as_ref()?;
            Some(copies.get(&self.place()).and_then(|copy| copy.downcast_ref::<Arc<RwLock<L>>>()).cloned())
        });
        match known {
            Some(Some(layer)) => return Tied { layer },
            None if Arc::strong_count(&self.layer) > 1 => {
                fail!("clone", "a layer of several owners is cloned by one of them: {}", self.describe();
                      help = "`mapsto::nn::deep_copy(&model)` copies a model with what its parts share")
            }
            _ => {}
        }
        // Not through `with`, which would hide the caller's line.
        let layer = self.layer.read().unwrap_or_else(PoisonError::into_inner).clone();
        let layer = Arc::new(RwLock::new(layer));
        COPIES.with_borrow_mut(|copies| {
            copies.iter_mut().for_each(|copies| drop(copies.insert(self.place(), Box::new(layer.clone()))))
        });
        Tied { layer }
    }
}

impl<L: Layer + Clone> Module for Tied<L> {
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

impl<L: Layer + Clone + 'static> Layer for Tied<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_then(x, &[]).0
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        // Not through `with`, which would hide the caller's line.
        self.layer.read().unwrap_or_else(PoisonError::into_inner).forward_then(x, then)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        self.layer.read().unwrap_or_else(PoisonError::into_inner).at_lengths(x, lengths)
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

    #[track_caller]
    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.clone()))
    }
}

impl<L: Layer + Clone + 'static> fmt::Debug for Tied<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use crate::{Tied, deep_copy, matches};

    #[derive(Clone, Module)]
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
    }

    #[test]
    fn a_deep_copy_shares_a_copy_among_its_own_owners() {
        let mut net = translator();
        let (target, before) = (deep_copy(&net), answers(&net).item());
        assert_eq!((target.parameter_count(), target.state_dict().len()), (net.parameter_count(), 5));
        let grads = train(|| answers(&net)).backward();
        Sgd::new(0.5).step(&mut net, grads);
        assert_eq!(answers(&target).item(), before);
        assert_ne!(answers(&net).item(), before);
        // Parts that were copied before, and are still there, change nothing.
        let part = deep_copy(&target.decoder);
        for mut copy in [deep_copy(&target), deep_copy(&target)] {
            assert_eq!(copy.state_dict().len(), 5);
            let grads = train(|| answers(&copy)).backward();
            Sgd::new(0.5).step(&mut copy, grads);
            assert_ne!(answers(&copy).item(), before);
            assert_eq!(answers(&target).item(), before);
        }
        assert_eq!(part.state_dict()[0].1.to_vec::<f32>(), target.state_dict()[0].1.to_vec::<f32>());
    }

    #[test]
    fn a_clone_that_would_part_owners_is_refused() {
        let net = translator();
        for error in [catch(|| net.clone()).err(), catch(|| net.encoder.clone()).err()] {
            let error = error.unwrap();
            assert!(
                error
                    .message()
                    .starts_with("clone: a layer of several owners is cloned by one of them: Tied("),
                "{error}"
            );
            assert!(error.help_text().unwrap().contains("deep_copy"), "{error}");
        }
        let alone = Tied::new(Linear::new(2, 2));
        assert_eq!(alone.clone().parameter_count(), 6);
    }
}
