//! The network that a transformer runs on each step: wide in the middle, perhaps with a gate.

use super::{LayerKind, Linear, features};
use crate::{Apply, AtLengths, Layer, Module, budget};
use mapsto_spec::{Args, Bounds, Entry, at_least_1};
use mapsto_tensor::{Result, Tensor};
use std::fmt;

/// `y = W₂ f(W₁ x + b₁) + b₂`, or with a gate `y = W₂ (f(a) · b) + b₂`, where `a` and `b` are the two halves of `W₁ x + b₁`.
///
/// With a gate, `silu` makes it SwiGLU, `gelu` GeGLU, and `sigmoid` GLU.
///
/// * Shape: `[.., size] → [.., size]`.
/// * Parameters: `linear1.weight` `[hidden, size]`, twice as high with a gate, and `linear2.weight` `[size, hidden]`, as those of
///   [`Linear`](super::Linear); those of the activation, where it has any.
/// * PyTorch: `linear1`, `activation` and `linear2` of `TransformerEncoderLayer`; Llama's `gate_proj` and `up_proj` one above the
///   other are `linear1`, its `down_proj` is `linear2`.
///
/// Source: Vaswani et al. (2017), arXiv:1706.03762, equation 2; Shazeer (2020), GLU variants improve transformer, arXiv:2002.05202.
/// ```
/// use mapsto_nn::prelude::*;
/// let swiglu = FeedForward::new(8, 32).activation(Tensor::silu).gated().no_bias();
/// assert_eq!(swiglu.forward(&Tensor::randn([2, 5, 8])).shape(), [2, 5, 8]);
/// assert_eq!(swiglu.parameter_count(), 3 * 8 * 32);
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct FeedForward {
    /// To the hidden features: those of the gate first, where there is one.
    pub linear1: Linear,
    /// And back.
    pub linear2: Linear,
    activation: Box<dyn Layer>,
    gated: bool,
    dropout: f64,
}

impl FeedForward {
    /// From `size` features by `hidden` ones and back, with a ReLU.
    ///
    /// # Panics
    /// When there are no hidden features.
    #[track_caller]
    pub fn new(size: usize, hidden: usize) -> FeedForward {
        let hidden = at_least_1("feed_forward", "hidden", hidden);
        FeedForward {
            linear1: Linear::new(size, hidden),
            linear2: Linear::new(hidden, size),
            activation: Box::new(Tensor::relu),
            gated: false,
            dropout: 0.0,
        }
    }

    /// The same with another activation.
    #[must_use]
    pub fn activation(self, activation: impl Layer + 'static) -> FeedForward {
        FeedForward { activation: Box::new(activation), ..self }
    }

    /// The same with a gate; `linear1` is drawn anew.
    #[must_use]
    pub fn gated(self) -> FeedForward {
        let (size, hidden) = (self.linear2.outputs(), self.linear2.inputs());
        FeedForward { gated: true, ..self }.drawn(size, hidden)
    }

    /// The same with another number of hidden features; both maps are drawn anew.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    #[must_use]
    pub fn hidden(self, hidden: usize) -> FeedForward {
        let size = self.linear2.outputs();
        self.drawn(size, at_least_1("feed_forward", "hidden", hidden))
    }

    /// The same without biases.
    #[must_use]
    pub fn no_bias(self) -> FeedForward {
        FeedForward { linear1: self.linear1.no_bias(), linear2: self.linear2.no_bias(), ..self }
    }

    /// The same, forgetting hidden features with probability `p` in training.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f64) -> FeedForward {
        FeedForward { dropout: Bounds::SHARE.check("feed_forward", "dropout", p), ..self }
    }

    fn drawn(self, size: usize, hidden: usize) -> FeedForward {
        let bias = self.linear1.bias.is_some();
        let map = |inputs: usize, outputs: usize| {
            let map = Linear::new(inputs, outputs);
            if bias { map } else { map.no_bias() }
        };
        let rows = hidden.saturating_mul(if self.gated { 2 } else { 1 });
        FeedForward { linear1: map(size, rows), linear2: map(hidden, size), ..self }
    }

    /// An entry with all of this but the features and the dropout; none where the activation has none.
    pub(super) fn told(&self, entry: Entry) -> Option<Entry> {
        let activation = self.activation.entry()?;
        Some(entry.with_option("gated", self.gated).with_option("activation", activation))
    }
}

impl Layer for FeedForward {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let wide = x.apply(&self.linear1);
        let wide = if self.gated {
            let [a, b] = wide.chunk(-1);
            a.apply(&self.activation) * b
        } else {
            wide.apply(&self.activation)
        };
        wide.dropout(self.dropout).apply(&self.linear2)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> std::result::Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        let gated = if self.gated { ", gated" } else { "" };
        let (size, hidden) = (self.linear2.outputs(), self.linear2.inputs());
        format!("FeedForward({size} → {hidden} → {size}, {}{gated})", self.activation.describe())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.linear2.inputs());
        let entry = entry.with_option("bias", self.linear1.bias.is_some());
        self.told(entry.with_option("dropout", self.dropout))
    }
}

impl fmt::Debug for FeedForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// The layer that the option `name` names, `default` where it is not given, for inputs of `size` features.
pub(super) fn named_option(
    args: &mut Args,
    name: &str,
    default: Entry,
    size: usize,
) -> Result<Box<dyn Layer>> {
    let entry = args.optional::<Entry>(name)?.unwrap_or(default);
    let (layer, rendered) = mapsto_spec::filled::<dyn Layer>(&entry, &[size])?;
    args.record(name, rendered);
    Ok(layer)
}

/// The network with the options of an entry, its weights taken out of the budget; `bias` and `dropout` are read already.
pub(super) fn from_options(
    args: &mut Args,
    size: usize,
    hidden: usize,
    bias: bool,
    dropout: f64,
) -> Result<FeedForward> {
    let gated = args.get_or("gated", false)?;
    budget::weight(args, &[if gated { 3 } else { 2 }, hidden, size])?;
    let net = FeedForward::new(size, hidden).dropout(dropout);
    let net = if bias { net } else { net.no_bias() };
    let net = if gated { net.gated() } else { net };
    let activation = named_option(args, "activation", Entry::new("relu"), hidden)?;
    Ok(FeedForward { activation, ..net })
}

pub(super) const ACTIVATION: (&str, &str) = ("activation", "the layer between the two maps");
pub(super) const GATED: (&str, &str) = (
    "gated",
    "whether half of the hidden features, after the activation, decide how much of the other half passes",
);

pub(super) const KIND: LayerKind = LayerKind::new(
    "feed_forward",
    "Two linear maps with an activation between, by the given number of hidden features.",
    |args, input| {
        let (hidden, size): (usize, usize) = (args.main()?, features(args, input)?);
        if hidden == 0 {
            return Err(args.error("", "the hidden features must be at least 1, got 0"));
        }
        budget::output(args, &[input.iter().product::<usize>() / size.max(1), 2, hidden])?;
        let bias = args.get_or("bias", true)?;
        let dropout = Bounds::SHARE.option(args, "dropout", 0.0)?;
        Ok(Box::new(from_options(args, size, hidden, bias, dropout)?))
    },
)
.options(&[
    ("", "the number of hidden features"),
    ACTIVATION,
    GATED,
    ("bias", "whether it has a bias"),
    ("dropout", "the probability to forget a hidden feature, while training"),
])
.example(|| Entry::new("feed_forward").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn feed_forward() {
        check_layer(|| FeedForward::new(3, 5).activation(Tensor::tanh)).gives([2, 3], [2, 3]);
        let swiglu = || FeedForward::new(3, 4).activation(Tensor::silu).gated().no_bias().dropout(0.3);
        check_layer(swiglu).gives([2, 2, 3], [2, 2, 3]);
        check_layer(|| FeedForward::new(2, 9).gated().hidden(3).activation(PRelu::new(1)))
            .gives([4, 2], [4, 2]);
        let x = Tensor::randn([4, 3]);
        let net = swiglu();
        let [a, b] = x.apply(&net.linear1).chunk(-1);
        assert_close!(net.forward(&x), (a.silu() * b).apply(&net.linear2));
        assert_eq!(
            catch(|| FeedForward::new(3, 0)).unwrap_err().message(),
            "feed_forward: hidden must be at least 1, got 0"
        );
    }
}
