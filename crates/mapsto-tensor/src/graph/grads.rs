//! Gradients as a value: leaf → tensor. Nothing accumulates behind your back, nothing needs zeroing.

use super::LeafId;
use crate::{DType, Scalar, Tensor, fail, no_grad};
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
    /// The leaves of 16 bits whose gradients are being added up in f32, with their dtypes.
    summed: Vec<(LeafId, DType)>,
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

    /// Sets the gradient of a leaf. It must have the leaf's shape: an optimizer refuses another one.
    pub fn insert(&mut self, id: LeafId, g: Tensor) {
        match self.find(id) {
            Ok(i) => self.all[i].1 = g,
            Err(i) => self.all.insert(i, (id, g)),
        }
    }

    /// Adds to the gradient of a leaf: in f32 where that has 16 bits, as a sum of many would stand still.
    pub(crate) fn add(&mut self, id: LeafId, g: Tensor) {
        match self.find(id) {
            Ok(i) if g.dtype().size() > 2 && g.dtype() == self.all[i].1.dtype() => {
                self.all[i].1 = &self.all[i].1 + g;
            }
            Ok(i) => {
                let sum = &mut self.all[i].1;
                if sum.dtype().size() <= 2 {
                    self.summed.push((id, sum.dtype()));
                }
                *sum = widened(sum) + widened(&g);
            }
            Err(i) => self.all.insert(i, (id, g)),
        }
    }

    /// Rounds what was added up to the dtypes of the leaves.
    pub(super) fn round(&mut self) {
        for (id, dtype) in std::mem::take(&mut self.summed) {
            if let Ok(i) = self.find(id) {
                self.all[i].1 = self.all[i].1.to(dtype);
            }
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
        let of = |unit: f64| {
            let squares = |g: &Tensor| (g.to(DType::F64) * (1.0 / unit)).square().sum(..).item();
            no_grad(|| self.all.iter().map(|(_, g)| squares(g)).sum::<f64>()).sqrt() * unit
        };
        let norm = of(1.0);
        if norm.is_normal() && norm * norm > f64::MIN_POSITIVE {
            return norm;
        }
        // Squares that have no place in f64 are taken of a share of the largest.
        let most = |g: &Tensor| if g.is_empty() { 0.0 } else { g.abs().max(..).item() };
        let most = no_grad(|| self.all.iter().map(|(_, g)| most(g)).fold(0.0, f64::max));
        if norm.is_nan() || most == 0.0 || most.is_infinite() {
            norm
        } else {
            of(most.max(f64::MIN_POSITIVE))
        }
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
        // A limit beyond the largest number of a dtype limits nothing.
        let limited = self.all.iter_mut().filter(|(_, g)| Scalar::from(max).within(g.dtype()));
        no_grad(|| limited.for_each(|(_, g)| *g = g.clamp(-max, max)));
    }

    /// Multiplies every gradient by a number. Gradients of 16 bits are multiplied in f32, which holds factors that they
    /// cannot, and rounded.
    ///
    /// # Panics
    /// When it is not finite, or the type that a gradient is multiplied in cannot hold it: f32, or f64 for one of f64.
    #[track_caller]
    pub fn scale(&mut self, factor: f64) {
        if !factor.is_finite() {
            fail!("scale", "the factor must be finite, got {factor}");
        }
        for (_, g) in &self.all {
            Scalar::from(factor)
                .held_by("scale", if g.dtype() == DType::F64 { DType::F64 } else { DType::F32 });
        }
        // A factor below the normal numbers of f32 would itself lose digits.
        let parts = match factor.abs() < f64::from(f32::MIN_POSITIVE) {
            true => [2f64.powi(-100), factor * 2f64.powi(100)],
            false => [factor, 1.0],
        };
        let times = |g: &Tensor| match parts {
            _ if g.dtype() == DType::F64 => g * factor,
            [one, 1.0] => (widened(g) * one).to(g.dtype()),
            [one, other] => (widened(g) * one * other).to(g.dtype()),
        };
        no_grad(|| self.all.iter_mut().for_each(|(_, g)| *g = times(g)));
    }

    /// Whether every element of every gradient is finite.
    pub fn is_finite(&self) -> bool {
        self.all.iter().all(|(_, g)| g.is_finite())
    }
}

/// A gradient of 16 bits in f32.
fn widened(g: &Tensor) -> Tensor {
    if g.dtype().size() <= 2 { g.to(DType::F32) } else { g.clone() }
}

/// A limit of 0 would stop the training, and a negative one would turn every gradient around.
#[track_caller]
fn check_limit(op: &str, max: f64) {
    if !max.is_finite() || max <= 0.0 {
        fail!(op, "the limit must be finite and above 0, got {max}");
    }
}

/// Where both have a gradient of 16 bits at a leaf, the sum is f32; what only one has keeps its dtype.
impl AddAssign for Grads {
    /// # Panics
    /// When the gradients of a leaf differ in shape.
    #[track_caller]
    fn add_assign(&mut self, other: Grads) {
        for (id, g) in &other.all {
            if let Some(here) = self.by_id(*id)
                && here.shape() != g.shape()
            {
                fail!("+=", "two gradients of one leaf have the shapes {:?} and {:?}", here.shape(), g.shape();
                      help = "both must have the shape of the leaf: change the one that was inserted, e.g. with `.reshape(..)`");
            }
        }
        self.elsewhere = self.elsewhere || other.elsewhere;
        no_grad(|| other.all.into_iter().for_each(|(id, g)| self.add(id, g)));
        self.summed.clear();
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
    for shape in [&[1][..], &[3], &[2, 1], &[]] {
        let mut other = Grads::new();
        other.insert(w.leaf_id().unwrap(), Tensor::ones(shape));
        let e = catch(|| {
            let mut all = sum.clone();
            all += other;
        })
        .unwrap_err();
        assert!(e.message().contains("two gradients of one leaf have the shapes"), "{e}");
    }
    let half = w.to(DType::F16).detach().leaf();
    let mut grads = (&half * 3.0).sum(..).backward();
    grads.clip_value(1e6);
    assert_close!(grads.of(&half).to(DType::F32), [3.0, 3.0]);
    assert!(catch(|| grads.scale(1e45)).unwrap_err().message().starts_with("scale: "));
    assert!(catch(|| sum.of(&tensor![1.0]).clone()).unwrap_err().message().contains("not a leaf"));
}

#[test]
fn gradients_of_16_bits_add_up_and_shrink_in_f32() {
    use crate::prelude::*;
    for dtype in [DType::BF16, DType::F16] {
        let w = Tensor::ones([1]).to(dtype).leaf();
        // One leaf that is used a thousand times.
        let uses = |n: usize| (0..n).map(|_| w.clone()).reduce(|sum, w| sum * 0.0 + w).unwrap();
        let many = (0..1000).fold(w.clone() * 0.0, |sum, _| sum * 1.0 + &w);
        let g = many.sum(..).backward();
        assert_eq!((g.of(&w).item(), g.of(&w).dtype()), (1000.0, dtype));
        let mut sum = Grads::new();
        (0..1000).for_each(|_| sum += uses(1).sum(..).backward());
        assert_eq!(sum.of(&w).item(), 1000.0);
        // A norm far beyond what is allowed.
        let w = Tensor::zeros([10_000]).to(dtype).leaf();
        let mut g = (&w * 1000.0).sum(..).backward();
        for limit in [1.0, 1e-1, 1e-2] {
            g.clip_norm(limit);
            assert!((g.norm() / limit - 1.0).abs() < 4e-3, "{dtype}, {limit}: {}", g.norm());
            assert_eq!(g.of(&w).dtype(), dtype);
        }
        g.clip_value(1e6);
    }
    let of = |values: Vec<f64>, dtype: DType| {
        let w = Tensor::from_vec(values, [2]).to(dtype);
        let x = Tensor::zeros([2]).to(dtype).leaf();
        (&x * w).sum(..).backward()
    };
    let mut g = of(vec![3e38, 3e38], DType::F32);
    g.clip_norm(1e-7);
    assert!((g.norm() / 1e-7 - 1.0).abs() < 1e-5, "{}", g.norm());
    assert!((of(vec![3e300, 4e300], DType::F64).norm() / 5e300 - 1.0).abs() < 1e-12);
    assert!((of(vec![3e-300, 4e-300], DType::F64).norm() / 5e-300 - 1.0).abs() < 1e-12);
    assert_eq!(of(vec![0.0, 0.0], DType::F64).norm(), 0.0);
}
