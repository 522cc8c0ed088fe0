//! The transformer: an encoder that reads one sequence and a decoder that writes another.

use super::{
    LayerNorm, Seen, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
};
use crate::Module;
use mapsto_tensor::Tensor;

/// `decoder(y, encoder(x))`: what is written is read with an eye on all of what was read.
///
/// * Shape: `[b, s, size], [b, t, size] → [b, t, size]`.
/// * Parameters: those of `encoder` and `decoder`, as their layers draw them.
/// * PyTorch: `Transformer(batch_first=True)`, which draws every matrix Xavier uniform and hides nothing by itself; its names are
///   those here, but for what [`TransformerEncoderLayer`] says.
///
/// Source: Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, figure 1.
/// ```
/// use mapsto_nn::prelude::*;
/// let model = Transformer::new(
///     TransformerEncoder::new(2, || TransformerEncoderLayer::new(16, 4).hidden(32)),
///     TransformerDecoder::new(1, || TransformerDecoderLayer::new(16, 4).hidden(32)),
/// );
/// let (x, y) = (Tensor::randn([2, 5, 16]), Tensor::randn([2, 3, 16]));
/// assert_eq!(model.forward(&x, &y, Seen::all(), Seen::all().causal()).shape(), [2, 3, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Transformer {
    /// Reads the first sequence.
    pub encoder: TransformerEncoder,
    /// Writes the second one.
    pub decoder: TransformerDecoder,
}

impl Transformer {
    /// Of these two.
    pub fn new(encoder: TransformerEncoder, decoder: TransformerDecoder) -> Transformer {
        Transformer { encoder, decoder }
    }

    /// That of PyTorch's defaults for `size` numbers and `heads` heads: six layers in both, 2048 hidden features, a dropout of 0.1,
    /// and a norm at the end of both.
    ///
    /// # Panics
    /// When `size` is not a multiple of `heads`.
    #[track_caller]
    pub fn base(size: usize, heads: usize) -> Transformer {
        let encoder = TransformerEncoder::new(6, || TransformerEncoderLayer::new(size, heads));
        let decoder = TransformerDecoder::new(6, || TransformerDecoderLayer::new(size, heads));
        Transformer::new(encoder.norm(LayerNorm::new(size)), decoder.norm(LayerNorm::new(size)))
    }

    /// The output for the sequence `y` after the sequence `x`. The padding of `x` is hidden from `y` too, what else `x_seen` hides is
    /// not; `y_seen` is usually `Seen::all().causal()`.
    ///
    /// A mask of its own for what `y` sees of `x` goes to [`TransformerDecoder::decode`], after [`TransformerEncoder::encode`].
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn forward(
        &self,
        x: &Tensor,
        y: &Tensor,
        x_seen: impl Into<Seen>,
        y_seen: impl Into<Seen>,
    ) -> Tensor {
        let x_seen = x_seen.into();
        let memory_seen = x_seen.padding_alone();
        self.decoder.decode(y, &self.encoder.encode(x, &x_seen), y_seen, memory_seen)
    }
}

#[test]
fn padding_of_what_is_read_changes_no_bit_of_what_is_written() {
    use mapsto_tensor::prelude::*;
    let model = Transformer::new(
        TransformerEncoder::new(1, || TransformerEncoderLayer::new(8, 2).hidden(6)),
        TransformerDecoder::new(1, || TransformerDecoderLayer::new(8, 2).hidden(6)),
    );
    let (x, y) = (Tensor::randn([1, 4, 8]), Tensor::randn([1, 3, 8]));
    let padding = Seen::all().keys(&tensor![[true, true, false, false]]);
    let write = |x: &Tensor| model.forward(x, &y, &padding, Seen::all().causal()).to_vec::<f32>();
    let other = Tensor::cat(&[x.slice(1, ..2), Tensor::randn([1, 2, 8]) * 100.0], 1);
    assert_eq!(write(&x), write(&other));
    let short = model.forward(&x.slice(1, ..2), &y, Seen::all(), Seen::all().causal());
    assert!((short - Tensor::from_vec(write(&x), [1, 3, 8])).abs().max(..).item() < 1e-5);
    assert_eq!(Transformer::base(8, 2).decoder.layers.len(), 6);
}
