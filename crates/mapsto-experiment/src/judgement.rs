//! `Judgement`: what is known of a model once its test samples have been looked at, beyond its loss and metrics: intervals, the report of
//! classes, calibration, and the samples that it does worst on.

use mapsto::data::Loader;
use mapsto::spec::Json;
use mapsto::training::metrics::{
    Accuracy, Average, AveragePrecision, BalancedAccuracy, Ece, F1, Hamming, LogLoss, Mae, Mcc, Metric, R2,
    Rmse, RocAuc, Scored,
};
use mapsto::training::{
    ClassReport, Evaluation, Interval, Outputs, Predictions, bootstrap, predict, temperature,
};
use mapsto::{DType, Result, Tensor};

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

/// Temperature scaling, fitted on the validation samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// What to divide logits by.
    pub temperature: f64,
    /// The expected calibration error of the model as it is.
    pub before: f64,
    /// The same once its logits are divided.
    pub after: f64,
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
    /// Looks closely at what the model, as it is now, says of a loader's samples. Intervals are of `resamples` draws; where none are asked
    /// for, of 1000, or of fewer, at least 100, where outputs are many.
    ///
    /// # Errors
    /// A damaged sample; outputs that a metric refuses.
    pub fn judge(&self, loader: &Loader, found: &Evaluation, resamples: Option<usize>) -> Result<Judgement> {
        let predictions = Predictions { threshold: self.threshold(), ..predict(&self.model, loader)? };
        let (y, target) = (&predictions.y, &predictions.target);
        let kind = self.kind(y, target);
        let usual = self.usual(kind);
        let mut metrics: Vec<&dyn Metric> = self.metrics.iter().map(|metric| &**metric).collect();
        for metric in &usual {
            let is_new = metrics.iter().all(|known| known.name() != metric.name());
            if is_new && metric.count(y, target).is_ok() {
                metrics.push(&**metric);
            }
        }
        let strata = match kind {
            Kind::Classes(_) => Some(Scored::read("eval", self.scale(), y, target)?.actual),
            _ => None,
        };
        let resamples = resamples.unwrap_or((20_000_000 / y.len().max(1)).clamp(100, 1000));
        let intervals = bootstrap(y, target, strata.as_deref(), &metrics, resamples, self.config.train.seed)?;
        let mut numbers = Vec::new();
        for (metric, interval) in metrics.iter().zip(intervals) {
            let value = metric.value(&metric.count(y, target)?);
            numbers.push(Judged { name: metric.name(), value, interval });
        }
        let report = found.confusion.as_ref().filter(|_| matches!(kind, Kind::Classes(_)));
        Ok(Judgement {
            numbers,
            resamples,
            stratified: strata.is_some(),
            report: report.map(|matrix| ClassReport::of(&matrix.clone().named(&self.info.classes))),
            calibration: self.calibration(kind, y, target)?,
            worst: self.worst(kind, &predictions)?,
        })
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

    /// Temperature scaling by the validation samples; none without such samples, or where no temperature is the best.
    fn calibration(&self, kind: Kind, y: &Tensor, target: &Tensor) -> Result<Option<Calibration>> {
        let (Kind::Classes(_), Some(validation)) = (kind, &self.validation) else { return Ok(None) };
        let held = predict(&self.model, validation)?;
        let Ok(temperature) = temperature(&held.y, &held.target, self.scale()) else { return Ok(None) };
        // Logarithms of probabilities are logits too, and once divided no longer add up.
        let ece = |y: &Tensor, outputs| -> Result<f64> {
            let ece = Ece::new().outputs(outputs);
            Ok(ece.value(&ece.count(y, target)?))
        };
        let before = ece(y, self.scale())?;
        let after = ece(&(y.to(DType::F64) / temperature), Outputs::Logits)?;
        Ok(Some(Calibration { temperature, before, after }))
    }

    /// The ten samples with the largest loss or error.
    fn worst(&self, kind: Kind, found: &Predictions) -> Result<Vec<Worst>> {
        const MOST: usize = 10;
        let (_, names) = self.test_names();
        let class = |c: usize| self.info.classes.get(c).cloned().unwrap_or_else(|| c.to_string());
        let mut all: Vec<Worst> = match kind {
            Kind::Classes(at) => {
                let scored = Scored::read("eval", self.scale(), &found.y, &found.target)?;
                let values = found.y.to(DType::F64).to_vec::<f64>();
                let given = |i: usize| match at {
                    Some(at) => usize::from(values[i] >= at),
                    None => {
                        let row = &values[i * scored.classes..(i + 1) * scored.classes];
                        (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best })
                    }
                };
                let one = |i: usize| Worst {
                    name: names[found.indices[i]].clone(),
                    truth: class(scored.actual[i]),
                    prediction: class(given(i)),
                    loss: scored.surprise(i),
                };
                (0..scored.len()).map(one).collect()
            }
            Kind::Numbers => {
                let [y, t] = [&found.y, &found.target].map(|x| x.to(DType::F64).to_vec::<f64>());
                let width = y.len() / found.indices.len().max(1);
                let one = |i: usize| {
                    // Of several numbers the one that is farthest off.
                    let at = (i * width..(i + 1) * width)
                        .max_by(|&a, &b| (y[a] - t[a]).abs().total_cmp(&(y[b] - t[b]).abs()))?;
                    Some(Worst {
                        name: names[found.indices[i]].clone(),
                        truth: (t[at] as f32).to_string(),
                        prediction: (y[at] as f32).to_string(),
                        loss: (y[at] - t[at]).abs(),
                    })
                };
                (0..found.indices.len()).filter_map(one).collect()
            }
            Kind::Labels(_) | Kind::Other => Vec::new(),
        };
        all.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        all.truncate(MOST);
        Ok(all)
    }
}

impl Judgement {
    /// All of it for other programs, beside loss, metrics and confusion matrix.
    pub fn to_json(&self, found: &Evaluation, classes: &[String], look: Option<usize>) -> Json {
        let object = |pairs: Vec<(&str, Json)>| {
            Json::Object(pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
        };
        let text = |s: &str| Json::Str(s.to_string());
        let bounds = |i: Interval| Json::List(vec![Json::Float(i.low), Json::Float(i.high)]);
        let number = |n: &Judged| {
            object(vec![
                ("name", text(&n.name)),
                ("value", Json::Float(n.value)),
                ("interval", n.interval.map_or(Json::Null, bounds)),
            ])
        };
        let row = |r: &mapsto::training::ClassRow| {
            object(vec![
                ("class", text(&r.name)),
                ("precision", Json::Float(r.precision)),
                ("recall", Json::Float(r.recall)),
                ("f1", Json::Float(r.f1)),
                ("support", Json::Int(r.support as i64)),
            ])
        };
        let mut all = vec![
            ("look", look.map_or(Json::Null, |n| Json::Int(n as i64))),
            ("samples", Json::Int(found.samples as i64)),
            ("loss", Json::Float(found.loss)),
            ("metrics", Json::List(self.numbers.iter().map(number).collect())),
            ("resamples", Json::Int(self.resamples as i64)),
            ("stratified", Json::Bool(self.stratified)),
        ];
        if let Some(report) = &self.report {
            let rows = report.rows.iter().chain(&report.averages);
            all.push(("report", Json::List(rows.map(row).collect())));
        }
        if let Some(matrix) = &found.confusion {
            let k = matrix.classes();
            let cells = |a| Json::List((0..k).map(|p| Json::Int(matrix.get(a, p) as i64)).collect());
            all.push(("classes", Json::List(classes.iter().map(|name| text(name)).collect())));
            all.push(("confusion", Json::List((0..k).map(cells).collect())));
        }
        if let Some(c) = &self.calibration {
            let pairs = [("temperature", c.temperature), ("ece", c.before), ("ece_scaled", c.after)];
            all.push(("calibration", object(pairs.map(|(key, v)| (key, Json::Float(v))).into())));
        }
        let worst = |w: &Worst| {
            object(vec![
                ("sample", text(&w.name)),
                ("truth", text(&w.truth)),
                ("prediction", text(&w.prediction)),
                ("loss", Json::Float(w.loss)),
            ])
        };
        all.push(("worst", Json::List(self.worst.iter().map(worst).collect())));
        object(all)
    }
}
