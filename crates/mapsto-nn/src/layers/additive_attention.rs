//! The attention of the first translators: a small network scores each pair of query and key.

use super::LayerKind;
use super::seen::Seen;
use crate::init::XavierUniform;
use crate::{AtLengths, Layer, Module, Param, budget, init::Init};
use mapsto_spec::Entry;
use mapsto_tensor::ops::Mask;
use mapsto_tensor::{DType, Tensor, fail};

/// `y = softmax(s) v` with `s[i, j] = Σ scale · tanh(q[i] + k[j])`; as a layer of one input, queries, keys and values are that.
///
/// * Shape: `[b, t, size], [b, s, size], [b, s, d] → [b, t, d]`.
/// * Parameters: `scale` `[size]`, Xavier uniform, unless [`no_scale`](AdditiveAttention::no_scale).
/// * PyTorch has none; Keras: `AdditiveAttention`.
///
/// Source: Bahdanau, Cho, Bengio (2014), Neural machine translation by jointly learning to align and translate, arXiv:1409.0473, appendix A.1.2, without
/// its two linear maps, which stand before it.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = AdditiveAttention::new(4);
/// let (q, k, v) = (Tensor::randn([2, 3, 4]), Tensor::randn([2, 5, 4]), Tensor::randn([2, 5, 6]));
/// assert_eq!(layer.attend(&q, &k, &v, Seen::all()).shape(), [2, 3, 6]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AdditiveAttention {
    /// The weight of each feature in a score, `[size]`.
    pub scale: Option<Param>,
    size: usize,
}

impl AdditiveAttention {
    /// For queries and keys of `size` features.
    pub fn new(size: usize) -> AdditiveAttention {
        let weight = XavierUniform::new().tensor(&[1, size]).reshape([size]);
        AdditiveAttention { scale: Some(Param::new(weight)), size }
    }

    /// The same whose scores are plain sums. Keras: `use_scale=False`.
    #[must_use]
    pub fn no_scale(self) -> AdditiveAttention {
        AdditiveAttention { scale: None, ..self }
    }

    /// What queries find among keys and their values, of those that are seen. A query that sees nothing gets 0.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[track_caller]
    pub fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, seen: impl Into<Seen>) -> Tensor {
        check("additive_attention", [q, k, v], Some(self.size));
        let both = (q.unsqueeze(2) + k.unsqueeze(1)).tanh(); // [b, t, s, size]
        let scores = match &self.scale {
            Some(scale) => (both * &**scale).sum(-1),
            None => both.sum(-1),
        };
        weighted(&scores, [q, k, v], &seen.into())
    }
}

/// That queries, keys and values are of one batch, and keys as many as values.
#[track_caller]
pub(super) fn check(name: &str, [q, k, v]: [&Tensor; 3], size: Option<usize>) {
    let of = |x: &Tensor| x.shape().to_vec();
    let fits = [q, k, v].iter().all(|x| x.rank() == 3 && x.shape()[0] == q.shape()[0])
        && k.shape()[1] == v.shape()[1]
        && q.shape()[2] == k.shape()[2]
        && size.is_none_or(|size| q.shape()[2] == size);
    if !fits {
        let size = size.map_or("size".to_string(), |size| size.to_string());
        fail!(
            name,
            "[b, t, {size}], [b, s, {size}] and [b, s, d] were expected, found {:?}, {:?} and {:?}",
            of(q),
            of(k),
            of(v)
        );
    }
}

/// The values `v`, weighted by the softmax of the scores `[b, t, s]` of what is seen.
#[track_caller]
pub(super) fn weighted(scores: &Tensor, [q, k, v]: [&Tensor; 3], seen: &Seen) -> Tensor {
    let mask = seen.resolve(&q.unsqueeze(1), &k.unsqueeze(1), None, None);
    let scores = scores.unsqueeze(1); // [b, 1, t, s]
    let places = |n: i64, from: i64| scores.device().scope(|| Tensor::arange(from..from + n));
    let (t, s) = (scores.shape()[2] as i64, scores.shape()[3] as i64);
    let scores = match mask {
        Mask::Causal => places(s, 0).le(places(t, s - t).unsqueeze(1)).choose(&scores, f64::NEG_INFINITY),
        Mask::Tensor(seen) if seen.dtype() == DType::Bool => seen.choose(&scores, f64::NEG_INFINITY),
        Mask::Tensor(bias) => scores + bias,
        _ => scores,
    };
    if scores.is_empty() {
        return scores.squeeze(1).matmul(v);
    }
    // A query that sees nothing gets 0, as in every attention here, and a plain softmax would give NaN.
    let nothing = scores.detach().max(-1).eq(f64::NEG_INFINITY).unsqueeze(-1);
    let weights = scores.masked_fill(&nothing, 0.0).softmax(-1).masked_fill(&nothing, 0.0);
    weights.squeeze(1).matmul(v)
}

impl Layer for AdditiveAttention {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.attend(x, x, x, Seen::all())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        Ok(AtLengths::Steps(self.attend(x, x, x, Seen::of_lengths(x, lengths))))
    }

    fn describe(&self) -> String {
        format!("AdditiveAttention({})", self.size)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("scale", self.scale.is_some()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "additive_attention",
    "Lets each step gather from the others, which a small network scores.",
    |args, input| {
        let scale = args.get_or("scale", true)?;
        let [steps, size] = super::steps(args, input)?;
        budget::weight(args, &[size])?;
        budget::output(args, &[steps, steps, size])?;
        budget::pass(args.name(), &[steps, steps, size])?;
        let layer = AdditiveAttention::new(size);
        Ok(Box::new(if scale { layer } else { layer.no_scale() }))
    },
)
.options(&[("scale", "whether each feature has a learned weight in the score")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn additive_attention() {
        check_layer(|| AdditiveAttention::new(3)).gives([2, 4, 3], [2, 4, 3]);
        check_layer(|| AdditiveAttention::new(3).no_scale()).gives([2, 4, 3], [2, 4, 3]);
        check_entry::<dyn Layer>(&Entry::new("additive_attention").with_option("scale", false), &[3, 4]);
        let layer = AdditiveAttention::new(2).no_scale();
        let (q, k) = (tensor![[[0.1, 0.2]]], tensor![[[0.5, -0.5], [1.0, 2.0]]]);
        // By the formula, in f64.
        let score = |k: [f64; 2]| (0.1 + k[0]).tanh() + (0.2 + k[1]).tanh();
        let (a, b) = (score([0.5, -0.5]).exp(), score([1.0, 2.0]).exp());
        let v = tensor![[[1.0], [10.0]]];
        let y = layer.attend(&q, &k, &v, Seen::all());
        assert_close!(y, [[[(a + 10.0 * b) / (a + b)]]]);
        assert_close!(layer.attend(&q, &k, &v, Seen::all().keys(&tensor![[true, false]])), [[[1.0]]]);
        assert_close!(layer.attend(&q, &k, &v, Seen::all().keys(&tensor![[false, false]])), [[[0.0]]]);
        let e = catch(|| layer.attend(&q, &k, &q, Seen::all())).unwrap_err();
        assert!(e.message().contains("[b, t, 2], [b, s, 2] and [b, s, d] were expected"), "{e}");
    }
}
