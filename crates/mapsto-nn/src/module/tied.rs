//! `Tied`: one layer with several owners, who train and save it once.

use super::{Item, ItemMut, Layer, Module, Path, Then};
use mapsto_tensor::{DType, Tensor};
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// A layer that several parts of a model own together, such as an embedding of an encoder and a decoder, or weights that read words
/// and score them.
///
/// * Parameters: those of the layer, under the path of the owner that is visited first. A model that holds every owner counts them
///   once, saves them once, and an optimizer moves them once by the sum of the gradients; a loaded value is there for every owner.
///   A file that has them under the paths of the others too, as PyTorch writes it, is loaded with these names as
///   [`Exceptions`](crate::Exceptions).
/// * A part of a model that holds one owner and is trained by itself moves the layer for all.
/// * Clones: a model's clone has a copy of the layer, which its own owners share. The clones of two owners share one copy where
///   neither the layer nor the copy was written between them, so it does not matter whether a model is cloned whole or field by
///   field; a second clone of the same owner begins a second copy.
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
    layer: Arc<Shared<L>>,
    /// Tells the owners apart.
    owner: u64,
}

/// The layer, and the copy of it that is being made owner by owner.
struct Shared<L> {
    layer: RwLock<L>,
    /// How often a writing visit or `with_mut` began.
    writes: AtomicU64,
    copy: Mutex<Option<Copying<L>>>,
}

struct Copying<L> {
    copy: Weak<Shared<L>>,
    /// How often the layer had been written when it was copied.
    writes: u64,
    /// The owners that have been cloned.
    owners: Vec<u64>,
}

impl<L> Shared<L> {
    fn new(layer: L) -> Arc<Shared<L>> {
        Arc::new(Shared { layer: RwLock::new(layer), writes: AtomicU64::new(0), copy: Mutex::new(None) })
    }
}

impl<L> Tied<L> {
    fn owner_of(layer: Arc<Shared<L>>) -> Tied<L> {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        Tied { layer, owner: OWNERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl<L: Layer + Clone> Tied<L> {
    /// A layer with one owner so far.
    pub fn new(layer: L) -> Tied<L> {
        Tied::owner_of(Shared::new(layer))
    }

    /// The same layer for one more owner.
    #[must_use]
    pub fn share(&self) -> Tied<L> {
        Tied::owner_of(self.layer.clone())
    }

    /// What `read` makes of the layer. Use its parameters inside, and do not apply or visit it: it is locked for writing visits.
    pub fn with<R>(&self, read: impl FnOnce(&L) -> R) -> R {
        // A mistake inside a forward pass changes nothing, so the layer is whole after it.
        read(&self.layer.layer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets `write` change the layer, for all owners. Do not apply or visit the layer inside: it is locked.
    pub fn with_mut<R>(&mut self, write: impl FnOnce(&mut L) -> R) -> R {
        self.layer.writes.fetch_add(1, Ordering::Relaxed);
        write(&mut self.layer.layer.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the layer lies, which tells it from others during a visit.
    fn place(&self) -> usize {
        Arc::as_ptr(&self.layer).addr()
    }
}

/// The copy that clones of other owners have begun, while it is the layer's equal; else a new one.
impl<L: Layer + Clone> Clone for Tied<L> {
    #[track_caller]
    fn clone(&self) -> Tied<L> {
        let mut copying = self.layer.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = self.layer.writes.load(Ordering::Relaxed);
        if let Some(begun) = &mut *copying
            && begun.writes == writes
            && !begun.owners.contains(&self.owner)
            && let Some(copy) = begun.copy.upgrade()
            && copy.writes.load(Ordering::Relaxed) == 0
        {
            begun.owners.push(self.owner);
            return Tied::owner_of(copy);
        }
        // Not through `with`, which would hide the caller's line.
        let copy = Shared::new(self.layer.layer.read().unwrap_or_else(PoisonError::into_inner).clone());
        *copying = Some(Copying { copy: Arc::downgrade(&copy), writes, owners: vec![self.owner] });
        Tied::owner_of(copy)
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
        self.layer.layer.read().unwrap_or_else(PoisonError::into_inner).forward_then(x, then)
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
    use crate::{Tied, matches};

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
    fn a_clone_shares_a_copy_among_its_own_owners() {
        let mut net = translator();
        let (target, before) = (net.clone(), answers(&net).item());
        assert_eq!((target.parameter_count(), target.state_dict().len()), (net.parameter_count(), 5));
        let grads = train(|| answers(&net)).backward();
        Sgd::new(0.5).step(&mut net, grads);
        assert_eq!(answers(&target).item(), before);
        assert_ne!(answers(&net).item(), before);
        // The same by boxes, and once more from a clone.
        for mut copy in [target.clone(), target.clone()] {
            assert_eq!(copy.state_dict().len(), 5);
            let grads = train(|| answers(&copy)).backward();
            Sgd::new(0.5).step(&mut copy, grads);
            assert_ne!(answers(&copy).item(), before);
            assert_eq!(answers(&target).item(), before);
        }
    }

    #[test]
    fn owners_cloned_apart_share_no_values_that_have_changed() {
        let weight = |x: &Tied<Linear>| x.with(|layer| layer.weight.to_vec::<f32>());
        let mut a = Tied::new(Linear::new(1, 1));
        let b = a.share();
        let first = a.clone();
        a.with_mut(|layer| layer.weight.set(&tensor![[7.0]]).unwrap());
        let (mut second, third) = (b.clone(), a.clone());
        assert_eq!((weight(&second), weight(&third)), (vec![7.0], vec![7.0]));
        assert_ne!(weight(&first), vec![7.0]);
        // `second` and `third` are one; written, it is no longer what a clone of another owner would be.
        second.with_mut(|layer| layer.weight.set(&tensor![[8.0]]).unwrap());
        assert_eq!((weight(&third), weight(&a.share().clone())), (vec![8.0], vec![7.0]));
    }
}
