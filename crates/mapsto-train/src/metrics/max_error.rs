//! Largest error: the worst that happened.

use super::decision::refuse_nan;
use super::moments::columns;
use super::{Better, Counts, Kept, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The largest `|y − target|` over all elements.
///
/// * Shape: two tensors of one shape.   * Units: the target's.
/// * scikit-learn: `max_error`; torchmetrics has none; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{MaxError, Metric};
/// let counts = MaxError::new().count(&tensor![1.0, 2.0, 9.0], &tensor![1.5, 2.0, 3.0]).unwrap();
/// assert_eq!(MaxError::new().value(&counts), 6.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MaxError(());

impl MaxError {
    /// Over all elements.
    #[must_use]
    pub fn new() -> MaxError {
        MaxError(())
    }
}

impl Metric for MaxError {
    fn name(&self) -> String {
        "max error".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        refuse_nan("max_error", "output", y)?;
        refuse_nan("max_error", "target", target)?;
        let (_, y, t) = columns("max_error", y, target)?;
        let mut kept = Kept::default();
        // The largest of the batch is enough.
        if let Some(most) = y.iter().zip(&t).map(|(y, t)| (y - t).abs()).reduce(f64::max) {
            kept.push(&[most]);
        }
        Ok(Counts::kept(kept))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.kept.sorted().last().map_or(f64::NAN, |row| row[0])
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("max_error", "The largest absolute error, in the target's unit.", |_, ()| {
        Ok(Box::new(MaxError::new()))
    });

#[test]
fn of_nothing_it_is_not_a_number() {
    use mapsto_tensor::prelude::*;
    assert!(MaxError::new().value(&Counts::default()).is_nan());
    assert!(MaxError::new().count(&tensor![f32::NAN], &tensor![1.0]).is_err());
}
