//! Hit rate@k: whether anything relevant is among the best k.

use super::{Better, Counts, Metric, MetricKind, Queries};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The share of rows in which at least one relevant item (relevance above 0) is among the `k` best-scored.
///
/// * Shape: outputs `[.., items]`, relevance `[.., items]` of at least 0, or the number of the one relevant item `[..]`.
/// * scikit-learn: `top_k_accuracy_score`, of one relevant item; torchmetrics: `RetrievalHitRate(top_k=k)`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{HitRate, Metric};
/// let y = tensor![[0.1, 0.9, 0.5, 0.0], [0.8, 0.3, 0.2, 0.1]];
/// let relevant = tensor![[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
/// assert_eq!(HitRate::new(1).value(&HitRate::new(1).count(&y, &relevant).unwrap()), 0.5);
/// ```
#[derive(Clone, Debug)]
pub struct HitRate {
    k: usize,
}

impl HitRate {
    /// Among the best `k` items.
    ///
    /// # Panics
    /// When `k` is 0.
    #[must_use]
    #[track_caller]
    pub fn new(k: usize) -> HitRate {
        if k == 0 {
            mapsto_tensor::fail!("hit_rate", "k must be at least 1, got 0");
        }
        HitRate { k }
    }
}

impl Metric for HitRate {
    fn name(&self) -> String {
        format!("hit rate@{}", self.k)
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let queries = Queries::read("hit_rate", y, target)?;
        queries.check_k("hit_rate", self.k)?;
        Ok(queries.mean(|i| f64::from(u8::from(queries.ranked(i)[..self.k].iter().any(|r| *r > 0.0)))))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.k))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "hit_rate",
    "The share of rows with a relevant item among the k best-scored.",
    |args, ()| match args.main::<usize>()? {
        0 => Err(args.error("", "k must be at least 1, got 0")),
        k => Ok(Box::new(HitRate::new(k))),
    },
)
.options(&[("", "how many of the best-scored items count")])
.example(|| Entry::new("hit_rate").with_value(2_usize));

#[test]
fn one_relevant_item_makes_it_top_k_accuracy() {
    use mapsto_tensor::prelude::*;
    let (y, t) = (tensor![[0.5, 0.5, 0.1], [0.2, 0.1, 0.3], [0.4, 0.5, 0.3]], tensor![0, 1, 0]);
    let (a, b) = (HitRate::new(2), super::TopK::new(2));
    assert_eq!(a.value(&a.count(&y, &t).unwrap()), b.value(&b.count(&y, &t).unwrap()));
}
