//! Mean absolute percentage error: errors as a share of the target.

use super::moments::columns;
use super::{Better, Counts, ExactSum, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean of `|y − target| / max(|target|, ε)` over all elements, with ε = 2⁻⁵²: a share, as in scikit-learn, and not percent as
/// in Keras and in the loss `mape`. One target of 0 makes it huge; `smape` is bounded.
///
/// * Shape: two tensors of one shape.   * Units: none.
/// * scikit-learn: `mean_absolute_percentage_error`; torchmetrics: `MeanAbsolutePercentageError`; Keras: `MeanAbsolutePercentageError`, in percent.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Mape, Metric};
/// let counts = Mape::new().count(&tensor![1.5, 8.0], &tensor![1.0, 10.0]).unwrap();
/// assert!((Mape::new().value(&counts) - 0.35).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mape(());

impl Mape {
    /// Over all elements.
    #[must_use]
    pub fn new() -> Mape {
        Mape(())
    }
}

impl Metric for Mape {
    fn name(&self) -> String {
        "mape".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (_, y, t) = columns("mape", y, target)?;
        let shares: ExactSum =
            y.iter().zip(&t).map(|(y, t)| (y - t).abs() / t.abs().max(f64::EPSILON)).collect();
        Ok(Counts::mean(shares, y.len()))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("mape", "The mean absolute error as a share of the target.", |_, ()| {
        Ok(Box::new(Mape::new()))
    });

#[test]
fn a_target_of_0_makes_it_huge() {
    use mapsto_tensor::prelude::*;
    let counts = Mape::new().count(&tensor![1.0], &tensor![0.0]).unwrap();
    assert_eq!(Mape::new().value(&counts), 2f64.powi(52));
}
