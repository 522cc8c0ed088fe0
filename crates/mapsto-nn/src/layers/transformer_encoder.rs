//! The encoder of a transformer: layers one after the other, which read a sequence from all sides.

use super::transformer_encoder_layer as layer;
use super::{
    AttentionCache, LayerKind, Seen, TransformerEncoderLayer, feed_forward, multi_head_attention as attention,
};
use crate::{Apply, AtLengths, Layer, Module, budget};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::memory::room_for;
use mapsto_tensor::{Tensor, fail};
use std::fmt;

/// [`TransformerEncoderLayer`]s one after the other, and perhaps a norm at the end.
///
/// * Shape: `[b, t, size] → [b, t, size]`.
/// * Parameters: `layers.0`, `layers.1`, .. and `norm`.
/// * PyTorch: `TransformerEncoder`, whose layers begin as copies of one; here each draws its own weights.
///
/// Source: Vaswani et al. (2017), arXiv:1706.03762, §3.1.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = || TransformerEncoderLayer::new(16, 4).hidden(32).norm_first();
/// let encoder = TransformerEncoder::new(2, layer).norm(LayerNorm::new(16));
/// let (x, there) = (Tensor::randn([1, 3, 16]), tensor![[true, true, false]]);
/// let y = encoder.encode(&x, Seen::all().keys(&there));
/// assert_close!(encoder.forward(&x.slice(1, ..2)), y.slice(1, ..2));
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct TransformerEncoder {
    /// The layers in order.
    pub layers: Vec<TransformerEncoderLayer>,
    /// After the last layer.
    pub norm: Option<Box<dyn Layer>>,
}

impl TransformerEncoder {
    /// This many layers, each made by `build`.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(count: usize, build: impl FnMut() -> TransformerEncoderLayer) -> TransformerEncoder {
        let count = at_least_1("transformer_encoder", "layers", count);
        let mut layers = room_for(count);
        layers.extend(std::iter::repeat_with(build).take(count));
        TransformerEncoder { layers, norm: None }
    }

    /// The same with a norm at the end, as it belongs behind layers that begin with theirs.
    #[must_use]
    pub fn norm(self, norm: impl Layer + 'static) -> TransformerEncoder {
        TransformerEncoder { norm: Some(Box::new(norm)), ..self }
    }

    /// What the encoder gives for `x`, where some steps are hidden.
    #[track_caller]
    pub fn encode(&self, x: &Tensor, seen: impl Into<Seen>) -> Tensor {
        let seen = seen.into();
        let y = self.layers.iter().fold(x.clone(), |x, layer| layer.encode(&x, &seen));
        y.apply(&self.norm)
    }
}

impl TransformerEncoder {
    /// A cache for each layer, before the first step.
    pub fn cache(&self) -> Vec<AttentionCache> {
        vec![AttentionCache::new(); self.layers.len()]
    }

    /// What the encoder gives for further steps, as [`TransformerEncoderLayer::step`].
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = || TransformerEncoderLayer::new(16, 4).hidden(32).attention(|a| a.causal());
    /// let encoder = TransformerEncoder::new(2, layer);
    /// let (x, mut cache) = (Tensor::randn([1, 3, 16]), encoder.cache());
    /// let first = encoder.step(&x.slice(1, ..2), &mut cache);
    /// let last = encoder.step(&x.slice(1, 2..), &mut cache);
    /// assert_close!(Tensor::cat(&[first, last], 1), encoder.forward(&x));
    /// ```
    /// # Panics
    /// When an attention is not causal, or the cache is of another number of layers.
    #[track_caller]
    pub fn step(&self, x: &Tensor, cache: &mut [AttentionCache]) -> Tensor {
        if cache.len() != self.layers.len() {
            fail!("transformer_encoder", "{} caches do not fit {} layers", cache.len(), self.layers.len(); help = "begin with `encoder.cache()`");
        }
        let layers = self.layers.iter().zip(cache);
        layers.fold(x.clone(), |x, (layer, cache)| layer.step(&x, cache)).apply(&self.norm)
    }
}

impl Layer for TransformerEncoder {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.encode(x, Seen::all())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        Ok(AtLengths::Steps(self.encode(x, Seen::of_lengths(x, lengths))))
    }

    fn describe(&self) -> String {
        format!("TransformerEncoder({} × {})", self.layers.len(), self.layers[0].describe())
    }

    fn entry(&self) -> Option<Entry> {
        let first = &self.layers[0];
        let entry = |layer: &TransformerEncoderLayer| {
            let entry = Entry::new(KIND.name).with_value(self.layers.len());
            layer.told(entry.with_option("heads", layer.self_attn.heads()))
        };
        let said = entry(first)?;
        let alike = self.layers.iter().all(|layer| entry(layer).is_some_and(|other| other.agrees(&said)));
        let norm = match &self.norm {
            Some(norm) => norm.entry()?.agrees(&first.norm1.entry()?),
            None => true,
        };
        (alike && norm).then(|| said.with_option("final_norm", self.norm.is_some()))
    }
}

impl fmt::Debug for TransformerEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "transformer_encoder",
    "The given number of layers of a transformer's encoder.",
    |args, input| {
        let (count, heads): (usize, usize) = (args.main()?, args.required("heads")?);
        if count == 0 {
            return Err(args.error("", "the number of layers must be at least 1, got 0"));
        }
        budget::layers(count)?;
        let mut layers = Vec::new();
        for _ in 0..count {
            layers.push(layer::from_options(args, input, heads)?);
        }
        let norm = args.get_or("final_norm", false)?.then(|| layers[0].norm1.clone());
        if let Some(norm) = &norm {
            layer::weigh(args, norm)?;
        }
        Ok(Box::new(TransformerEncoder { layers, norm }))
    },
)
.options(&[
    ("", "the number of layers"),
    ("heads", "the number of heads of each"),
    layer::HIDDEN,
    attention::CAUSAL,
    ("bias", "whether it has a bias"),
    layer::DROPOUT,
    attention::KV_HEADS,
    attention::QK_NORM,
    attention::ROTARY,
    attention::ROTARY_BASE,
    attention::ALIBI,
    attention::WINDOW,
    feed_forward::GATED,
    feed_forward::ACTIVATION,
    layer::NORM,
    layer::NORM_FIRST,
    ("final_norm", "whether one more norm comes after the last layer"),
])
.example(|| {
    Entry::new("transformer_encoder")
        .with_value(1_usize)
        .with_option("heads", 2_usize)
        .with_option("hidden", 3_usize)
});

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn transformer_encoder() {
        let layer = || TransformerEncoderLayer::new(4, 2).hidden(3).activation(Tensor::tanh);
        check_layer(move || TransformerEncoder::new(2, layer)).gives([1, 3, 4], [1, 3, 4]);
        let normed = move || TransformerEncoder::new(1, || layer().norm_first()).norm(LayerNorm::new(4));
        check_layer(normed).gives([2, 2, 4], [2, 2, 4]);
        let entry = Entry::new("transformer_encoder").with_value(2_usize).with_option("heads", 2_usize);
        let entry = entry.with_option("hidden", 5_usize).with_option("final_norm", true);
        check_entry::<dyn Layer>(&entry.with_option("norm", "rms_norm"), &[3, 4]);
        let mut sizes = 3..;
        let uneven =
            TransformerEncoder::new(2, || TransformerEncoderLayer::new(4, 2).hidden(sizes.next().unwrap()));
        assert_eq!(uneven.entry(), None);
        let e = catch(|| TransformerEncoder::new(0, layer)).unwrap_err();
        assert_eq!(e.message(), "transformer_encoder: layers must be at least 1, got 0");
    }
}
