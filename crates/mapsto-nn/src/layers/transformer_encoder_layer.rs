//! A layer of a transformer's encoder: attention between the steps, then a network on each, both with a way around them.

use super::{AttentionCache, FeedForward, LayerKind, LayerNorm, MultiHeadAttention, Seen};
use super::{feed_forward, multi_head_attention as attention};
use crate::{Apply, AtLengths, Layer, Module, ModuleExt, budget};
use mapsto_spec::{Args, Bounds, Entry, count_option};
use mapsto_tensor::{Result, Tensor};
use std::cell::RefCell;
use std::fmt;

/// `x ← norm₁(x + attention(x))`, then `y = norm₂(x + network(x))`; with [`norm_first`](TransformerEncoderLayer::norm_first)
/// `x ← x + attention(norm₁(x))`, then `y = x + network(norm₂(x))`.
///
/// As PyTorch's it begins with 2048 hidden features, a ReLU, a dropout of 0.1 and layer norms after each part.
/// [`TransformerBlock`](super::TransformerBlock) is the same as GPT-2 has it, by fewer words.
///
/// * Shape: `[b, t, size] → [b, t, size]`.
/// * Parameters: those of `self_attn`, `feed_forward`, `norm1` and `norm2`.
/// * PyTorch: `TransformerEncoderLayer(size, heads, batch_first=True)`. Its `linear1` and `linear2` are `feed_forward.linear1` and
///   `feed_forward.linear2` here, its `self_attn.in_proj_weight` is `self_attn.qkv.weight`, its `self_attn.in_proj_bias` is
///   `self_attn.qkv.bias`, and its `self_attn.out_proj` is `self_attn.out`.
///
/// Source: Vaswani et al. (2017), arXiv:1706.03762, §3.1; Xiong et al. (2020), On layer normalization in the transformer architecture,
/// arXiv:2002.04745, for the other order.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = TransformerEncoderLayer::new(16, 4)
///     .hidden(32)
///     .activation(Tensor::silu)
///     .gated()
///     .norm_first()
///     .norm(RmsNorm::new)
///     .attention(|a| a.kv_heads(2).rotary(RotaryEmbedding::new()).causal());
/// assert_eq!(layer.forward(&Tensor::randn([2, 5, 16])).shape(), [2, 5, 16]);
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct TransformerEncoderLayer {
    /// Between the steps.
    pub self_attn: MultiHeadAttention,
    /// On each step.
    pub feed_forward: FeedForward,
    /// Of the attention.
    pub norm1: Box<dyn Layer>,
    /// Of the network.
    pub norm2: Box<dyn Layer>,
    norm_first: bool,
    dropout: f64,
    /// Whether the norms are still those that it began with.
    own_norms: bool,
}

impl TransformerEncoderLayer {
    /// A layer for steps of `size` numbers.
    ///
    /// # Panics
    /// When `size` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(size: usize, heads: usize) -> TransformerEncoderLayer {
        TransformerEncoderLayer {
            self_attn: MultiHeadAttention::new(size, heads).dropout(0.1),
            feed_forward: FeedForward::new(size, 2048).dropout(0.1),
            norm1: Box::new(LayerNorm::new(size)),
            norm2: Box::new(LayerNorm::new(size)),
            norm_first: false,
            dropout: 0.1,
            own_norms: true,
        }
    }

    /// The same with another number of hidden features, which are drawn anew. PyTorch: `dim_feedforward`.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    #[must_use]
    pub fn hidden(self, features: usize) -> TransformerEncoderLayer {
        TransformerEncoderLayer { feed_forward: self.feed_forward.hidden(features), ..self }
    }

    /// The same with another activation of the network.
    #[must_use]
    pub fn activation(self, activation: impl Layer + 'static) -> TransformerEncoderLayer {
        TransformerEncoderLayer { feed_forward: self.feed_forward.activation(activation), ..self }
    }

    /// The same with a gate in the network: with `silu`, SwiGLU.
    #[must_use]
    pub fn gated(self) -> TransformerEncoderLayer {
        TransformerEncoderLayer { feed_forward: self.feed_forward.gated(), ..self }
    }

    /// The same with the norm before each part, which trains without a warm-up.
    #[must_use]
    pub fn norm_first(self) -> TransformerEncoderLayer {
        TransformerEncoderLayer { norm_first: true, ..self }
    }

    /// The same with other norms, each made for `size` features.
    #[must_use]
    pub fn norm<L: Layer + 'static>(self, build: impl Fn(usize) -> L) -> TransformerEncoderLayer {
        let norm = || Box::new(build(self.size()));
        TransformerEncoderLayer { norm1: norm(), norm2: norm(), own_norms: false, ..self }
    }

    /// The same with its attention changed: `.attention(|a| a.causal())`.
    #[must_use]
    pub fn attention(
        self,
        change: impl FnOnce(MultiHeadAttention) -> MultiHeadAttention,
    ) -> TransformerEncoderLayer {
        TransformerEncoderLayer { self_attn: change(self.self_attn), ..self }
    }

    /// The same, forgetting weights of the attention, hidden features and results of both parts with probability `p` in training.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f64) -> TransformerEncoderLayer {
        let dropout = Bounds::SHARE.check("transformer_encoder_layer", "dropout", p);
        let (self_attn, feed_forward) = (self.self_attn.dropout(p), self.feed_forward.dropout(p));
        TransformerEncoderLayer { self_attn, feed_forward, dropout, ..self }
    }

    /// The same without any bias, in its layer norms too; norms that were given keep theirs.
    #[must_use]
    pub fn no_bias(self) -> TransformerEncoderLayer {
        let size = self.size();
        let norm = |own: bool, old: Box<dyn Layer>| -> Box<dyn Layer> {
            if own { Box::new(LayerNorm::new(size).no_bias()) } else { old }
        };
        TransformerEncoderLayer {
            self_attn: self.self_attn.no_bias(),
            feed_forward: self.feed_forward.no_bias(),
            norm1: norm(self.own_norms, self.norm1),
            norm2: norm(self.own_norms, self.norm2),
            ..self
        }
    }

    fn size(&self) -> usize {
        self.feed_forward.linear2.outputs()
    }

    /// What the layer gives for `x`, where some steps are hidden.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = TransformerEncoderLayer::new(8, 2).hidden(16);
    /// let x = Tensor::randn([1, 4, 8]);
    /// let y = layer.encode(&x, Seen::all().keys(&tensor![[true, true, true, false]]));
    /// assert_close!(layer.forward(&x.slice(1, ..3)), y.slice(1, ..3));
    /// ```
    #[track_caller]
    pub fn encode(&self, x: &Tensor, seen: impl Into<Seen>) -> Tensor {
        let seen = seen.into();
        let x = self.around(&self.norm1, x, &|x| self.self_attn.among(x, &seen));
        self.around(&self.norm2, &x, &|x| x.apply(&self.feed_forward))
    }

    /// What the layer gives for further steps, after those that the cache holds; it holds these too then. The numbers are those of the
    /// whole sequence: so does a model decode that is made of such layers alone.
    ///
    /// # Panics
    /// When the attention is not causal: the steps before would see the new ones.
    #[track_caller]
    pub fn step(&self, x: &Tensor, cache: &mut AttentionCache) -> Tensor {
        let cache = RefCell::new(cache);
        let x = self.around(&self.norm1, x, &|x| self.self_attn.step(x, &mut cache.borrow_mut()));
        self.around(&self.norm2, &x, &|x| x.apply(&self.feed_forward))
    }

    #[track_caller]
    fn around(&self, norm: &dyn Layer, x: &Tensor, part: &dyn Fn(&Tensor) -> Tensor) -> Tensor {
        around(self.norm_first, self.dropout, norm, x, part)
    }

    /// An entry with what a file can say of it besides the heads; none where a file has no words for it.
    pub(super) fn told(&self, entry: Entry) -> Option<Entry> {
        let norm = self.norm1.entry()?;
        let entry = self.self_attn.told(entry.with_option("hidden", self.feed_forward.linear2.inputs()))?;
        let entry = self.feed_forward.told(entry)?;
        let entry = entry.with_option("norm", norm.clone()).with_option("norm_first", self.norm_first);
        // One dropout, one norm and one answer about biases stand in a file for all parts.
        let same = entry.option("dropout") == Some(&self.dropout.into())
            && self.feed_forward.entry()?.option("dropout") == Some(&self.dropout.into())
            && self.feed_forward.entry()?.option("bias") == entry.option("bias")
            && self.norm2.entry()?.agrees(&norm);
        same.then_some(entry)
    }
}

/// `x + part(norm(x))` or `norm(x + part(x))`, the part's result partly forgotten in training.
#[track_caller]
pub(super) fn around(
    norm_first: bool,
    dropout: f64,
    norm: &dyn Layer,
    x: &Tensor,
    part: &dyn Fn(&Tensor) -> Tensor,
) -> Tensor {
    if norm_first {
        x + part(&x.apply(norm)).dropout(dropout)
    } else {
        (x + part(x).dropout(dropout)).apply(norm)
    }
}

impl Layer for TransformerEncoderLayer {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.encode(x, Seen::all())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> std::result::Result<AtLengths, String> {
        Ok(AtLengths::Steps(self.encode(x, Seen::of_lengths(x, lengths))))
    }

    fn describe(&self) -> String {
        format!("TransformerEncoderLayer({}, {})", self.self_attn.describe(), self.feed_forward.describe())
    }

    fn entry(&self) -> Option<Entry> {
        self.told(Entry::new(KIND.name).with_value(self.self_attn.heads()))
    }
}

impl fmt::Debug for TransformerEncoderLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Takes the weights of one more layer like this one out of the budget.
pub(super) fn weigh(args: &Args, like: &dyn Layer) -> Result<()> {
    like.parameters().iter().try_for_each(|(_, weight)| budget::weight(args, weight.shape()))
}

/// The layer with the options of an entry, for steps of this shape.
pub(super) fn from_options(
    args: &mut Args,
    input: &[usize],
    heads: usize,
) -> Result<TransformerEncoderLayer> {
    let size = attention::size_for(args, input, heads, 2)?;
    let hidden = count_option(args, "hidden", 2048_usize)?;
    budget::output(args, &[input[0], 2, hidden])?;
    let self_attn = attention::from_options(args, size, heads, 0.1)?;
    let (bias, dropout) = (self_attn.qkv.bias.is_some(), self_attn.forgets());
    let feed_forward = feed_forward::from_options(args, size, hidden, bias, dropout)?;
    let plain = Entry::new("layer_norm").with_option("bias", bias);
    let norm1 = feed_forward::named_option(args, "norm", plain, size)?;
    weigh(args, &norm1)?;
    let norm_first = args.get_or("norm_first", false)?;
    let norm2 = norm1.clone();
    Ok(TransformerEncoderLayer {
        self_attn,
        feed_forward,
        norm1,
        norm2,
        norm_first,
        dropout,
        own_norms: false,
    })
}

pub(super) const HIDDEN: (&str, &str) = ("hidden", "the features of the network on each step");
pub(super) const DROPOUT: (&str, &str) = ("dropout", "the probability to forget, while training");
pub(super) const NORM: (&str, &str) = ("norm", "the norm of each part");
pub(super) const NORM_FIRST: (&str, &str) =
    ("norm_first", "whether the norm comes before each part, instead of after it and the way around");

pub(super) const KIND: LayerKind = LayerKind::new(
    "transformer_encoder_layer",
    "Attention with the given number of heads, then a network on each step, as PyTorch's layer of this name.",
    |args, input| {
        let heads: usize = args.main()?;
        Ok(Box::new(from_options(args, input, heads)?))
    },
)
.options(&[
    ("", "the number of heads"),
    HIDDEN,
    attention::CAUSAL,
    ("bias", "whether it has a bias"),
    DROPOUT,
    attention::KV_HEADS,
    attention::QK_NORM,
    attention::ROTARY,
    attention::ROTARY_BASE,
    attention::ALIBI,
    attention::WINDOW,
    feed_forward::GATED,
    feed_forward::ACTIVATION,
    NORM,
    NORM_FIRST,
])
.example(|| Entry::new("transformer_encoder_layer").with_value(2_usize).with_option("hidden", 3_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    fn layer() -> TransformerEncoderLayer {
        TransformerEncoderLayer::new(4, 2).hidden(6).activation(Tensor::gelu)
    }

    #[test]
    fn transformer_encoder_layer() {
        check_layer(layer).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| layer().norm_first().no_bias().dropout(0.0)).gives([1, 3, 4], [1, 3, 4]);
        let llama = || layer().activation(Tensor::silu).gated().norm_first().norm(RmsNorm::new);
        check_layer(move || llama().attention(|a| a.kv_heads(1).causal())).gives([1, 3, 4], [1, 3, 4]);
        let entry =
            Entry::new("transformer_encoder_layer").with_value(2_usize).with_option("hidden", 5_usize);
        check_entry::<dyn Layer>(&entry.clone().with_option("bias", false), &[3, 4]);
        let entry = entry.with_option("norm", "rms_norm").with_option("activation", "silu");
        let entry =
            entry.with_option("gated", true).with_option("kv_heads", 1_usize).with_option("window", 2_usize);
        check_entry::<dyn Layer>(&entry.with_option("rotary", 1.0).with_option("norm_first", true), &[3, 4]);
        assert!(layer().entry().is_some() && layer().attention(|a| a.dropout(0.3)).entry().is_none());
    }

    #[test]
    fn dropout_acts_in_training_alone() {
        let (layer, x) = (layer(), Tensor::randn([2, 3, 4]));
        assert_ne!(train(|| layer.forward(&x)).to_vec::<f32>(), layer.forward(&x).to_vec::<f32>());
    }

    #[test]
    fn it_is_the_block_of_gpt2() {
        let block = TransformerBlock::new(4, 2).causal();
        let mut same = layer().hidden(16).norm_first().attention(|a| a.causal());
        let names = block.state_dict().into_iter().map(|(name, w)| {
            let name = name.replace("attention", "self_attn").replace("up.", "feed_forward.linear1.");
            (name.replace("down.", "feed_forward.linear2."), w)
        });
        same.load_state_dict(names, &Exceptions::none()).unwrap();
        let x = Tensor::randn([2, 5, 4]);
        assert_eq!(same.forward(&x).to_vec::<f32>(), block.forward(&x).to_vec::<f32>());
    }
}
