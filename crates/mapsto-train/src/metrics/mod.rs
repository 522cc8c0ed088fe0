//! Metrics: how well outputs agree with targets, as counts that merge exactly whatever the batch size.
//!
//! A metric is two pure functions: a batch to [`Counts`], and counts to a number. Counts of batches add up to the counts
//! of the whole set, so the number does not depend on how the set was cut; an average of batch averages would.
//! To add one: a file here that implements [`Metric`] and declares its `KIND`, and its line in [`METRICS`].

mod accuracy;
mod class_counts;
mod confusion_matrix;
mod counts;
mod decision;
mod exact_sum;
mod f1;
mod mae;
mod precision;
mod recall;
mod rmse;
mod top_k;

pub use accuracy::Accuracy;
pub use class_counts::{Average, ClassCounts};
pub use confusion_matrix::ConfusionMatrix;
pub use counts::Counts;
pub use decision::{Decided, Decision};
pub use exact_sum::ExactSum;
pub use f1::F1;
pub use mae::Mae;
pub use precision::Precision;
pub use recall::Recall;
pub use rmse::Rmse;
pub use top_k::TopK;

pub(crate) use decision::{argmax, floats};

use crate::Step;
use mapsto_spec::{Args, Bounds, Entry, Family, Kind, Value};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Every metric that a training file can name.
pub const METRICS: &[MetricKind] =
    &[accuracy::KIND, top_k::KIND, precision::KIND, recall::KIND, f1::KIND, mae::KIND, rmse::KIND];

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
        for name in ["precision", "recall", "f1"] {
            check(Entry::new(name).with_value(2_usize).with_option("threshold", 0.25));
            check(Entry::new(name).with_value("weighted"));
        }
    }

    #[test]
    fn every_kind_builds_and_names_its_column() {
        let names: Vec<String> = METRICS
            .iter()
            .map(|k| filled(&Entry::new(k.name).with_value(first_value(k))).unwrap().0.name())
            .collect();
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
            if let Ok(counts) = of(2).unwrap().count(&y, &target) {
                assert!(of(2).unwrap().value(&counts).is_finite(), "{}", kind.name);
                let e = metric.count(&y, &target).unwrap_err();
                assert!(e.help_text().is_some_and(|help| help.contains("below 3")), "{e}");
                refused.push(kind.name);
            }
        }
        assert_eq!(refused, ["top_k", "precision", "recall", "f1"]);
    }

    fn first_value(kind: &MetricKind) -> Value {
        if kind.name == "top_k" { Value::Int(2) } else { Value::Bool(true) }
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
            let entry = Entry::new(kind.name).with_value(first_value(kind));
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
                    (false, true) => Tensor::zeros([4, 3]),
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
