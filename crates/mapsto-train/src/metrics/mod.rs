//! Metrics: how well outputs agree with targets, as counts that merge exactly whatever the batch size.
//!
//! A metric is two pure functions: a batch to [`Counts`], and counts to a number. Counts of batches add up to the counts
//! of the whole set, so the number does not depend on how the set was cut; an average of batch averages would.
//! To add one: a file here that implements [`Metric`] and declares its `KIND`, and its line in [`METRICS`].

mod accuracy;
mod average_precision;
mod balanced_accuracy;
mod brier;
mod class_counts;
mod cohen_kappa;
mod columns;
mod confusion_matrix;
mod counts;
mod decision;
mod ece;
mod exact_sum;
mod explained_variance;
mod f1;
mod fbeta;
mod hamming;
mod hit_rate;
mod huber;
mod jaccard;
mod kept;
mod log_loss;
mod mae;
mod mape;
mod max_error;
mod mcc;
mod median_ae;
mod moments;
mod mrr;
mod mse;
mod msle;
mod ndcg;
mod pearson;
mod perplexity;
mod precision;
mod queries;
mod r2;
mod ranked;
mod recall;
mod recall_at_k;
mod rmse;
mod roc_auc;
mod scored;
mod setting;
mod smape;
mod spearman;
mod specificity;
mod top_k;

pub use accuracy::Accuracy;
pub use average_precision::AveragePrecision;
pub use balanced_accuracy::BalancedAccuracy;
pub use brier::Brier;
pub use class_counts::{Average, ClassCounts};
pub use cohen_kappa::{CohenKappa, KappaWeights};
pub use columns::Columns;
pub use confusion_matrix::ConfusionMatrix;
pub use counts::Counts;
pub use decision::{Decided, Decision};
pub use ece::Ece;
pub use exact_sum::ExactSum;
pub use explained_variance::ExplainedVariance;
pub use f1::F1;
pub use fbeta::FBeta;
pub use hamming::Hamming;
pub use hit_rate::HitRate;
pub use huber::Huber;
pub use jaccard::Jaccard;
pub use kept::Kept;
pub use log_loss::LogLoss;
pub use mae::Mae;
pub use mape::Mape;
pub use max_error::MaxError;
pub use mcc::Mcc;
pub use median_ae::MedianAe;
pub use moments::Moments;
pub use mrr::Mrr;
pub use mse::Mse;
pub use msle::Msle;
pub use ndcg::Ndcg;
pub use pearson::Pearson;
pub use perplexity::Perplexity;
pub use precision::Precision;
pub use queries::Queries;
pub use r2::R2;
pub use ranked::Ranked;
pub use recall::Recall;
pub use recall_at_k::RecallAtK;
pub use rmse::Rmse;
pub use roc_auc::RocAuc;
pub use scored::Scored;
pub use smape::Smape;
pub use spearman::Spearman;
pub use specificity::Specificity;
pub use top_k::TopK;

pub(crate) use decision::{argmax, floats};
use setting::{
    AVERAGE, MULTILABEL, OUTPUTS, THRESHOLD, average_from, averaged, checked_outputs, decided, decision_from,
    outputs_from, threshold_from, with_labels, with_outputs,
};

use crate::Step;
use mapsto_nn::Outputs;
use mapsto_spec::{Entry, Family, Kind};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Every metric that a training file can name.
pub const METRICS: &[MetricKind] = &[
    accuracy::KIND,
    balanced_accuracy::KIND,
    top_k::KIND,
    precision::KIND,
    recall::KIND,
    specificity::KIND,
    f1::KIND,
    fbeta::KIND,
    jaccard::KIND,
    mcc::KIND,
    cohen_kappa::KIND,
    hamming::KIND,
    log_loss::KIND,
    brier::KIND,
    roc_auc::KIND,
    average_precision::KIND,
    ece::KIND,
    perplexity::KIND,
    mse::KIND,
    rmse::KIND,
    mae::KIND,
    median_ae::KIND,
    max_error::KIND,
    mape::KIND,
    smape::KIND,
    msle::KIND,
    huber::KIND,
    r2::KIND,
    explained_variance::KIND,
    pearson::KIND,
    spearman::KIND,
    recall_at_k::KIND,
    hit_rate::KIND,
    mrr::KIND,
    ndcg::KIND,
];

/// Which way the numbers of a column improve that a history has, such as `val mean absolute error`: a loss and errors downwards.
///
/// ```
/// use mapsto_train::metrics::{Better, better_of};
/// assert_eq!(["loss", "val rmse", "log loss"].map(better_of), [Better::Lower; 3]);
/// assert_eq!(["accuracy", "val macro f1"].map(better_of), [Better::Higher; 2]);
/// ```
#[must_use]
pub fn better_of(column: &str) -> Better {
    let is_of =
        |name: &str| column == name || column.strip_suffix(name).is_some_and(|rest| rest.ends_with(' '));
    let built = METRICS.iter().filter_map(|kind| mapsto_spec::build::<dyn Metric>(&kind.sample(), &()).ok());
    let mut lower = built.filter(|metric| metric.better() == Better::Lower);
    if is_of("loss") || lower.any(|metric| is_of(&metric.name())) { Better::Lower } else { Better::Higher }
}

/// A metric that files can name: its name, one line about it, and how to build it from its entry.
pub type MetricKind = Kind<dyn Metric>;

/// Which way a number improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better, as of accuracy.
    Higher,
    /// Less is better, as of a loss.
    Lower,
}

impl Better {
    /// Whether `new` improves on `old` by more than `least`; nothing improves by being NaN.
    ///
    /// ```
    /// use mapsto_train::metrics::Better;
    /// assert!(Better::Higher.improves(0.91, 0.90, 0.0));
    /// assert!(!Better::Lower.improves(0.4999, 0.5, 0.001));
    /// ```
    #[must_use]
    pub fn improves(self, new: f64, old: f64, least: f64) -> bool {
        match self {
            Better::Higher => new > old + least,
            Better::Lower => new < old - least,
        }
    }

    /// The value that every number improves on.
    #[must_use]
    pub fn worst(self) -> f64 {
        match self {
            Better::Higher => f64::NEG_INFINITY,
            Better::Lower => f64::INFINITY,
        }
    }
}

/// A number about outputs and targets, found from counts that add up.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Accuracy, Counts, Metric};
/// let (accuracy, mut all) = (Accuracy::new(), Counts::default());
/// for (y, target) in [(tensor![[2.0, 1.0]], tensor![0]), (tensor![[2.0, 1.0], [0.0, 1.0]], tensor![1, 1])] {
///     all.merge(&accuracy.count(&y, &target).unwrap());
/// }
/// assert_eq!(accuracy.value(&all), 2.0 / 3.0);
/// ```
pub trait Metric: Send + Sync {
    /// The name of its column, such as `accuracy`.
    fn name(&self) -> String;

    /// Which way it improves.
    fn better(&self) -> Better;

    /// Counts one batch.
    ///
    /// # Errors
    /// When the shapes do not fit, or a target is outside the classes.
    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts>;

    /// The number that some counts describe, NaN when they are of no sample.
    fn value(&self, counts: &Counts) -> f64;

    /// The entry that a file names it by, with every setting; `None` for what no file can hold.
    fn entry(&self) -> Option<Entry> {
        None
    }

    /// What it takes outputs for, where it reads them as probabilities: a training file whose loss says otherwise is refused.
    fn outputs(&self) -> Option<Outputs> {
        None
    }

    /// Counts what a batch gave: its output without a name, or its only one.
    ///
    /// # Errors
    /// As [`count`](Metric::count); also when there is no such output, with those there are.
    fn read(&self, step: &Step) -> Result<Counts> {
        let output = step.find("").ok_or_else(|| no_output(&self.name(), "", step))?;
        self.count(&output.y, &output.target)
    }

    /// The same of an output by name, in a column `NAME METRIC`: what [`Step::named`] showed.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// use mapsto_train::Step;
    /// use mapsto_train::metrics::{Accuracy, Metric};
    /// let accuracy = Accuracy::new().of("kind");
    /// let step = Step::new(tensor![0.0].sum(..)).named("kind", &tensor![[2.0, 1.0]], &tensor![0]);
    /// assert_eq!((accuracy.name().as_str(), accuracy.value(&accuracy.read(&step)?)), ("kind accuracy", 1.0));
    /// # Ok::<(), Error>(())
    /// ```
    fn of(self, output: impl Into<String>) -> Of<Self>
    where
        Self: Sized,
    {
        Of { metric: self, output: output.into() }
    }
}

/// A metric of one output by name: [`Metric::of`].
#[derive(Clone, Debug)]
pub struct Of<T> {
    metric: T,
    output: String,
}

impl<T: Metric> Metric for Of<T> {
    fn name(&self) -> String {
        format!("{} {}", self.output, self.metric.name())
    }

    fn better(&self) -> Better {
        self.metric.better()
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        self.metric.count(y, target)
    }

    fn value(&self, counts: &Counts) -> f64 {
        self.metric.value(counts)
    }

    fn outputs(&self) -> Option<Outputs> {
        self.metric.outputs()
    }

    fn read(&self, step: &Step) -> Result<Counts> {
        let output =
            step.find(&self.output).ok_or_else(|| no_output(&self.metric.name(), &self.output, step))?;
        self.metric.count(&output.y, &output.target)
    }
}

fn no_output(metric: &str, wanted: &str, step: &Step) -> Error {
    let names: Vec<String> = step.outputs.iter().map(|o| format!("`{}`", o.name)).collect();
    let error = match wanted {
        "" => Error::new(ErrorKind::Usage, format!("metric `{metric}`: the step has no output to read")),
        name => Error::new(ErrorKind::Usage, format!("metric `{metric}`: the step has no output `{name}`")),
    };
    match names.is_empty() {
        true => error.help("show it in the loss: `Step::new(loss).output(&y, &target)`"),
        false => error.help(format!("there are {}; say which with `.of(\"..\")`", names.join(", "))),
    }
}

impl Family for dyn Metric {
    const NOUN: &'static str = "metric";
    type Given = ();
    fn kinds() -> &'static [MetricKind] {
        METRICS
    }
    fn entry_of(metric: &dyn Metric, (): &()) -> Option<Entry> {
        metric.entry()
    }
}
