//! Hamming loss: the share of labels that are wrong.

use super::{Better, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// The share of decisions that are wrong: of classes `1 − accuracy`, of several labels a sample the share of labels.
///
/// `hamming = wrong / (samples · labels)`.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `hamming_loss`; torchmetrics: `HammingDistance`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Hamming, Metric};
/// let y = tensor![[2.0, -1.0, -1.0], [0.5, 1.0, -2.0]]; // labels 1 0 0 and 1 1 0
/// let metric = Hamming::new().labels(0.0);
/// let counts = metric.count(&y, &tensor![[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]).unwrap();
/// assert_eq!(metric.value(&counts), 2.0 / 6.0);
/// ```
#[derive(Clone, Debug)]
pub struct Hamming {
    decision: Decision,
}

impl Hamming {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new() -> Hamming {
        Hamming { decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> Hamming {
        let at = Bounds::FINITE.check("hamming", "threshold", at);
        Hamming { decision: Decision::Threshold(at) }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> Hamming {
        let at = Bounds::FINITE.check("hamming", "threshold", at);
        Hamming { decision: Decision::Labels(at) }
    }
}

impl Metric for Hamming {
    fn name(&self) -> String {
        "hamming loss".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let decided = self.decision.decide("hamming", y, target)?;
        let wrong = decided.predicted.iter().zip(&decided.actual).filter(|(p, a)| p != a).count();
        Ok(Counts::whole(vec![wrong as u64, decided.actual.len() as u64]))
    }

    fn value(&self, counts: &Counts) -> f64 {
        super::accuracy::share(counts)
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::decided(Entry::new(KIND.name), self.decision))
    }
}

impl Default for Hamming {
    fn default() -> Hamming {
        Hamming::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("hamming", "The share of classes or labels that are wrong.", |args, ()| {
        Ok(Box::new(Hamming { decision: super::decision_from(args)? }))
    })
    .options(&[super::THRESHOLD, super::MULTILABEL]);

#[test]
fn of_classes_it_is_what_accuracy_lacks() {
    use mapsto_tensor::prelude::*;
    let counts = Hamming::new().count(&tensor![[1.0, 0.0], [1.0, 0.0]], &tensor![0, 1]).unwrap();
    assert_eq!(Hamming::new().value(&counts), 0.5);
}
