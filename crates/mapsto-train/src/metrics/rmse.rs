//! Root mean squared error, in the target's own unit.

use super::mae::errors;
use super::{Better, Counts, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The square root of the mean of `(y − target)²` over all elements.
///
/// Equal to scikit-learn's `root_mean_squared_error`.
///
/// * Shape: two tensors of one shape.   * Units: the target's.
/// * scikit-learn: `root_mean_squared_error`; torchmetrics: `MeanSquaredError(squared=False)`; Keras: `RootMeanSquaredError`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Rmse};
/// let counts = Rmse::new().count(&tensor![3.0, 0.0], &tensor![0.0, 4.0]).unwrap();
/// assert_eq!(Rmse::new().value(&counts), 12.5_f64.sqrt());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rmse(());

impl Rmse {
    /// Over all elements.
    #[must_use]
    pub fn new() -> Rmse {
        Rmse(())
    }
}

impl Metric for Rmse {
    fn name(&self) -> String {
        "rmse".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        errors("rmse", y, target, |e| e * e)
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value().sqrt()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("rmse", "The root of the mean squared error, in the target's unit.", |_, ()| {
        Ok(Box::new(Rmse::new()))
    });

#[test]
fn one_large_error_weighs_more_than_in_mae() {
    use mapsto_tensor::prelude::*;
    let (y, t) = (tensor![0.0, 0.0, 0.0, 4.0], tensor![0.0, 0.0, 0.0, 0.0]);
    assert_eq!(Rmse::new().value(&Rmse::new().count(&y, &t).unwrap()), 2.0);
    assert_eq!(super::Mae::new().value(&super::Mae::new().count(&y, &t).unwrap()), 1.0);
}
