//! Layers without parameters, and activations that are named in files.

use super::{Call, Found, no, number, one};
use mapsto::nn::{LocalResponseNorm, ModelSpec, PairwiseDistance};
use mapsto::prelude::*;
use mapsto::spec::{Entry, Json};

impl Call<'_> {
    /// An activation of a file, which works on each element or along the last axis.
    fn activation(&self, entry: &str, x: &Tensor) -> Found {
        if !x.dtype().is_float() {
            return no("layers of integers");
        }
        let entry = Entry::from_json(&Json::parse(entry).expect("an entry")).expect("an entry");
        // A single number is a batch of one.
        let batch = if x.rank() < 2 { x.unsqueeze(0) } else { x.clone() };
        let batch = if batch.rank() < 2 { batch.unsqueeze(0) } else { batch };
        if batch.is_empty() {
            return no("a batch of nothing");
        }
        let mut model = ModelSpec::new(&batch.shape()[1..], [entry.clone()])
            .build()
            .unwrap_or_else(|e| panic!("{entry}: {e}"));
        model.convert(x.dtype());
        let y = model.forward(&batch);
        one((x.rank()..batch.rank()).fold(y, |y, _| y.squeeze(0)))
    }

    pub(super) fn layers(&self, op: &str, x: &Tensor) -> Option<Found> {
        let op = op.strip_prefix("nn.functional.")?;
        Some(match op {
            "batch_norm" => {
                let (mean, var) = (self.tensor(1, "running_mean"), self.tensor(2, "running_var"));
                let n = *x.shape().get(1).unwrap_or(&0);
                let or = |t: Option<&Tensor>, value: f64| {
                    t.cloned().unwrap_or_else(|| Tensor::full_of([n], value, x.dtype()))
                };
                let (gamma, beta) = (or(self.tensor(3, "weight"), 1.0), or(self.tensor(4, "bias"), 0.0));
                let eps = self.number(7, "eps", 1e-5);
                if x.is_empty() || x.rank() < 2 {
                    return Some(no("a batch of nothing"));
                }
                match (self.flag(5, "training"), mean, var) {
                    (true, ..) => one(x.batch_norm(&gamma, &beta, eps).0),
                    (false, Some(mean), Some(var)) => one(x.batch_norm_with(mean, var, &gamma, &beta, eps)),
                    _ => no("a batch norm without statistics"),
                }
            }
            "glu" | "softmin" if x.rank() == 0 => no("an axis of a tensor that has none"),
            "glu" | "softmin" => {
                let at = self.int(1, "dim").unwrap_or(-1);
                let found = self.activation(&format!("{op:?}"), &x.movedim(at, -1));
                found.map(|ys| ys.iter().map(|y| y.movedim(-1, at)).collect())
            }
            "threshold" => {
                match (self.arg(1, "threshold").and_then(number), self.arg(2, "value").and_then(number)) {
                    (Some(at), Some(value)) => {
                        self.activation(&format!("{{\"threshold\": {at:?}, \"value\": {value:?}}}"), x)
                    }
                    _ => no("no value"),
                }
            }
            "rrelu" if self.flag(3, "training") => no("slopes that are drawn"),
            "rrelu" => {
                let [lower, upper] =
                    [("lower", 1.0 / 8.0), ("upper", 1.0 / 3.0)].map(|(name, x)| self.number(99, name, x));
                self.activation(
                    &format!("{{\"rrelu\": true, \"lower\": {lower:?}, \"upper\": {upper:?}}}"),
                    x,
                )
            }
            "local_response_norm" => {
                let layer = LocalResponseNorm::new(self.int(1, "size")? as usize);
                let layer = layer.alpha(self.number(2, "alpha", 1e-4)).beta(self.number(3, "beta", 0.75));
                let layer = layer.k(self.number(4, "k", 1.0));
                match x.rank() {
                    _ if self.tensor(0, "input").is_some_and(|x| !x.dtype().is_float()) => {
                        no("layers of integers")
                    }
                    4 => one(layer.forward(x)),
                    // Places have no part in it.
                    3 => one(layer.forward(&x.unsqueeze(-1)).squeeze(-1)),
                    5 => one(layer.forward(&x.flatten(3)).reshape(x.shape())),
                    _ => no("a response norm of other things than images"),
                }
            }
            "pairwise_distance" => {
                let (p, eps) = (self.number(2, "p", 2.0), self.number(3, "eps", 1e-6));
                if self.tensor(0, "x1").is_some_and(|x| !x.dtype().is_float()) {
                    return Some(no("layers of integers"));
                }
                if p <= 0.0 {
                    return Some(no("a norm of a number below 0, which is refused here"));
                }
                let y = PairwiseDistance::new().p(p).eps(eps).forward(x, self.tensor(1, "x2")?);
                one(if self.flag(4, "keepdim") { y.unsqueeze(-1) } else { y })
            }
            _ => return None,
        })
    }
}
