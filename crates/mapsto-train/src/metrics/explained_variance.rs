//! Explained variance: R² where a constant error costs nothing.

use super::{Better, Counts, Metric, MetricKind, Moments};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// `1 − Var(t − y) / Var(t)`: as R², but an error that is the same for all samples costs nothing.
///
/// Where the targets do not vary it is 1 for errors that do not vary and 0 for others, as in scikit-learn.
///
/// * Shape: two tensors of one shape; `[.., d]` gives the mean over the `d` columns.
/// * scikit-learn: `explained_variance_score`; torchmetrics: `ExplainedVariance`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{ExplainedVariance, Metric};
/// let metric = ExplainedVariance::new();
/// let counts = metric.count(&tensor![11.0, 12.0, 13.0], &tensor![1.0, 2.0, 3.0]).unwrap();
/// assert_eq!(metric.value(&counts), 1.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExplainedVariance(());

impl ExplainedVariance {
    /// Over all samples, column by column.
    #[must_use]
    pub fn new() -> ExplainedVariance {
        ExplainedVariance(())
    }
}

impl Metric for ExplainedVariance {
    fn name(&self) -> String {
        "explained variance".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        Moments::count("explained_variance", y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        Moments::mean(counts, |of| Moments::explained(of.errors, of.t))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "explained_variance",
    "The share of the targets' variance that is explained, without the mean error.",
    |_, ()| Ok(Box::new(ExplainedVariance::new())),
);

#[test]
fn without_a_mean_error_it_is_r2() {
    use mapsto_tensor::prelude::*;
    let counts = ExplainedVariance::new().count(&tensor![1.0, 2.0, 3.0], &tensor![2.0, 1.0, 3.0]).unwrap();
    assert_eq!(ExplainedVariance::new().value(&counts), super::R2::new().value(&counts));
}
