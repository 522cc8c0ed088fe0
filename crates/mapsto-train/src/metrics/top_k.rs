//! Top-k accuracy: the share of samples whose class is among the k best-scored.

use super::accuracy::share;
use super::decision::{class_count, refuse_nan, true_classes};
use super::{Better, Counts, Metric, MetricKind, floats};
use mapsto_spec::Entry;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// The share of samples whose true class has one of the `k` largest scores.
///
/// Among equal scores the higher class id counts as larger, as in scikit-learn's `top_k_accuracy_score`.
///
/// * Shape: outputs `[.., classes]`, target class ids `[..]` or probabilities `[.., classes]`.
/// * scikit-learn: `top_k_accuracy_score`; torchmetrics: `Accuracy(top_k=k)`; Keras: `SparseTopKCategoricalAccuracy`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, TopK};
/// let y = tensor![[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]];
/// let counts = TopK::new(2).count(&y, &tensor![0, 1, 2, 2]).unwrap();
/// assert_eq!(TopK::new(2).value(&counts), 0.75);
/// ```
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
}

impl TopK {
    /// Among the best `k`.
    ///
    /// # Panics
    /// When `k` is 0.
    #[must_use]
    #[track_caller]
    pub fn new(k: usize) -> TopK {
        if k == 0 {
            mapsto_tensor::fail!("top_k", "k must be at least 1, got 0");
        }
        TopK { k }
    }
}

impl Metric for TopK {
    fn name(&self) -> String {
        format!("top-{} accuracy", self.k)
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let classes = class_count("top_k", y)?;
        if self.k >= classes {
            return Err(Error::new(
                ErrorKind::Model,
                format!("top_k: the best {} of {classes} classes are always right", self.k),
            )
            .help(format!("choose k below {classes}")));
        }
        refuse_nan("top_k", "output", y)?;
        let actual = true_classes("top_k", y.shape(), target)?;
        let scores = floats(y);
        let right =
            scores.chunks_exact(classes).zip(&actual).filter(|(row, a)| rank(row, **a) < self.k).count();
        Ok(Counts::whole(vec![right as u64, actual.len() as u64]))
    }

    fn value(&self, counts: &Counts) -> f64 {
        share(counts)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.k))
    }
}

/// How many classes come before `class`.
fn rank(row: &[f64], class: usize) -> usize {
    let own = row[class];
    row.iter().enumerate().filter(|&(i, &v)| v > own || (v == own && i > class)).count()
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "top_k",
    "The share of samples whose class has one of the k largest scores.",
    |args, ()| {
        let k = args.main::<usize>()?;
        if k == 0 {
            return Err(args.error("", "k must be at least 1, got 0"));
        }
        Ok(Box::new(TopK::new(k)))
    },
)
.options(&[("", "how many of the largest scores count")])
.example(|| Entry::new("top_k").with_value(2_usize));

#[test]
fn all_of_the_classes_is_an_error() {
    use mapsto_tensor::prelude::*;
    let error = TopK::new(2).count(&tensor![[0.1, 0.2]], &tensor![1]).unwrap_err();
    assert!(error.to_string().contains("always right"));
}
