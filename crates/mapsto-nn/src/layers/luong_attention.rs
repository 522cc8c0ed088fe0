//! Attention by plain products, without the factor 1/√d and without maps.

use super::LayerKind;
use super::additive_attention::{check, weighted};
use super::seen::Seen;
use crate::{AtLengths, Layer, Module, Param, budget};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// `y = softmax(q kᵀ) v`, or `softmax(scale · q kᵀ) v` with a learned factor; as a layer of one input, queries, keys and values are that.
///
/// * Shape: `[b, t, size], [b, s, size], [b, s, d] → [b, t, d]`.
/// * Parameters: `scale` `[]`, 1, with [`scaled`](LuongAttention::scaled).
/// * PyTorch: `F.scaled_dot_product_attention(q, k, v, scale=1)`; Keras: `Attention`.
///
/// Source: Luong, Pham, Manning (2015), Effective approaches to attention-based neural machine translation, arXiv:1508.04025, equation 8, "dot".
/// ```
/// use mapsto_nn::prelude::*;
/// let (q, v) = (tensor![[[0.0, 0.0]]], tensor![[[1.0, 0.0], [3.0, 0.0]]]);
/// assert_close!(LuongAttention::new().attend(&q, &v, &v, Seen::all()), [[[2.0, 0.0]]]);
/// ```
#[derive(Clone, Debug, Default, Module)]
#[module(crate = crate)]
pub struct LuongAttention {
    /// The factor of the scores, where there is one.
    pub scale: Option<Param>,
}

impl LuongAttention {
    /// Scores are the products of queries and keys.
    pub fn new() -> LuongAttention {
        LuongAttention { scale: None }
    }

    /// The same with a learned factor of the scores. Keras: `use_scale=True`.
    #[must_use]
    pub fn scaled(self) -> LuongAttention {
        LuongAttention { scale: Some(Param::new(Tensor::ones([1]))) }
    }

    /// What queries find among keys and their values, of those that are seen. A query that sees nothing gets 0.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, seen: impl Into<Seen>) -> Tensor {
        check("luong_attention", [q, k, v], None);
        let scores = q.matmul(&k.t());
        let scores = match &self.scale {
            Some(scale) => scores * &**scale,
            None => scores,
        };
        weighted(&scores, [q, k, v], &seen.into())
    }
}

impl Layer for LuongAttention {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.attend(x, x, x, Seen::all())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        Ok(AtLengths::Steps(self.attend(x, x, x, Seen::of_lengths(x, lengths))))
    }

    fn describe(&self) -> String {
        if self.scale.is_some() { "LuongAttention(scaled)" } else { "LuongAttention()" }.into()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("scale", self.scale.is_some()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "luong_attention",
    "Lets each step gather from the others by plain products.",
    |args, input| {
        let scale = args.get_or("scale", false)?;
        let [steps, size] = super::steps(args, input)?;
        budget::output(args, &[steps, steps.max(size)])?;
        budget::pass(args.name(), &[steps, steps, size])?;
        let layer = LuongAttention::new();
        Ok(Box::new(if scale { layer.scaled() } else { layer }))
    },
)
.options(&[("scale", "whether the scores have a learned factor")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn luong_attention() {
        check_layer(LuongAttention::new).gives([2, 4, 3], [2, 4, 3]);
        check_layer(|| LuongAttention::new().scaled()).gives([2, 4, 3], [2, 4, 3]);
        check_entry::<dyn Layer>(&Entry::new("luong_attention").with_option("scale", true), &[3, 4]);
        let [q, k, v] = [[2, 3, 4], [2, 5, 4], [2, 5, 6]].map(Tensor::randn);
        let y = q.matmul(&k.t()).softmax(-1).matmul(&v);
        assert_close!(LuongAttention::new().attend(&q, &k, &v, Seen::all()), y);
        let e = catch(|| LuongAttention::new().attend(&q, &v, &v, Seen::all())).unwrap_err();
        assert!(e.message().contains("[b, t, size], [b, s, size] and [b, s, d] were expected"), "{e}");
    }
}
