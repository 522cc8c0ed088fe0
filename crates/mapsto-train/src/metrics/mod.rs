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

use crate::Step;
use mapsto_nn::Outputs;
use mapsto_spec::{Args, Bounds, Entry, Family, Kind, Value};
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

/// The entry of a metric that averages over classes.
fn averaged(name: &str, average: Average, decision: Decision) -> Entry {
    let entry = match average {
        Average::Class(class) => Entry::new(name).with_value(class),
        named => Entry::new(name).with_value(named.name()),
    };
    decided(entry, decision)
}

/// A metric's entry with its threshold, where one decides.
fn decided(entry: Entry, decision: Decision) -> Entry {
    match decision {
        Decision::Argmax => entry,
        Decision::Threshold(at) => entry.with_option("threshold", at),
        Decision::Labels(at) => with_labels(entry.with_option("threshold", at), true),
    }
}

/// A metric's entry with whether it reads labels, where it does.
fn with_labels(entry: Entry, multilabel: bool) -> Entry {
    if multilabel { entry.with_option("multilabel", true) } else { entry }
}

/// What metrics of classes say of their options.
const AVERAGE: (&str, &str) =
    ("", "how classes are averaged: `\"macro\"`, `\"micro\"`, `\"weighted\"`, or the number of one class");
const THRESHOLD: (&str, &str) = (
    "threshold",
    "the value from which an output counts as class 1, for models with one output, or as given, for labels",
);
const MULTILABEL: (&str, &str) =
    ("multilabel", "whether each column is a label of its own, of which a sample may have several or none");
const OUTPUTS: (&str, &str) = (
    "outputs",
    "what the model gives: `\"logits\"`, `\"probabilities\"` or `\"log_probabilities\"`, as its loss takes them",
);

/// How classes or labels are decided: by the largest score, or by a threshold.
fn decision_from(args: &mut Args) -> Result<Decision> {
    let threshold = threshold_from(args)?;
    match (args.optional::<bool>("multilabel")?.unwrap_or(false), threshold) {
        (true, None) => Err(args
            .error("multilabel", "labels need a threshold")
            .help("add `threshold = 0.0` for logits, or `threshold = 0.5` for probabilities")),
        (true, Some(at)) => Ok(Decision::Labels(at)),
        (false, threshold) => Ok(threshold.map_or(Decision::Argmax, Decision::Threshold)),
    }
}

/// The names of what outputs may be.
const SCALES: [(&str, Outputs); 3] = [
    ("logits", Outputs::Logits),
    ("probabilities", Outputs::Probabilities),
    ("log_probabilities", Outputs::LogProbabilities),
];

/// What the model gives, logits where it is left out.
fn outputs_from(args: &mut Args) -> Result<Outputs> {
    let name = args.get_or("outputs", "logits".to_string())?;
    let found = SCALES.iter().find(|(known, _)| *known == name);
    found.map(|(_, outputs)| *outputs).ok_or_else(|| {
        args.error("outputs", "outputs are \"logits\", \"probabilities\" or \"log_probabilities\"")
    })
}

/// A metric's entry with what the model gives.
fn with_outputs(entry: Entry, outputs: Outputs) -> Entry {
    let found = SCALES.iter().find(|(_, known)| *known == outputs);
    entry.with_option("outputs", found.map_or("logits", |(name, _)| name))
}

/// What the model gives, where it can be read as probabilities; scores that are each of their own are logits.
#[track_caller]
fn checked_outputs(who: &str, outputs: Outputs) -> Outputs {
    match outputs {
        Outputs::Values => {
            mapsto_tensor::fail!(who, "plain values are no probabilities"; help = "take a metric of errors, such as `mae`")
        }
        Outputs::Logit => Outputs::Logits,
        outputs => outputs,
    }
}

/// The average that precision, recall and F1 take as their main value; `macro` where it is left out.
fn average_from(args: &mut Args) -> Result<Average> {
    let average = match args.main_optional::<Value>()? {
        None => Some(Average::Macro),
        Some(Value::Int(class)) => usize::try_from(class).ok().map(Average::Class),
        Some(Value::Str(name)) => Average::from_name(&name),
        Some(_) => None,
    };
    let average = average.ok_or_else(|| {
        args.error("", "the average is \"macro\", \"micro\", \"weighted\" or a class number")
    })?;
    match average {
        Average::Class(c) => args.record_main(c),
        named => args.record_main(named.name()),
    }
    Ok(average)
}

/// The threshold of two-class metrics, if one is given.
fn threshold_from(args: &mut Args) -> Result<Option<f64>> {
    Bounds::FINITE.optional(args, "threshold")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entry: &Entry) -> Result<(Box<dyn Metric>, Entry)> {
        mapsto_spec::filled(entry, &())
    }

    #[test]
    fn every_metric_says_its_entry() {
        mapsto_spec::check_family::<dyn Metric>(&[&()]);
        let check = |entry: Entry| mapsto_spec::check_entry::<dyn Metric>(&entry, &());
        check(Entry::new("accuracy").with_option("threshold", 0.25));
        check(Entry::new("top_k").with_value(3_usize));
        for name in ["precision", "recall", "f1", "specificity", "jaccard"] {
            check(Entry::new(name).with_option("threshold", 0.25).with_option("multilabel", true));
            check(Entry::new(name).with_value(2_usize).with_option("threshold", 0.25));
            check(Entry::new(name).with_value("weighted"));
        }
    }

    #[test]
    fn every_kind_builds_and_names_its_column() {
        let names: Vec<String> = METRICS.iter().map(|k| filled(&k.sample()).unwrap().0.name()).collect();
        for name in
            ["accuracy", "top-2 accuracy", "macro precision", "macro recall", "macro f1", "mae", "rmse"]
        {
            assert!(names.iter().any(|n| n == name), "{name}: {names:?}");
        }
        assert!(METRICS.iter().all(|k| !k.doc.is_empty()));
    }

    /// Every metric of the registry that one class can be chosen in refuses a class that the outputs do not have.
    #[test]
    fn a_class_that_is_not_there_is_refused() {
        use mapsto_tensor::prelude::*;
        let mut refused = Vec::new();
        for kind in METRICS {
            let of =
                |class: usize| filled(&Entry::new(kind.name).with_value(class)).map(|(metric, _)| metric);
            let Ok(metric) = of(7) else { continue };
            let (y, target) = (Tensor::eye(3), tensor![0, 1, 2]);
            let below = |help: &str| help.contains("below 3") || help.contains("up to 3");
            if let Ok(counts) = of(2).unwrap().count(&y, &target) {
                assert!(of(2).unwrap().value(&counts).is_finite(), "{}", kind.name);
                let e = metric.count(&y, &target).unwrap_err();
                assert!(e.help_text().is_some_and(below), "{e}");
                refused.push(kind.name);
            }
        }
        let wanted = [
            "top_k",
            "precision",
            "recall",
            "specificity",
            "f1",
            "jaccard",
            "roc_auc",
            "average_precision",
            "recall_at_k",
            "hit_rate",
            "ndcg",
        ];
        assert_eq!(refused, wanted);
    }

    #[test]
    fn a_missing_output_is_an_error_with_those_there_are() {
        let y = Tensor::ones([2]);
        let step = Step::new(Tensor::zeros(())).named("a", &y, &y).named("b", &y, &y);
        let text = |metric: &dyn Metric, step: &Step| metric.read(step).unwrap_err().to_string();
        assert!(text(&Mae::new(), &step).contains("say which with `.of(\"..\")`"));
        assert!(text(&Mae::new().of("c"), &step).contains("no output `c`"));
        assert!(text(&Mae::new(), &Step::new(y.clone())).contains("Step::new(loss).output"));
        assert!(Mae::new().of("b").read(&step).is_ok());
    }

    #[test]
    fn every_metric_that_reads_probabilities_says_what_it_takes_outputs_for() {
        let mut found = Vec::new();
        for kind in METRICS.iter().filter(|kind| kind.options.iter().any(|(name, _)| *name == "outputs")) {
            for (name, outputs) in SCALES {
                let entry = kind.sample().with_option("outputs", name);
                assert_eq!(filled(&entry).unwrap().0.outputs(), Some(outputs), "{entry}");
                mapsto_spec::check_entry::<dyn Metric>(&entry, &());
            }
            assert!(filled(&kind.sample().with_option("outputs", "values")).is_err());
            found.push(kind.name);
        }
        assert_eq!(found, ["log_loss", "brier", "roc_auc", "average_precision", "ece", "perplexity"]);
    }

    #[test]
    fn entries_are_checked() {
        let error = |entry: Entry| filled(&entry).err().unwrap().to_string();
        assert!(error(Entry::new("acuracy")).contains("did you mean `accuracy`"));
        assert!(error(Entry::new("f1").with_value("average")).contains("weighted"));
        assert!(error(Entry::new("top_k").with_value(0_usize)).contains("k must be at least 1, got 0"));
        let (metric, entry) =
            filled(&Entry::new("recall").with_value(1_usize).with_option("threshold", 0.5)).unwrap();
        assert_eq!(metric.name(), "recall of class 1");
        assert_eq!(entry.to_string(), "{ recall = 1, threshold = 0.5 }");
    }

    /// Every metric of the registry, by scores and by a threshold where it takes one: a NaN anywhere among the outputs is
    /// refused, or the number is NaN.
    #[test]
    fn nan_is_no_right_answer() {
        use mapsto_tensor::prelude::*;
        let (mut checked, nan) = (0, f64::NAN as f32);
        for kind in METRICS {
            let entry = kind.sample();
            let by_threshold = filled(&entry.clone().with_option("threshold", 0.0)).ok();
            for (metric, threshold) in
                [Some((filled(&entry).unwrap(), false)), by_threshold.map(|m| (m, true))]
                    .into_iter()
                    .flatten()
            {
                let metric = metric.0;
                // What does not take class ids compares numbers.
                let is_error = metric.count(&Tensor::zeros([4, 3]), &tensor![0, 1, 2, 0]).is_err();
                let width = if threshold { 1 } else { 3 };
                let target = match (threshold, is_error) {
                    (true, _) => tensor![[1.0], [0.0], [1.0], [0.0]],
                    (false, true) => Tensor::from_slice(
                        &[0.0_f32, 3.0, 1.0, 4.0, 2.0, 0.0, 3.0, 1.0, 4.0, 2.0, 0.0, 1.0],
                        [4, 3],
                    ),
                    (false, false) => tensor![0, 1, 2, 0],
                };
                for place in 0..4 * width {
                    let mut y: Vec<f32> = (0..4 * width).map(|i| (i * 7 % 5) as f32).collect();
                    let number = |y: &[f32]| {
                        let y = Tensor::from_slice(y, [4, width]);
                        metric.count(&y, &target).map(|counts| metric.value(&counts))
                    };
                    assert!(number(&y).unwrap().is_finite(), "{}", kind.name);
                    y[place] = nan;
                    match number(&y) {
                        Ok(value) => assert!(value.is_nan(), "{}: {value} with NaN at {place}", kind.name),
                        Err(e) => assert!(e.message().contains("NaN"), "{e}"),
                    }
                    checked += 1;
                }
            }
        }
        // Every metric of 12 outputs, and four at least also of 4 by a threshold.
        assert!(checked >= METRICS.len() * 12 + 4 * 4, "{checked}");
    }
}
