//! Mean squared logarithmic error: errors of ratios.

use super::moments::columns;
use super::{Better, Counts, ExactSum, Metric, MetricKind};
use mapsto_spec::Entry;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// The mean of `(log(1 + y) − log(1 + target))²` over all elements, for numbers above −1 whose ratios count.
///
/// * Shape: two tensors of one shape.   * Units: none.
/// * scikit-learn: `mean_squared_log_error`; torchmetrics: `MeanSquaredLogError`; Keras: `MeanSquaredLogarithmicError`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Msle};
/// let counts = Msle::new().count(&tensor![3.0], &tensor![1.0]).unwrap();
/// assert!((Msle::new().value(&counts) - 2f64.ln().powi(2)).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Msle(());

impl Msle {
    /// Over all elements.
    #[must_use]
    pub fn new() -> Msle {
        Msle(())
    }
}

impl Metric for Msle {
    fn name(&self) -> String {
        "msle".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (_, y, t) = columns("msle", y, target)?;
        if let Some(below) = y.iter().chain(&t).find(|v| **v <= -1.0) {
            return Err(Error::new(ErrorKind::Data, format!("msle: {below} has no logarithm of 1 + it"))
                .help("outputs and targets must be above -1; take `mse`, or end the model with `softplus`"));
        }
        let square = |(y, t): (&f64, &f64)| (y.ln_1p() - t.ln_1p()).powi(2);
        Ok(Counts::mean(y.iter().zip(&t).map(square).collect::<ExactSum>(), y.len()))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("msle", "The mean squared error of log(1 + x).", |_, ()| Ok(Box::new(Msle::new())));

#[test]
fn below_minus_1_is_refused() {
    use mapsto_tensor::prelude::*;
    let e = Msle::new().count(&tensor![-1.0], &tensor![0.0]).unwrap_err();
    assert!(e.to_string().contains("-1 has no logarithm"), "{e}");
}
