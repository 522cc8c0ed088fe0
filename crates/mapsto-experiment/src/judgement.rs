//! `Judgement`: what is known of a model once its test samples have been looked at, beyond its loss and metrics: intervals, the report of
//! classes, calibration, and the samples that it does worst on.

mod curves;
mod json;
mod worst;

pub use curves::Curves;

use mapsto::data::Loader;
use mapsto::spec::build;
use mapsto::training::metrics::{
    Accuracy, Average, AveragePrecision, BalancedAccuracy, ConfusionMatrix, Decision, Ece, F1, Hamming,
    LogLoss, Mae, MaxError, Mcc, Metric, R2, Rmse, RocAuc, Scored,
};
use mapsto::training::{
    ClassReport, Evaluation, Interval, LabelReport, Outputs, Predictions, bootstrap, predict, temperature,
};
use mapsto::{DType, Error, ErrorKind, Result, Tensor};

use crate::experiment::Experiment;

/// What a closer look at some samples found.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The metrics of the training file, and the usual ones of such a task.
    pub numbers: Vec<Judged>,
    /// How many bootstrap draws the intervals are of.
    pub resamples: usize,
    /// Whether each class kept its number of samples in the draws.
    pub stratified: bool,
    /// Precision, recall and F1 of each class, where the model tells classes apart.
    pub report: Option<ClassReport>,
    /// The same of labels, where the model says several at once.
    pub labels: Option<LabelReport>,
    /// Which classes are taken for which, the most frequent first.
    pub confused: Vec<Confused>,
    /// Curves and clouds, by class, label or target.
    pub curves: Curves,
    /// How sure the model is beside how right it is, where a temperature could be fitted.
    pub calibration: Option<Calibration>,
    /// The samples with the largest loss or error, the worst first.
    pub worst: Vec<Worst>,
}

/// A metric with the bounds that hold 95 % of its values over bootstrap draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its column, such as `macro f1`.
    pub name: String,
    /// Its value on the samples.
    pub value: f64,
    /// The interval, where there is one.
    pub interval: Option<Interval>,
}

/// A class that was taken for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confused {
    /// The class that the samples have.
    pub truth: String,
    /// The class that they were given.
    pub predicted: String,
    /// How many they are.
    pub count: u64,
}

/// Temperature scaling, fitted on the validation samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// What to divide logits by.
    pub temperature: f64,
    /// The expected calibration error of the model as it is.
    pub before: f64,
    /// The same once its logits are divided.
    pub after: f64,
    /// The log loss before and after.
    pub log_loss: [f64; 2],
    /// Whether the model file keeps the temperature, so that predictions are calibrated.
    pub is_kept: bool,
}

/// How samples are judged, where it is not as a run's own test samples are.
#[derive(Debug, Clone, Default)]
pub struct Judging {
    /// How many bootstrap draws the intervals are of; where nothing is said 1000, or fewer, at least 100, where outputs are many.
    pub resamples: Option<usize>,
    /// What the samples are called; where nothing is said as the test samples are.
    pub names: Option<Vec<String>>,
    /// The temperature that the model file keeps.
    pub temperature: Option<f64>,
}

/// A sample that the model does badly on.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    /// What it is called: its row, file or place.
    pub name: String,
    /// Its class or its number.
    pub truth: String,
    /// What the model gave.
    pub prediction: String,
    /// `−log p` of its class, or how far the prediction is off.
    pub loss: f64,
}

/// What the outputs of a task are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// One class a sample: of a column with a threshold, or of scores.
    Classes(Option<f64>),
    Labels(f64),
    Numbers,
    Other,
}

impl Experiment {
    /// Looks closely at what the model, as it is now, says of a loader's samples.
    ///
    /// # Errors
    /// A damaged sample; outputs that a metric refuses.
    pub fn judge(&self, loader: &Loader, found: &Evaluation, how: &Judging) -> Result<Judgement> {
        let predictions = Predictions { threshold: self.threshold(), ..predict(&self.model, loader)? };
        let (y, target) = (&predictions.y, &predictions.target);
        let kind = self.kind(y, target);
        let metrics = self.judged_by(kind, y, target);
        let strata = match kind {
            Kind::Classes(_) => Some(Scored::read("eval", self.scale(), y, target)?.actual),
            _ => None,
        };
        let all: Vec<&dyn Metric> = metrics.iter().map(|(_, metric)| &**metric).collect();
        let resamples = how.resamples.unwrap_or((20_000_000 / y.len().max(1)).clamp(100, 1000));
        let intervals = bootstrap(y, target, strata.as_deref(), &all, resamples, self.config.train.seed)?;
        let mut numbers = Vec::new();
        for ((name, metric), interval) in metrics.iter().zip(intervals) {
            let value = metric.value(&metric.count(y, target)?);
            // What draws say of a calibration error, or of a largest error, is biased: see `docs/predicting.md`.
            let is_biased = [Ece::new().name(), MaxError::new().name()].contains(&metric.name());
            let is_sound = |i: &Interval| !is_biased && i.low <= value && value <= i.high;
            numbers.push(Judged { name: name.clone(), value, interval: interval.filter(is_sound) });
        }
        let of_threshold = match kind {
            Kind::Classes(Some(at)) => {
                let mut matrix = ConfusionMatrix::new(2);
                matrix.add(Decision::Threshold(at), y, target)?;
                Some(matrix)
            }
            _ => None,
        };
        let matrix = of_threshold.as_ref().or(found.confusion.as_ref());
        let report = matrix.filter(|_| matches!(kind, Kind::Classes(_)));
        let calibration = self.calibration(kind, y, target, how.temperature)?;
        let names = how.names.clone().unwrap_or_else(|| self.test_names().1);
        Ok(Judgement {
            numbers,
            resamples,
            stratified: strata.is_some(),
            report: report.map(|matrix| {
                let names: Vec<String> = (0..matrix.classes()).map(|c| self.class(c)).collect();
                ClassReport::of(&matrix.clone().named(&names))
            }),
            labels: self.label_report(kind, y, target),
            confused: report.map_or(Vec::new(), |matrix| {
                let of = |(truth, predicted, count): (usize, usize, u64)| Confused {
                    truth: self.class(truth),
                    predicted: self.class(predicted),
                    count,
                };
                matrix.mistakes().into_iter().map(of).collect()
            }),
            curves: self.curves_of(kind, y, target, how.temperature.filter(|_| calibration.is_some()))?,
            calibration,
            worst: self.worst(kind, &predictions, &names)?,
        })
    }

    /// The metrics of the training file and the usual ones, each with its name.
    fn judged_by(&self, kind: Kind, y: &Tensor, target: &Tensor) -> Vec<(String, Box<dyn Metric>)> {
        let is_of_two = matches!(kind, Kind::Classes(at) if at.is_some() || y.shape()[1] == 2);
        // Of two classes the average precision is that of class 1, whatever average is asked for.
        let name = |metric: &dyn Metric| match metric.name() {
            name if is_of_two && name.ends_with("average precision") => "average precision of class 1".into(),
            name => name,
        };
        let own = self.config.train.metrics.iter().filter_map(|entry| build::<dyn Metric>(entry, &()).ok());
        let mut metrics: Vec<(String, Box<dyn Metric>)> =
            own.map(|metric| (name(&*metric), metric)).collect();
        for metric in self.usual(kind) {
            let name = name(&*metric);
            let is_new = metrics.iter().all(|(known, _)| *known != name);
            if is_new && metric.count(y, target).is_ok() {
                metrics.push((name, metric));
            }
        }
        metrics
    }

    /// What is drawn of the model's answers to a loader's samples.
    ///
    /// # Errors
    /// Outputs that are not what the loss says of them.
    pub fn curves(&self, predictions: &Predictions) -> Result<Curves> {
        let (y, target) = (&predictions.y, &predictions.target);
        self.curves_of(self.kind(y, target), y, target, None)
    }

    /// The name of a class.
    fn class(&self, class: usize) -> String {
        self.info.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The name of a label, or of a number.
    fn target(&self, i: usize) -> String {
        self.info.targets.get(i).cloned().unwrap_or_else(|| i.to_string())
    }

    fn label_report(&self, kind: Kind, y: &Tensor, target: &Tensor) -> Option<LabelReport> {
        let Kind::Labels(at) = kind else { return None };
        let [given, truth] = [(y, at), (target, 0.5)].map(|(t, at)| {
            t.to(DType::F64).to_vec::<f64>().iter().map(|&v| u8::from(v >= at)).collect::<Vec<u8>>()
        });
        let names: Vec<String> = (0..y.shape()[1]).map(|i| self.target(i)).collect();
        Some(LabelReport::of(&given, &truth, &names))
    }

    /// What metrics take the outputs for.
    fn scale(&self) -> Outputs {
        if self.outputs() == Outputs::Logit { Outputs::Logits } else { self.outputs() }
    }

    fn kind(&self, y: &Tensor, target: &Tensor) -> Kind {
        let outputs = self.outputs();
        let at = self.threshold().unwrap_or(if outputs == Outputs::Probabilities { 0.5 } else { 0.0 });
        let same = y.shape() == target.shape() && y.rank() == 2;
        match y.shape() {
            _ if outputs == Outputs::Values => {
                if target.dtype().is_float() && y.shape() == target.shape() {
                    Kind::Numbers
                } else {
                    Kind::Other
                }
            }
            [_, 1] if same => Kind::Classes(Some(at)),
            [_, _] if same && matches!(outputs, Outputs::Logit | Outputs::Probabilities) => Kind::Labels(at),
            [n, k] if *k > 1 && target.shape() == [*n] && !target.dtype().is_float() => Kind::Classes(None),
            _ => Kind::Other,
        }
    }

    /// The metrics that such a task is usually judged by.
    fn usual(&self, kind: Kind) -> Vec<Box<dyn Metric>> {
        let outputs = self.scale();
        match kind {
            Kind::Classes(at) => {
                let f1 = F1::new(Average::Macro);
                let decided: [Box<dyn Metric>; 4] = match at {
                    Some(at) => [
                        Box::new(Accuracy::threshold(at)),
                        Box::new(BalancedAccuracy::new().threshold(at)),
                        Box::new(f1.threshold(at)),
                        Box::new(Mcc::new().threshold(at)),
                    ],
                    None => [
                        Box::new(Accuracy::new()),
                        Box::new(BalancedAccuracy::new()),
                        Box::new(f1),
                        Box::new(Mcc::new()),
                    ],
                };
                let scored: [Box<dyn Metric>; 4] = [
                    Box::new(LogLoss::new().outputs(outputs)),
                    Box::new(RocAuc::new(Average::Macro).outputs(outputs)),
                    Box::new(AveragePrecision::new(Average::Macro).outputs(outputs)),
                    Box::new(Ece::new().outputs(outputs)),
                ];
                decided.into_iter().chain(scored).collect()
            }
            Kind::Labels(at) => vec![
                Box::new(F1::new(Average::Macro).labels(at)),
                Box::new(F1::new(Average::Micro).labels(at)),
                Box::new(Hamming::new().labels(at)),
                Box::new(RocAuc::new(Average::Macro).labels()),
                Box::new(AveragePrecision::new(Average::Macro).labels()),
            ],
            Kind::Numbers => vec![Box::new(Mae::new()), Box::new(Rmse::new()), Box::new(R2::new())],
            Kind::Other => Vec::new(),
        }
    }

    /// Temperature scaling by the validation samples, or by the temperature that is kept; none without such samples, or where no temperature is the best.
    fn calibration(
        &self,
        kind: Kind,
        y: &Tensor,
        target: &Tensor,
        kept: Option<f64>,
    ) -> Result<Option<Calibration>> {
        if !matches!(kind, Kind::Classes(_)) {
            return Ok(None);
        }
        let Some(temperature) = kept.or(self.fit_temperature().ok()) else { return Ok(None) };
        // Logarithms of probabilities are logits too, and once divided no longer add up.
        let scaled = y.to(DType::F64) / temperature;
        let both = |metric: fn(Outputs) -> Box<dyn Metric>| -> Result<[f64; 2]> {
            let of = |y: &Tensor, outputs| -> Result<f64> {
                let metric = metric(outputs);
                Ok(metric.value(&metric.count(y, target)?))
            };
            Ok([of(y, self.scale())?, of(&scaled, Outputs::Logits)?])
        };
        let [before, after] = both(|outputs| Box::new(Ece::new().outputs(outputs)))?;
        let log_loss = both(|outputs| Box::new(LogLoss::new().outputs(outputs)))?;
        Ok(Some(Calibration { temperature, before, after, log_loss, is_kept: kept.is_some() }))
    }

    /// The temperature for which the validation samples have the least log loss.
    ///
    /// # Errors
    /// There are no such samples, the outputs are no logits of classes, or no temperature is the best.
    pub fn fit_temperature(&self) -> Result<f64> {
        let Some(validation) = &self.validation else {
            let message = "a temperature is fitted on the validation samples, and the run held out none";
            return Err(Error::new(ErrorKind::Usage, message).help("train with `validation = 0.1` in [data]"));
        };
        let held = predict(&self.model, validation)?;
        if !matches!(self.kind(&held.y, &held.target), Kind::Classes(_)) {
            let message =
                "a temperature calibrates the probabilities of classes, and the model tells none apart";
            return Err(Error::new(ErrorKind::Usage, message).help("leave `--calibrate` out"));
        }
        temperature(&held.y, &held.target, self.scale())
    }
}
