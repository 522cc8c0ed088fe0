//! Pearson's correlation: how well outputs and targets lie on a line.

use super::{Better, Counts, Metric, MetricKind, Moments};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// Pearson's correlation coefficient, −1 to 1: `Σ (y − ȳ) (t − t̄) / √(Σ (y − ȳ)² Σ (t − t̄)²)` (Pearson 1895).
///
/// NaN where outputs or targets do not vary. Sums are exact.
///
/// * Shape: two tensors of one shape; `[.., d]` gives the mean over the `d` columns.
/// * scikit-learn: `scipy.stats.pearsonr`; torchmetrics: `PearsonCorrCoef`; Keras: `PearsonCorrelation`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Pearson};
/// let counts = Pearson::new().count(&tensor![10.0, 30.0, 50.0], &tensor![1.0, 2.0, 3.0]).unwrap();
/// assert_eq!(Pearson::new().value(&counts), 1.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pearson(());

impl Pearson {
    /// Over all samples, column by column.
    #[must_use]
    pub fn new() -> Pearson {
        Pearson(())
    }
}

impl Metric for Pearson {
    fn name(&self) -> String {
        "pearson".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        Moments::count("pearson", y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        Moments::mean(counts, |of| (of.both / of.y.sqrt() / of.t.sqrt()).clamp(-1.0, 1.0))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("pearson", "How well outputs and targets lie on a line, -1 to 1.", |_, ()| {
        Ok(Box::new(Pearson::new()))
    });

#[test]
fn what_does_not_vary_has_none() {
    use mapsto_tensor::prelude::*;
    let of = |y: Tensor, t: Tensor| Pearson::new().value(&Pearson::new().count(&y, &t).unwrap());
    assert!(of(tensor![1.0, 1.0], tensor![1.0, 2.0]).is_nan());
    assert_eq!(of(tensor![1.0, 2.0], tensor![2.0, 1.0]), -1.0);
}
