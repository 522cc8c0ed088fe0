//! Spearman's correlation: whether outputs order samples as targets do.

use super::decision::refuse_nan;
use super::moments::columns;
use super::{Better, Counts, Kept, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// Spearman's rank correlation, −1 to 1: Pearson's correlation of ranks, where equal numbers share the mean of their ranks
/// (Spearman 1904).
///
/// NaN where outputs or targets do not vary. Ranks are whole numbers and their sums exact. All pairs are kept until the end, 16
/// bytes each.
///
/// * Shape: two tensors of one shape; `[.., d]` gives the mean over the `d` columns.
/// * scikit-learn: `scipy.stats.spearmanr`; torchmetrics: `SpearmanCorrCoef`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Spearman};
/// let counts = Spearman::new().count(&tensor![1.0, 10.0, 100.0], &tensor![1.0, 2.0, 3.0]).unwrap();
/// assert_eq!(Spearman::new().value(&counts), 1.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Spearman(());

impl Spearman {
    /// Over all samples, column by column.
    #[must_use]
    pub fn new() -> Spearman {
        Spearman(())
    }
}

impl Metric for Spearman {
    fn name(&self) -> String {
        "spearman".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        refuse_nan("spearman", "output", y)?;
        refuse_nan("spearman", "target", target)?;
        let (width, y, t) = columns("spearman", y, target)?;
        let mut kept = Kept::default();
        for (y, t) in y.chunks_exact(width).zip(t.chunks_exact(width)) {
            kept.push(&[y, t].concat());
        }
        Ok(Counts::kept(kept))
    }

    fn value(&self, counts: &Counts) -> f64 {
        let (rows, width) = (counts.kept.sorted(), counts.kept.width() / 2);
        let column = |i: usize| twice_ranks(&rows.iter().map(|row| row[i]).collect::<Vec<f64>>());
        let of = |i: usize| correlation(&column(i), &column(width + i));
        (0..width).map(of).sum::<f64>() / width as f64
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

/// Twice the rank of each value, from 1, where equal values share the mean of theirs.
fn twice_ranks(values: &[f64]) -> Vec<i128> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut from = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let to = from + group.len();
        group.iter().for_each(|&i| ranks[i] = (from + 1 + to) as i128);
        from = to;
    }
    ranks
}

/// Pearson's correlation of whole numbers.
fn correlation(a: &[i128], b: &[i128]) -> f64 {
    let n = a.len() as i128;
    let dot = |a: &[i128], b: &[i128]| a.iter().zip(b).map(|(a, b)| a * b).sum::<i128>();
    let spread =
        |a: &[i128], b: &[i128]| (n * dot(a, b) - a.iter().sum::<i128>() * b.iter().sum::<i128>()) as f64;
    (spread(a, b) / spread(a, a).sqrt() / spread(b, b).sqrt()).clamp(-1.0, 1.0)
}

pub(super) const KIND: MetricKind =
    MetricKind::new("spearman", "Whether outputs order samples as targets do, -1 to 1.", |_, ()| {
        Ok(Box::new(Spearman::new()))
    });

#[test]
fn equal_numbers_share_their_ranks() {
    use mapsto_tensor::prelude::*;
    assert_eq!(twice_ranks(&[5.0, 1.0, 5.0, 7.0]), [5, 2, 5, 8]);
    let counts = Spearman::new().count(&tensor![1.0, 1.0], &tensor![1.0, 2.0]).unwrap();
    assert!(Spearman::new().value(&counts).is_nan());
}
