//! Fβ: precision and recall in one number, with a weight on either.

use super::{Average, Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Fβ: the weighted harmonic mean of precision and recall, where recall counts β times as much (van Rijsbergen 1979).
///
/// `Fβ = (1 + β²) right / (β² actual + predicted)`; with β = 1 it is F1. Macro, micro, weighted or of one class ([`Average`]);
/// 0 / 0 counts as 0.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `fbeta_score`; torchmetrics: `FBetaScore`; Keras: `FBetaScore`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Average, FBeta, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let f2 = FBeta::new(2.0, Average::Class(1));
/// let counts = f2.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(f2.value(&counts), 5.0 / 7.0); // precision 1/3, recall 1
/// ```
#[derive(Clone, Debug)]
pub struct FBeta {
    average: Average,
    decision: Decision,
    beta: f64,
}

impl FBeta {
    /// `beta` above 1 favours recall, below 1 precision; the class is the one with the largest score.
    ///
    /// # Panics
    /// When `beta` is not finite and above 0.
    #[must_use]
    #[track_caller]
    pub fn new(beta: f64, average: Average) -> FBeta {
        FBeta { average, decision: Decision::Argmax, beta: Bounds::ABOVE_0.check("fbeta", "beta", beta) }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> FBeta {
        let at = Bounds::FINITE.check("fbeta", "threshold", at);
        FBeta { decision: Decision::Threshold(at), ..self }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> FBeta {
        let at = Bounds::FINITE.check("fbeta", "threshold", at);
        FBeta { decision: Decision::Labels(at), ..self }
    }
}

impl Metric for FBeta {
    fn name(&self) -> String {
        self.average.title(&format!("f{}", self.beta))
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        self.average.count("fbeta", self.decision, y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        let square = self.beta * self.beta;
        ClassCounts::from_counts(counts).over(self.average, self.decision, |right, predicted, actual| {
            ((1.0 + square) * right, square * actual + predicted)
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::averaged(KIND.name, self.average, self.decision).with_option("beta", self.beta))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "fbeta",
    "Precision and recall in one number, where recall counts beta times as much.",
    |args, ()| {
        let average = super::average_from(args)?;
        let beta = Bounds::ABOVE_0
            .optional(args, "beta")?
            .ok_or_else(|| args.error("beta", "`beta` is missing").help("add `beta = 2.0`"))?;
        let decision = super::decision_from(args)?;
        Ok(Box::new(FBeta { decision, ..FBeta::new(beta, average) }))
    },
)
.options(&[
    super::AVERAGE,
    ("beta", "how much more recall counts than precision"),
    super::THRESHOLD,
    super::MULTILABEL,
])
.example(|| Entry::new("fbeta").with_option("beta", 2.0));

#[test]
fn with_beta_1_it_is_f1() {
    use mapsto_tensor::prelude::*;
    let (y, t) = (tensor![[2.0, 1.0], [3.0, 1.0], [0.0, 1.0], [1.0, 0.0]], tensor![0, 1, 1, 0]);
    for average in [Average::Macro, Average::Micro, Average::Weighted, Average::Class(1)] {
        let (a, b) = (FBeta::new(1.0, average), super::F1::new(average));
        assert_eq!(a.value(&a.count(&y, &t).unwrap()), b.value(&b.count(&y, &t).unwrap()));
    }
    assert_eq!(FBeta::new(0.5, Average::Macro).name(), "macro f0.5");
}
