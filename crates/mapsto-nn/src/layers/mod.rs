//! The layers, one file each, and the list of those that can be named in a model file.

mod activation;
mod adaptive_avg_pool;
mod adaptive_log_softmax;
mod adaptive_max_pool;
mod additive_attention;
mod alibi;
mod alpha_dropout;
mod attention_cache;
mod avg_pool;
mod batch_norm;
mod bilinear;
mod category_embedding;
mod category_encoding;
mod channel_dropout;
mod channel_shuffle;
mod checkpointed;
mod conv;
mod conv_lstm;
mod conv_transpose;
mod cosine_similarity;
mod cropping;
mod depthwise_conv;
mod discretization;
mod dot;
mod drop_path;
mod dropout;
mod einsum_dense;
mod embedding;
mod embedding_bag;
mod feature_alpha_dropout;
mod feed_forward;
mod flatten;
mod fractional_max_pool;
mod gaussian_dropout;
mod gaussian_noise;
mod global_pool;
mod glu;
mod group_norm;
mod gru;
mod hashing;
mod identity;
mod instance_norm;
mod integer_lookup;
mod layer_norm;
mod linear;
mod local_response_norm;
mod lp_pool;
mod lstm;
mod luong_attention;
mod masking;
mod max_pool;
mod max_unpool;
mod mixture_of_experts;
mod multi_head_attention;
mod normalization;
mod pad;
mod pairwise_distance;
mod parallel;
mod permute;
mod pixel_shuffle;
mod pixel_unshuffle;
mod positional_embedding;
mod prelu;

mod relative_position_bias;
mod repeat;
mod repeat_vector;
mod rescaling;
mod reshape;
mod residual;
mod rms_norm;
mod rnn;
mod rotary_embedding;
mod seen;
mod separable_conv;
mod sequential;
mod sinusoidal_embedding;
mod spectral_norm;
mod squeeze_excite;
mod time_distributed;
mod transformer;
mod transformer_block;
mod transformer_decoder;
mod transformer_decoder_layer;
mod transformer_encoder;
mod transformer_encoder_layer;
mod unflatten;
mod unfold;
mod unit_normalization;
mod upsample;
mod weight_norm;

pub use activation::Activation;
pub(crate) use activation::is_activation;
pub use adaptive_avg_pool::{AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d};
pub use adaptive_log_softmax::AdaptiveLogSoftmax;
pub use adaptive_max_pool::{AdaptiveMaxPool, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d};
pub use additive_attention::AdditiveAttention;
pub use alibi::{alibi, alibi_slopes};
pub use alpha_dropout::AlphaDropout;
pub use attention_cache::AttentionCache;
pub use avg_pool::{AvgPool, AvgPool1d, AvgPool2d, AvgPool3d};
pub use batch_norm::{BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d};
pub use bilinear::Bilinear;
pub use category_embedding::CategoryEmbedding;
pub use category_encoding::CategoryEncoding;
pub use channel_dropout::ChannelDropout;
pub use channel_shuffle::ChannelShuffle;
pub use checkpointed::Checkpointed;
pub use conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use conv_lstm::{ConvLstm, ConvLstm1d, ConvLstm2d, ConvLstm3d};
pub use conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use cosine_similarity::CosineSimilarity;
pub use cropping::Cropping;
pub use depthwise_conv::{DepthwiseConv, DepthwiseConv1d, DepthwiseConv2d};
pub use discretization::Discretization;
pub use dot::Dot;
pub use drop_path::DropPath;
pub use dropout::Dropout;
pub use einsum_dense::EinsumDense;
pub use embedding::Embedding;
pub use embedding_bag::EmbeddingBag;
pub use feature_alpha_dropout::FeatureAlphaDropout;
pub use feed_forward::FeedForward;
pub use flatten::Flatten;
pub use fractional_max_pool::{FractionalMaxPool, FractionalMaxPool2d, FractionalMaxPool3d};
pub use gaussian_dropout::GaussianDropout;
pub use gaussian_noise::GaussianNoise;
pub use global_pool::{GlobalAvgPool, GlobalMaxPool};
pub use glu::Glu;
pub use group_norm::GroupNorm;
pub use gru::{Gru, GruCell, GruSteps};
pub use hashing::Hashing;
pub use identity::Identity;
pub use instance_norm::InstanceNorm;
pub use integer_lookup::IntegerLookup;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use lp_pool::{LpPool, LpPool1d, LpPool2d, LpPool3d};
pub use lstm::{Lstm, LstmCell, LstmSteps};
pub use luong_attention::LuongAttention;
pub use masking::Masking;
pub use max_pool::{MaxPool, MaxPool1d, MaxPool2d, MaxPool3d};
pub use max_unpool::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d};
pub use mixture_of_experts::MixtureOfExperts;
pub use multi_head_attention::MultiHeadAttention;
pub use normalization::Normalization;
pub use pad::{Pad, Pad1d, Pad2d, Pad3d};
pub use pairwise_distance::PairwiseDistance;
pub use parallel::Parallel;
pub use permute::Permute;
pub use pixel_shuffle::PixelShuffle;
pub use pixel_unshuffle::PixelUnshuffle;
pub use positional_embedding::PositionalEmbedding;
pub use prelu::PRelu;

pub use relative_position_bias::RelativePositionBias;
pub use repeat::Repeat;
pub use repeat_vector::RepeatVector;
pub use rescaling::Rescaling;
pub use reshape::Reshape;
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use rnn::{Rnn, RnnCell, RnnRelu, RnnReluCell, RnnReluSteps, RnnSteps};
pub use rotary_embedding::RotaryEmbedding;
pub use seen::Seen;
pub use separable_conv::{SeparableConv, SeparableConv1d, SeparableConv2d};
pub use sequential::Sequential;
pub(crate) use sequential::sequence;
pub use sinusoidal_embedding::SinusoidalEmbedding;
pub use spectral_norm::SpectralNorm;
pub use squeeze_excite::SqueezeExcite;
pub use time_distributed::TimeDistributed;
pub use transformer::Transformer;
pub use transformer_block::TransformerBlock;
pub use transformer_decoder::TransformerDecoder;
pub use transformer_decoder_layer::{DecoderCache, TransformerDecoderLayer};
pub use transformer_encoder::TransformerEncoder;
pub use transformer_encoder_layer::TransformerEncoderLayer;
pub use unflatten::Unflatten;
pub use unfold::{Fold, Unfold};
pub use unit_normalization::UnitNormalization;
pub use upsample::Upsample;
pub use weight_norm::WeightNorm;

/// What `cargo xtask new layer` writes, which has to compile and to pass its test.
#[cfg(test)]
#[path = "../../../../xtask/src/templates/layer.txt"]
mod template;

use crate::{Layer, init};
use mapsto_spec::{Args, Entry, Family, Kind};
use mapsto_tensor::Result;

/// A line of [`LAYERS`]: builds a layer from its entry and the shape of its input without the batch axis.
pub type LayerKind = Kind<dyn Layer>;

/// Every layer that can be named in a model file.
pub const LAYERS: &[LayerKind] = &[
    linear::KIND,
    conv::KIND_2D,
    max_pool::KIND_2D,
    avg_pool::KIND_2D,
    adaptive_max_pool::KIND_2D,
    adaptive_avg_pool::KIND_2D,
    batch_norm::KIND_1D,
    batch_norm::KIND_2D,
    layer_norm::KIND,
    dropout::KIND,
    flatten::KIND,
    embedding::KIND,
    lstm::KIND,
    gru::KIND,
    positional_embedding::KIND,
    multi_head_attention::KIND,
    transformer_block::KIND,
    transformer_encoder_layer::KIND,
    transformer_encoder::KIND,
    feed_forward::KIND,
    rotary_embedding::KIND,
    sinusoidal_embedding::KIND,
    masking::KIND,
    mixture_of_experts::KIND,
    identity::KIND,
    reshape::KIND,
    unflatten::KIND,
    permute::KIND,
    repeat_vector::KIND,
    cropping::KIND,
    residual::KIND,
    checkpointed::KIND,
    parallel::KIND,
    repeat::KIND,
    sequential::KIND,
    conv::KIND_1D,
    conv_transpose::KIND_2D,
    conv::KIND_3D,
    conv_transpose::KIND_1D,
    conv_transpose::KIND_3D,
    depthwise_conv::KIND_1D,
    depthwise_conv::KIND_2D,
    separable_conv::KIND_1D,
    separable_conv::KIND_2D,
    batch_norm::KIND_3D,
    weight_norm::KIND,
    spectral_norm::KIND,
    group_norm::KIND,
    instance_norm::KIND,
    rms_norm::KIND,
    local_response_norm::KIND,
    channel_dropout::KIND,
    drop_path::KIND,
    alpha_dropout::KIND,
    gaussian_noise::KIND,
    gaussian_dropout::KIND,
    unit_normalization::KIND,
    upsample::KIND,
    pixel_shuffle::KIND,
    pixel_unshuffle::KIND,
    channel_shuffle::KIND,
    unfold::UNFOLD,
    unfold::FOLD,
    pad::KIND_2D,
    pad::KIND_1D,
    pad::KIND_3D,
    max_pool::KIND_1D,
    max_pool::KIND_3D,
    avg_pool::KIND_1D,
    avg_pool::KIND_3D,
    lp_pool::KIND_1D,
    lp_pool::KIND_2D,
    lp_pool::KIND_3D,
    adaptive_max_pool::KIND_1D,
    adaptive_max_pool::KIND_3D,
    adaptive_avg_pool::KIND_1D,
    adaptive_avg_pool::KIND_3D,
    global_pool::AVG,
    global_pool::MAX,
    squeeze_excite::KIND,
    rnn::KIND,
    rnn::RELU,
    time_distributed::KIND,
    embedding_bag::KIND,
    category_embedding::KIND,
    rescaling::KIND,
    feature_alpha_dropout::KIND,
    einsum_dense::KIND,
    additive_attention::KIND,
    luong_attention::KIND,
    conv_lstm::KIND_1D,
    conv_lstm::KIND_2D,
    conv_lstm::KIND_3D,
    fractional_max_pool::KIND_2D,
    fractional_max_pool::KIND_3D,
    normalization::KIND,
    discretization::KIND,
    category_encoding::KIND,
    hashing::KIND,
    integer_lookup::KIND,
    prelu::KIND,
    glu::KIND,
    activation::RELU,
    activation::LEAKY_RELU,
    activation::ELU,
    activation::GELU,
    activation::GELU_TANH,
    activation::SILU,
    activation::SIGMOID,
    activation::TANH,
    activation::SOFTPLUS,
    activation::SOFTMAX,
    activation::SOFTMAX2D,
    activation::LOG_SOFTMAX,
    activation::RELU6,
    activation::HARDTANH,
    activation::HARDSIGMOID,
    activation::HARDSWISH,
    activation::MISH,
    activation::SOFTSIGN,
    activation::TANHSHRINK,
    activation::LOG_SIGMOID,
    activation::SELU,
    activation::SOFTMIN,
    activation::SOFTSHRINK,
    activation::HARDSHRINK,
    activation::CELU,
    activation::THRESHOLD,
    activation::RRELU,
];

/// The channels, height and width of an input that must have them.
pub(crate) fn image(args: &Args, input: &[usize]) -> Result<[usize; 3]> {
    input.try_into().map_err(|_| {
        let e = args.misfit("", format!("the input should be [channels, height, width], it is {input:?}"));
        e.help(match input {
            [_] => "it comes before `flatten`; rows of numbers, such as those of a table, are no images: `linear` takes them",
            _ => "`input = [1, 28, 28]` at the top of the model gives images; `flatten` ends them",
        })
    })
}

/// The channels of an input that has them first, with or without places after them.
fn channels(args: &Args, input: &[usize]) -> Result<usize> {
    input.first().copied().ok_or_else(|| {
        args.misfit("", "the input has no axes, and its first one should be the channels")
            .help("give the model an `input`")
    })
}

/// The channels and the length of an input that must have them.
pub(crate) fn sequence_of_channels(args: &Args, input: &[usize]) -> Result<[usize; 2]> {
    input.try_into().map_err(|_| {
        let e = args.misfit("", format!("the input should be [channels, length], it is {input:?}"));
        e.help("rows of numbers, such as those of a table, are no sequences: `linear` takes them; images go through `conv2d`")
    })
}

/// The channels, depth, height and width of an input that must have them.
pub(crate) fn volume(args: &Args, input: &[usize]) -> Result<[usize; 4]> {
    input.try_into().map_err(|_| {
        let e = args.misfit("", format!("the input should be [channels, depth, height, width], it is {input:?}"));
        e.help("rows of numbers, such as those of a table, are no volumes: `linear` takes them; images go through `conv2d`")
    })
}

/// The steps and features of an input that must have them.
pub(crate) fn steps(args: &Args, input: &[usize]) -> Result<[usize; 2]> {
    input.try_into().map_err(|_| {
        let e = args.misfit("", format!("the input should be [steps, features], it is {input:?}"));
        e.help(match input {
            [_] => {
                "an `embedding` makes features of ids; rows of numbers, such as those of a table, are no sequences: \
                 `linear` takes them"
            }
            _ => "it reads sequences; images go through `conv2d`",
        })
    })
}

/// The features on the last axis of an input `[features]` or `[steps, features]`.
pub(crate) fn features(args: &Args, input: &[usize]) -> Result<usize> {
    match input {
        [features] | [_, features] => Ok(*features),
        _ => Err(args
            .misfit("", format!("the input should be [features] or [steps, features], it is {input:?}"))
            .help("put \"flatten\" before it")),
    }
}

impl Family for dyn Layer {
    const NOUN: &'static str = "layer";
    type Given = [usize];
    fn kinds() -> &'static [LayerKind] {
        LAYERS
    }
    fn entry_of(layer: &dyn Layer, _: &[usize]) -> Option<Entry> {
        layer.entry()
    }
}

/// The initialiser named by the option `init`, if there is one.
fn init_option(args: &mut Args) -> Result<Option<Box<dyn init::Init>>> {
    let Some(entry) = args.optional::<Entry>("init")? else { return Ok(None) };
    let (init, rendered) =
        mapsto_spec::filled::<dyn init::Init>(&entry, &()).map_err(|e| match args.span() {
            Some(span) => e.with_span(span.into()),
            None => e,
        })?;
    args.record("init", rendered);
    Ok(Some(init))
}

/// A layer's entry with the way in which its weights were drawn, where that was not the layer's own.
fn drawn_by(entry: Entry, init: &Option<Box<Entry>>) -> Entry {
    match init {
        Some(init) => entry.with_option("init", (**init).clone()),
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModuleExt;
    use mapsto_tensor::Tensor;

    const INPUTS: [&[usize]; 6] = [&[4], &[3, 4], &[2, 6, 6], &[4, 6, 6], &[2, 3, 4, 4], &[2, 2, 3, 3, 3]];

    #[test]
    fn every_layer_says_its_entry() {
        mapsto_spec::check_family::<dyn Layer>(&INPUTS);
        let (yes, no) = (true, false);
        let entry = |name: &str| Entry::new(name).with_value(2_usize);
        let init = Entry::new("normal").with_value(0.5).with_option("mean", 1.0);
        let conv =
            entry("conv2d").with_option("kernel", vec![3_usize, 2]).with_option("stride", vec![2_usize, 1]);
        let conv = conv.with_option("padding", vec![1_usize, 2]).with_option("dilation", 2_usize);
        let body = vec![entry("linear").with_option("bias", no), Entry::new("relu")];
        let both = vec![vec![entry("linear")], body.clone()];
        for (entry, input) in [
            (entry("linear").with_option("bias", no).with_option("init", init.clone()), 0),
            (
                conv.with_option("groups", 2_usize).with_option("bias", no).with_option("init", init.clone()),
                2,
            ),
            (entry("embedding").with_option("size", 3_usize).with_option("init", init), 0),
            (entry("max_pool2d").with_option("stride", 1_usize).with_option("padding", vec![0_usize, 1]), 2),
            (Entry::new("avg_pool2d").with_value(vec![2_usize, 3]), 2),
            (Entry::new("adaptive_avg_pool2d").with_value(vec![2_usize, 3]), 2),
            (Entry::new("batch_norm1d").with_option("momentum", 0.5).with_option("eps", 0.25), 1),
            (Entry::new("batch_norm2d").with_option("momentum", 0.5).with_option("eps", 0.25), 2),
            (Entry::new("layer_norm").with_option("eps", 0.25).with_option("bias", no), 1),
            (Entry::new("dropout").with_value(0.25), 0),
            (
                entry("lstm")
                    .with_option("layers", 3_usize)
                    .with_option("bidirectional", yes)
                    .with_option("merge", "sum")
                    .with_option("dropout", 0.25)
                    .with_option("last", yes)
                    .with_option("bias", no),
                1,
            ),
            (entry("gru").with_option("last", yes), 1),
            (
                entry("attention")
                    .with_option("causal", yes)
                    .with_option("bias", no)
                    .with_option("dropout", 0.25),
                1,
            ),
            (
                entry("transformer_block")
                    .with_option("hidden", 5_usize)
                    .with_option("causal", yes)
                    .with_option("bias", no)
                    .with_option("dropout", 0.25),
                1,
            ),
            (Entry::new("leaky_relu").with_value(0.25), 0),
            (Entry::new("elu").with_value(0.25), 0),
            (
                Entry::new("residual")
                    .with_value(body.clone())
                    .with_option("shortcut", vec![entry("linear")]),
                0,
            ),
            (Entry::new("parallel").with_value(both).with_option("join", "add"), 0),
            (Entry::new("repeat").with_value(3_usize).with_option("layers", body), 0),
        ] {
            mapsto_spec::check_entry::<dyn Layer>(&entry, INPUTS[input]);
        }
    }

    #[test]
    fn every_layer_can_be_cloned() {
        for kind in LAYERS {
            let built = INPUTS
                .iter()
                .find_map(|input| (kind.build)(&mut Args::new("layer", &kind.sample()), input).ok());
            let layer = built.expect("a layer for one of the inputs");
            let clone = layer.clone_layer().unwrap_or_else(|| panic!("{kind:?} cannot be cloned"));
            assert_eq!((clone.entry(), clone.summary()), (layer.entry(), layer.summary()), "{kind:?}");
            for ((name, old), (other, new)) in layer.parameters().into_iter().zip(clone.parameters()) {
                assert_eq!((&name, old.to_vec::<f32>()), (&other, new.to_vec::<f32>()), "{kind:?}");
                assert_ne!(
                    old.leaf_id(),
                    new.leaf_id(),
                    "{kind:?}: `{name}` of the clone is the same parameter"
                );
            }
        }
    }

    #[test]
    fn functions_are_known_by_their_types_and_not_by_their_names() {
        let said = |layer: &dyn Layer| layer.entry().map(|entry| entry.to_string());
        let functions: [(&str, &dyn Layer); 15] = [
            ("relu", &Tensor::relu),
            ("gelu", &Tensor::gelu),
            ("gelu_tanh", &Tensor::gelu_tanh),
            ("silu", &Tensor::silu),
            ("sigmoid", &Tensor::sigmoid),
            ("tanh", &Tensor::tanh),
            ("softplus", &Tensor::softplus),
            ("relu6", &Tensor::relu6),
            ("hardsigmoid", &Tensor::hardsigmoid),
            ("hardswish", &Tensor::hardswish),
            ("mish", &Tensor::mish),
            ("softsign", &Tensor::softsign),
            ("tanhshrink", &Tensor::tanhshrink),
            ("log_sigmoid", &Tensor::log_sigmoid),
            ("selu", &Tensor::selu),
        ];
        for (name, function) in functions {
            assert_eq!(said(function), Some(format!("\"{name}\"")));
            assert_eq!(function.name(), name);
            assert!(matches!(function.as_then(), Some(crate::Then::Activation { .. })), "{name}");
        }
        mod other {
            pub fn relu(x: &super::Tensor) -> super::Tensor {
                x.clone()
            }
        }
        assert_eq!(Layer::name(&other::relu), "relu");
        assert_eq!((said(&other::relu), Layer::as_then(&other::relu).is_none()), (None, true));
        assert_eq!(said(&|x: &Tensor| x.relu()), None);
        assert_eq!(said(&Tensor::abs), None);
        assert_eq!(said(&Some(Tensor::relu)).as_deref(), Some("\"relu\""));
        assert_eq!(said(&vec![Tensor::relu]).as_deref(), Some("{ sequential = [\"relu\"] }"));
    }
}
