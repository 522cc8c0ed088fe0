//! Precision: how much of what was called a class is that class.

use super::{Average, Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Precision: of the samples given a class, the share that has it.
///
/// `precision = right / predicted`. Macro, micro, weighted or of one class ([`Average`]); 0 / 0 counts as 0. Equal to scikit-learn's
/// `precision_score`.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `precision_score`; torchmetrics: `Precision`; Keras: `Precision`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Precision, Average, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let precision = Precision::new(Average::Class(1));
/// let counts = precision.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(precision.value(&counts), 1.0 / 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct Precision {
    average: Average,
    decision: Decision,
}

impl Precision {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new(average: Average) -> Precision {
        Precision { average, decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> Precision {
        let at = Bounds::FINITE.check("precision", "threshold", at);
        Precision { decision: Decision::Threshold(at), ..self }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> Precision {
        let at = Bounds::FINITE.check("precision", "threshold", at);
        Precision { decision: Decision::Labels(at), ..self }
    }
}

impl Metric for Precision {
    fn name(&self) -> String {
        match self.average {
            Average::Class(c) => format!("precision of class {c}"),
            average => format!("{} precision", average.name()),
        }
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        self.average.count("precision", self.decision, y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        ClassCounts::from_counts(counts)
            .over(self.average, self.decision, |right, predicted, _| (right, predicted))
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::averaged(KIND.name, self.average, self.decision))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "precision",
    "Of the samples given a class, the share that has it: macro, micro, weighted or a class.",
    |args, ()| {
        let metric = Precision::new(super::average_from(args)?);
        let decision = super::decision_from(args)?;
        Ok(Box::new(Precision { decision, ..metric }))
    },
)
.options(&[
    ("", "how classes are averaged: `\"macro\"`, `\"micro\"`, `\"weighted\"`, or the number of one class"),
    super::THRESHOLD,
    super::MULTILABEL,
]);

#[test]
fn never_predicted_is_zero() {
    // A class that is never predicted has no precision: 0, as scikit-learn with `zero_division=0`.
    let (y, target) = (mapsto_tensor::tensor![[2.0, 1.0], [3.0, 1.0]], mapsto_tensor::tensor![0, 1]);
    for (metric, expected) in
        [(Precision::new(Average::Class(1)), 0.0), (Precision::new(Average::Macro), (1.0 / 2.0 + 0.0) / 2.0)]
    {
        assert_eq!(metric.value(&metric.count(&y, &target).unwrap()), expected);
    }
}
