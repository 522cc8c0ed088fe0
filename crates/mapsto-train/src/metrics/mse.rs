//! Mean squared error.

use super::mae::errors;
use super::{Better, Counts, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean of `(y − target)²` over all elements.
///
/// * Shape: two tensors of one shape.   * Units: the target's, squared.
/// * scikit-learn: `mean_squared_error`; torchmetrics: `MeanSquaredError`; Keras: `MeanSquaredError`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Mse};
/// let counts = Mse::new().count(&tensor![3.0, 0.0], &tensor![0.0, 4.0]).unwrap();
/// assert_eq!(Mse::new().value(&counts), 12.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mse(());

impl Mse {
    /// Over all elements.
    #[must_use]
    pub fn new() -> Mse {
        Mse(())
    }
}

impl Metric for Mse {
    fn name(&self) -> String {
        "mse".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        errors("mse", y, target, |e| e * e)
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("mse", "The mean squared error.", |_, ()| Ok(Box::new(Mse::new())));

#[test]
fn it_is_the_square_of_rmse() {
    use mapsto_tensor::prelude::*;
    let counts = Mse::new().count(&tensor![0.0, 0.0], &tensor![0.0, 4.0]).unwrap();
    assert_eq!(Mse::new().value(&counts).sqrt(), super::Rmse::new().value(&counts));
}
