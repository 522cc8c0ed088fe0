//! The layers, one file each, and the list of those that can be named in a model file.

mod activation;
mod adaptive_avg_pool2d;
mod adaptive_max_pool2d;
mod avg_pool2d;
mod batch_norm;
mod conv2d;
mod dropout;
mod embedding;
mod flatten;
mod gru;
mod layer_norm;
mod linear;
mod lstm;
mod max_pool2d;
mod multi_head_attention;
mod positional_embedding;
mod residual;
mod sequential;
mod transformer_block;

pub use activation::Activation;
pub use adaptive_avg_pool2d::AdaptiveAvgPool2d;
pub use adaptive_max_pool2d::AdaptiveMaxPool2d;
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::{BatchNorm, BatchNorm1d, BatchNorm2d};
pub(crate) use conv2d::by;
pub use conv2d::{Conv2d, NormedConv2d};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gru::{Gru, GruCell};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use lstm::{Lstm, LstmCell};
pub use max_pool2d::MaxPool2d;
pub use multi_head_attention::MultiHeadAttention;
pub use positional_embedding::PositionalEmbedding;
pub use residual::Residual;
pub use sequential::Sequential;
pub use transformer_block::TransformerBlock;

use crate::{Layer, budget, init};
use mapsto_spec::{Args, Entry, Kind};
use mapsto_tensor::Result;

/// A line of [`LAYERS`]: builds a layer from its entry and the shape of its input without the batch axis.
pub type LayerKind = Kind<fn(&mut Args, &[usize]) -> Result<Box<dyn Layer>>>;

/// Every layer that can be named in a model file.
pub const LAYERS: &[LayerKind] = &[
    linear::KIND,
    conv2d::KIND,
    max_pool2d::KIND,
    avg_pool2d::KIND,
    adaptive_max_pool2d::KIND,
    adaptive_avg_pool2d::KIND,
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
    residual::KIND,
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
    activation::LOG_SOFTMAX,
];

/// The channels, height and width of an input that must have them.
pub(crate) fn image(args: &Args, input: &[usize]) -> Result<[usize; 3]> {
    input.try_into().map_err(|_| {
        args.misfit("", format!("the input should be [channels, height, width], it is {input:?}"))
            .help("`input = [1, 28, 28]` at the top of the model gives images; `flatten` ends them")
    })
}

/// The rows and columns of windows that a layer's value asks an adaptive pooling to divide an image into.
fn windows(args: &mut Args, input: &[usize]) -> Result<[usize; 2]> {
    let out: [usize; 2] = args.main()?;
    let [channels, h, w] = image(args, input)?;
    if h * w == 0 || out.contains(&0) {
        return Err(args.misfit("", format!("an image {input:?} cannot be divided into {out:?} windows")));
    }
    budget::output(args, &[channels, out[0], out[1]])?;
    Ok(out)
}

/// The features on the last axis of an input `[features]` or `[steps, features]`.
fn features(args: &Args, input: &[usize]) -> Result<usize> {
    match input {
        [features] | [_, features] => Ok(*features),
        _ => Err(args
            .misfit("", format!("the input should be [features] or [steps, features], it is {input:?}"))
            .help("put \"flatten\" before it")),
    }
}

/// The initialiser named by the option `init`, if there is one.
fn init_option(args: &mut Args) -> Result<Option<Box<dyn init::Init>>> {
    let Some(entry) = args.optional::<Entry>("init")? else { return Ok(None) };
    let (init, rendered) = init::build_init(&entry).map_err(|e| match args.span() {
        Some(span) => e.with_span(span.into()),
        None => e,
    })?;
    args.record("init", rendered);
    Ok(Some(init))
}

#[cfg(test)]
mod tests {
    use super::LAYERS;

    #[test]
    fn names_are_unique_and_documented() {
        for (i, kind) in LAYERS.iter().enumerate() {
            assert!(kind.doc.ends_with('.') && !kind.doc.is_empty(), "{}", kind.name);
            assert!(LAYERS[..i].iter().all(|other| other.name != kind.name), "{} stands twice", kind.name);
        }
    }
}
