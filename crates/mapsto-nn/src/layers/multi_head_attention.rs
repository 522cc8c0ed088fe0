//! Multi-head attention: each step gathers what it needs from the others, in several ways at once.

use super::LayerKind;
use crate::init::{Uniform, XavierUniform};
use crate::{Apply, Layer, Linear, Module, budget};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::ops::{Mask, attention, attention_weights};
use mapsto_tensor::{Result, Tensor, fail, is_training};

/// Queries, keys and values are linear in the input; `heads` parts of them attend on their own, and their results pass
/// through a last linear layer: `y = [head₁ .. headₕ] Wᵀ + b`, `headᵢ = softmax(qᵢ kᵢᵀ / √d) vᵢ`.
///
/// * Shape: `[b, t, size] → [b, t, size]`.
/// * Parameters: `qkv.weight` `[3·size, size]`, Xavier uniform; `out.weight` `[size, size]`, uniform in ±1/√size; both
///   biases zero (as PyTorch draws them).
/// * PyTorch: `MultiheadAttention`; Keras: `MultiHeadAttention`; ONNX: `Attention`.
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
    /// The map to queries, keys and values, in this order.
    pub qkv: Linear,
    /// The map of what the heads found.
    pub out: Linear,
    heads: usize,
    causal: bool,
    dropout: f64,
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
            heads,
            causal: false,
            dropout: 0.0,
        }
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
        MultiHeadAttention { qkv: self.qkv.no_bias(), out: self.out.no_bias(), ..self }
    }

    /// What the steps of `x` find in another sequence (cross-attention): queries come from `x`, keys and values from
    /// `memory`.
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
    pub fn attend(&self, x: &Tensor, memory: &Tensor, mask: impl Into<Mask>) -> Tensor {
        let [wq, wk, wv] = self.qkv.weight.chunk(0);
        let [bq, bk, bv] = match &self.qkv.bias {
            Some(b) => b.chunk(0).map(Some),
            None => [None, None, None],
        };
        self.mix(
            [x.linear(&wq, bq.as_ref()), memory.linear(&wk, bk.as_ref()), memory.linear(&wv, bv.as_ref())],
            mask.into(),
        )
    }

    #[track_caller]
    fn mix(&self, qkv: [Tensor; 3], mask: Mask) -> Tensor {
        let [b, t, size] = qkv[0].dims();
        let heads = |z: Tensor| z.reshape([b, z.shape()[1], self.heads, size / self.heads]).swap(1, 2);
        let [q, k, v] = qkv.map(heads); // [b, heads, t, d]
        let found = if self.dropout > 0.0 && is_training() {
            attention_weights(&q, &k, mask).dropout(self.dropout).matmul(&v)
        } else {
            attention(&q, &k, &v, mask)
        };
        found.swap(1, 2).reshape([b, t, size]).apply(&self.out)
    }

    /// Into how many heads it is cut.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Whether a step sees only itself and those before it.
    pub fn is_causal(&self) -> bool {
        self.causal
    }
}

impl Layer for MultiHeadAttention {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.mix(x.apply(&self.qkv).chunk(-1), if self.causal { Mask::Causal } else { Mask::None })
    }

    fn describe(&self) -> String {
        let causal = if self.causal { ", causal" } else { "" };
        format!("MultiHeadAttention({}, {} heads{causal})", self.out.outputs(), self.heads)
    }

    fn entry(&self) -> Option<Entry> {
        Some(
            Entry::new(KIND.name)
                .with_value(self.heads)
                .with_option("causal", self.causal)
                .with_option("bias", self.qkv.bias.is_some())
                .with_option("dropout", self.dropout),
        )
    }
}

/// The size of a step, checked against the heads, with the layer's weights taken out of the budget.
pub(super) fn size_for(args: &Args, input: &[usize], heads: usize, weights: usize) -> Result<usize> {
    let [steps, size] = super::steps(args, input)?;
    if heads == 0 || !size.is_multiple_of(heads) {
        return Err(args.misfit("", format!("{size} features cannot be cut into {heads} heads")));
    }
    budget::weight(args, &[weights, size, size])?;
    budget::output(args, &[steps, 4, size])?;
    budget::pass(args.name(), &[steps, steps])?;
    Ok(size)
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "attention",
    "Lets each step gather from the others, with the given number of heads.",
    |args, input| {
        let heads: usize = args.main()?;
        let layer = MultiHeadAttention::new(size_for(args, input, heads, 4)?, heads);
        let layer = if args.get_or("causal", false)? { layer.causal() } else { layer };
        let layer = if args.get_or("bias", true)? { layer } else { layer.no_bias() };
        Ok(Box::new(layer.dropout(Bounds::SHARE.option(args, "dropout", 0.0)?)))
    },
)
.options(&[
    ("", "the number of heads"),
    ("causal", "whether a step sees only itself and those before it"),
    ("bias", "whether it has a bias"),
    ("dropout", "the probability to forget a weight, while training"),
])
.example(|| Entry::new("attention").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn multi_head_attention() {
        check_layer(|| MultiHeadAttention::new(6, 2)).gives([2, 4, 6], [2, 4, 6]);
        check_layer(|| MultiHeadAttention::new(6, 3).causal().no_bias()).gives([2, 4, 6], [2, 4, 6]);
        check_layer(|| MultiHeadAttention::new(4, 1).causal().dropout(0.1)).gives([1, 3, 4], [1, 3, 4]);
        let error = catch(|| MultiHeadAttention::new(10, 3)).unwrap_err().to_string();
        assert_eq!(
            error,
            "attention: 10 numbers cannot be cut into 3 heads\nhelp: the size must be a multiple of the heads"
        );
    }

    #[test]
    fn dropout_forgets_weights_in_training_alone() {
        let layer = MultiHeadAttention::new(8, 2).dropout(0.5);
        let x = Tensor::randn([2, 6, 8]);
        let y = layer.forward(&x).to_vec::<f32>();
        assert_ne!(train(|| layer.forward(&x)).to_vec::<f32>(), y);
        assert_close!(train(|| layer.clone().dropout(0.0).forward(&x)), layer.forward(&x));
    }
}
