//! Recall@k: how much of what is relevant is among the best k.

use super::{Better, Counts, Metric, MetricKind, Queries};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean over rows of the share of relevant items (relevance above 0) that are among the `k` best-scored; 0 for a row without any,
/// as in torchmetrics.
///
/// * Shape: outputs `[.., items]`, relevance `[.., items]` of at least 0, or the number of the one relevant item `[..]`.
/// * scikit-learn has none; torchmetrics: `RetrievalRecall(top_k=k)`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, RecallAtK};
/// let y = tensor![[0.1, 0.9, 0.5, 0.0], [0.8, 0.3, 0.2, 0.1]];
/// let relevant = tensor![[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
/// let metric = RecallAtK::new(2);
/// assert_eq!(metric.value(&metric.count(&y, &relevant).unwrap()), 0.75);
/// ```
#[derive(Clone, Debug)]
pub struct RecallAtK {
    k: usize,
}

impl RecallAtK {
    /// Among the best `k` items.
    ///
    /// # Panics
    /// When `k` is 0.
    #[must_use]
    #[track_caller]
    pub fn new(k: usize) -> RecallAtK {
        if k == 0 {
            mapsto_tensor::fail!("recall_at_k", "k must be at least 1, got 0");
        }
        RecallAtK { k }
    }
}

impl Metric for RecallAtK {
    fn name(&self) -> String {
        format!("recall@{}", self.k)
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let queries = Queries::read("recall_at_k", y, target)?;
        queries.check_k("recall_at_k", self.k)?;
        let recall = |i: usize| {
            let ranked = queries.ranked(i);
            let count = |of: &[f64]| of.iter().filter(|r| **r > 0.0).count();
            count(&ranked[..self.k]) as f64 / count(&ranked).max(1) as f64
        };
        Ok(queries.mean(recall))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.k))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "recall_at_k",
    "The share of relevant items that are among the k best-scored.",
    |args, ()| match args.main::<usize>()? {
        0 => Err(args.error("", "k must be at least 1, got 0")),
        k => Ok(Box::new(RecallAtK::new(k))),
    },
)
.options(&[("", "how many of the best-scored items count")])
.example(|| Entry::new("recall_at_k").with_value(2_usize));

#[test]
fn more_than_all_items_is_an_error() {
    use mapsto_tensor::prelude::*;
    let e = RecallAtK::new(3).count(&tensor![[0.1, 0.2]], &tensor![1]).unwrap_err();
    assert!(e.to_string().contains("no best 3 of 2"), "{e}");
}
