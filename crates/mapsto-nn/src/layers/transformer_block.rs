//! The block that transformers are stacks of: attention between the steps, then a small network on each step.

use super::multi_head_attention::size_for;
use super::{AttentionCache, LayerKind, Seen};
use crate::{Apply, AtLengths, Layer, LayerNorm, Linear, Module, MultiHeadAttention};
use mapsto_spec::{Bounds, Entry, at_least_1};
use mapsto_tensor::Tensor;

/// `x ← x + attention(norm(x))`, then `y = x + W₂ gelu(W₁ norm(x))`: normalised before each part (pre-norm), as GPT-2
/// and its successors are.
///
/// * Shape: `[b, t, size] → [b, t, size]`.
/// * Parameters: those of [`MultiHeadAttention`], two [`LayerNorm`]s and two [`Linear`] layers, `up` to `4 · size`
///   features and `down` again.
/// * PyTorch: `TransformerEncoderLayer(norm_first=True)`; Keras has none.
///
/// Source: Vaswani et al. (2017), arXiv:1706.03762, §3; Radford et al. (2019), Language models are unsupervised
/// multitask learners, §2.3, for the order; Hendrycks, Gimpel (2016), arXiv:1606.08415, for GELU.
/// ```
/// use mapsto_nn::prelude::*;
/// let block = TransformerBlock::new(16, 4).causal().no_bias();
/// assert_eq!(block.forward(&Tensor::randn([2, 5, 16])).shape(), [2, 5, 16]);
/// assert_eq!(block.parameter_count(), 12 * 16 * 16 + 2 * 16);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct TransformerBlock {
    /// Before the attention.
    pub norm1: LayerNorm,
    /// Between the steps.
    pub attention: MultiHeadAttention,
    /// Before the network of each step.
    pub norm2: LayerNorm,
    /// To the hidden features.
    pub up: Linear,
    /// And back.
    pub down: Linear,
    dropout: f64,
}

impl TransformerBlock {
    /// A block for steps of `size` numbers; every step sees all others.
    ///
    /// # Panics
    /// When `size` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(size: usize, heads: usize) -> TransformerBlock {
        TransformerBlock {
            norm1: LayerNorm::new(size),
            attention: MultiHeadAttention::new(size, heads),
            norm2: LayerNorm::new(size),
            up: Linear::new(size, size.saturating_mul(4)),
            down: Linear::new(size.saturating_mul(4), size),
            dropout: 0.0,
        }
    }

    /// The same, where a step sees only itself and those before it.
    #[must_use]
    pub fn causal(self) -> TransformerBlock {
        TransformerBlock { attention: self.attention.causal(), ..self }
    }

    /// The same with another number of hidden features; `up` and `down` are drawn anew.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    #[must_use]
    pub fn hidden(self, features: usize) -> TransformerBlock {
        let features = at_least_1("transformer_block", "hidden", features);
        let linear = |inputs, outputs| {
            let layer = Linear::new(inputs, outputs);
            if self.up.bias.is_some() { layer } else { layer.no_bias() }
        };
        let size = self.up.inputs();
        TransformerBlock { up: linear(size, features), down: linear(features, size), ..self }
    }

    /// The same, forgetting weights of the attention and results of both parts with probability `p` in training.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f64) -> TransformerBlock {
        let p = Bounds::SHARE.check("transformer_block", "dropout", p);
        TransformerBlock { attention: self.attention.dropout(p), dropout: p, ..self }
    }

    /// The same without any bias, in the norms too.
    #[must_use]
    pub fn no_bias(self) -> TransformerBlock {
        TransformerBlock {
            norm1: self.norm1.no_bias(),
            attention: self.attention.no_bias(),
            norm2: self.norm2.no_bias(),
            up: self.up.no_bias(),
            down: self.down.no_bias(),
            dropout: self.dropout,
        }
    }
}

impl TransformerBlock {
    /// What the block gives for further steps, after those that the cache holds; it holds these too then. The numbers are those of the
    /// whole sequence.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let block = TransformerBlock::new(16, 4).causal();
    /// let (x, mut cache) = (Tensor::randn([2, 5, 16]), AttentionCache::new());
    /// let _ = block.step(&x.slice(1, ..4), &mut cache);
    /// assert_close!(block.step(&x.slice(1, 4..), &mut cache), block.forward(&x).slice(1, 4..));
    /// ```
    /// # Panics
    /// When the block is not causal: the steps before would see the new ones.
    #[track_caller]
    pub fn step(&self, x: &Tensor, cache: &mut AttentionCache) -> Tensor {
        self.after(x, self.attention.step(&x.apply(&self.norm1), cache))
    }

    /// The block behind its attention, which found `found`.
    #[track_caller]
    fn after(&self, x: &Tensor, found: Tensor) -> Tensor {
        let x = x + found.dropout(self.dropout);
        let step = x.apply(&self.norm2).apply(&self.up).gelu().apply(&self.down);
        x + step.dropout(self.dropout)
    }
}

impl Layer for TransformerBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.after(x, x.apply(&self.norm1).apply(&self.attention))
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        Ok(AtLengths::Steps(
            self.after(x, self.attention.among(&x.apply(&self.norm1), Seen::of_lengths(x, lengths))),
        ))
    }

    fn describe(&self) -> String {
        format!("TransformerBlock({}, {} hidden)", self.attention.describe(), self.up.outputs())
    }

    fn entry(&self) -> Option<Entry> {
        let attention = &self.attention;
        let entry = Entry::new(KIND.name)
            .with_value(attention.heads())
            .with_option("hidden", self.up.outputs())
            .with_option("causal", attention.is_causal())
            .with_option("bias", self.up.bias.is_some());
        Some(entry.with_option("dropout", self.dropout))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "transformer_block",
    "Attention with the given number of heads, then a network on each step.",
    |args, input| {
        let heads: usize = args.main()?;
        let hidden: Option<usize> = args.optional("hidden")?;
        if hidden == Some(0) {
            return Err(args.error("hidden", "`hidden` must be at least 1, got 0"));
        }
        let size = size_for(args, input, heads, if hidden.is_some() { 4 } else { 12 })?;
        let mut block = TransformerBlock::new(size, heads);
        if let Some(features) = hidden {
            crate::budget::weight(args, &[2, features, size])?;
            crate::budget::output(args, &[input[0], features])?;
            block = block.hidden(features);
        }
        args.record("hidden", block.up.outputs());
        let block = if args.get_or("causal", false)? { block.causal() } else { block };
        let block = if args.get_or("bias", true)? { block } else { block.no_bias() };
        Ok(Box::new(block.dropout(Bounds::SHARE.option(args, "dropout", 0.0)?)))
    },
)
.options(&[
    ("", "the number of heads"),
    (
        "hidden",
        "the features of the network on each step; four times those of the step where nothing is said",
    ),
    ("causal", "whether a step sees only itself and those before it"),
    ("bias", "whether it has a bias"),
    ("dropout", "the probability to forget, while training"),
])
.example(|| Entry::new("transformer_block").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn transformer_block() {
        check_layer(|| TransformerBlock::new(4, 2)).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| TransformerBlock::new(4, 2).causal().no_bias().hidden(6)).gives([1, 5, 4], [1, 5, 4]);
        let block = TransformerBlock::new(8, 2).dropout(0.2);
        let x = Tensor::randn([2, 3, 8]);
        assert_ne!(
            train(|| block.forward(&x)).to_vec::<f32>(),
            block.forward(&x).to_vec::<f32>(),
            "dropout acts in training"
        );
    }
}
