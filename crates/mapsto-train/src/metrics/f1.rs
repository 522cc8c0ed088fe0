//! F1: precision and recall in one number, which is high only when both are.

use super::{Average, Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// F1: the harmonic mean of precision and recall.
///
/// `F1 = 2 right / (predicted + actual)`. Macro, micro, weighted or of one class ([`Average`]); 0 / 0 counts as 0. Equal to scikit-learn's
/// `f1_score`.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `f1_score`; torchmetrics: `F1Score`; Keras: `F1Score`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{F1, Average, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let f1 = F1::new(Average::Class(1));
/// let counts = f1.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(f1.value(&counts), 0.5);
/// ```
#[derive(Clone, Debug)]
pub struct F1 {
    average: Average,
    decision: Decision,
}

impl F1 {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new(average: Average) -> F1 {
        F1 { average, decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> F1 {
        let at = Bounds::FINITE.check("f1", "threshold", at);
        F1 { decision: Decision::Threshold(at), ..self }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> F1 {
        let at = Bounds::FINITE.check("f1", "threshold", at);
        F1 { decision: Decision::Labels(at), ..self }
    }
}

impl Metric for F1 {
    fn name(&self) -> String {
        match self.average {
            Average::Class(c) => format!("f1 of class {c}"),
            average => format!("{} f1", average.name()),
        }
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        self.average.count("f1", self.decision, y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        ClassCounts::from_counts(counts)
            .over(self.average, self.decision, |right, predicted, actual| (2.0 * right, predicted + actual))
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::averaged(KIND.name, self.average, self.decision))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "f1",
    "The harmonic mean of precision and recall: macro, micro, weighted or a class.",
    |args, ()| {
        let metric = F1::new(super::average_from(args)?);
        let decision = super::decision_from(args)?;
        Ok(Box::new(F1 { decision, ..metric }))
    },
)
.options(&[
    ("", "how classes are averaged: `\"macro\"`, `\"micro\"`, `\"weighted\"`, or the number of one class"),
    super::THRESHOLD,
    super::MULTILABEL,
]);

#[test]
fn between_precision_and_recall() {
    // Class 1: precision 1, recall 1/2, so F1 = 2 · 1 · ½ / (1 + ½); class 0: 2/3 and 1.
    let (y, target) = (
        mapsto_tensor::tensor![[2.0, 1.0], [3.0, 1.0], [0.0, 1.0], [1.0, 0.0]],
        mapsto_tensor::tensor![0, 1, 1, 0],
    );
    for (metric, expected) in
        [(F1::new(Average::Class(1)), 2.0 / 3.0), (F1::new(Average::Class(0)), 4.0 / 5.0)]
    {
        assert_eq!(metric.value(&metric.count(&y, &target).unwrap()), expected);
    }
}
