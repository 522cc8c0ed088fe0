//! Symmetric mean absolute percentage error: errors as a share of outputs and targets, 0 to 2.

use super::moments::columns;
use super::{Better, Counts, ExactSum, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean of `2 |y − target| / (|y| + |target|)` over all elements, from 0 to 2; 0 / 0 counts as 0 (Makridakis 1993).
///
/// * Shape: two tensors of one shape.   * Units: none.
/// * scikit-learn has none; torchmetrics: `SymmetricMeanAbsolutePercentageError`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Smape};
/// let counts = Smape::new().count(&tensor![3.0, 0.0], &tensor![1.0, 0.0]).unwrap();
/// assert_eq!(Smape::new().value(&counts), 0.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Smape(());

impl Smape {
    /// Over all elements.
    #[must_use]
    pub fn new() -> Smape {
        Smape(())
    }
}

impl Metric for Smape {
    fn name(&self) -> String {
        "smape".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (_, y, t) = columns("smape", y, target)?;
        let share =
            |(y, t): (&f64, &f64)| if y == t { 0.0 } else { 2.0 * (y - t).abs() / (y.abs() + t.abs()) };
        Ok(Counts::mean(y.iter().zip(&t).map(share).collect::<ExactSum>(), y.len()))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("smape", "The mean absolute error as a share of output and target, 0 to 2.", |_, ()| {
        Ok(Box::new(Smape::new()))
    });

#[test]
fn it_is_bounded() {
    use mapsto_tensor::prelude::*;
    let counts = Smape::new().count(&tensor![1.0, -1.0], &tensor![0.0, 1.0]).unwrap();
    assert_eq!(Smape::new().value(&counts), 2.0);
}
