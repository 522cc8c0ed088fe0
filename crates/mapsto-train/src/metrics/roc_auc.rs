//! ROC AUC: how surely a sample of a class is scored above one of another.

use super::columns::{Columns, check_pairs};
use super::{Average, Better, Counts, Decision, Metric, MetricKind, Ranked};
use mapsto_nn::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// The area under the ROC curve: the chance that of a sample of a class and another one the former has the higher score, where equal
/// scores count half (Hanley, McNeil 1982).
///
/// Of two classes it is that of class 1. Of more, each class is set against all others and averaged ([`Average`]), or with
/// [`pairs`](RocAuc::pairs) against each other one (Hand, Till 2001). NaN where a class has no sample, or all have one. Pairs are counted
/// as whole numbers. All scores are kept until the end, 8 bytes for each class and sample.
///
/// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with a target of that shape, 0 or 1; of labels two tensors `[.., k]`, the target 0 or 1.
/// * scikit-learn: `roc_auc_score`; torchmetrics: `AUROC`; Keras: `AUC`, of bins.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Average, Metric, RocAuc};
/// let auc = RocAuc::new(Average::Macro);
/// let counts = auc.count(&tensor![0.1, 0.4, 0.35, 0.8], &tensor![0.0, 0.0, 1.0, 1.0]).unwrap();
/// assert_eq!(auc.value(&counts), 0.75);
/// ```
#[derive(Clone, Debug)]
pub struct RocAuc {
    average: Average,
    outputs: Outputs,
    multilabel: bool,
    pairs: bool,
}

impl RocAuc {
    /// Of logits.
    #[must_use]
    pub fn new(average: Average) -> RocAuc {
        RocAuc { average, outputs: Outputs::Logits, multilabel: false, pairs: false }
    }

    /// Of outputs that are something else: probabilities, or their logarithms.
    ///
    /// # Panics
    /// When it is [`Outputs::Values`], which are no probabilities.
    #[must_use]
    #[track_caller]
    pub fn outputs(self, outputs: Outputs) -> RocAuc {
        RocAuc { outputs: super::checked_outputs("roc_auc", outputs), ..self }
    }

    /// Several labels a sample, one a column.
    #[must_use]
    pub fn labels(self) -> RocAuc {
        RocAuc { multilabel: true, ..self }
    }

    /// Whether it reads labels, whose scores are only ordered.
    fn decides(&self) -> bool {
        self.multilabel
    }

    /// Over pairs of classes (one versus one) in place of each class against all others.
    ///
    /// # Panics
    /// When the average is neither macro nor weighted.
    #[must_use]
    #[track_caller]
    pub fn pairs(self) -> RocAuc {
        if let Err(e) = check_pairs("roc_auc", self.average) {
            mapsto_tensor::fail!("roc_auc", "{}", e.message());
        }
        RocAuc { pairs: true, ..self }
    }
}

impl Metric for RocAuc {
    fn name(&self) -> String {
        self.average.title(if self.pairs { "roc auc ovo" } else { "roc auc" })
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        match self.multilabel {
            true => Columns::count_labels("roc_auc", self.average, y, target),
            false => Columns::count("roc_auc", self.outputs, self.average, y, target),
        }
    }

    fn value(&self, counts: &Counts) -> f64 {
        let columns = match self.multilabel {
            true => Columns::of_labels(&counts.kept),
            false => Columns::of(&counts.kept),
        };
        if self.pairs && columns.len() > 2 {
            return columns.pairs(self.average, Ranked::roc_auc);
        }
        columns.average(self.average, Ranked::roc_auc)
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::with_labels(
            super::with_outputs(
                super::averaged(KIND.name, self.average, Decision::Argmax)
                    .with_option("multi_class", if self.pairs { "ovo" } else { "ovr" }),
                self.outputs,
            ),
            self.multilabel,
        ))
    }

    fn outputs(&self) -> Option<Outputs> {
        (!self.decides()).then_some(self.outputs)
    }
}

pub(super) const KIND: MetricKind = MetricKind::new(
    "roc_auc",
    "The area under the ROC curve: macro, micro, weighted or a class.",
    |args, ()| {
        let average = super::average_from(args)?;
        let multi_class = args.get_or("multi_class", "ovr".to_string())?;
        let pairs = match &*multi_class {
            "ovr" => false,
            "ovo" => true,
            _ => return Err(args.error("multi_class", "several classes are compared \"ovr\" or \"ovo\"")),
        };
        if pairs {
            check_pairs("roc_auc", average).map_err(|e| args.error("multi_class", e.message()))?;
        }
        let outputs = super::outputs_from(args)?;
        let multilabel = args.optional::<bool>("multilabel")?.unwrap_or(false);
        if pairs && multilabel {
            return Err(args.error("multilabel", "labels are no classes, of which pairs could be taken"));
        }
        Ok(Box::new(RocAuc { average, outputs, multilabel, pairs }))
    },
)
.options(&[
    super::AVERAGE,
    ("multi_class", "each class against all others, `\"ovr\"`, or against each other one, `\"ovo\"`"),
    super::OUTPUTS,
    super::MULTILABEL,
]);

#[test]
fn a_class_without_samples_has_none() {
    use mapsto_tensor::prelude::*;
    let auc = RocAuc::new(Average::Macro);
    assert!(auc.value(&auc.count(&tensor![0.5, 0.7], &tensor![1.0, 1.0]).unwrap()).is_nan());
    assert!(auc.value(&Counts::default()).is_nan());
    assert!(mapsto_tensor::catch(|| RocAuc::new(Average::Micro).pairs()).is_err());
}
