//! Recall: how much of a class was found.

use super::{Average, Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Recall: of the samples that have a class, the share that was given it.
///
/// `recall = right / actual`. Macro, micro, weighted or of one class ([`Average`]); 0 / 0 counts as 0. Equal to scikit-learn's
/// `recall_score`.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `recall_score`; torchmetrics: `Recall`; Keras: `Recall`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Recall, Average, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let recall = Recall::new(Average::Class(1));
/// let counts = recall.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(recall.value(&counts), 1.0);
/// ```
#[derive(Clone, Debug)]
pub struct Recall {
    average: Average,
    decision: Decision,
}

impl Recall {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new(average: Average) -> Recall {
        Recall { average, decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> Recall {
        let at = Bounds::FINITE.check("recall", "threshold", at);
        Recall { decision: Decision::Threshold(at), ..self }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> Recall {
        let at = Bounds::FINITE.check("recall", "threshold", at);
        Recall { decision: Decision::Labels(at), ..self }
    }
}

impl Metric for Recall {
    fn name(&self) -> String {
        match self.average {
            Average::Class(c) => format!("recall of class {c}"),
            average => format!("{} recall", average.name()),
        }
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        self.average.count("recall", self.decision, y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        ClassCounts::from_counts(counts).over(self.average, self.decision, |right, _, actual| (right, actual))
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::averaged(KIND.name, self.average, self.decision))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "recall",
    "Of the samples that have a class, the share that was given it: macro, micro, weighted or a class.",
    |args, ()| {
        let metric = Recall::new(super::average_from(args)?);
        let decision = super::decision_from(args)?;
        Ok(Box::new(Recall { decision, ..metric }))
    },
)
.options(&[
    ("", "how classes are averaged: `\"macro\"`, `\"micro\"`, `\"weighted\"`, or the number of one class"),
    super::THRESHOLD,
    super::MULTILABEL,
]);

#[test]
fn micro_is_accuracy() {
    // Of all samples together, recall is the share of right answers.
    let (y, target) = (
        mapsto_tensor::tensor![[2.0, 1.0], [3.0, 1.0], [0.0, 1.0], [1.0, 0.0]],
        mapsto_tensor::tensor![0, 1, 1, 0],
    );
    for (metric, expected) in
        [(Recall::new(Average::Micro), 0.75), (Recall::new(Average::Weighted), (2.0 * 1.0 + 2.0 * 0.5) / 4.0)]
    {
        assert_eq!(metric.value(&metric.count(&y, &target).unwrap()), expected);
    }
}
