//! `Curves`: what a threshold, a confidence or a residual says, for each class, label or target: numbers for programs, and points for plots.

use mapsto::spec::Json;
use mapsto::training::Outputs;
use mapsto::training::curves::{PrecisionRecall, Reliability, Residuals, Roc};
use mapsto::training::metrics::Scored;
use mapsto::{DType, Result, Tensor};

use super::Kind;
use crate::experiment::Experiment;

/// Curves by name; those that a task has not are empty.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// Each class against all others, of two classes class 1; or each label.
    pub roc: Vec<(String, Roc)>,
    /// The same.
    pub precision_recall: Vec<(String, PrecisionRecall)>,
    /// Of the model as it is, and with its logits divided by the temperature that its file keeps.
    pub reliability: Vec<(String, Reliability)>,
    /// Of each target.
    pub residuals: Vec<(String, Residuals)>,
}

/// More scores are not sorted for curves that nobody could tell apart.
const MOST_SCORES: usize = 50_000_000;

impl Experiment {
    pub(super) fn curves_of(
        &self,
        kind: Kind,
        y: &Tensor,
        target: &Tensor,
        temperature: Option<f64>,
    ) -> Result<Curves> {
        match kind {
            Kind::Classes(_) => self.curves_of_classes(y, target, temperature),
            Kind::Labels(_) => Ok(self.curves_of_labels(y, target)),
            Kind::Numbers => {
                let [y_all, t_all] = [y, target].map(|x| x.to(DType::F64).to_vec::<f64>());
                let width = y.shape().get(1).copied().unwrap_or(1).max(1);
                let column = |all: &[f64], i: usize| all.iter().skip(i).step_by(width).copied().collect();
                let of = |i: usize| {
                    let [truth, predicted]: [Vec<f64>; 2] = [column(&t_all, i), column(&y_all, i)];
                    Some((self.target(i), Residuals::of(&truth, &predicted)?))
                };
                Ok(Curves { residuals: (0..width).filter_map(of).collect(), ..Curves::default() })
            }
            Kind::Other => Ok(Curves::default()),
        }
    }

    fn curves_of_classes(&self, y: &Tensor, target: &Tensor, temperature: Option<f64>) -> Result<Curves> {
        let scored = Scored::read("eval", self.scale(), y, target)?;
        let (n, k) = (scored.len(), scored.classes);
        let mut curves = Curves::default();
        if n * k <= MOST_SCORES {
            let rankings: Vec<Vec<f64>> = (0..n).map(|i| scored.ranking(i)).collect();
            for class in if k == 2 { 1..2 } else { 0..k } {
                let of =
                    || rankings.iter().zip(&scored.actual).map(|(r, &actual)| (r[class], actual == class));
                // Of two classes scores are ordered by differences of logits, and read as probabilities.
                let is_logit = k == 2 && matches!(self.scale(), Outputs::Logits | Outputs::Logit);
                curves.add(self.class(class), is_logit, of);
            }
        }
        let mut reliability = |name: String, y: &Tensor, outputs: Outputs| -> Result<()> {
            let scored = Scored::read("eval", outputs, y, target)?;
            let choice = |i: usize| {
                let p = scored.probabilities(i);
                let best = (1..p.len()).fold(0, |best, c| if p[c] > p[best] { c } else { best });
                (p[best], best == scored.actual[i])
            };
            curves.reliability.push((name, Reliability::of((0..scored.len()).map(choice))));
            Ok(())
        };
        reliability("as it is".into(), y, self.scale())?;
        if let Some(t) = temperature {
            reliability("calibrated".into(), &(y.to(DType::F64) / t), Outputs::Logits)?;
        }
        Ok(curves)
    }

    fn curves_of_labels(&self, y: &Tensor, target: &Tensor) -> Curves {
        let width = y.shape()[1];
        let [y, t] = [y, target].map(|x| x.to(DType::F64).to_vec::<f64>());
        let mut curves = Curves::default();
        for label in 0..width {
            let of = || {
                let pairs = y.iter().zip(&t).skip(label).step_by(width);
                pairs.map(|(&score, &truth)| (score, truth >= 0.5))
            };
            curves.add(self.target(label), self.outputs() == Outputs::Logit, of);
        }
        curves
    }
}

impl Curves {
    /// Adds the curves of one class or label, where it has them.
    fn add<I: Iterator<Item = (f64, bool)>>(&mut self, name: String, is_logit: bool, scored: impl Fn() -> I) {
        let read = |thresholds: &mut Vec<f64>| {
            if is_logit {
                thresholds.iter_mut().filter(|t| t.is_finite()).for_each(|t| *t = 1.0 / (1.0 + (-*t).exp()));
            }
        };
        if let Some(mut roc) = Roc::of(scored()) {
            read(&mut roc.thresholds);
            self.roc.push((name.clone(), roc));
        }
        if let Some(mut curve) = PrecisionRecall::of(scored()) {
            read(&mut curve.thresholds);
            self.precision_recall.push((name, curve));
        }
    }

    /// The numbers that are drawn, by the name of the plot.
    pub(super) fn to_json(&self) -> Vec<(&'static str, Json)> {
        let object = |pairs: Vec<(&str, Json)>| {
            Json::Object(pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
        };
        let list = |values: &[f64]| Json::List(values.iter().map(|&v| Json::Float(v)).collect());
        let text = |s: &str| Json::Str(s.to_string());
        let roc = |(name, roc): &(String, Roc)| {
            object(vec![
                ("name", text(name)),
                ("auc", Json::Float(roc.auc)),
                ("fpr", list(&roc.fpr)),
                ("tpr", list(&roc.tpr)),
                ("thresholds", list(&roc.thresholds)),
            ])
        };
        let precision_recall = |(name, curve): &(String, PrecisionRecall)| {
            object(vec![
                ("name", text(name)),
                ("average_precision", Json::Float(curve.average_precision)),
                ("recall", list(&curve.recall)),
                ("precision", list(&curve.precision)),
                ("thresholds", list(&curve.thresholds)),
            ])
        };
        let reliability = |(name, found): &(String, Reliability)| {
            let of = |f: fn(&mapsto::training::curves::Bin) -> f64| {
                list(&found.bins.iter().map(f).collect::<Vec<f64>>())
            };
            let samples = found.bins.iter().map(|bin| Json::Int(bin.samples as i64));
            object(vec![
                ("name", text(name)),
                ("ece", Json::Float(found.ece())),
                ("confidence", of(|bin| bin.confidence)),
                ("accuracy", of(|bin| bin.accuracy)),
                ("samples", Json::List(samples.collect())),
            ])
        };
        let residuals = |(name, found): &(String, Residuals)| {
            let points = found.points.iter().map(|&(t, p)| list(&[t, p]));
            object(vec![
                ("name", text(name)),
                ("mean", Json::Float(found.mean)),
                ("std", Json::Float(found.std)),
                ("shares", list(&Residuals::SHARES)),
                ("quantiles", list(&found.quantiles)),
                ("points", Json::List(points.collect())),
            ])
        };
        let mut all = Vec::new();
        let mut put = |key, items: Vec<Json>| {
            if !items.is_empty() {
                all.push((key, Json::List(items)));
            }
        };
        put("roc", self.roc.iter().map(roc).collect());
        put("precision_recall", self.precision_recall.iter().map(precision_recall).collect());
        put("reliability", self.reliability.iter().map(reliability).collect());
        put("residuals", self.residuals.iter().map(residuals).collect());
        all
    }
}
