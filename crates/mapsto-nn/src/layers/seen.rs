//! What queries see of keys: masks, padding and order, said once for every attention.

use mapsto_tensor::ops::Mask;
use mapsto_tensor::{DType, Tensor, fail};

/// Which keys the queries of an attention see: all, but for what is hidden by a mask, by padding or by order.
///
/// **True means seen**, in masks and in padding, as in PyTorch's `scaled_dot_product_attention`. The masks of PyTorch's
/// `MultiheadAttention` and `Transformer` mean the opposite: give `mask.not()`.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = MultiHeadAttention::new(8, 2);
/// let x = Tensor::randn([1, 4, 8]);
/// let y = layer.attend(&x, &x, Seen::all().causal().keys(&tensor![[true, true, true, false]]));
/// assert_close!(layer.attend(&x.slice(1, ..3), &x.slice(1, ..3), Seen::all().causal()), y.slice(1, ..3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Seen {
    mask: Option<Tensor>,
    keys: Option<Tensor>,
    causal: bool,
    window: Option<usize>,
}

impl Seen {
    /// Every query sees every key.
    pub fn all() -> Seen {
        Seen::default()
    }

    /// The same, where a query sees the keys up to its own place alone. Where there are more keys than queries, the queries are the
    /// last ones.
    #[must_use]
    pub fn causal(self) -> Seen {
        Seen { causal: true, ..self }
    }

    /// The same through a mask `[t, s]`, or anything that broadcasts to `[b, heads, t, s]`: of bool, true where a key is seen; of
    /// floats, added to the scores. PyTorch: `attn_mask`.
    #[must_use]
    pub fn mask(self, mask: &Tensor) -> Seen {
        Seen { mask: Some(mask.clone()), ..self }
    }

    /// The same of keys `[b, s]` that are there, the others being padding. PyTorch: `key_padding_mask`, where true is padding.
    ///
    /// # Panics
    /// When they are not `[b, s]` of bool.
    #[track_caller]
    #[must_use]
    pub fn keys(self, keys: &Tensor) -> Seen {
        if keys.rank() != 2 || keys.dtype() != DType::Bool {
            fail!("seen", "keys must be [b, s] of bool, they are {:?} of {}", keys.shape(), keys.dtype();
                  help = "true means that the key is there: `lengths.unsqueeze(1).gt(Tensor::arange(0..s))`");
        }
        Seen { keys: Some(keys.clone()), ..self }
    }

    /// The same of the keys that are less than `steps` away: a sliding window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn window(self, steps: usize) -> Seen {
        Seen { window: Some(mapsto_spec::at_least_1("seen", "window", steps)), ..self }
    }

    /// The steps of the sequences `[b, t, ..]` of these lengths.
    pub(super) fn of_lengths(x: &Tensor, lengths: &[usize]) -> Seen {
        let t = x.shape().get(1).copied().unwrap_or(0);
        Seen { keys: Some(within_lengths(x, lengths, t)), ..Seen::all() }
    }

    /// Whether a query sees no keys after its own place.
    pub fn is_causal(&self) -> bool {
        self.causal
    }

    /// The padding of the keys, without the mask and the order.
    pub(super) fn padding_alone(&self) -> Seen {
        Seen { keys: self.keys.clone(), ..Seen::all() }
    }

    /// The mask for queries `[b, heads, t, d]` and keys `[b, heads, s, d]`, where `also_seen` is false hidden besides, with a bias that is
    /// added to the scores.
    #[track_caller]
    pub(super) fn resolve(
        &self,
        q: &Tensor,
        k: &Tensor,
        also_seen: Option<Tensor>,
        bias: Option<Tensor>,
    ) -> Mask {
        let (t, s) = (q.shape()[2], k.shape()[2]);
        let plain = self.mask.is_none() && self.keys.is_none() && self.window.is_none();
        if plain && also_seen.is_none() && bias.is_none() {
            return if self.causal { Mask::Causal } else { Mask::None };
        }
        let mut seen: Option<Tensor> = also_seen;
        let mut bias = bias;
        let also = |seen: &mut Option<Tensor>, more: Tensor| {
            *seen = Some(seen.take().map_or(more.clone(), |seen| seen.and(&more)));
        };
        if let Some(keys) = &self.keys {
            if keys.shape() != [q.shape()[0], s] {
                fail!("seen", "keys {:?} do not fit {} sequences of {s} keys", keys.shape(), q.shape()[0];
                      help = "give [{}, {s}]: true where a key is there", q.shape()[0]);
            }
            also(&mut seen, keys.unsqueeze(1).unsqueeze(1)); // [b, 1, 1, s]
        }
        match &self.mask {
            Some(mask) if mask.dtype() == DType::Bool => also(&mut seen, mask.clone()),
            Some(mask) => bias = Some(bias.map_or(mask.clone(), |bias| bias + mask)),
            None => {}
        }
        if self.causal || self.window.is_some() {
            if s < t {
                fail!("seen", "{t} queries cannot look back on {s} keys"; help = "order needs a key for each query");
            }
            if self.causal {
                let (places, keys) = places(q, s - t, t, s);
                also(&mut seen, keys.le(&places));
            }
            if let Some(window) = self.window {
                also(&mut seen, near(q, s - t, t, s, window));
            }
        }
        match (seen, bias) {
            (None, None) => Mask::None,
            (Some(seen), None) => Mask::Tensor(seen),
            (None, Some(bias)) => Mask::Tensor(bias),
            (Some(seen), Some(bias)) => {
                let never = bias.device().scope(|| Tensor::full_of((), f64::NEG_INFINITY, bias.dtype()));
                Mask::Tensor(seen.choose(&bias, &never))
            }
        }
    }
}

/// The places of `t` queries `[t, 1]`, the first of which stands at the place `at`, and of `s` keys `[s]`, as ids.
pub(super) fn places(like: &Tensor, at: usize, t: usize, s: usize) -> (Tensor, Tensor) {
    let queries = at as i64..(at + t) as i64;
    like.device().scope(|| (Tensor::arange(queries).unsqueeze(1), Tensor::arange(0..s as i64)))
}

/// True at the places `[b, t]` that sequences of these lengths have.
pub(super) fn within_lengths(like: &Tensor, lengths: &[usize], t: usize) -> Tensor {
    let lengths: Vec<i64> = lengths.iter().map(|&n| i64::try_from(n).unwrap_or(i64::MAX)).collect();
    let b = lengths.len();
    like.device().scope(|| Tensor::arange(0..t as i64).unsqueeze(0).lt(Tensor::from_vec(lengths, [b, 1])))
}

/// True where a key is less than `window` steps away from a query, `[t, s]`.
pub(super) fn near(like: &Tensor, at: usize, t: usize, s: usize, window: usize) -> Tensor {
    let (places, keys) = places(like, at, t, s);
    (keys - places).abs().lt(i64::try_from(window).unwrap_or(i64::MAX))
}

impl From<&Seen> for Seen {
    fn from(seen: &Seen) -> Seen {
        seen.clone()
    }
}

impl From<Mask> for Seen {
    fn from(mask: Mask) -> Seen {
        match mask {
            Mask::Causal => Seen::all().causal(),
            Mask::Tensor(mask) => Seen::all().mask(&mask),
            _ => Seen::all(),
        }
    }
}

impl From<&Tensor> for Seen {
    fn from(mask: &Tensor) -> Seen {
        Seen::all().mask(mask)
    }
}

impl From<Tensor> for Seen {
    fn from(mask: Tensor) -> Seen {
        Seen::all().mask(&mask)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_tensor::ops::Mask;

    #[test]
    fn hidden_in_every_way_at_once() {
        let (q, k) = (Tensor::zeros([1, 1, 2, 4]), Tensor::zeros([1, 1, 3, 4]));
        let keys = tensor![[true, false, true]];
        let mask = |seen: Seen, bias: Option<Tensor>| match seen.resolve(&q, &k, None, bias) {
            Mask::Tensor(mask) => mask.to(DType::F32).flatten(0).to_vec::<f32>(),
            other => panic!("{other:?}"),
        };
        // The first query stands at place 1, the second at 2.
        assert_eq!(mask(Seen::all().causal().window(9), None), [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(mask(Seen::all().window(1), None), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(mask(Seen::all().keys(&keys).causal(), None), [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        let both = Seen::all().mask(&tensor![[1.0, 2.0, 3.0]]).causal();
        assert_eq!(
            mask(both, Some(Tensor::full([1, 1, 2, 3], 0.5))),
            [1.5, 2.5, f32::NEG_INFINITY, 1.5, 2.5, 3.5]
        );
        assert!(matches!(Seen::all().causal().resolve(&q, &k, None, None), Mask::Causal));
        assert!(matches!(Seen::from(Mask::None).resolve(&q, &k, None, None), Mask::None));
        let e = catch(|| Seen::all().keys(&tensor![[true, true]]).resolve(&q, &k, None, None)).unwrap_err();
        assert_eq!(e.message(), "seen: keys [1, 2] do not fit 1 sequences of 3 keys");
        let e = catch(|| Seen::all().keys(&tensor![true])).unwrap_err();
        assert_eq!(e.message(), "seen: keys must be [b, s] of bool, they are [1] of bool");
    }
}
