//! The cache of an attention: the keys and values of the steps so far, so that the next one reads them instead of computing them again.

use mapsto_tensor::Tensor;

/// Keys and values of the steps that an attention has seen, `[b, heads, steps, d]`, for decoding step by step.
///
/// [`MultiHeadAttention::step`](super::MultiHeadAttention::step) reads and extends it. A clone shares the memory, and goes its own way
/// from there, as beams do.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = MultiHeadAttention::new(8, 2).causal();
/// let (x, mut cache) = (Tensor::randn([1, 5, 8]), AttentionCache::new());
/// let whole = layer.forward(&x);
/// for t in 0..5 {
///     assert_close!(layer.step(&x.slice(1, t..t + 1), &mut cache), whole.slice(1, t..t + 1));
/// }
/// assert_eq!(cache.len(), 5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttentionCache {
    held: Option<[Tensor; 2]>,
}

impl AttentionCache {
    /// Before the first step.
    pub fn new() -> AttentionCache {
        AttentionCache::default()
    }

    /// The steps that it holds.
    pub fn len(&self) -> usize {
        self.held.as_ref().map_or(0, |[k, _]| k.shape()[2])
    }

    /// Whether it holds no step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the first `steps` alone, as when a guess is taken back.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = MultiHeadAttention::new(4, 1).causal();
    /// let mut cache = AttentionCache::new();
    /// layer.step(&Tensor::randn([1, 3, 4]), &mut cache);
    /// cache.truncate(1);
    /// assert_eq!(cache.len(), 1);
    /// ```
    pub fn truncate(&mut self, steps: usize) {
        if steps < self.len() {
            self.held = self.held.take().map(|held| held.map(|x| x.slice(2, ..steps as isize)));
        }
    }

    /// The sequences of these numbers, in this order: those that a search goes on with.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = MultiHeadAttention::new(4, 1).causal();
    /// let (x, mut cache) = (Tensor::randn([2, 1, 4]), AttentionCache::new());
    /// let y = layer.step(&x, &mut cache);
    /// cache.select(&tensor![1, 1, 0]);
    /// assert_eq!(layer.step(&Tensor::randn([3, 1, 4]), &mut cache).shape(), [3, 1, 4]);
    /// ```
    /// # Panics
    /// When there is no such sequence.
    #[track_caller]
    pub fn select(&mut self, sequences: &Tensor) {
        if let Some(held) = &self.held {
            self.held = Some(held.each_ref().map(|x| x.index_select(0, sequences)));
        }
    }

    /// The keys and values with these behind them, which are held from now on.
    #[track_caller]
    pub(super) fn extend(&mut self, k: Tensor, v: Tensor) -> [Tensor; 2] {
        let all = match self.held.take() {
            Some([old_k, old_v]) => [Tensor::cat(&[old_k, k], 2), Tensor::cat(&[old_v, v], 2)],
            None => [k, v],
        };
        self.held = Some(all.clone());
        all
    }

    /// The keys and values.
    pub(super) fn held(&self) -> Option<[Tensor; 2]> {
        self.held.clone()
    }
}

#[test]
fn an_empty_cache_stays_empty() {
    let mut cache = AttentionCache::new();
    cache.truncate(0);
    cache.select(&mapsto_tensor::tensor![0]);
    assert!(cache.is_empty() && cache.held().is_none());
    let _ = cache.extend(Tensor::ones([1, 1, 2, 1]), Tensor::ones([1, 1, 2, 1]));
    cache.truncate(5);
    assert_eq!(cache.len(), 2);
}
