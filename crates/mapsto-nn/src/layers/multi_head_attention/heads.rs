//! What the heads of an attention do: queries, keys and values are made, placed, masked, and looked up.

use super::super::Seen;
use super::super::alibi::alibi;
use super::super::seen::{near, places};
use super::MultiHeadAttention;
use crate::{Apply, Layer};
use mapsto_tensor::ops::{Mask, attention, attention_weights};
use mapsto_tensor::{DType, Tensor, fail, is_training};

impl MultiHeadAttention {
    /// Queries, keys and values of one sequence, `[b, heads, t, d]` each, the first step of which stands at the place `from`: one
    /// product where they are made of one matrix.
    #[track_caller]
    pub(super) fn of_itself(&self, x: &Tensor, from: usize) -> [Tensor; 3] {
        if self.k.is_some() {
            return [0, 1, 2].map(|i| self.part(i, x, from));
        }
        self.check(x);
        let all = x.apply(&self.qkv);
        let parts: [Tensor; 3] = if self.kv_heads == self.heads {
            all.chunk(-1)
        } else {
            let parts = all.split(&self.sizes(), -1);
            [0, 1, 2].map(|i| parts[i].clone())
        };
        let [q, k, v] = parts;
        [self.placed(0, q, from), self.placed(1, k, from), self.placed(2, v, from)]
    }

    /// Queries (0), keys (1) or values (2) of a sequence, the first step of which stands at the place `from`.
    #[track_caller]
    pub(super) fn part(&self, i: usize, x: &Tensor, from: usize) -> Tensor {
        self.check(x);
        let made = match ([None, self.k.as_ref(), self.v.as_ref()][i], &self.k) {
            (Some(map), _) => x.apply(map),
            (None, Some(_)) => x.apply(&self.qkv),
            (None, None) => {
                let weight = &self.qkv.weight.split(&self.sizes(), 0)[i];
                let bias = self.qkv.bias.as_ref().map(|bias| bias.split(&self.sizes(), 0)[i].clone());
                x.linear(weight, bias.as_ref())
            }
        };
        self.placed(i, made, from)
    }

    #[track_caller]
    pub(super) fn check(&self, x: &Tensor) {
        if x.rank() != 3 {
            fail!("attention", "steps [b, t, size] were expected, found {:?}", x.shape();
                  help = "one sequence is a batch of one: `x.unsqueeze(0)`");
        }
    }

    /// The features of queries, of keys and of values.
    pub(super) fn sizes(&self) -> [usize; 3] {
        let size = self.out.inputs();
        let kv = size / self.heads * self.kv_heads;
        [size, kv, kv]
    }

    /// `[b, t, heads · d]` as `[b, heads, t, d]`; queries and keys are normalised and turned.
    #[track_caller]
    pub(super) fn placed(&self, i: usize, z: Tensor, from: usize) -> Tensor {
        let ([b, t, features], d) = (z.dims(), self.out.inputs() / self.heads);
        let z = z.reshape([b, t, features / d, d]).swap(1, 2);
        let z = match [&self.q_norm, &self.k_norm, &None][i] {
            Some(norm) => norm.forward(&z),
            None => z,
        };
        match &self.rotary {
            Some(rotary) if i < 2 => rotary.rotate(&z, from),
            _ => z,
        }
    }

    /// The mask of queries and keys, with what the distance adds; the first query stands at the place `at` among the keys.
    #[track_caller]
    pub(super) fn mask(&self, q: &Tensor, k: &Tensor, seen: &Seen, at: usize) -> Mask {
        let (t, s) = (q.shape()[2], k.shape()[2]);
        let learned = self.relative.as_ref().map(|bias| bias.forward(q, s, at));
        let bias = match (learned, self.alibi) {
            (Some(learned), true) => Some(learned + alibi(q, s, at)),
            (None, true) => Some(alibi(q, s, at)),
            (learned, false) => learned,
        };
        seen.resolve(q, k, self.window.map(|window| near(q, at, t, s, window)), bias)
    }

    /// Keys and values with those that every query sees besides, and the mask of all.
    #[track_caller]
    pub(super) fn with_more(&self, q: &Tensor, k: Tensor, v: Tensor, mask: Mask) -> (Tensor, Tensor, Mask) {
        let ([b, heads, s, d], t) = (k.dims(), q.shape()[2]);
        let (mut keys, mut values) = (vec![k], vec![v]);
        if let (Some(bias_k), Some(bias_v)) = (&self.bias_k, &self.bias_v) {
            let placed =
                |bias: &Tensor| bias.reshape([1, heads, 1, d]).to(q.dtype()).expand([b, heads, 1, d]);
            keys.push(placed(bias_k));
            values.push(placed(bias_v));
        }
        if self.zero_attn {
            let zeros = q.device().scope(|| Tensor::full_of([b, heads, 1, d], 0.0, q.dtype()));
            keys.push(zeros.clone());
            values.push(zeros);
        }
        let more = keys.len() - 1;
        if more == 0 {
            return (keys.swap_remove(0), values.swap_remove(0), mask);
        }
        let seen = match mask {
            Mask::Causal => {
                let (places, all) = places(q, s - t, t, s);
                Some(all.le(&places))
            }
            Mask::Tensor(mask) => Some(mask),
            _ => None,
        };
        let mask = seen.map_or(Mask::None, |seen| {
            let before = &seen.shape()[..seen.rank().saturating_sub(1)];
            let seen = seen.expand(&[before, &[s]].concat()[..]);
            let shape = [before, &[more]].concat();
            // True is seen, and 0 is added to a score.
            let is_seen = if seen.dtype() == DType::Bool { 1.0 } else { 0.0 };
            let besides = q.device().scope(|| Tensor::full_of(&shape[..], is_seen, seen.dtype()));
            Mask::Tensor(Tensor::cat(&[seen, besides], -1))
        });
        (Tensor::cat(&keys, 2), Tensor::cat(&values, 2), mask)
    }

    /// Keys or values of as many heads as there are queries.
    pub(super) fn shared(&self, x: Tensor) -> Tensor {
        let each = self.heads / self.kv_heads;
        if each == 1 { x } else { x.repeat_interleave(each, 1) }
    }

    #[track_caller]
    pub(super) fn look(&self, [q, k, v]: [Tensor; 3], seen: &Seen, at: usize) -> Tensor {
        let [b, _, t, _] = q.dims();
        let mask = self.mask(&q, &k, seen, at);
        let (k, v, mask) = self.with_more(&q, k, v, mask);
        let size = self.out.inputs();
        let found = if self.dropout > 0.0 && is_training() {
            let weights = attention_weights(&q, &self.shared(k), mask).dropout(self.dropout);
            weights.matmul(&self.shared(v))
        } else if self.kv_heads < self.heads && t == 1 && matches!(mask, Mask::None | Mask::Causal) {
            // The one query sees all, so those that share a head are rows of it, and nothing is copied.
            let grouped = q.reshape([b, self.kv_heads, self.heads / self.kv_heads, size / self.heads]);
            attention(&grouped, &k, &v, Mask::None).reshape([b, self.heads, 1, size / self.heads])
        } else {
            attention(&q, &self.shared(k), &self.shared(v), mask)
        };
        found.swap(1, 2).reshape([b, t, size]).apply(&self.out)
    }
}
