//! What a file can say of an attention, alone or as a part of another layer.

use super::super::RotaryEmbedding;
use super::MultiHeadAttention;
use crate::budget;
use mapsto_spec::{Args, Bounds, Entry, count_option};
use mapsto_tensor::Result;

/// The base and the fraction where nothing is turned.
const NO_ROTARY: [f64; 2] = [10_000.0, 0.0];

impl MultiHeadAttention {
    /// An entry with what a file can say of it besides the heads, as part of another layer; none of keys of other features, of keys that are
    /// seen besides, and of what has settings that no file can hold.
    pub(in super::super) fn told(&self, entry: Entry) -> Option<Entry> {
        if self.bias_k.is_some() || self.zero_attn { None } else { self.told_alone(entry) }
    }

    pub(super) fn told_alone(&self, entry: Entry) -> Option<Entry> {
        let plain = self.k.is_none() && self.relative.is_none();
        let [base, fraction] = match &self.rotary {
            Some(rotary) => rotary.settings()?,
            None => NO_ROTARY,
        };
        let entry = entry
            .with_option("kv_heads", self.kv_heads)
            .with_option("causal", self.causal)
            .with_option("bias", self.qkv.bias.is_some())
            .with_option("dropout", self.dropout)
            .with_option("qk_norm", self.q_norm.is_some())
            .with_option("rotary", fraction)
            .with_option("rotary_base", base)
            .with_option("alibi", self.alibi);
        plain.then(|| self.window.iter().fold(entry, |entry, n| entry.with_option("window", *n)))
    }
}

/// The size of a step, checked against the heads, with the layer's weights taken out of the budget.
pub(in super::super) fn size_for(
    args: &Args,
    input: &[usize],
    heads: usize,
    weights: usize,
) -> Result<usize> {
    let [steps, size] = super::super::steps(args, input)?;
    if heads == 0 || !size.is_multiple_of(heads) {
        return Err(args.misfit("", format!("{size} features cannot be cut into {heads} heads")));
    }
    budget::weight(args, &[weights, size, size])?;
    budget::output(args, &[steps, 4, size])?;
    budget::pass(args.name(), &[steps, steps])?;
    Ok(size)
}

/// The options of an attention in an entry, for steps that [`size_for`] has checked, with the weights of queries and results: those of
/// keys and values are taken out of the budget here. `dropout` is the default of that.
pub(in super::super) fn from_options(
    args: &mut Args,
    size: usize,
    heads: usize,
    dropout: f64,
) -> Result<MultiHeadAttention> {
    let kv_heads = count_option(args, "kv_heads", heads)?;
    if !heads.is_multiple_of(kv_heads) {
        let wrong = format!("{heads} heads cannot share {kv_heads} heads of keys and values");
        return Err(args.misfit("kv_heads", wrong));
    }
    budget::weight(args, &[2, size / heads * kv_heads, size])?;
    let layer = MultiHeadAttention::new(size, heads);
    let layer = if args.get_or("causal", false)? { layer.causal() } else { layer };
    let layer = if args.get_or("bias", true)? { layer } else { layer.no_bias() };
    let layer = layer.dropout(Bounds::SHARE.option(args, "dropout", dropout)?);
    let layer = if kv_heads == heads { layer } else { layer.kv_heads(kv_heads) };
    let layer = if args.get_or("qk_norm", false)? { layer.qk_norm() } else { layer };
    let fraction = Bounds::UP_TO_1.option(args, "rotary", NO_ROTARY[1])?;
    let base = Bounds::ABOVE_0.option(args, "rotary_base", NO_ROTARY[0])?;
    let rotary = RotaryEmbedding::new().base(base).fraction(fraction);
    if rotary.turned(size / heads).is_none() {
        let wrong = format!("{fraction} of the {} features of a head are no pairs", size / heads);
        return Err(args.misfit("rotary", wrong));
    }
    let layer = MultiHeadAttention { rotary: Some(rotary), ..layer };
    let layer = if args.get_or("alibi", false)? { layer.alibi() } else { layer };
    match args.optional::<usize>("window")? {
        Some(0) => Err(args.error("window", "`window` must be at least 1, got 0")),
        Some(steps) => Ok(layer.window(steps)),
        None => Ok(layer),
    }
}

/// What the options of an attention mean.
pub(in super::super) const CAUSAL: (&str, &str) =
    ("causal", "whether a step sees only itself and those before it");
pub(in super::super) const KV_HEADS: (&str, &str) = (
    "kv_heads",
    "the heads of keys and values, each serving several of the heads; as many where nothing is said",
);
pub(in super::super) const QK_NORM: (&str, &str) =
    ("qk_norm", "whether the queries and keys of each head are normalised");
pub(in super::super) const ROTARY: (&str, &str) =
    ("rotary", "how much of the features of a head is turned by its place, 1 for all");
pub(in super::super) const ROTARY_BASE: (&str, &str) =
    ("rotary_base", "how slowly the last of what is turned turns");
pub(in super::super) const ALIBI: (&str, &str) =
    ("alibi", "whether each head looks less at what is far away");
pub(in super::super) const WINDOW: (&str, &str) = ("window", "how many steps away is too far to be seen");
