//! Products, embeddings and attention.

use super::{Call, Found, no, number, one, wholes};
use mapsto::prelude::*;

impl Call<'_> {
    pub(super) fn networks(&self, op: &str, x: &Tensor) -> Option<Found> {
        let (second, third) = (self.tensor(1, "weight"), self.tensor(2, "bias"));
        Some(match op {
            "matmul" | "mm" | "bmm" | "mv" if !x.dtype().is_float() => no("products of integers"),
            "matmul" | "mm" | "bmm" | "mv" => match (x.rank(), self.tensor(1, "other")?) {
                (1, y) if y.rank() == 1 => no("a product of two vectors"),
                (1, y) => one(x.unsqueeze(0).matmul(y).squeeze(-2)),
                (_, y) if y.rank() == 1 => one(x.matmul(&y.unsqueeze(-1)).squeeze(-1)),
                (_, y) => one(x.matmul(y)),
            },
            "nn.functional.linear" => match x.rank() {
                _ if !x.dtype().is_float() => no("layers of integers"),
                _ if second?.rank() != 2 => no("a weight of one axis"),
                1 => one(x.unsqueeze(0).linear(second?, third).squeeze(0)),
                _ => one(x.linear(second?, third)),
            },
            "nn.functional.layer_norm" => {
                let width = self.arg(1, "normalized_shape").and_then(wholes)?;
                let (gamma, beta) = (self.tensor(2, "weight"), self.tensor(3, "bias"));
                let (k, eps) = (width.len(), self.number(4, "eps", 1e-5));
                if !x.dtype().is_float() {
                    return Some(no("layers of integers"));
                }
                if eps < 0.0 {
                    return Some(no("an epsilon below 0, which is refused here"));
                }
                if k == 0 || k > x.rank() {
                    return Some(no("a norm over other axes than the input has"));
                }
                let last = &x.shape()[x.rank() - k..];
                if last.iter().map(|n| *n as isize).ne(width.iter().copied())
                    || gamma.or(beta).is_some_and(|w| w.shape() != last)
                {
                    return Some(no("sizes that a norm over the last axis takes from its scale"));
                }
                // Several axes are one: the last.
                let flat = |t: &Tensor| if k == 1 { t.clone() } else { t.flatten((t.rank() - k) as isize) };
                let gamma = gamma.map_or_else(|| Tensor::full_of(last, 1.0, x.dtype()), Clone::clone);
                let y = flat(x).layer_norm(&flat(&gamma), beta.map(flat).as_ref(), eps);
                one(if k == 1 { y } else { y.reshape(x.shape()) })
            }
            "nn.functional.embedding" => {
                if ["padding_idx", "max_norm", "scale_grad_by_freq"]
                    .iter()
                    .any(|name| self.arg(9, name).is_some())
                {
                    return Some(no("an embedding with options"));
                }
                match self.tensor(1, "ids") {
                    Some(ids)
                        if ids.dtype().is_float() == x.dtype().is_float()
                            && self.sample.refused.is_none() =>
                    {
                        no("ids that are no integers")
                    }
                    Some(ids) => one(ids.embedding(x)),
                    None => no("no ids"),
                }
            }
            "nn.functional.scaled_dot_product_attention" => return Some(self.attention(x)),
            _ => return None,
        })
    }

    fn attention(&self, q: &Tensor) -> Found {
        let (Some(k), Some(v)) = (self.tensor(1, "key"), self.tensor(2, "value")) else {
            return no("no keys");
        };
        if k.rank() != q.rank() && self.sample.refused.is_none() {
            return no("keys of more axes than the queries: `expand` them first");
        }
        if self.number(4, "dropout_p", 0.0) > 0.0 {
            return no("a dropout that draws other random numbers");
        }
        let options = mapsto::ops::AttentionOptions {
            attn_mask: self.tensor(3, "attn_mask").cloned(),
            dropout_p: 0.0,
            is_causal: self.flag(5, "is_causal"),
            scale: self.arg(9, "scale").and_then(number),
            enable_gqa: self.flag(9, "enable_gqa"),
        };
        one(mapsto::ops::scaled_dot_product_attention(q, k, v, &options))
    }
}
