//! Mean reciprocal rank: how far up the first relevant item is.

use super::{Better, Counts, Metric, MetricKind, Queries};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean over rows of `1 / rank` of the best-scored relevant item (relevance above 0); 0 for a row without any (Voorhees 1999).
///
/// * Shape: outputs `[.., items]`, relevance `[.., items]` of at least 0, or the number of the one relevant item `[..]`.
/// * scikit-learn: `label_ranking_average_precision_score`, of one relevant item; torchmetrics: `RetrievalMRR`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Mrr};
/// let y = tensor![[0.1, 0.9, 0.5, 0.0], [0.8, 0.3, 0.2, 0.1]];
/// let relevant = tensor![[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
/// assert_eq!(Mrr::new().value(&Mrr::new().count(&y, &relevant).unwrap()), 0.75); // ranks 2 and 1
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mrr(());

impl Mrr {
    /// Of all items.
    #[must_use]
    pub fn new() -> Mrr {
        Mrr(())
    }
}

impl Metric for Mrr {
    fn name(&self) -> String {
        "mrr".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let queries = Queries::read("mrr", y, target)?;
        let first = |i: usize| queries.ranked(i).iter().position(|r| *r > 0.0);
        Ok(queries.mean(|i| first(i).map_or(0.0, |rank| 1.0 / (rank + 1) as f64)))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("mrr", "The mean of 1 / rank of the first relevant item.", |_, ()| {
        Ok(Box::new(Mrr::new()))
    });

#[test]
fn nothing_relevant_counts_as_0() {
    use mapsto_tensor::prelude::*;
    let counts =
        Mrr::new().count(&tensor![[0.1, 0.2], [0.1, 0.2]], &tensor![[0.0, 0.0], [1.0, 0.0]]).unwrap();
    assert_eq!(Mrr::new().value(&counts), 0.25);
}
