//! Rankings: each row of outputs orders items for one query, and the target says which of them are relevant.

use super::decision::{class_count, refuse_nan, true_classes};
use super::{Counts, ExactSum, floats};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Scores of items, row by row, beside their relevance.
///
/// Among equal scores the item with the higher number comes first, as in [`TopK`](super::TopK).
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::Queries;
/// let queries = Queries::read("mrr", &tensor![[0.1, 0.9, 0.5]], &tensor![[1.0, 0.0, 1.0]]).unwrap();
/// assert_eq!(queries.ranked(0), [0.0, 1.0, 1.0]); // the relevance of the best item, of the second, of the last
/// ```
#[derive(Clone, Debug)]
pub struct Queries {
    items: usize,
    scores: Vec<f64>,
    relevance: Vec<f64>,
}

impl Queries {
    /// Reads a batch.
    ///
    /// * Shape: outputs `[.., items]`, relevance `[.., items]` of at least 0, or the number of the one relevant item `[..]`.
    ///
    /// # Errors
    /// Shapes that do not fit, NaN, relevance below 0, items outside the row.
    pub fn read(who: &str, y: &Tensor, target: &Tensor) -> Result<Queries> {
        let items = class_count(who, y)?;
        refuse_nan(who, "output", y)?;
        let relevance = if target.shape() == y.shape() {
            refuse_nan(who, "target", target)?;
            floats(target)
        } else {
            let mut relevance = vec![0.0; y.len()];
            for (row, item) in true_classes(who, y.shape(), target)?.into_iter().enumerate() {
                relevance[row * items + item] = 1.0;
            }
            relevance
        };
        if let Some(at) = relevance.iter().position(|r| *r < 0.0 || r.is_infinite()) {
            let message = format!(
                "{who}: the relevance {} of item {} in row {} is below 0 or infinite",
                relevance[at],
                at % items,
                at / items
            );
            return Err(Error::new(ErrorKind::Data, message)
                .help("relevance is 0 for what is of no use, and more for what is"));
        }
        Ok(Queries { items, scores: floats(y).into_iter().map(|v| v + 0.0).collect(), relevance })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len() / self.items
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Scores and relevance of a row's items, as they stand.
    pub(super) fn row(&self, i: usize) -> (&[f64], &[f64]) {
        let at = i * self.items..(i + 1) * self.items;
        (&self.scores[at.clone()], &self.relevance[at])
    }

    /// The relevance of a row's items, the best-scored first.
    #[must_use]
    pub fn ranked(&self, i: usize) -> Vec<f64> {
        let (scores, relevance) = self.row(i);
        let mut order: Vec<usize> = (0..self.items).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(b.cmp(&a)));
        order.into_iter().map(|item| relevance[item]).collect()
    }

    /// The counts of the mean of a number over the rows.
    pub(super) fn mean(&self, f: impl Fn(usize) -> f64) -> Counts {
        Counts::mean((0..self.len()).map(f).collect::<ExactSum>(), self.len())
    }

    /// Refuses to look at more of the best items than there are.
    pub(super) fn check_k(&self, who: &str, k: usize) -> Result<()> {
        if k <= self.items {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Model, format!("{who}: there are no best {k} of {} items", self.items))
            .help(format!("choose k up to {}", self.items)))
    }
}

#[test]
fn item_numbers_are_relevance_too() {
    use mapsto_tensor::prelude::*;
    let y = tensor![[0.1, 0.9, 0.9], [0.3, 0.2, 0.1]];
    let by_number = Queries::read("m", &y, &tensor![1, 0]).unwrap();
    assert_eq!((by_number.ranked(0), by_number.ranked(1)), (vec![0.0, 1.0, 0.0], vec![1.0, 0.0, 0.0]));
    let below = Queries::read("m", &y, &(Tensor::zeros([2, 3]) - 1.0)).unwrap_err();
    assert!(below.to_string().contains("below 0"), "{below}");
}
