//! Brier score: the squared error of probabilities.

use super::{Better, Counts, ExactSum, Metric, MetricKind, Scored};
use mapsto_nn::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The Brier score: the mean squared error of probabilities (Brier 1950).
///
/// `brier = mean Σₖ (pₖ − tₖ)²`, with `tₖ` 1 for the sample's class; of two classes half of that, `mean (p − t)²` of class 1, as
/// scikit-learn has it.
///
/// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with a target of that shape, 0 or 1.
/// * scikit-learn: `brier_score_loss`; torchmetrics has none; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Brier, Metric};
/// use mapsto_train::Outputs;
/// let metric = Brier::new().outputs(Outputs::Probabilities);
/// let counts = metric.count(&tensor![0.5, 0.75], &tensor![1.0, 1.0]).unwrap();
/// assert_eq!(metric.value(&counts), (0.25 + 0.0625) / 2.0);
/// ```
#[derive(Clone, Debug)]
pub struct Brier {
    outputs: Outputs,
}

impl Brier {
    /// Of logits.
    #[must_use]
    pub fn new() -> Brier {
        Brier { outputs: Outputs::Logits }
    }

    /// Of outputs that are something else: probabilities, or their logarithms.
    ///
    /// # Panics
    /// When it is [`Outputs::Values`], which are no probabilities.
    #[must_use]
    #[track_caller]
    pub fn outputs(self, outputs: Outputs) -> Brier {
        Brier { outputs: super::checked_outputs("brier", outputs) }
    }
}

impl Metric for Brier {
    fn name(&self) -> String {
        "brier score".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let scored = Scored::read("brier", self.outputs, y, target)?;
        let square = |i: usize| {
            let p = scored.probabilities(i);
            let t = |class: usize| f64::from(u8::from(class == scored.actual[i]));
            match p[..] {
                [_, p] => (p - t(1)).powi(2),
                _ => p.iter().enumerate().map(|(class, p)| (p - t(class)).powi(2)).sum(),
            }
        };
        Ok(Counts::mean((0..scored.len()).map(square).collect::<ExactSum>(), scored.len()))
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

impl Default for Brier {
    fn default() -> Brier {
        Brier::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("brier", "The mean squared error of the probabilities.", |args, ()| {
        let metric = Brier::new().outputs(super::outputs_from(args)?);
        Ok(Box::new(metric))
    })
    .options(&[super::OUTPUTS]);

#[test]
fn of_three_classes_all_are_summed() {
    use mapsto_tensor::prelude::*;
    let metric = Brier::new();
    let counts = metric.count(&Tensor::zeros([1, 3]), &tensor![2]).unwrap();
    assert!((metric.value(&counts) - (1.0 / 9.0 + 1.0 / 9.0 + 4.0 / 9.0)).abs() < 1e-15);
}
