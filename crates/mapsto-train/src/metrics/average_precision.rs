//! Average precision: precision at every recall, the area under their curve.

use super::columns::Columns;
use super::{Average, Better, Counts, Decision, Metric, MetricKind, Ranked};
use mapsto_nn::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// Average precision: `Σ (Rᵢ − Rᵢ₋₁) Pᵢ` over the scores from the highest on, with the precision `P` and the recall `R` of what is scored
/// at least as high; nothing is interpolated.
///
/// Of two classes it is that of class 1. Of more, each class is set against all others and averaged ([`Average`]); a class without samples
/// counts as 0, as in scikit-learn. All scores are kept until the end, 8 bytes for each class and sample.
///
/// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with a target of that shape, 0 or 1; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `average_precision_score`; torchmetrics: `AveragePrecision`; Keras: `AUC(curve="PR")`, of bins.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Average, AveragePrecision, Metric};
/// let metric = AveragePrecision::new(Average::Macro);
/// let counts = metric.count(&tensor![0.1, 0.4, 0.35, 0.8], &tensor![0.0, 0.0, 1.0, 1.0]).unwrap();
/// assert!((metric.value(&counts) - 5.0 / 6.0).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct AveragePrecision {
    average: Average,
    outputs: Outputs,
    multilabel: bool,
}

impl AveragePrecision {
    /// Of logits.
    #[must_use]
    pub fn new(average: Average) -> AveragePrecision {
        AveragePrecision { average, outputs: Outputs::Logits, multilabel: false }
    }

    /// Of outputs that are something else: probabilities, or their logarithms.
    ///
    /// # Panics
    /// When it is [`Outputs::Values`], which are no probabilities.
    #[must_use]
    #[track_caller]
    pub fn outputs(self, outputs: Outputs) -> AveragePrecision {
        AveragePrecision { outputs: super::checked_outputs("average_precision", outputs), ..self }
    }

    /// Several labels a sample, one a column.
    #[must_use]
    pub fn labels(self) -> AveragePrecision {
        AveragePrecision { multilabel: true, ..self }
    }

    /// Whether it reads labels, whose scores are only ordered.
    fn decides(&self) -> bool {
        self.multilabel
    }
}

impl Metric for AveragePrecision {
    fn name(&self) -> String {
        self.average.title("average precision")
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        match self.multilabel {
            true => Columns::count_labels("average_precision", self.average, y, target),
            false => Columns::count("average_precision", self.outputs, self.average, y, target),
        }
    }

    fn value(&self, counts: &Counts) -> f64 {
        let columns = match self.multilabel {
            true => Columns::of_labels(&counts.kept),
            false => Columns::of(&counts.kept),
        };
        columns.average(self.average, Ranked::average_precision)
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::with_labels(
            super::with_outputs(super::averaged(KIND.name, self.average, Decision::Argmax), self.outputs),
            self.multilabel,
        ))
    }

    fn outputs(&self) -> Option<Outputs> {
        (!self.decides()).then_some(self.outputs)
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "average_precision",
    "The area under the curve of precision and recall: macro, micro, weighted or a class.",
    |args, ()| {
        let average = super::average_from(args)?;
        let outputs = super::outputs_from(args)?;
        let multilabel = args.optional::<bool>("multilabel")?.unwrap_or(false);
        Ok(Box::new(AveragePrecision { average, outputs, multilabel }))
    },
)
.options(&[super::AVERAGE, super::OUTPUTS, super::MULTILABEL]);

#[test]
fn no_positives_count_as_0() {
    use mapsto_tensor::prelude::*;
    let metric = AveragePrecision::new(Average::Class(1));
    assert_eq!(metric.value(&metric.count(&tensor![0.5, 0.7], &tensor![0.0, 0.0]).unwrap()), 0.0);
    assert!(metric.value(&Counts::default()).is_nan());
}
