//! A layer of a transformer's decoder: attention among its own steps, then to what an encoder read, then a network on each step.

use super::transformer_encoder_layer::around;
use super::{AttentionCache, FeedForward, LayerNorm, MultiHeadAttention, Seen};
use crate::{Apply, Layer, Module};
use mapsto_spec::Bounds;
use mapsto_tensor::{Tensor, fail};
use std::fmt;

/// Three parts, each with a way around it and a norm: attention among the steps of `x`, attention to the steps of `memory`, and a
/// network on each step.
///
/// It reads two sequences, so a program calls it, and no file names it. As PyTorch's it begins with 2048 hidden features, a ReLU, a
/// dropout of 0.1 and layer norms after each part, and hides nothing by itself: what is seen is said with each call.
///
/// * Shape: `[b, t, size], [b, s, size] → [b, t, size]`.
/// * Parameters: those of `self_attn`, `multihead_attn`, `feed_forward` and `norm1` to `norm3`.
/// * PyTorch: `TransformerDecoderLayer(size, heads, batch_first=True)`, its names as those of
///   [`TransformerEncoderLayer`](super::TransformerEncoderLayer).
///
/// Source: Vaswani et al. (2017), arXiv:1706.03762, §3.1.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = TransformerDecoderLayer::new(8, 2).hidden(16);
/// let (x, memory) = (Tensor::randn([1, 4, 8]), Tensor::randn([1, 6, 8]));
/// let y = layer.decode(&x, &memory, Seen::all().causal(), Seen::all());
/// let first = layer.decode(&x.slice(1, ..2), &memory, Seen::all().causal(), Seen::all());
/// assert_close!(y.slice(1, ..2), first);
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct TransformerDecoderLayer {
    /// Among its own steps.
    pub self_attn: MultiHeadAttention,
    /// To the steps of the memory.
    pub multihead_attn: MultiHeadAttention,
    /// On each step.
    pub feed_forward: FeedForward,
    /// Of the attention among its own steps.
    pub norm1: Box<dyn Layer>,
    /// Of the attention to the memory.
    pub norm2: Box<dyn Layer>,
    /// Of the network.
    pub norm3: Box<dyn Layer>,
    norm_first: bool,
    dropout: f64,
    own_norms: bool,
}

/// What a [`TransformerDecoderLayer`] keeps between steps: its own keys and values, and those of the memory.
#[derive(Clone, Debug, Default)]
pub struct DecoderCache {
    own: AttentionCache,
    memory: Option<AttentionCache>,
}

impl DecoderCache {
    /// Before the first step.
    pub fn new() -> DecoderCache {
        DecoderCache::default()
    }

    /// The steps that it holds.
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether it holds no step.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// The sequences of these numbers, in this order, as [`AttentionCache::select`].
    ///
    /// # Panics
    /// When there is no such sequence.
    #[track_caller]
    pub fn select(&mut self, sequences: &Tensor) {
        self.own.select(sequences);
        self.memory.iter_mut().for_each(|memory| memory.select(sequences));
    }
}

impl TransformerDecoderLayer {
    /// A layer for steps of `size` numbers.
    ///
    /// # Panics
    /// When `size` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(size: usize, heads: usize) -> TransformerDecoderLayer {
        let norm = || Box::new(LayerNorm::new(size));
        TransformerDecoderLayer {
            self_attn: MultiHeadAttention::new(size, heads).dropout(0.1),
            multihead_attn: MultiHeadAttention::new(size, heads).dropout(0.1),
            feed_forward: FeedForward::new(size, 2048).dropout(0.1),
            norm1: norm(),
            norm2: norm(),
            norm3: norm(),
            norm_first: false,
            dropout: 0.1,
            own_norms: true,
        }
    }

    /// The same with another network on each step: its hidden features, its activation, a gate. Its dropout is that of the layer.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = TransformerDecoderLayer::new(8, 2).network(|n| n.hidden(20).activation(Tensor::silu).gated());
    /// assert_eq!(layer.feed_forward.linear1.weight.shape(), [40, 8]);
    /// ```
    #[must_use]
    pub fn network(self, change: impl FnOnce(FeedForward) -> FeedForward) -> TransformerDecoderLayer {
        TransformerDecoderLayer { feed_forward: change(self.feed_forward), ..self }
    }

    /// The same with another number of hidden features, which are drawn anew. PyTorch: `dim_feedforward`.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    #[must_use]
    pub fn hidden(self, features: usize) -> TransformerDecoderLayer {
        TransformerDecoderLayer { feed_forward: self.feed_forward.hidden(features), ..self }
    }

    /// The same with the norm before each part.
    #[must_use]
    pub fn norm_first(self) -> TransformerDecoderLayer {
        TransformerDecoderLayer { norm_first: true, ..self }
    }

    /// The same with other norms, each made for `size` features.
    #[must_use]
    pub fn norm<L: Layer + 'static>(self, build: impl Fn(usize) -> L) -> TransformerDecoderLayer {
        let norm = || Box::new(build(self.size()));
        let (norm1, norm2, norm3) = (norm(), norm(), norm());
        TransformerDecoderLayer { norm1, norm2, norm3, own_norms: false, ..self }
    }

    /// The same with both attentions changed: `.attention(|a| a.kv_heads(2))`.
    #[must_use]
    pub fn attention(
        self,
        mut change: impl FnMut(MultiHeadAttention) -> MultiHeadAttention,
    ) -> TransformerDecoderLayer {
        let (self_attn, multihead_attn) = (change(self.self_attn), change(self.multihead_attn));
        TransformerDecoderLayer { self_attn, multihead_attn, ..self }
    }

    /// The same, forgetting weights of the attentions, hidden features and results of all parts with probability `p` in training.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f64) -> TransformerDecoderLayer {
        let dropout = Bounds::SHARE.check("transformer_decoder_layer", "dropout", p);
        let feed_forward = self.feed_forward.dropout(p);
        TransformerDecoderLayer { feed_forward, dropout, ..self }.both(p)
    }

    fn both(self, p: f64) -> TransformerDecoderLayer {
        self.attention(|a| a.dropout(p))
    }

    /// The same without any bias, in its layer norms too; norms that were given keep theirs.
    #[must_use]
    pub fn no_bias(self) -> TransformerDecoderLayer {
        let bare = self.attention(MultiHeadAttention::no_bias).network(FeedForward::no_bias);
        if !bare.own_norms {
            return bare;
        }
        let bare = bare.norm(|size| LayerNorm::new(size).no_bias());
        TransformerDecoderLayer { own_norms: true, ..bare }
    }

    fn size(&self) -> usize {
        self.feed_forward.linear2.outputs()
    }

    /// The output for the steps `x` and the steps `memory` of an encoder. `seen` says what the steps of `x` see of each other, usually
    /// `Seen::all().causal()`, and `memory_seen` what they see of the memory.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn decode(
        &self,
        x: &Tensor,
        memory: &Tensor,
        seen: impl Into<Seen>,
        memory_seen: impl Into<Seen>,
    ) -> Tensor {
        let (seen, memory_seen) = (seen.into(), memory_seen.into());
        self.parts(x, &|x| self.self_attn.among(x, &seen), &|x| {
            self.multihead_attn.attend(x, memory, &memory_seen)
        })
    }

    /// The output for further steps, after those that the cache holds; it holds these too then. The numbers are those of
    /// [`decode`](TransformerDecoderLayer::decode) with `Seen::all().causal()`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = TransformerDecoderLayer::new(8, 2).hidden(16);
    /// let (x, memory) = (Tensor::randn([1, 4, 8]), Tensor::randn([1, 6, 8]));
    /// let y = layer.decode(&x, &memory, Seen::all().causal(), Seen::all());
    /// let mut cache = DecoderCache::new();
    /// for t in 0..4 {
    ///     let next = layer.step(&x.slice(1, t..t + 1), &memory, Seen::all(), &mut cache);
    ///     assert_close!(next, y.slice(1, t..t + 1));
    /// }
    /// ```
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn step(
        &self,
        x: &Tensor,
        memory: &Tensor,
        memory_seen: impl Into<Seen>,
        cache: &mut DecoderCache,
    ) -> Tensor {
        let (memory_seen, at) = (memory_seen.into(), cache.len());
        let own = std::cell::RefCell::new(&mut cache.own);
        let held = cache.memory.get_or_insert_with(|| self.multihead_attn.remember(memory));
        if held.len() != memory.shape().get(1).copied().unwrap_or(0) {
            fail!("transformer_decoder_layer", "the cache remembers {} steps, the memory {:?} has others", held.len(), memory.shape();
                  help = "begin another memory with a new cache");
        }
        self.parts(x, &|x| self.self_attn.next(x, &mut own.borrow_mut()), &|x| {
            self.multihead_attn.look_up(x, held, &memory_seen, at)
        })
    }

    #[track_caller]
    fn parts(
        &self,
        x: &Tensor,
        own: &dyn Fn(&Tensor) -> Tensor,
        other: &dyn Fn(&Tensor) -> Tensor,
    ) -> Tensor {
        let part = |norm: &dyn Layer, x: &Tensor, part: &dyn Fn(&Tensor) -> Tensor| {
            around(self.norm_first, self.dropout, norm, x, part)
        };
        let x = part(&self.norm1, x, own);
        let x = part(&self.norm2, &x, other);
        part(&self.norm3, &x, &|x| x.apply(&self.feed_forward))
    }

    /// The layer with what it consists of.
    pub fn describe(&self) -> String {
        format!("TransformerDecoderLayer({}, {})", self.self_attn.describe(), self.feed_forward.describe())
    }
}

impl fmt::Debug for TransformerDecoderLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    /// The decoder of a memory that is made of its own input, as a layer.
    #[derive(Clone, Module)]
    #[module(crate = crate)]
    struct Alone(TransformerDecoderLayer);

    impl Layer for Alone {
        #[track_caller]
        fn forward(&self, x: &Tensor) -> Tensor {
            self.0.decode(x, &x.flip(1).tanh(), Seen::all().causal(), Seen::all())
        }
    }

    #[test]
    fn transformer_decoder_layer() {
        let layer = || TransformerDecoderLayer::new(4, 2).network(|n| n.hidden(3).activation(Tensor::tanh));
        check_layer(move || Alone(layer())).gives([1, 3, 4], [1, 3, 4]);
        let other = move || layer().no_bias().norm_first().norm(RmsNorm::new).dropout(0.2);
        check_layer(move || Alone(other().attention(|a| a.kv_heads(1)))).gives([2, 2, 4], [2, 2, 4]);
        let bare = layer().no_bias();
        assert!(bare.parameters().iter().all(|(name, _)| name.ends_with("weight")));
        let (x, memory) = (Tensor::randn([2, 3, 4]), Tensor::randn([2, 5, 4]));
        let mut cache = DecoderCache::new();
        let _ = bare.step(&x, &memory, Seen::all(), &mut cache);
        cache.select(&tensor![1]);
        assert_eq!((cache.len(), cache.is_empty()), (3, false));
        let y = bare.step(&x.slice(0, 1..), &memory.slice(0, 1..), Seen::all(), &mut cache);
        assert_eq!(y.shape(), [1, 3, 4]);
        let e = catch(|| bare.step(&x, &x, Seen::all(), &mut cache.clone())).unwrap_err();
        assert!(e.message().contains("the cache remembers 5 steps, the memory [2, 3, 4] has others"), "{e}");
    }
}
