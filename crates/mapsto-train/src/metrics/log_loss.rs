//! Log loss: how surprised a model is by the truth.

use super::{Better, Counts, ExactSum, Metric, MetricKind, Scored};
use mapsto_nn::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The mean of `−log p` over samples, where `p` is the probability of the sample's class: cross-entropy, in nats.
///
/// Probabilities count as at least 2⁻⁵² and at most 1 − 2⁻⁵², as in scikit-learn; of logits it is computed without a limit.
///
/// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with a target of that shape, 0 or 1.
/// * scikit-learn: `log_loss`; torchmetrics has none; Keras: `SparseCategoricalCrossentropy`, `BinaryCrossentropy`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{LogLoss, Metric};
/// use mapsto_train::Outputs;
/// let metric = LogLoss::new().outputs(Outputs::Probabilities);
/// let counts = metric.count(&tensor![[0.5, 0.5], [0.25, 0.75]], &tensor![0, 0]).unwrap();
/// assert!((metric.value(&counts) - 8f64.ln() / 2.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct LogLoss {
    outputs: Outputs,
}

impl LogLoss {
    /// Of logits.
    #[must_use]
    pub fn new() -> LogLoss {
        LogLoss { outputs: Outputs::Logits }
    }

    /// Of outputs that are something else: probabilities, or their logarithms.
    ///
    /// # Panics
    /// When it is [`Outputs::Values`], which are no probabilities.
    #[must_use]
    #[track_caller]
    pub fn outputs(self, outputs: Outputs) -> LogLoss {
        LogLoss { outputs: super::checked_outputs("log_loss", outputs) }
    }
}

impl Metric for LogLoss {
    fn name(&self) -> String {
        "log loss".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let scored = Scored::read("log_loss", self.outputs, y, target)?;
        let surprise: ExactSum = (0..scored.len()).map(|i| scored.surprise(i)).collect();
        Ok(Counts::mean(surprise, scored.len()))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value()
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::with_outputs(Entry::new(KIND.name), self.outputs))
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(self.outputs)
    }
}

impl Default for LogLoss {
    fn default() -> LogLoss {
        LogLoss::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("log_loss", "The mean of -log p of the true class, in nats.", |args, ()| {
        let metric = LogLoss::new().outputs(super::outputs_from(args)?);
        Ok(Box::new(metric))
    })
    .options(&[super::OUTPUTS]);

#[test]
fn logits_have_no_limit() {
    use mapsto_tensor::prelude::*;
    let counts = LogLoss::new().count(&tensor![[1000.0, 0.0]], &tensor![1]).unwrap();
    assert_eq!(LogLoss::new().value(&counts), 1000.0);
    let counts = LogLoss::new().count(&tensor![[1000.0]], &tensor![[0.0]]).unwrap();
    assert_eq!(LogLoss::new().value(&counts), 1000.0);
}
