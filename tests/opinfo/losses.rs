//! Losses, as a training file names them or a program calls them.

use super::{Call, Found, no, one, wholes};
use mapsto::nn::{self, GaussianNll, Loss, MultiMargin, PairwiseDistance, TripletMarginWithDistance};
use mapsto::prelude::*;
use mapsto::spec::{self, Entry, Json};

impl Call<'_> {
    fn reduction(&self) -> &str {
        self.arg(99, "reduction").and_then(Json::str).unwrap_or("mean")
    }

    /// The mean, the sum or the values of a loss.
    fn reduced_by(&self, loss: &dyn Loss, y: &Tensor, t: &Tensor) -> Found {
        match (self.reduction(), loss.pointwise()) {
            ("mean" | "batchmean", _) => one(loss.loss(y, t)),
            (_, None) => no("a loss without values of its own for each element"),
            ("sum", Some(each)) => one(each.each(y, t).sum(..)),
            (_, Some(each)) => one(each.each(y, t)),
        }
    }

    fn named(&self, entry: &str, y: &Tensor, t: &Tensor) -> Found {
        if !y.dtype().is_float() {
            return no("losses of integers");
        }
        if y.rank() == 0 {
            return no("a loss takes a batch, and this is a single number");
        }
        let entry = Entry::from_json(&Json::parse(entry).expect("an entry")).expect("an entry");
        let loss = spec::build::<dyn Loss>(&entry, &()).unwrap_or_else(|e| panic!("{entry}: {e}"));
        self.reduced_by(&*loss, y, t)
    }

    pub(super) fn losses(&self, op: &str, x: &Tensor) -> Option<Found> {
        let op = op.strip_prefix("nn.functional.")?;
        if !op.ends_with("_loss")
            && !op.starts_with("binary_cross")
            && !matches!(op, "kl_div" | "cross_entropy")
        {
            return None;
        }
        if self.reduction() == "abc" {
            return Some(no("a reduction that no call can write"));
        }
        if self.tensor(0, "input").is_some_and(|x| !x.dtype().is_float()) && self.sample.refused.is_none() {
            return Some(no("losses of integers"));
        }
        let weight = || self.tensor(2, "weight");
        let t = self.tensor(1, "target")?;
        let margin = |usual: f64| self.number(99, "margin", usual);
        let option = |name: &str, usual: f64| self.number(99, name, usual);
        let on = |name: &str, usual: bool| self.arg(99, name).and_then(Json::bool).unwrap_or(usual);
        Some(match op {
            "l1_loss" => self.named("\"mae\"", x, t),
            "mse_loss" if weight().is_some() => no("weights of elements"),
            "mse_loss" => self.named("\"mse\"", x, t),
            "huber_loss" => self.named(&format!("{{\"huber\": {:?}}}", option("delta", 1.0)), x, t),
            "smooth_l1_loss" => match option("beta", 1.0) {
                0.0 => self.named("\"mae\"", x, t),
                beta => self.named(&format!("{{\"smooth_l1\": {beta:?}}}"), x, t),
            },
            "soft_margin_loss" if t.eq(0).any(..).item() != 0.0 && self.sample.refused.is_none() => {
                no("a target of 0, which stands for −1 here")
            }
            "soft_margin_loss" => self.named("\"soft_margin\"", x, t),
            "hinge_embedding_loss" if t.eq(0).any(..).item() != 0.0 && self.sample.refused.is_none() => {
                no("a target of 0, which stands for −1 here")
            }
            "hinge_embedding_loss" => {
                self.named(&format!("{{\"hinge_embedding\": {:?}}}", margin(1.0)), x, t)
            }
            "poisson_nll_loss" => self.named(
                &format!(
                    "{{\"poisson_nll\": true, \"log_input\": {}, \"full\": {}, \"eps\": {:?}}}",
                    on("log_input", true),
                    on("full", false),
                    option("eps", 1e-8)
                ),
                x,
                t,
            ),
            "kl_div" if on("log_target", false) => no("a divergence of targets that are logarithms"),
            "kl_div" if matches!(self.reduction(), "none" | "mean") => {
                no("a mean over elements, which PyTorch itself warns of, or the values of a sum")
            }
            "kl_div"
                if self.sample.refused.is_none()
                    && (t.le(0.0).any(..).item() != 0.0 || x.gt(0.0).any(..).item() != 0.0) =>
            {
                no("a divergence of what are no probabilities")
            }
            "kl_div" => self.named("\"kl_div\"", x, t),
            "binary_cross_entropy" => match weight() {
                _ if t.dtype() != x.dtype() => no("a target of another dtype"),
                None => self.named("\"bce\"", x, t),
                Some(_) => no("weights of elements"),
            },
            "binary_cross_entropy_with_logits" => {
                let mut loss = nn::BceWithLogits::new();
                if let Some(weights) = self.tensor(99, "pos_weight") {
                    if weights.rank() > 1 || x.shape().last() != weights.shape().last() {
                        return Some(no("weights of elements"));
                    }
                    loss = loss.pos_weight(weights.clone());
                }
                if weight().is_some() {
                    return Some(no("weights of elements"));
                }
                if x.rank() == 0 {
                    return Some(no("a loss takes a batch, and this is a single number"));
                }
                self.reduced_by(&loss, x, t)
            }
            "multilabel_soft_margin_loss" => match (weight(), self.reduction()) {
                (None, "mean") => one(x.bce_with_logits(t)),
                _ => no("weights of elements"),
            },
            "multi_margin_loss" if self.tensor(99, "weight").is_some() => no("weights of classes"),
            "multi_margin_loss" if x.rank() < 2 && self.sample.refused.is_none() => {
                no("a sample without a batch")
            }
            "multi_margin_loss" if margin(1.0) < 0.0 => no("a margin below 0, which is refused here"),
            "multi_margin_loss" => {
                let loss = MultiMargin::new(margin(1.0));
                let loss = if option("p", 1.0) == 2.0 { loss.squared() } else { loss };
                self.reduced_by(&loss, x, t)
            }
            "multilabel_margin_loss" if x.rank() < 2 && self.sample.refused.is_none() => {
                no("a sample without a batch")
            }
            "multilabel_margin_loss" if t.dtype().is_float() || t.shape() != x.shape() => {
                no("targets that are no lists of ids, which stand as 1 and 0 here")
            }
            "multilabel_margin_loss" => self.named("\"multilabel_margin\"", x, &present(t)),
            "nll_loss" | "cross_entropy" => self.classes(op, x, t),
            "gaussian_nll_loss" => self.gaussian(x, t),
            "cosine_embedding_loss" | "margin_ranking_loss" => {
                let (other, t) = (self.tensor(1, "input2")?, self.tensor(2, "target")?);
                if self.reduction() != "mean" || x.rank() == 0 || !x.dtype().is_float() {
                    return Some(no("a loss of programs, which is a mean over a batch"));
                }
                if t.eq(0).any(..).item() != 0.0 && self.sample.refused.is_none() {
                    return Some(no("a target of 0, which stands for −1 here"));
                }
                match op {
                    "margin_ranking_loss" => one(nn::margin_ranking(x, other, t, margin(0.0))),
                    _ if x.rank() == 1 => no("a sample without a batch"),
                    _ => one(nn::cosine_embedding(x, other, t, margin(0.0))),
                }
            }
            "triplet_margin_loss" => {
                let (like, other) = (self.tensor(1, "positive")?, self.tensor(2, "negative")?);
                if self.reduction() != "mean" || x.rank() == 0 || !x.dtype().is_float() {
                    return Some(no("a loss of programs, which is a mean over a batch"));
                }
                match (option("p", 2.0), on("swap", false), option("eps", 1e-6)) {
                    (2.0, false, 1e-6) => one(nn::triplet_margin(x, like, other, margin(1.0))),
                    (p, swap, eps) => {
                        let distance = PairwiseDistance::new().p(p).eps(eps);
                        let loss = TripletMarginWithDistance::new(move |x, y| distance.forward(x, y));
                        let loss = loss.margin(margin(1.0));
                        one(if swap { loss.swap().loss(x, like, other) } else { loss.loss(x, like, other) })
                    }
                }
            }
            "ctc_loss" => self.ctc(x, t),
            _ => return None,
        })
    }

    /// Targets of class ids: the classes are the last axis here and the second in PyTorch.
    fn classes(&self, op: &str, x: &Tensor, t: &Tensor) -> Found {
        let ids = !t.dtype().is_float();
        let mut options = String::new();
        if let Some(weights) = self.tensor(2, "weight") {
            options += &format!(", \"weights\": {:?}", weights.to_vec::<f64>());
        }
        let ignored = self.int(99, "ignore_index").unwrap_or(-100);
        if ids {
            options += &format!(", \"ignore_index\": {ignored}");
        }
        let smoothing = self.number(99, "label_smoothing", 0.0);
        if smoothing > 0.0 {
            options += &format!(", \"label_smoothing\": {smoothing:?}");
        }
        if op == "nll_loss" && self.sample.refused.is_none() && x.gt(0.0).any(..).item() != 0.0 {
            return no("outputs above 0, which are no logarithms of probabilities");
        }
        let kind = if op == "nll_loss" { "nll" } else { "cross_entropy" };
        let entry = format!("{{\"{kind}\": true{options}}}");
        let last = |t: &Tensor| if t.rank() > 2 { t.movedim(1, -1) } else { t.clone() };
        if x.rank() == 1 {
            let found = self.named(&entry, &x.unsqueeze(0), &t.unsqueeze(0))?;
            return Ok(found.into_iter().map(|y| if y.rank() > 0 { y.squeeze(0) } else { y }).collect());
        }
        self.named(&entry, &last(x), &if ids { t.clone() } else { last(t) })
    }

    fn gaussian(&self, x: &Tensor, t: &Tensor) -> Found {
        let Some(var) = self.tensor(2, "var") else { return no("a variance that is a number") };
        if var.shape() != x.shape() || t.shape() != x.shape() || x.rank() == 0 || !x.dtype().is_float() {
            return no("a variance for several numbers");
        }
        let loss = GaussianNll::new().eps(self.number(99, "eps", 1e-6));
        let loss = if self.arg(3, "full").and_then(Json::bool) == Some(true) { loss.full() } else { loss };
        self.reduced_by(&loss, &Tensor::cat(&[x, &var.log()], -1), t)
    }

    fn ctc(&self, x: &Tensor, t: &Tensor) -> Found {
        let lengths = |i: usize, name: &str| match self.tensor(i, name) {
            Some(t) => {
                Some(t.to(DType::I64).flatten(0).to_vec::<i64>().iter().map(|n| *n as isize).collect())
            }
            None => self.arg(i, name).and_then(wholes),
        };
        let (Some(steps), Some(labels)) = (lengths(2, "input_lengths"), lengths(3, "target_lengths")) else {
            return no("sequences without lengths");
        };
        if self.int(99, "blank").unwrap_or(0) != 0 || x.rank() != 3 || t.rank() != 2 {
            return no("a blank that is not class 0, or targets one after the other");
        }
        // What stands behind the labels of a sequence is −1 here.
        let longest = t.shape()[1];
        let all = t.to(DType::I64).to_vec::<i64>();
        let kept =
            |(k, id): (usize, &i64)| if ((k % longest) as isize) < labels[k / longest] { *id } else { -1 };
        let targets = Tensor::from_vec(all.iter().enumerate().map(kept).collect::<Vec<_>>(), t.shape());
        let steps: Vec<usize> = steps.iter().map(|n| *n as usize).collect();
        // PyTorch's gradient is that of what its softmax was given.
        let each = x.swap(0, 1).log_softmax(-1).ctc_loss(&targets, Some(&steps));
        one(match self.reduction() {
            "none" => each,
            "sum" => each.sum(..),
            _ => {
                let per: Vec<f64> = labels.iter().map(|n| (*n).max(1) as f64).collect();
                (each / Tensor::from_vec(per, [labels.len()]).to(x.dtype())).mean(..)
            }
        })
    }
}

/// Lists of ids up to the first that is below 0, as 1 where a class is in its list and 0 where it is not.
fn present(t: &Tensor) -> Tensor {
    let [n, k] = t.dims();
    let ids = t.to_vec::<i64>();
    let mut found = vec![0.0; n * k];
    for (row, ids) in ids.chunks(k).enumerate() {
        ids.iter().take_while(|id| **id >= 0).for_each(|id| found[row * k + *id as usize] = 1.0);
    }
    Tensor::from_vec::<f64>(found, [n, k])
}
