//! Accuracy: the share of samples given their own class.

use super::decision::label_columns;
use super::{Better, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// The share of samples whose predicted class is the true one.
///
/// `accuracy = right / samples`. Equal to scikit-learn's `accuracy_score`.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; with [`Accuracy::threshold`], two
///   tensors of one shape, the target 0 or 1; with [`Accuracy::labels`], two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `accuracy_score`; torchmetrics: `Accuracy`, and `MultilabelExactMatch` of labels; Keras: `Accuracy`, `BinaryAccuracy`, `SparseCategoricalAccuracy`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Accuracy, Metric};
/// let y = tensor![[2.0, 1.0, 0.0], [0.0, 1.0, 3.0], [0.0, 1.0, 0.5], [1.0, 0.0, 0.0]];
/// let counts = Accuracy::new().count(&y, &tensor![0, 2, 1, 2]).unwrap();
/// assert_eq!(Accuracy::new().value(&counts), 0.75);
/// ```
#[derive(Clone, Debug)]
pub struct Accuracy {
    decision: Decision,
}

impl Accuracy {
    /// The class is the one with the largest score; the first of equals.
    #[must_use]
    pub fn new() -> Accuracy {
        Accuracy { decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(at: f64) -> Accuracy {
        let at = Bounds::FINITE.check("accuracy", "threshold", at);
        Accuracy { decision: Decision::Threshold(at) }
    }

    /// Several labels a sample, one a column, given where its output reaches `at`: a sample is right where all are (scikit-learn's
    /// subset accuracy). The share of single labels is `1 − hamming`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(at: f64) -> Accuracy {
        let at = Bounds::FINITE.check("accuracy", "threshold", at);
        Accuracy { decision: Decision::Labels(at) }
    }
}

impl Default for Accuracy {
    fn default() -> Accuracy {
        Accuracy::new()
    }
}

impl Metric for Accuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let decided = self.decision.decide("accuracy", y, target)?;
        let each = match self.decision {
            Decision::Labels(_) => label_columns("accuracy", y)?,
            _ => 1,
        };
        let samples = decided.predicted.chunks_exact(each).zip(decided.actual.chunks_exact(each));
        let right = samples.filter(|(p, a)| p == a).count();
        Ok(Counts::whole(vec![right as u64, (decided.actual.len() / each) as u64]))
    }

    fn value(&self, counts: &Counts) -> f64 {
        share(counts)
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::decided(Entry::new(KIND.name), self.decision))
    }
}

/// Of `[part, whole]`, the share.
pub(super) fn share(counts: &Counts) -> f64 {
    match counts.whole[..] {
        [part, whole] if whole > 0 => part as f64 / whole as f64,
        _ => f64::NAN,
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("accuracy", "The share of samples given their own class.", |args, ()| {
        Ok(Box::new(Accuracy { decision: super::decision_from(args)? }))
    })
    .options(&[super::THRESHOLD, super::MULTILABEL]);

#[test]
fn of_nothing_is_not_a_number() {
    assert!(Accuracy::new().value(&Counts::default()).is_nan());
}
