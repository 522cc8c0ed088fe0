//! Multi-head attention: each step gathers what it needs from the others, in several ways at once.

#[cfg(test)]
mod tests;

mod heads;
mod options;

pub(super) use options::{
    ALIBI, CAUSAL, KV_HEADS, QK_NORM, ROTARY, ROTARY_BASE, WINDOW, from_options, size_for,
};

use super::{AttentionCache, LayerKind, RelativePositionBias, RmsNorm, RotaryEmbedding, Seen};
use crate::init::{Init, Uniform, XavierNormal, XavierUniform};
use crate::{AtLengths, Layer, Linear, Module, Param, budget};
use mapsto_spec::{Bounds, Entry, at_least_1};
use mapsto_tensor::ops::attention_weights;
use mapsto_tensor::{Tensor, fail};

/// Queries, keys and values are linear in the input; `heads` parts of them attend on their own, and their results pass
/// through a last linear layer: `y = [head₁ .. headₕ] Wᵀ + b`, `headᵢ = softmax(qᵢ kᵢᵀ / √d) vᵢ`.
///
/// * Shape: `[b, t, size] → [b, t, size]`.
/// * Parameters: `qkv.weight` `[3·size, size]`, Xavier uniform; `out.weight` `[size, size]`, uniform in ±1/√size; both
///   biases zero (as PyTorch draws them).
/// * PyTorch: `MultiheadAttention(size, heads, batch_first=True)`, whose `in_proj_weight` and `in_proj_bias` are `qkv.weight` and
///   `qkv.bias` here, and whose `out_proj` is `out`; with [`kdim`](MultiHeadAttention::kdim), `q_proj_weight`, `k_proj_weight` and
///   `v_proj_weight` are `qkv.weight`, `k.weight` and `v.weight`, and `in_proj_bias` is their biases one after the other. Keras:
///   `MultiHeadAttention`, `GroupedQueryAttention`; ONNX: `Attention`.
///
/// Source: Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, §3.2.2.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = MultiHeadAttention::new(12, 3).causal();
/// let x = Tensor::randn([2, 5, 12]);
/// let y = layer.forward(&x);
/// assert_eq!(y.shape(), [2, 5, 12]);
/// // Causal: what comes later changes nothing.
/// assert_close!(layer.forward(&x.slice(1, ..3)), y.slice(1, ..3));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct MultiHeadAttention {
    /// The map to queries, keys and values, in this order; to queries alone where keys and values have maps of their own.
    pub qkv: Linear,
    /// The map of what the heads found.
    pub out: Linear,
    /// The map to keys, where keys and values come from sequences of other features.
    pub k: Option<Linear>,
    /// The map to values, likewise.
    pub v: Option<Linear>,
    /// The norm of each query, where there is one.
    pub q_norm: Option<RmsNorm>,
    /// The norm of each key, where there is one.
    pub k_norm: Option<RmsNorm>,
    /// A key and a value that every query sees besides, `[1, 1, features of keys]`, where there are some.
    pub bias_k: Option<Param>,
    /// The value of `bias_k`, likewise.
    pub bias_v: Option<Param>,
    /// What is added to scores by distance, where it is learned.
    pub relative: Option<RelativePositionBias>,
    heads: usize,
    kv_heads: usize,
    causal: bool,
    dropout: f64,
    rotary: Option<RotaryEmbedding>,
    alibi: bool,
    window: Option<usize>,
    zero_attn: bool,
}

impl MultiHeadAttention {
    /// `heads` heads on steps of `size` numbers; every step sees all others.
    ///
    /// # Panics
    /// When `size` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(size: usize, heads: usize) -> MultiHeadAttention {
        if heads == 0 || !size.is_multiple_of(heads) {
            fail!("attention", "{size} numbers cannot be cut into {heads} heads"; help = "the size must be a multiple of the heads");
        }
        MultiHeadAttention {
            qkv: Linear::new(size, size.saturating_mul(3)).init(XavierUniform::new()),
            out: Linear::new(size, size).init(Uniform::symmetric(1.0 / (size as f64).sqrt())),
            k: None,
            v: None,
            q_norm: None,
            k_norm: None,
            bias_k: None,
            bias_v: None,
            relative: None,
            heads,
            kv_heads: heads,
            causal: false,
            dropout: 0.0,
            rotary: None,
            alibi: false,
            window: None,
            zero_attn: false,
        }
    }

    /// The same with one more key and value, which are learned and which every query sees, whatever is hidden. PyTorch: `add_bias_kv`.
    ///
    /// * Parameters: `bias_k` and `bias_v`, `[1, 1, size]`, Xavier normal, as PyTorch draws and names them.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (layer, x) = (MultiHeadAttention::new(8, 2).add_bias_kv(), Tensor::randn([1, 3, 8]));
    /// assert_eq!(layer.weights(&x, &x, Mask::None).shape(), [1, 2, 3, 4]);
    /// ```
    #[must_use]
    pub fn add_bias_kv(self) -> MultiHeadAttention {
        let features = self.out.inputs() / self.heads * self.kv_heads;
        // Fans as PyTorch counts those of `[1, 1, size]`: the second axis times the rest, and the first times the rest.
        let draw = || Some(Param::new(XavierNormal::new().tensor(&[1, 1, features])));
        MultiHeadAttention { bias_k: draw(), bias_v: draw(), ..self }
    }

    /// The same with one more key and value of zeros, which every query sees, whatever is hidden: a query can look at nothing. PyTorch: `add_zero_attn`.
    #[must_use]
    pub fn add_zero_attn(self) -> MultiHeadAttention {
        MultiHeadAttention { zero_attn: true, ..self }
    }

    /// The same, where a step sees only itself and those before it.
    #[must_use]
    pub fn causal(self) -> MultiHeadAttention {
        MultiHeadAttention { causal: true, ..self }
    }

    /// The same, forgetting each weight with probability `p` in training, which needs the whole matrix of weights.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f64) -> MultiHeadAttention {
        MultiHeadAttention { dropout: Bounds::SHARE.check("attention", "dropout", p), ..self }
    }

    /// The same without biases.
    #[must_use]
    pub fn no_bias(self) -> MultiHeadAttention {
        MultiHeadAttention {
            qkv: self.qkv.no_bias(),
            out: self.out.no_bias(),
            k: self.k.map(Linear::no_bias),
            v: self.v.map(Linear::no_bias),
            ..self
        }
    }

    /// The same with fewer heads of keys and values, each serving as many heads of queries: grouped-query attention, or multi-query
    /// attention with 1. Its maps are drawn anew.
    ///
    /// Source: Ainslie et al. (2023), GQA, arXiv:2305.13245; Shazeer (2019), arXiv:1911.02150.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = MultiHeadAttention::new(16, 4).kv_heads(2);
    /// assert_eq!(layer.qkv.weight.shape(), [16 + 2 * 8, 16]);
    /// ```
    /// # Panics
    /// When the heads are not a multiple of it.
    #[track_caller]
    #[must_use]
    pub fn kv_heads(self, kv_heads: usize) -> MultiHeadAttention {
        if kv_heads == 0 || !self.heads.is_multiple_of(kv_heads) {
            fail!("attention", "{} heads cannot share {kv_heads} heads of keys and values", self.heads;
                  help = "the heads must be a multiple of those of keys and values");
        }
        let from = self.key_features();
        MultiHeadAttention { kv_heads, ..self }.drawn(from)
    }

    /// The same for keys that come from a sequence of so many features. Its maps are drawn anew. PyTorch: `kdim`.
    ///
    /// ```
    /// use mapsto_nn::{layers::Seen, prelude::*};
    /// let layer = MultiHeadAttention::new(8, 2).kdim(3).vdim(5);
    /// let (q, k, v) = (Tensor::randn([1, 2, 8]), Tensor::randn([1, 4, 3]), Tensor::randn([1, 4, 5]));
    /// assert_eq!(layer.attend_to(&q, &k, &v, Seen::all()).shape(), [1, 2, 8]);
    /// ```
    #[must_use]
    pub fn kdim(self, features: usize) -> MultiHeadAttention {
        let [_, v] = self.key_features();
        self.drawn([features, v])
    }

    /// The same for values that come from a sequence of so many features. Its maps are drawn anew. PyTorch: `vdim`.
    #[must_use]
    pub fn vdim(self, features: usize) -> MultiHeadAttention {
        let [k, _] = self.key_features();
        self.drawn([k, features])
    }

    /// The same, where the queries and keys of each head are normalised, which keeps scores small.
    ///
    /// Source: Henry et al. (2020), Query-key normalization for transformers, arXiv:2010.04245, with the root mean square and a learned
    /// scale of each feature, as Qwen3 has it.
    #[must_use]
    pub fn qk_norm(self) -> MultiHeadAttention {
        let norm = || Some(RmsNorm::new(self.out.inputs() / self.heads));
        MultiHeadAttention { q_norm: norm(), k_norm: norm(), ..self }
    }

    /// The same with rotary positions of queries and keys.
    ///
    /// # Panics
    /// When what is turned of the features of a head is no pairs.
    #[track_caller]
    #[must_use]
    pub fn rotary(self, rotary: RotaryEmbedding) -> MultiHeadAttention {
        let head = self.out.inputs() / self.heads;
        if rotary.turned(head).is_none() {
            fail!("attention", "what is turned of heads of {head} features is no pairs"; help = "an even number of features can be turned");
        }
        MultiHeadAttention { rotary: Some(rotary), ..self }
    }

    /// The same with linear biases of the distance, [`alibi`](super::alibi()).
    #[must_use]
    pub fn alibi(self) -> MultiHeadAttention {
        MultiHeadAttention { alibi: true, ..self }
    }

    /// The same with learned biases of the distance.
    ///
    /// # Panics
    /// When they are of another number of heads.
    #[track_caller]
    #[must_use]
    pub fn relative(self, bias: RelativePositionBias) -> MultiHeadAttention {
        let heads = bias.weight.shape()[1];
        if heads != self.heads {
            fail!("attention", "a bias of {heads} heads does not fit {} heads", self.heads);
        }
        MultiHeadAttention { relative: Some(bias), ..self }
    }

    /// The same, where a step sees only those less than `steps` away.
    ///
    /// Source: Beltagy, Peters, Cohan (2020), Longformer, arXiv:2004.05150, §3.1.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn window(self, steps: usize) -> MultiHeadAttention {
        MultiHeadAttention { window: Some(at_least_1("attention", "window", steps)), ..self }
    }

    /// The features that keys and values are made of.
    fn key_features(&self) -> [usize; 2] {
        let of = |map: &Option<Linear>| map.as_ref().map_or(self.qkv.inputs(), Linear::inputs);
        [of(&self.k), of(&self.v)]
    }

    /// The same with its maps drawn anew, for keys and values of so many features.
    fn drawn(self, [kdim, vdim]: [usize; 2]) -> MultiHeadAttention {
        let (size, bias) = (self.out.inputs(), self.qkv.bias.is_some());
        let kv = size / self.heads * self.kv_heads;
        let with_bias_kv = self.bias_k.is_some();
        let map = |inputs: usize, outputs: usize| {
            let map = Linear::new(inputs, outputs).init(XavierUniform::new());
            if bias { map } else { map.no_bias() }
        };
        let layer = if [kdim, vdim] == [size, size] {
            MultiHeadAttention { qkv: map(size, size + 2 * kv), k: None, v: None, ..self }
        } else {
            MultiHeadAttention {
                qkv: map(size, size),
                k: Some(map(kdim, kv)),
                v: Some(map(vdim, kv)),
                ..self
            }
        };
        if with_bias_kv { layer.add_bias_kv() } else { layer }
    }

    /// What the steps of `x` find in another sequence (cross-attention): queries come from `x`, keys and values from
    /// `memory`. Whether the layer is causal does not matter here: `seen` says what is seen.
    ///
    /// * Shape: `[b, t, size], [b, s, size] → [b, t, size]`.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = MultiHeadAttention::new(8, 2);
    /// let (x, memory) = (Tensor::randn([1, 3, 8]), Tensor::randn([1, 4, 8]));
    /// let seen = tensor![true, true, true, false];
    /// let y = layer.attend(&x, &memory, &seen);
    /// assert_close!(layer.attend(&x, &memory.slice(1, ..3), Mask::None), y);
    /// ```
    #[track_caller]
    pub fn attend(&self, x: &Tensor, memory: &Tensor, seen: impl Into<Seen>) -> Tensor {
        self.attend_to(x, memory, memory, seen)
    }

    /// The same with values from another sequence than the keys.
    ///
    /// * Shape: `[b, t, size], [b, s, kdim], [b, s, vdim] → [b, t, size]`.
    #[track_caller]
    pub fn attend_to(&self, x: &Tensor, keys: &Tensor, values: &Tensor, seen: impl Into<Seen>) -> Tensor {
        let [q, k, v] = [self.part(0, x, 0), self.part(1, keys, 0), self.part(2, values, 0)];
        self.look([q, k, v], &seen.into(), 0)
    }

    /// What the layer gives for `x`, where some steps are hidden besides.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = MultiHeadAttention::new(8, 2).causal();
    /// let x = Tensor::randn([1, 4, 8]);
    /// let y = layer.among(&x, Seen::all().keys(&tensor![[true, true, true, false]]));
    /// assert_close!(y.slice(1, ..3), layer.forward(&x).slice(1, ..3));
    /// ```
    #[track_caller]
    pub fn among(&self, x: &Tensor, seen: impl Into<Seen>) -> Tensor {
        self.look(self.of_itself(x, 0), &self.ordered(seen.into()), 0)
    }

    /// How much each step of `x` takes from each step of `memory`, of each head. For looking at: `forward` never holds them.
    ///
    /// * Shape: `[b, t, size], [b, s, size] → [b, heads, t, s]`; `.mean(1)` is what PyTorch's `need_weights=True` returns.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (layer, x) = (MultiHeadAttention::new(8, 2), Tensor::randn([1, 3, 8]));
    /// assert_close!(layer.weights(&x, &x, Mask::Causal).sum(-1), Tensor::ones([1, 2, 3]));
    /// ```
    #[track_caller]
    pub fn weights(&self, x: &Tensor, memory: &Tensor, seen: impl Into<Seen>) -> Tensor {
        let (q, k) = (self.part(0, x, 0), self.part(1, memory, 0));
        let mask = self.mask(&q, &k, &seen.into(), 0);
        let (k, _, mask) = self.with_more(&q, k.clone(), k, mask);
        attention_weights(&q, &self.shared(k), mask)
    }

    /// What the layer gives for further steps, after those that the cache holds; it holds these too then.
    ///
    /// * Shape: `[b, t, size] → [b, t, size]`. The numbers are those of the whole sequence.
    ///
    /// # Panics
    /// When the layer is not [`causal`](MultiHeadAttention::causal): the steps before would see the new ones.
    #[track_caller]
    pub fn step(&self, x: &Tensor, cache: &mut AttentionCache) -> Tensor {
        if !self.causal {
            fail!("attention", "the steps before would see the new ones"; help = "make the layer `.causal()`");
        }
        self.next(x, cache)
    }

    /// [`step`](MultiHeadAttention::step), each step seeing itself and those before.
    #[track_caller]
    pub(super) fn next(&self, x: &Tensor, cache: &mut AttentionCache) -> Tensor {
        let at = cache.len();
        let [q, k, v] = self.of_itself(x, at);
        let [k, v] = cache.extend(k, v);
        self.look([q, k, v], &Seen::all().causal(), at)
    }

    /// The keys and values of a whole sequence, which [`look_up`](MultiHeadAttention::look_up) reads.
    #[track_caller]
    pub(super) fn remember(&self, memory: &Tensor) -> AttentionCache {
        let mut cache = AttentionCache::new();
        let _ = cache.extend(self.part(1, memory, 0), self.part(2, memory, 0));
        cache
    }

    fn ordered(&self, seen: Seen) -> Seen {
        if self.causal { seen.causal() } else { seen }
    }

    /// What the steps of `x`, the first of which stands at the place `at`, find in a sequence that
    /// [`remember`](MultiHeadAttention::remember) keeps.
    #[track_caller]
    pub(super) fn look_up(&self, x: &Tensor, memory: &AttentionCache, seen: &Seen, at: usize) -> Tensor {
        let Some([k, v]) = memory.held() else {
            fail!("attention", "no sequence is remembered");
        };
        self.look([self.part(0, x, at), k, v], seen, at)
    }

    /// Into how many heads it is cut.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// The probability to forget a weight, while training.
    pub(super) fn forgets(&self) -> f64 {
        self.dropout
    }

    /// Whether a step sees only itself and those before it.
    pub fn is_causal(&self) -> bool {
        self.causal
    }
}

impl Layer for MultiHeadAttention {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.among(x, Seen::all())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> std::result::Result<AtLengths, String> {
        Ok(AtLengths::Steps(self.among(x, Seen::of_lengths(x, lengths))))
    }

    fn describe(&self) -> String {
        let causal = if self.causal { ", causal" } else { "" };
        format!("MultiHeadAttention({}, {} heads{causal})", self.out.outputs(), self.heads)
    }

    fn entry(&self) -> Option<Entry> {
        let entry = self.told_alone(Entry::new(KIND.name).with_value(self.heads))?;
        Some(entry.with_option("bias_kv", self.bias_k.is_some()).with_option("zero_attn", self.zero_attn))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "attention",
    "Lets each step gather from the others, with the given number of heads.",
    |args, input| {
        let heads: usize = args.main()?;
        let size = size_for(args, input, heads, 2)?;
        let layer = from_options(args, size, heads, 0.0)?;
        let layer = if args.get_or("bias_kv", false)? {
            budget::weight(args, &[2, size])?;
            layer.add_bias_kv()
        } else {
            layer
        };
        Ok(Box::new(if args.get_or("zero_attn", false)? { layer.add_zero_attn() } else { layer }))
    },
)
.options(&[
    ("", "the number of heads"),
    CAUSAL,
    ("bias", "whether it has a bias"),
    ("dropout", "the probability to forget a weight, while training"),
    KV_HEADS,
    QK_NORM,
    ROTARY,
    ROTARY_BASE,
    ALIBI,
    WINDOW,
    ("bias_kv", "whether every step sees one more key and value, which are learned"),
    ("zero_attn", "whether every step sees one more key and value of zeros"),
])
.example(|| Entry::new("attention").with_value(2_usize));
