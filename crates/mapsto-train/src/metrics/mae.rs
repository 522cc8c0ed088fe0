//! Mean absolute error, in the target's own unit.

use super::{Better, Counts, Metric, MetricKind, decision::mismatch, floats};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean of `|y − target|` over all elements.
///
/// Equal to scikit-learn's `mean_absolute_error`.
///
/// * Shape: two tensors of one shape.   * Units: the target's.
/// * scikit-learn: `mean_absolute_error`; torchmetrics: `MeanAbsoluteError`; Keras: `MeanAbsoluteError`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Mae, Metric};
/// let counts = Mae::new().count(&tensor![2.5, 0.0, 2.0, 8.0], &tensor![3.0, -0.5, 2.0, 7.0]).unwrap();
/// assert_eq!(Mae::new().value(&counts), 0.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mae(());

impl Mae {
    /// Over all elements.
    #[must_use]
    pub fn new() -> Mae {
        Mae(())
    }
}

impl Metric for Mae {
    fn name(&self) -> String {
        "mae".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        errors("mae", y, target, f64::abs)
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

/// The exact sum of a function of `y − target`, and the number of elements.
pub(super) fn errors(who: &str, y: &Tensor, target: &Tensor, f: fn(f64) -> f64) -> Result<Counts> {
    if y.shape() != target.shape() {
        return Err(mismatch(
            who,
            y,
            target,
            "nothing is broadcast here: give both one shape, such as [n, 1]",
        ));
    }
    let differences = floats(y).into_iter().zip(floats(target)).map(|(y, t)| f(y - t));
    Ok(Counts::mean(differences.collect(), y.len()))
}

pub(super) const KIND: MetricKind =
    MetricKind::new("mae", "The mean absolute error, in the target's unit.", |_, ()| {
        Ok(Box::new(Mae::new()))
    });

#[test]
fn nothing_is_broadcast() {
    use mapsto_tensor::prelude::*;
    let error = Mae::new().count(&tensor![[1.0], [2.0]], &tensor![1.0, 2.0]).unwrap_err().to_string();
    assert!(error.contains("outputs [2, 1], target [2]"), "{error}");
}
