//! Median absolute error: the error that half of the samples stay below.

use super::decision::refuse_nan;
use super::moments::columns;
use super::{Better, Counts, Kept, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The median of `|y − target|`, of an even number the mean of both in the middle. Large errors of few samples do not move it.
///
/// All errors are kept until the end, 8 bytes each.
///
/// * Shape: two tensors of one shape; `[.., d]` gives the mean over the `d` columns.   * Units: the target's.
/// * scikit-learn: `median_absolute_error`; torchmetrics has none; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{MedianAe, Metric};
/// let counts = MedianAe::new().count(&tensor![1.0, 2.0, 99.0], &tensor![1.5, 2.0, 3.0]).unwrap();
/// assert_eq!(MedianAe::new().value(&counts), 0.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MedianAe(());

impl MedianAe {
    /// Over all samples, column by column.
    #[must_use]
    pub fn new() -> MedianAe {
        MedianAe(())
    }
}

impl Metric for MedianAe {
    fn name(&self) -> String {
        "median absolute error".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        refuse_nan("median_ae", "output", y)?;
        refuse_nan("median_ae", "target", target)?;
        let (width, y, t) = columns("median_ae", y, target)?;
        let errors: Vec<f64> = y.iter().zip(&t).map(|(y, t)| (y - t).abs()).collect();
        let mut kept = Kept::default();
        errors.chunks_exact(width).for_each(|row| kept.push(row));
        Ok(Counts::kept(kept))
    }

    fn value(&self, counts: &Counts) -> f64 {
        let rows = counts.kept.sorted();
        let median = |column: usize| {
            let mut errors: Vec<f64> = rows.iter().map(|row| row[column]).collect();
            errors.sort_unstable_by(f64::total_cmp);
            let n = errors.len();
            if n % 2 == 1 { errors[n / 2] } else { errors[n / 2 - 1].midpoint(errors[n / 2]) }
        };
        (0..counts.kept.width()).map(median).sum::<f64>() / counts.kept.width() as f64
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("median_ae", "The median of the absolute errors, in the target's unit.", |_, ()| {
        Ok(Box::new(MedianAe::new()))
    });

#[test]
fn of_an_even_number_it_is_the_mean_of_two() {
    use mapsto_tensor::prelude::*;
    let counts = MedianAe::new().count(&tensor![0.0, 0.0, 0.0, 0.0], &tensor![4.0, 1.0, 2.0, 100.0]).unwrap();
    assert_eq!(MedianAe::new().value(&counts), 3.0);
    assert!(MedianAe::new().value(&Counts::default()).is_nan());
}
