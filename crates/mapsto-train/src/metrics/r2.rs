//! R², the coefficient of determination: how much of the spread of the targets is explained.

use super::{Better, Counts, Metric, MetricKind, Moments};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The coefficient of determination: `R² = 1 − Σ (t − y)² / Σ (t − mean t)²`, where 1 is perfect, 0 is what the mean of the targets
/// gives, and below 0 is worse.
///
/// Where the targets do not vary it is 1 for no error and 0 for any, as in scikit-learn; NaN of one sample. Sums are exact, so a
/// large mean costs no digits.
///
/// * Shape: two tensors of one shape; `[.., d]` gives the mean over the `d` columns.
/// * scikit-learn: `r2_score`; torchmetrics: `R2Score`; Keras: `R2Score`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, R2};
/// let counts = R2::new().count(&tensor![1.0, 2.0, 4.0], &tensor![1.0, 2.0, 3.0]).unwrap();
/// assert_eq!(R2::new().value(&counts), 0.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct R2(());

impl R2 {
    /// Over all samples, column by column.
    #[must_use]
    pub fn new() -> R2 {
        R2(())
    }
}

impl Metric for R2 {
    fn name(&self) -> String {
        "r2".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        Moments::count("r2", y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        Moments::mean(counts, |of| {
            if of.n < 2 { f64::NAN } else { Moments::explained(of.n as f64 * of.error, of.t) }
        })
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("r2", "The share of the targets' variance that is explained, 1 at best.", |_, ()| {
        Ok(Box::new(R2::new()))
    });

#[test]
fn targets_that_do_not_vary() {
    use mapsto_tensor::prelude::*;
    let of = |y: Tensor, t: Tensor| R2::new().value(&R2::new().count(&y, &t).unwrap());
    assert_eq!(of(tensor![2.0, 2.0], tensor![2.0, 2.0]), 1.0);
    assert_eq!(of(tensor![2.0, 3.0], tensor![2.0, 2.0]), 0.0);
    assert!(of(tensor![2.0], tensor![2.0]).is_nan());
}
