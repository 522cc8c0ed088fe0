//! Jaccard index (intersection over union): how much of what was called or is a class was both.

use super::{Average, Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Jaccard index, or intersection over union (IoU): of the samples that were given a class or have it, the share where both is so
/// (Jaccard 1901).
///
/// `jaccard = right / (predicted + actual − right)`. Macro is the mean IoU (mIoU) of segmentation, where outputs are
/// `[n, h, w, classes]`. Macro, micro, weighted or of one class ([`Average`]); 0 / 0 counts as 0.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `jaccard_score`; torchmetrics: `JaccardIndex`; Keras: `IoU`, `MeanIoU`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Average, Jaccard, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let iou = Jaccard::new(Average::Class(1));
/// let counts = iou.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(iou.value(&counts), 1.0 / 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct Jaccard {
    average: Average,
    decision: Decision,
}

impl Jaccard {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new(average: Average) -> Jaccard {
        Jaccard { average, decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> Jaccard {
        let at = Bounds::FINITE.check("jaccard", "threshold", at);
        Jaccard { decision: Decision::Threshold(at), ..self }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> Jaccard {
        let at = Bounds::FINITE.check("jaccard", "threshold", at);
        Jaccard { decision: Decision::Labels(at), ..self }
    }
}

impl Metric for Jaccard {
    fn name(&self) -> String {
        self.average.title("jaccard")
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        self.average.count("jaccard", self.decision, y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        ClassCounts::from_counts(counts)
            .over(self.average, self.decision, |right, predicted, actual| (right, predicted + actual - right))
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::averaged(KIND.name, self.average, self.decision))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "jaccard",
    "Intersection over union (IoU): macro, micro, weighted or a class.",
    |args, ()| {
        let average = super::average_from(args)?;
        Ok(Box::new(Jaccard { average, decision: super::decision_from(args)? }))
    },
)
.options(&[super::AVERAGE, super::THRESHOLD, super::MULTILABEL]);

#[test]
fn it_is_f1_over_2_minus_f1() {
    use mapsto_tensor::prelude::*;
    let (y, t) = (tensor![[2.0, 1.0], [3.0, 1.0], [0.0, 1.0], [1.0, 0.0]], tensor![0, 1, 1, 0]);
    let (a, b) = (Jaccard::new(Average::Class(1)), super::F1::new(Average::Class(1)));
    let (iou, f1) = (a.value(&a.count(&y, &t).unwrap()), b.value(&b.count(&y, &t).unwrap()));
    assert!((iou - f1 / (2.0 - f1)).abs() < 1e-15);
}
