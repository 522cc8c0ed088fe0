//! Matthews' correlation: how well predicted and true classes go together, for classes of any size.

use super::{Better, ClassCounts, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Matthews' correlation coefficient: the correlation between predicted and true classes, from −1 to 1, where 0 is chance
/// (Matthews 1975; for many classes Gorodkin 2004).
///
/// `mcc = (c s − Σ pₖ tₖ) / √((s² − Σ pₖ²) (s² − Σ tₖ²))`, with `s` samples, `c` right, `pₖ` given class `k` and `tₖ` that have it;
/// 0 where a factor is 0. The counts are multiplied as whole numbers.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; with a threshold two tensors of one shape, the target 0 or 1.
/// * scikit-learn: `matthews_corrcoef`; torchmetrics: `MatthewsCorrCoef`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Mcc, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let counts = Mcc::new().count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert_eq!(Mcc::new().value(&counts), 1.0 / 3.0); // (2 · 4 − 6) / √(6 · 6)
/// ```
#[derive(Clone, Debug)]
pub struct Mcc {
    decision: Decision,
}

impl Mcc {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new() -> Mcc {
        Mcc { decision: Decision::Argmax }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> Mcc {
        let at = Bounds::FINITE.check("mcc", "threshold", at);
        Mcc { decision: Decision::Threshold(at) }
    }
}

impl Metric for Mcc {
    fn name(&self) -> String {
        "mcc".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        Ok(ClassCounts::read("mcc", self.decision, y, target)?.into_counts())
    }

    fn value(&self, counts: &Counts) -> f64 {
        let classes = ClassCounts::from_counts(counts);
        let sum = |of: &[u64]| of.iter().map(|&n| i128::from(n)).sum::<i128>();
        let dot = |a: &[u64], b: &[u64]| {
            a.iter().zip(b).map(|(&a, &b)| i128::from(a) * i128::from(b)).sum::<i128>()
        };
        let (s, c) = (sum(&classes.actual), sum(&classes.right));
        if s == 0 {
            return f64::NAN;
        }
        let given = s * s - dot(&classes.predicted, &classes.predicted);
        let there = s * s - dot(&classes.actual, &classes.actual);
        if given == 0 || there == 0 {
            return 0.0;
        }
        let both = c * s - dot(&classes.predicted, &classes.actual);
        both as f64 / (given as f64 * there as f64).sqrt()
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::decided(Entry::new(KIND.name), self.decision))
    }
}

impl Default for Mcc {
    fn default() -> Mcc {
        Mcc::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("mcc", "Matthews' correlation of predicted and true classes, -1 to 1.", |args, ()| {
        Ok(Box::new(Mcc {
            decision: super::threshold_from(args)?.map_or(Decision::Argmax, Decision::Threshold),
        }))
    })
    .options(&[super::THRESHOLD]);

#[test]
fn one_class_alone_says_nothing() {
    use mapsto_tensor::prelude::*;
    let of = |y: Tensor, t: Tensor| Mcc::new().value(&Mcc::new().count(&y, &t).unwrap());
    assert_eq!(of(tensor![[1.0, 0.0], [1.0, 0.0]], tensor![0, 1]), 0.0);
    assert_eq!(of(tensor![[1.0, 0.0], [0.0, 1.0]], tensor![1, 0]), -1.0);
}
