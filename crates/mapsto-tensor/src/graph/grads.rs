//! Gradients as a value: leaf → tensor. Nothing accumulates behind your back, nothing needs zeroing.

use super::LeafId;
use crate::{Tensor, fail, no_grad};
use std::ops::{AddAssign, Mul};

/// The gradients of one scalar at its leaves.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let w = tensor![3.0, 4.0].leaf();
/// let mut grads = (&w * &w * 0.5).sum(..).backward();
/// assert_eq!(grads.norm(), 5.0);
/// assert_eq!(grads.clip_norm(1.0), 5.0);
/// assert_close!(grads.of(&w), [0.6, 0.8]);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "gradients do nothing until an optimizer takes them"]
pub struct Grads {
    /// In rising order of identity. Backward comes to the leaves of later layers first.
    all: Vec<(LeafId, Tensor)>,
    elsewhere: bool,
}

impl Grads {
    /// No gradients.
    pub fn new() -> Grads {
        Grads::default()
    }

    /// The gradient at a leaf, if the scalar depends on it.
    pub fn get(&self, leaf: &Tensor) -> Option<&Tensor> {
        self.by_id(leaf.leaf_id()?)
    }

    /// The gradient at a leaf.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn of(&self, leaf: &Tensor) -> &Tensor {
        match (self.get(leaf), leaf.leaf_id()) {
            (Some(g), _) => g,
            (None, Some(_)) if self.elsewhere => {
                fail!("of", "there is no gradient at this leaf of shape {:?}; values that another thread computed outside of `train(|| ..)` went into the scalar as constants", leaf.shape();
                      help = "a scope holds for the thread that opens it: call `train(|| ..)` inside the other thread")
            }
            (None, Some(_)) => {
                fail!("of", "the scalar does not depend on this leaf of shape {:?}", leaf.shape();
                      help = "compute the scalar from it inside `train(|| ..)`, or ask `grads.get(&leaf)`, which may be `None`")
            }
            (None, None) => {
                fail!("of", "this tensor of shape {:?} is not a leaf", leaf.shape();
                      help = "make it one with `.leaf()`, or use `grad(&y, [&x])`")
            }
        }
    }

    /// The gradient of the leaf with this identity.
    pub fn by_id(&self, id: LeafId) -> Option<&Tensor> {
        self.find(id).ok().map(|i| &self.all[i].1)
    }

    /// Takes the gradient of a leaf out.
    pub fn remove(&mut self, id: LeafId) -> Option<Tensor> {
        self.find(id).ok().map(|i| self.all.remove(i).1)
    }

    /// Sets the gradient of a leaf.
    pub fn insert(&mut self, id: LeafId, g: Tensor) {
        match self.find(id) {
            Ok(i) => self.all[i].1 = g,
            Err(i) => self.all.insert(i, (id, g)),
        }
    }

    /// Adds to the gradient of a leaf.
    pub(crate) fn add(&mut self, id: LeafId, g: Tensor) {
        match self.find(id) {
            Ok(i) => self.all[i].1 = &self.all[i].1 + g,
            Err(i) => self.all.insert(i, (id, g)),
        }
    }

    /// Where the gradient of a leaf is, or belongs.
    fn find(&self, id: LeafId) -> Result<usize, usize> {
        self.all.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// Whether a constant went into the scalar that another thread has computed from parameters, outside of its
    /// `train(|| ..)`. A teacher may run there; where a parameter lacks its gradient, this is why.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let (w, v) = (tensor![2.0].parameter(), tensor![3.0].parameter());
    /// let there = std::thread::scope(|s| s.spawn(|| &v * 5.0).join().unwrap());
    /// let grads = train(|| (&w * there).sum(..)).backward();
    /// assert_eq!(grads.of(&w).item(), 15.0);
    /// assert!(grads.misses_another_thread() && grads.get(&v).is_none());
    /// ```
    pub fn misses_another_thread(&self) -> bool {
        self.elsewhere
    }

    /// Remembers that.
    pub(super) fn miss_another_thread(&mut self) {
        self.elsewhere = true;
    }

    /// Every leaf with its gradient, in the order in which the leaves were made.
    pub fn iter(&self) -> impl Iterator<Item = (LeafId, &Tensor)> {
        self.all.iter().map(|(id, g)| (*id, g))
    }

    /// How many leaves have a gradient.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether no leaf has a gradient.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The Euclidean norm of all gradients together: `√(Σ g²)`, summed in f64.
    pub fn norm(&self) -> f64 {
        self.all
            .iter()
            .map(|(_, g)| no_grad(|| g.to(crate::DType::F64).square().sum(..).item()))
            .sum::<f64>()
            .sqrt()
    }

    /// Scales all gradients by `max / norm` if their common norm exceeds `max`; returns the norm before.
    /// Source: Pascanu, Mikolov, Bengio (2013), On the difficulty of training recurrent neural networks, algorithm 1.
    ///
    /// # Panics
    /// When `max` is not finite and above 0, or the norm is no number: a limit cannot mend that, and would hide it.
    #[track_caller]
    pub fn clip_norm(&mut self, max: f64) -> f64 {
        check_limit("clip_norm", max);
        let norm = self.norm();
        if !norm.is_finite() {
            fail!("clip_norm", "the norm of the gradients is {norm}"; help = "ask `grads.is_finite()` first, and leave the step out or find where it began");
        }
        if norm > max {
            self.scale(max / norm);
        }
        norm
    }

    /// Clamps every element of every gradient to `-max..max`.
    ///
    /// # Panics
    /// When `max` is not finite and above 0.
    #[track_caller]
    pub fn clip_value(&mut self, max: f64) {
        check_limit("clip_value", max);
        no_grad(|| self.all.iter_mut().for_each(|(_, g)| *g = g.clamp(-max, max)));
    }

    /// Multiplies every gradient by a number.
    ///
    /// # Panics
    /// When it is not finite.
    #[track_caller]
    pub fn scale(&mut self, factor: f64) {
        if !factor.is_finite() {
            fail!("scale", "the factor must be finite, got {factor}");
        }
        no_grad(|| self.all.iter_mut().for_each(|(_, g)| *g = &*g * factor));
    }

    /// Whether every element of every gradient is finite.
    pub fn is_finite(&self) -> bool {
        self.all.iter().all(|(_, g)| g.is_finite())
    }
}

/// A limit of 0 would stop the training, and a negative one would turn every gradient around.
#[track_caller]
fn check_limit(op: &str, max: f64) {
    if !max.is_finite() || max <= 0.0 {
        fail!(op, "the limit must be finite and above 0, got {max}");
    }
}

impl AddAssign for Grads {
    fn add_assign(&mut self, other: Grads) {
        self.elsewhere = self.elsewhere || other.elsewhere;
        no_grad(|| other.all.into_iter().for_each(|(id, g)| self.add(id, g)));
    }
}

impl Mul<f64> for Grads {
    type Output = Grads;
    #[track_caller]
    fn mul(mut self, factor: f64) -> Grads {
        self.scale(factor);
        self
    }
}

#[test]
fn gradients_add_scale_and_clip() {
    use crate::prelude::*;
    let w = tensor![1.0, -2.0].leaf();
    let once = || (&w * 3.0).sum(..).backward();
    let mut sum = once();
    sum += once();
    assert_close!((sum.clone() * 0.5).of(&w), [3.0, 3.0]);
    sum.clip_value(1.0);
    assert_close!(sum.of(&w), [1.0, 1.0]);
    assert!(sum.is_finite() && sum.len() == 1);
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = |clip: &dyn Fn(Grads)| catch(|| clip(sum.clone())).unwrap_err().message().to_string();
        assert!(refused(&|mut g| _ = g.clip_norm(limit)).contains("must be finite and above 0"));
        assert!(refused(&|mut g| g.clip_value(limit)).contains("must be finite and above 0"));
    }
    assert!(catch(|| sum.of(&tensor![1.0]).clone()).unwrap_err().message().contains("not a leaf"));
}
