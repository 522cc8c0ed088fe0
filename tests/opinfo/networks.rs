//! Products, layers and losses.

use super::{Call, Found, no, number, one, wholes};
use mapsto::nn::{Huber, Loss, SmoothL1, mae};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub(super) fn networks(&self, op: &str, x: &Tensor) -> Option<Found> {
        let (second, third) = (self.tensor(1, "weight"), self.tensor(2, "bias"));
        let target = || self.tensor(1, "target");
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
                match (&width[..], gamma) {
                    ([_], Some(gamma)) => one(x.layer_norm(gamma, beta, self.number(4, "eps", 1e-5))),
                    ([n], None) => {
                        let one_each = Tensor::full_of([*n as usize], 1.0, x.dtype());
                        one(x.layer_norm(&one_each, None, self.number(4, "eps", 1e-5)))
                    }
                    _ => no("a `layer_norm` of several axes"),
                }
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
            _ if self.arg(9, "reduction").and_then(Json::str) == Some("abc") => {
                no("a reduction that no call can write")
            }
            "nn.functional.mse_loss" => self.reduced((x - target()?).square()),
            "nn.functional.l1_loss" => match self.arg(9, "reduction").and_then(Json::str) {
                None | Some("mean") => one(mae(x, target()?)),
                _ => self.reduced((x - target()?).abs()),
            },
            "nn.functional.huber_loss" | "nn.functional.smooth_l1_loss" => {
                if self.arg(9, "reduction").and_then(Json::str).is_some_and(|r| r != "mean") {
                    return Some(no("a loss with a reduction that is a method of the library's `Pointwise`"));
                }
                let (delta, beta) = (self.number(3, "delta", 1.0), self.number(5, "beta", 1.0));
                match op.contains("huber") {
                    true => one(Huber::new(delta).loss(x, target()?)),
                    false if beta == 0.0 => no("a `smooth_l1` without a width, which is `mae`"),
                    false => one(SmoothL1::new(beta).loss(x, target()?)),
                }
            }
            "nn.functional.binary_cross_entropy" | "nn.functional.binary_cross_entropy_with_logits" => {
                if self.arg(2, "weight").is_some()
                    || self.arg(9, "reduction").and_then(Json::str).is_some_and(|r| r != "mean")
                {
                    return Some(no("a loss with weights or a reduction"));
                }
                if self.arg(9, "pos_weight").is_some() {
                    return Some(no("a loss with weights or a reduction"));
                }
                one(if op.ends_with("logits") { x.bce_with_logits(target()?) } else { x.bce(target()?) })
            }
            "nn.functional.cross_entropy" => {
                let options = ["weight", "ignore_index", "label_smoothing", "reduction"];
                if options.iter().any(|name| self.arg(9, name).is_some_and(|json| json.str() != Some("mean")))
                {
                    return Some(no("a `cross_entropy` with options, which stand in an options struct"));
                }
                match (x.rank(), target()?) {
                    (1, _) => no("a `cross_entropy` of one sample without a batch axis"),
                    (2, target) => one(x.cross_entropy(target)),
                    // Classes lie along the last axis here.
                    (rank, target) => {
                        let last: Vec<usize> = std::iter::once(0).chain(2..rank).chain([1]).collect();
                        let turned =
                            if target.rank() == rank { target.permute(&last[..]) } else { target.clone() };
                        one(x.permute(&last[..]).cross_entropy(&turned))
                    }
                }
            }
            _ => return None,
        })
    }

    fn attention(&self, q: &Tensor) -> Found {
        let (Some(k), Some(v)) = (self.tensor(1, "key"), self.tensor(2, "value")) else {
            return no("no keys");
        };
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
