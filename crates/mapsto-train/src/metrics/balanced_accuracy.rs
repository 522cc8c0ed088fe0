//! Balanced accuracy: accuracy where each class counts as much as any other.

use super::{Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// The mean of the recalls of the classes that occur: a model that always says the most frequent class has one over their number
/// (Brodersen et al. 2010).
///
/// `balanced accuracy = mean over classes of right / actual`.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; with a threshold two tensors of one shape, the target 0 or 1.
/// * scikit-learn: `balanced_accuracy_score`; torchmetrics: `Accuracy(average="macro")`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{BalancedAccuracy, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let metric = BalancedAccuracy::new();
/// let counts = metric.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(metric.value(&counts), (1.0 / 3.0 + 1.0) / 2.0);
/// ```
#[derive(Clone, Debug)]
pub struct BalancedAccuracy {
    decision: Decision,
}

impl BalancedAccuracy {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new() -> BalancedAccuracy {
        BalancedAccuracy { decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> BalancedAccuracy {
        let at = Bounds::FINITE.check("balanced_accuracy", "threshold", at);
        BalancedAccuracy { decision: Decision::Threshold(at) }
    }
}

impl Metric for BalancedAccuracy {
    fn name(&self) -> String {
        "balanced accuracy".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        Ok(ClassCounts::read("balanced_accuracy", self.decision, y, target)?.into_counts())
    }

    fn value(&self, counts: &Counts) -> f64 {
        let classes = ClassCounts::from_counts(counts);
        let there = || (0..classes.actual.len()).filter(|&c| classes.actual[c] > 0);
        there().map(|c| classes.right[c] as f64 / classes.actual[c] as f64).sum::<f64>()
            / there().count() as f64
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::decided(Entry::new(KIND.name), self.decision))
    }
}

impl Default for BalancedAccuracy {
    fn default() -> BalancedAccuracy {
        BalancedAccuracy::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("balanced_accuracy", "The mean of the recalls of all classes that occur.", |args, ()| {
        Ok(Box::new(BalancedAccuracy {
            decision: super::threshold_from(args)?.map_or(Decision::Argmax, Decision::Threshold),
        }))
    })
    .options(&[super::THRESHOLD]);

#[test]
fn a_class_without_samples_is_left_out() {
    use mapsto_tensor::prelude::*;
    let metric = BalancedAccuracy::new();
    let counts = metric.count(&tensor![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], &tensor![0, 1]).unwrap();
    assert_eq!(metric.value(&counts), 0.5);
    assert!(metric.value(&Counts::default()).is_nan());
}
