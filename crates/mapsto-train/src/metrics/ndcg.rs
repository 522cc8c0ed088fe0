//! NDCG@k: how near a ranking is to the best one, where the top counts most.

use super::{Better, Counts, Metric, MetricKind, Queries};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// Normalised discounted cumulative gain: the mean over rows of `DCG / best DCG`, with `DCG = Σ relevance / log₂(1 + rank)` over the best
/// `k` items, or all (Järvelin, Kekäläinen 2002).
///
/// Items of equal score share their discounts, as in scikit-learn; a row where nothing is relevant counts as 0.
///
/// * Shape: outputs `[.., items]`, relevance `[.., items]` of at least 0, or the number of the one relevant item `[..]`.
/// * scikit-learn: `ndcg_score`; torchmetrics: `RetrievalNormalizedDCG`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Ndcg};
/// let y = tensor![[0.1, 0.9, 0.5, 0.0], [0.8, 0.3, 0.2, 0.1]];
/// let relevant = tensor![[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
/// let value = Ndcg::new().value(&Ndcg::new().count(&y, &relevant).unwrap());
/// let first = (1.0 / 3f64.log2() + 1.0 / 2.0) / (1.0 + 1.0 / 3f64.log2()); // ranks 2 and 3 in place of 1 and 2
/// assert!((value - (first + 1.0) / 2.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct Ndcg {
    k: Option<usize>,
}

impl Ndcg {
    /// Of all items.
    #[must_use]
    pub fn new() -> Ndcg {
        Ndcg { k: None }
    }

    /// Of the best `k` items.
    ///
    /// # Panics
    /// When `k` is 0.
    #[must_use]
    #[track_caller]
    pub fn at(k: usize) -> Ndcg {
        if k == 0 {
            mapsto_tensor::fail!("ndcg", "k must be at least 1, got 0");
        }
        Ndcg { k: Some(k) }
    }
}

impl Metric for Ndcg {
    fn name(&self) -> String {
        self.k.map_or("ndcg".into(), |k| format!("ndcg@{k}"))
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let queries = Queries::read("ndcg", y, target)?;
        if let Some(k) = self.k {
            queries.check_k("ndcg", k)?;
        }
        Ok(queries.mean(|i| {
            let (scores, relevance) = queries.row(i);
            let k = self.k.unwrap_or(scores.len());
            let best = gain(relevance, relevance, k);
            if best == 0.0 { 0.0 } else { gain(scores, relevance, k) / best }
        }))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(self.k.into_iter().fold(Entry::new(KIND.name), Entry::with_value))
    }
}

/// The discounted gain of the first `k` items by their scores; items of equal score share what their places give.
fn gain(scores: &[f64], relevance: &[f64], k: usize) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut sum, mut place) = (0.0, 0);
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let places = place..(place + group.len()).min(k.max(place));
        let discounts: f64 = places.map(|at| 1.0 / ((at + 2) as f64).log2()).sum();
        let mean = group.iter().map(|&i| relevance[i]).sum::<f64>() / group.len() as f64;
        sum += mean * discounts;
        place += group.len();
    }
    sum
}

impl Default for Ndcg {
    fn default() -> Ndcg {
        Ndcg::new()
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "ndcg",
    "How near a ranking is to the best one, where the top counts most.",
    |args, ()| {
        Ok(Box::new(match args.main_optional::<usize>()? {
            Some(0) => return Err(args.error("", "k must be at least 1, got 0")),
            Some(k) => Ndcg::at(k),
            None => Ndcg::new(),
        }))
    },
)
.options(&[("", "how many of the best-scored items count; all where it is left out")]);

#[test]
fn equal_scores_share_their_discounts() {
    use mapsto_tensor::prelude::*;
    let counts = Ndcg::new().count(&tensor![[0.5, 0.5]], &tensor![[1.0, 0.0]]).unwrap();
    let expected = (1.0 + 1.0 / 3f64.log2()) / 2.0;
    assert!((Ndcg::new().value(&counts) - expected).abs() < 1e-15);
    assert_eq!(
        Ndcg::at(1).value(&Ndcg::at(1).count(&tensor![[0.5, 0.5]], &tensor![[1.0, 0.0]]).unwrap()),
        0.5
    );
}
