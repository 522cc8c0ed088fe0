//! Which of PyTorch's losses is what here.

use super::{Found, Of, no};
use mapsto::nn::{Loss, losses};
use mapsto::prelude::*;
use mapsto::spec::{self, Entry, Json};

impl<'a> Of<'a> {
    /// A loss of a training file, by the reduction of the sample.
    fn loss(&self, entry: &str) -> Found<'a> {
        let (Some(y), Some(target)) = (self.input(0, "input"), self.input(1, "target")) else {
            return no("the arguments are no tensors");
        };
        self.loss_of(entry, y.clone(), target.clone())
    }

    fn loss_of(&self, entry: &str, y: Tensor, target: Tensor) -> Found<'a> {
        if y.rank() == 0 {
            return no("a loss takes a batch, and this is a single number");
        }
        let reduction = self.get("reduction").and_then(Json::str).unwrap_or("mean").to_string();
        let entry = Entry::from_json(&Json::parse(entry).expect("an entry")).expect("an entry");
        let entry = if reduction == "sum" { entry.with_option("reduction", "sum") } else { entry };
        let loss = spec::build::<dyn Loss>(&entry, &()).unwrap_or_else(|e| panic!("{entry}: {e}"));
        if reduction == "none" {
            if loss.pointwise().is_none() {
                return no("a loss without values of its own for each element");
            }
            return self.function(move || vec![loss.pointwise().expect("it has").each(&y, &target)]);
        }
        self.function(move || vec![loss.loss(&y, &target)])
    }
}

/// The loss of a sample, if it is one.
pub(super) fn loss<'a>(of: &Of<'a>, name: &str) -> Option<Found<'a>> {
    let weighted = of.sample.kwargs.iter().any(|(key, value)| key == "weight" && *value != Json::Null);
    let target = of.input(1, "target");
    Some(match name {
        "L1Loss" => of.loss("\"mae\""),
        "MSELoss" => of.loss("\"mse\""),
        "SmoothL1Loss" => of.loss(&format!("{{\"smooth_l1\": {:?}}}", of.number("beta", 1.0))),
        "HuberLoss" => of.loss(&format!("{{\"huber\": {:?}}}", of.number("delta", 1.0))),
        "SoftMarginLoss" => of.loss("\"soft_margin\""),
        "HingeEmbeddingLoss" => of.loss(&format!("{{\"hinge_embedding\": {:?}}}", of.number("margin", 1.0))),
        "PoissonNLLLoss" => of.loss(&format!(
            "{{\"poisson_nll\": true, \"log_input\": {}, \"full\": {}, \"eps\": {:?}}}",
            of.flag("log_input", true),
            of.flag("full", false),
            of.number("eps", 1e-8)
        )),
        "KLDivLoss" if of.flag("log_target", false) => no("a divergence of targets that are logarithms"),
        "KLDivLoss" => {
            let reduction = of.get("reduction").and_then(Json::str).unwrap_or("mean");
            match reduction {
                // Ours is PyTorch's mean over the batch.
                "mean" => no("a mean over elements, which PyTorch itself warns of"),
                "none" => no("a divergence of each element, which is one of each sample here"),
                _ if target?.le(0.0).any(..).item() != 0.0 => {
                    no("a gradient at a target up to 0, which is NaN in PyTorch")
                }
                _ => of.loss("\"kl_div\""),
            }
        }
        "BCELoss" if weighted => no("weights of elements"),
        "BCELoss" => of.loss("\"bce\""),
        "BCEWithLogitsLoss" if weighted => no("weights of elements"),
        "BCEWithLogitsLoss" => of.loss("\"bce_with_logits\""),
        "MultiMarginLoss" if weighted => no("weights of classes"),
        "MultiMarginLoss" => of.loss(&format!(
            "{{\"multi_margin\": {:?}, \"squared\": {}}}",
            of.number("margin", 1.0),
            of.number("p", 1.0) == 2.0
        )),
        "NLLLoss" | "CrossEntropyLoss" => classes(of, name, target?),
        "CosineEmbeddingLoss" | "MarginRankingLoss" => {
            let (a, b, t) = (of.input(0, "input1")?, of.input(1, "input2")?, of.input(2, "target")?);
            if of.get("reduction").and_then(Json::str).is_some_and(|r| r != "mean") || a.rank() == 0 {
                return Some(no("a loss of programs, which is a mean"));
            }
            if t.eq(0).any(..).item() != 0.0 {
                return Some(no("a target of 0, which stands for −1 here"));
            }
            let (a, b, t, margin) = (a.clone(), b.clone(), t.clone(), of.number("margin", 0.0));
            let cosine = name == "CosineEmbeddingLoss";
            if cosine && a.rank() == 1 {
                return Some(no("a pair without a batch"));
            }
            of.function(move || {
                vec![match cosine {
                    true => losses::cosine_embedding(&a, &b, &t, margin),
                    false => losses::margin_ranking(&a, &b, &t, margin),
                }]
            })
        }
        _ => return None,
    })
}

/// A loss of class ids: the classes are the last axis here and the second in PyTorch.
fn classes<'a>(of: &Of<'a>, name: &str, target: &Tensor) -> Found<'a> {
    let Some(y) = of.input(0, "input") else { return no("the arguments are no tensors") };
    let ids = !target.dtype().is_float();
    let mut options = String::new();
    if let Some(i) = of
        .sample
        .kwargs
        .iter()
        .find(|(k, v)| k == "weight" && *v != Json::Null)
        .and_then(|(_, v)| of.place(v))
    {
        options += &format!(", \"weights\": {:?}", of.tensors[i].to_vec::<f64>());
    }
    if of.get("ignore_index").is_some() && ids {
        options += &format!(", \"ignore_index\": {}", of.text("ignore_index", ""));
    }
    if of.number("label_smoothing", 0.0) > 0.0 {
        options += &format!(", \"label_smoothing\": {:?}", of.number("label_smoothing", 0.0));
    }
    let kind = if name == "NLLLoss" { "nll" } else { "cross_entropy" };
    let last = |t: &Tensor| if t.rank() > 2 { t.movedim(1, -1) } else { t.clone() };
    let (y, t) = (last(y), if ids { target.clone() } else { last(target) });
    of.loss_of(&format!("{{\"{kind}\": true{options}}}"), y, t)
}
