//! The decoder of a transformer: layers that continue a sequence with an eye on another.

use super::{DecoderCache, Seen, TransformerDecoderLayer};
use crate::{Apply, Layer, Module};
use mapsto_spec::at_least_1;
use mapsto_tensor::memory::room_for;
use mapsto_tensor::{Tensor, fail};
use std::fmt;

/// [`TransformerDecoderLayer`]s one after the other, and perhaps a norm at the end.
///
/// * Shape: `[b, t, size], [b, s, size] → [b, t, size]`.
/// * Parameters: `layers.0`, `layers.1`, .. and `norm`.
/// * PyTorch: `TransformerDecoder`, whose layers begin as copies of one; here each draws its own weights.
///
/// Source: Vaswani et al. (2017), arXiv:1706.03762, §3.1.
/// ```
/// use mapsto_nn::prelude::*;
/// let decoder = TransformerDecoder::new(2, || TransformerDecoderLayer::new(8, 2).hidden(16));
/// let (x, memory) = (Tensor::randn([1, 3, 8]), Tensor::randn([1, 5, 8]));
/// let y = decoder.decode(&x, &memory, Seen::all().causal(), Seen::all());
/// let mut cache = decoder.cache();
/// let first = decoder.step(&x.slice(1, ..2), &memory, Seen::all(), &mut cache);
/// let last = decoder.step(&x.slice(1, 2..), &memory, Seen::all(), &mut cache);
/// assert_close!(Tensor::cat(&[first, last], 1), y);
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct TransformerDecoder {
    /// The layers in order.
    pub layers: Vec<TransformerDecoderLayer>,
    /// After the last layer.
    pub norm: Option<Box<dyn Layer>>,
}

impl TransformerDecoder {
    /// This many layers, each made by `build`.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(count: usize, build: impl FnMut() -> TransformerDecoderLayer) -> TransformerDecoder {
        let count = at_least_1("transformer_decoder", "layers", count);
        let mut layers = room_for(count);
        layers.extend(std::iter::repeat_with(build).take(count));
        TransformerDecoder { layers, norm: None }
    }

    /// The same with a norm at the end.
    #[must_use]
    pub fn norm(self, norm: impl Layer + 'static) -> TransformerDecoder {
        TransformerDecoder { norm: Some(Box::new(norm)), ..self }
    }

    /// The output for the steps `x` and the steps `memory` of an encoder, as [`TransformerDecoderLayer::decode`].
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
        let each = |x: Tensor, layer: &TransformerDecoderLayer| layer.decode(&x, memory, &seen, &memory_seen);
        self.layers.iter().fold(x.clone(), each).apply(&self.norm)
    }

    /// A cache for each layer, before the first step.
    pub fn cache(&self) -> Vec<DecoderCache> {
        vec![DecoderCache::new(); self.layers.len()]
    }

    /// The output for further steps, as [`TransformerDecoderLayer::step`].
    ///
    /// # Panics
    /// When the shapes do not fit, or the cache is of another number of layers.
    #[track_caller]
    pub fn step(
        &self,
        x: &Tensor,
        memory: &Tensor,
        memory_seen: impl Into<Seen>,
        cache: &mut [DecoderCache],
    ) -> Tensor {
        if cache.len() != self.layers.len() {
            fail!("transformer_decoder", "{} caches do not fit {} layers", cache.len(), self.layers.len(); help = "begin with `decoder.cache()`");
        }
        let seen = memory_seen.into();
        let layers = self.layers.iter().zip(cache);
        layers.fold(x.clone(), |x, (layer, cache)| layer.step(&x, memory, &seen, cache)).apply(&self.norm)
    }
}

impl fmt::Debug for TransformerDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransformerDecoder({} × {})", self.layers.len(), self.layers[0].describe())
    }
}

#[test]
fn a_cache_of_another_decoder_is_refused() {
    use mapsto_tensor::catch;
    let decoder = TransformerDecoder::new(1, || TransformerDecoderLayer::new(4, 2).hidden(3));
    let x = Tensor::ones([1, 2, 4]);
    let e = catch(|| decoder.step(&x, &x, Seen::all(), &mut [])).unwrap_err();
    assert_eq!(e.message(), "transformer_decoder: 0 caches do not fit 1 layers");
    assert!(format!("{decoder:?}").starts_with("TransformerDecoder(1 × TransformerDecoderLayer("));
    let e = catch(|| TransformerDecoder::new(0, || TransformerDecoderLayer::new(4, 2))).unwrap_err();
    assert_eq!(e.message(), "transformer_decoder: layers must be at least 1, got 0");
}
