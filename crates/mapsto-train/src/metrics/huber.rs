//! Huber error: squared where it is small, absolute where it is large.

use super::moments::columns;
use super::{Better, Counts, ExactSum, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// The mean of `½ e²` where `|e| ≤ δ`, and of `δ (|e| − ½ δ)` beyond, with `e = y − target`; δ is 1 unless said otherwise
/// (Huber 1964).
///
/// * Shape: two tensors of one shape.
/// * scikit-learn has none; torchmetrics has none; Keras: `Huber`, a loss.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Huber, Metric};
/// let metric = Huber::new(1.0);
/// let counts = metric.count(&tensor![0.5, 3.0], &tensor![0.0, 0.0]).unwrap();
/// assert_eq!(metric.value(&counts), (0.125 + 2.5) / 2.0);
/// ```
#[derive(Clone, Debug)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// Squared up to `delta`.
    ///
    /// # Panics
    /// When `delta` is not finite and above 0.
    #[must_use]
    #[track_caller]
    pub fn new(delta: f64) -> Huber {
        Huber { delta: Bounds::ABOVE_0.check("huber", "delta", delta) }
    }
}

impl Metric for Huber {
    fn name(&self) -> String {
        "huber".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (_, y, t) = columns("huber", y, target)?;
        let delta = self.delta;
        let error = |(y, t): (&f64, &f64)| match (y - t).abs() {
            e if e <= delta => 0.5 * e * e,
            e => delta * (e - 0.5 * delta),
        };
        Ok(Counts::mean(y.iter().zip(&t).map(error).collect::<ExactSum>(), y.len()))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.delta))
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "huber",
    "Squared errors where they are small, absolute ones where they are large.",
    |args, ()| Ok(Box::new(Huber::new(Bounds::ABOVE_0.main(args, "delta", 1.0)?))),
)
.options(&[("", "up to where errors are squared")]);

#[test]
fn with_a_large_delta_it_is_half_of_mse() {
    use mapsto_tensor::prelude::*;
    let metric = Huber::new(100.0);
    let counts = metric.count(&tensor![0.0, 0.0], &tensor![2.0, 4.0]).unwrap();
    assert_eq!(metric.value(&counts), 5.0);
}
