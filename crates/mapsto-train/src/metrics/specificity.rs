//! Specificity: how much of what is not a class was not called it.

use super::{Average, Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Specificity, the true negative rate: of the samples that do not have a class, the share that was not given it.
///
/// `specificity = (n − predicted − actual + right) / (n − actual)`. Macro, micro, weighted or of one class ([`Average`]); 0 / 0
/// counts as 0.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `recall_score(pos_label=0)`, of two classes; torchmetrics: `Specificity`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Average, Metric, Specificity};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let specificity = Specificity::new(Average::Class(1));
/// let counts = specificity.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(specificity.value(&counts), 1.0 / 3.0); // one of three samples of class 0
/// ```
#[derive(Clone, Debug)]
pub struct Specificity {
    average: Average,
    decision: Decision,
}

impl Specificity {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new(average: Average) -> Specificity {
        Specificity { average, decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> Specificity {
        let at = Bounds::FINITE.check("specificity", "threshold", at);
        Specificity { decision: Decision::Threshold(at), ..self }
    }

    /// Several labels a sample, one a column: each is given where its output reaches `at`.
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn labels(self, at: f64) -> Specificity {
        let at = Bounds::FINITE.check("specificity", "threshold", at);
        Specificity { decision: Decision::Labels(at), ..self }
    }
}

impl Metric for Specificity {
    fn name(&self) -> String {
        self.average.title("specificity")
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let classes = ClassCounts::read("specificity", self.decision, y, target)?;
        self.average.check("specificity", classes.actual.len())?;
        let samples = match self.decision {
            Decision::Labels(_) => target.len() / classes.actual.len(),
            _ => classes.actual.iter().sum::<u64>() as usize,
        };
        let mut counts = Counts::whole(vec![samples as u64]);
        counts.whole.extend(classes.into_counts().whole);
        Ok(counts)
    }

    fn value(&self, counts: &Counts) -> f64 {
        let Some((&n, rest)) = counts.whole.split_first() else { return f64::NAN };
        let classes = ClassCounts::from_counts(&Counts::whole(rest.to_vec()));
        let all =
            if self.average == Average::Micro { n as f64 * classes.actual.len() as f64 } else { n as f64 };
        classes.over(self.average, self.decision, |right, predicted, actual| {
            (all - predicted - actual + right, all - actual)
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::averaged(KIND.name, self.average, self.decision))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "specificity",
    "Of the samples without a class, the share that was not given it: macro, micro, weighted or a class.",
    |args, ()| {
        let average = super::average_from(args)?;
        Ok(Box::new(Specificity { average, decision: super::decision_from(args)? }))
    },
)
.options(&[super::AVERAGE, super::THRESHOLD, super::MULTILABEL]);

#[test]
fn of_two_classes_it_is_the_recall_of_the_other() {
    use mapsto_tensor::prelude::*;
    let (y, t) = (tensor![[2.0, 1.0], [3.0, 1.0], [0.0, 1.0], [0.0, 1.0]], tensor![0, 1, 1, 0]);
    let (a, b) = (Specificity::new(Average::Class(1)), super::Recall::new(Average::Class(0)));
    assert_eq!(a.value(&a.count(&y, &t).unwrap()), b.value(&b.count(&y, &t).unwrap()));
}
