//! Judging a model on data it did not learn from, and collecting what it says.

use crate::csv;
use crate::metrics::{ConfusionMatrix, Decided, Decision, Metric, argmax, floats};
use crate::tally::Tally;
use crate::task::supervised;
use mapsto_data::{Loader, Rows};
use mapsto_nn::{Layer, Loss, Outputs};
use mapsto_tensor::error::mistakes;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor, infer, outside};
use std::panic::Location;
use std::time::Instant;

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss over the samples.
    pub loss: f64,
    /// Each metric by name.
    pub metrics: Vec<(String, f64)>,
    /// Which class was taken for which, where outputs are scores of at most 1000 classes.
    pub confusion: Option<ConfusionMatrix>,
    /// How many samples were judged.
    pub samples: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Evaluation {
    /// A metric, or the `loss`, by name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        if name == "loss" {
            return Some(self.loss);
        }
        self.metrics.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }
}

/// Runs a model over a loader in inference mode: no dropout, running statistics, and nothing recorded but what the
/// loss derives by leaves of its own.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::evaluate;
/// use mapsto_train::metrics::Accuracy;
/// let set = InMemory::new(tensor![[2.0, 0.0], [0.0, 3.0], [1.0, 0.0]], tensor![0, 1, 1]);
/// let model = |x: &Tensor| x.clone(); // any layer: here the inputs are the scores
/// let found = evaluate(&model, &set.batches(2), &cross_entropy, &[&Accuracy::new()]).unwrap();
/// assert_eq!(found.value("accuracy"), Some(2.0 / 3.0));
/// assert_eq!(found.confusion.unwrap().mistakes(), [(1, 0, 1)]); // one sample of class 1 taken for 0
/// ```
///
/// # Errors
/// A damaged sample; shapes that the model, the loss or a metric cannot read; targets outside the classes. The error names
/// the layer, the batch with its samples, and the caller's line.
#[track_caller]
pub fn evaluate<M: Layer + ?Sized>(
    model: &M,
    loader: &Loader,
    loss: &dyn Loss,
    metrics: &[&dyn Metric],
) -> Result<Evaluation> {
    let start = Instant::now();
    let (mut tally, mut confusion) = (Tally::default(), Confusion::Nothing);
    let caller = Location::caller();
    for (i, batch) in loader.epoch(0).enumerate() {
        let batch = batch?;
        let step = mistakes(|| outside(|| supervised(loss, |x| model.forward(x), &batch.data)));
        let inside = |e: Error| e.inside(format!("batch {}", batch_in_words(i + 1, &batch.indices)));
        let step = step.map_err(|e| inside(e).on_line(caller))?;
        tally.add(metrics.iter().copied(), &step, batch.rows())?;
        step.outputs.iter().for_each(|output| confusion.add(&output.y, &output.target));
    }
    tally.check_weight("evaluate").map_err(|e| e.on_line(caller))?;
    let values = tally.values(metrics.iter().copied(), "");
    Ok(Evaluation {
        loss: tally.loss(),
        metrics: values.into_iter().skip(1).collect(),
        confusion: confusion.found(),
        samples: tally.samples(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Which batch it is and which samples are in it, for messages: `3 (samples 4, 17, 2 and 61 more)`.
pub(crate) fn batch_in_words(number: usize, samples: &[usize]) -> String {
    let shown: Vec<String> = samples.iter().take(3).map(usize::to_string).collect();
    match (samples.len().saturating_sub(3), shown.join(", ")) {
        (_, shown) if shown.is_empty() => number.to_string(),
        (0, shown) => format!("{number} (samples {shown})"),
        (more, shown) => format!("{number} (samples {shown} and {more} more)"),
    }
}

const MOST_CLASSES: usize = 1000;

/// The confusion matrix of all batches, or none: one that leaves out what could not be decided would be wrong.
enum Confusion {
    Nothing,
    Found(ConfusionMatrix),
    Undecided,
}

impl Confusion {
    fn add(&mut self, y: &Tensor, target: &Tensor) {
        if matches!(self, Confusion::Undecided) {
            return;
        }
        let Some(decided) = decided(y, target) else {
            *self = Confusion::Undecided;
            return;
        };
        if let Confusion::Nothing = self {
            *self = Confusion::Found(ConfusionMatrix::new(decided.classes));
        }
        if let Confusion::Found(matrix) = self {
            matrix.add_decided(&decided);
        }
    }

    fn found(self) -> Option<ConfusionMatrix> {
        match self {
            Confusion::Found(matrix) => Some(matrix),
            _ => None,
        }
    }
}

fn decided(y: &Tensor, target: &Tensor) -> Option<Decided> {
    if y.rank() != 2 || y.shape()[1] > MOST_CLASSES {
        return None;
    }
    // Regression outputs of several columns are not class scores: their targets do not decide, and there is no matrix.
    if target.dtype().is_float() && target.shape() == y.shape() && !are_probabilities(target) {
        return None;
    }
    Decision::Argmax.decide("confusion matrix", y, target).ok()
}

fn are_probabilities(target: &Tensor) -> bool {
    let classes = target.shape()[1].max(1);
    floats(target).chunks(classes).all(|row| {
        row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3
    })
}

/// A model's outputs for every sample of a loader, beside the targets.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// Outputs, one row a sample.
    pub y: Tensor,
    /// Targets, one row a sample.
    pub target: Tensor,
    /// Which sample of the set each row is.
    pub indices: Vec<usize>,
    /// From which output on a single one means class 1, where a metric says so; where none does, 0.5 for probabilities and 0 for
    /// scores.
    pub threshold: Option<f64>,
}

/// Collects a model's outputs over a loader in inference mode.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{Outputs, predict};
/// let set = InMemory::new(tensor![[1.0], [2.0]], tensor![[3.0], [7.0]]);
/// let found = predict(&|x: &Tensor| x * 3.0, &set.batches(1)).unwrap();
/// assert_eq!(found.y.to_vec::<f32>(), [3.0, 6.0]);
/// assert_eq!(found.to_csv(Outputs::Values, &[]), "index,target,prediction\n0,3,3\n1,7,6\n");
/// ```
///
/// # Errors
/// A damaged sample; an empty loader.
#[track_caller]
pub fn predict<M: Layer + ?Sized>(model: &M, loader: &Loader) -> Result<Predictions> {
    let (mut ys, mut targets, mut indices) = (Vec::new(), Vec::new(), Vec::new());
    let caller = Location::caller();
    for (i, batch) in loader.epoch(0).enumerate() {
        let batch = batch?;
        let y = mistakes(|| infer(|| model.forward(&batch.x)));
        let inside =
            |e: Error| e.inside(format!("batch {}", batch_in_words(i + 1, &batch.indices))).on_line(caller);
        ys.push(y.map_err(inside)?);
        targets.push(batch.data.y);
        indices.extend(batch.indices);
    }
    if ys.is_empty() {
        return Err(Error::new(ErrorKind::Data, "predict: the loader has no sample"));
    }
    Ok(Predictions { y: Tensor::cat(&ys, 0), target: Tensor::cat(&targets, 0), indices, threshold: None })
}

/// One sample that was given the wrong class.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Which sample of the set.
    pub index: usize,
    /// Its class.
    pub actual: usize,
    /// The class it was given.
    pub predicted: usize,
    /// The probability with which it was given that class, 0 to 1.
    pub confidence: f64,
}

impl Predictions {
    /// The predictions as CSV.
    ///
    /// For classes: `index,target,prediction,right,probability`, classes by name where there are names. For values:
    /// `index,target,prediction`, numbered where there are several, or by the names that are given. For labels, of which a sample may have
    /// several: `target`, `prediction` and `probability` of each, `prediction NAME` being 1 from a probability of a half (or the threshold) on.
    #[must_use]
    pub fn to_csv(&self, outputs: Outputs, classes: &[String]) -> String {
        let names: Vec<String> = self.indices.iter().map(usize::to_string).collect();
        self.to_csv_named(outputs, classes, "index", &names)
    }

    /// As [`Predictions::to_csv`], with names of the samples, in the order of the rows, under a heading in place of `index`.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// use mapsto_train::{Outputs, Predictions};
    /// let found = Predictions { y: tensor![[3.0]], target: tensor![[2.0]], indices: vec![0], threshold: None };
    /// let table = found.to_csv_named(Outputs::Values, &[], "file", &["a.png".to_string()]);
    /// assert_eq!(table, "file,target,prediction\na.png,2,3\n");
    /// ```
    #[must_use]
    pub fn to_csv_named(
        &self,
        outputs: Outputs,
        classes: &[String],
        heading: &str,
        names: &[String],
    ) -> String {
        let names: Vec<String> = names.iter().map(|name| csv::field(name)).collect();
        match self.classified(outputs) {
            Some(rows) => classes_csv(&rows, classes, heading, &names),
            None if self.are_labels(outputs) => self.labels_to_csv(outputs, classes, heading, &names),
            None => self.values_csv(classes, heading, &names),
        }
    }

    /// Whether each output may be an answer of yes or no of its own.
    #[must_use]
    pub fn are_labels(&self, outputs: Outputs) -> bool {
        let is_each = matches!(outputs, Outputs::Logit | Outputs::Probabilities);
        is_each && self.y.rank() == 2 && self.y.shape()[1] > 1 && self.y.shape() == self.target.shape()
    }

    /// As [`Predictions::to_csv_named`] where each output is known to be a label of its own, also where every sample has a single one.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// use mapsto_train::{Outputs, Predictions};
    /// let (y, target) = (tensor![[0.0, -3f32.ln()]], tensor![[1.0, 0.0]]);
    /// let found = Predictions { y, target, indices: vec![0], threshold: None };
    /// let labels = ["a", "b"].map(String::from);
    /// assert_eq!(
    ///     found.labels_to_csv(Outputs::Logit, &labels, "row", &["1".to_string()]),
    ///     "row,target a,target b,prediction a,prediction b,probability a,probability b\n1,1,0,1,0,0.500000,0.250000\n"
    /// );
    /// ```
    #[must_use]
    pub fn labels_to_csv(
        &self,
        outputs: Outputs,
        labels: &[String],
        heading: &str,
        names: &[String],
    ) -> String {
        let width = self.y.shape()[1];
        let label = |i: usize| labels.get(i).cloned().unwrap_or_else(|| i.to_string());
        let head = |what: &str| {
            (0..width).map(|i| csv::field(&format!("{what} {}", label(i)))).collect::<Vec<_>>().join(",")
        };
        let heads = ["target", "prediction", "probability"].map(head).join(",");
        let mut text = format!("{heading},{heads}\n");
        let (y, target) = (floats(&self.y), floats(&self.target));
        let is_logit = outputs == Outputs::Logit;
        let at = self.threshold.unwrap_or(if is_logit { 0.0 } else { 0.5 });
        for ((name, y), t) in names.iter().zip(y.chunks(width)).zip(target.chunks(width)) {
            let targets = t.iter().map(f64::to_string);
            let given = y.iter().map(|y| u8::from(*y >= at).to_string());
            let shares = y.iter().map(|y| {
                let p = if is_logit { 1.0 / (1.0 + (-y).exp()) } else { *y };
                format!("{p:.6}")
            });
            text += &format!("{name},{}\n", targets.chain(given).chain(shares).collect::<Vec<_>>().join(","));
        }
        text
    }

    /// The samples given a wrong class, the most confident first; empty for plain values.
    #[must_use]
    pub fn mistakes(&self, outputs: Outputs) -> Vec<Mistake> {
        let mut wrong: Vec<Mistake> = self.classified(outputs).unwrap_or_default();
        wrong.retain(|m| m.actual != m.predicted);
        wrong.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.index.cmp(&b.index)));
        wrong
    }

    /// Every sample with the class it was given, right or wrong, and how sure of it the model is; none where outputs are values, or
    /// are several decisions a sample.
    #[must_use]
    pub fn classified(&self, outputs: Outputs) -> Option<Vec<Mistake>> {
        if outputs == Outputs::Values {
            return None;
        }
        let n = self.indices.len();
        let scores = floats(&self.y);
        let width = scores.len() / n.max(1);
        let decision = match (width, outputs) {
            (1, Outputs::Logits | Outputs::Logit) => Decision::Threshold(self.threshold.unwrap_or(0.0)),
            (1, _) => Decision::Threshold(self.threshold.unwrap_or(0.5)),
            _ => Decision::Argmax,
        };
        let each = matches!(outputs, Outputs::Logit | Outputs::Probabilities) && width > 1;
        if each && self.target.dtype().is_float() && !are_probabilities(&self.target) {
            return None; // several answers of yes or no a sample, which are not class
        }
        let decided = decision.decide("predictions", &self.y, &self.target).ok()?;
        if decided.actual.len() != n {
            return None; // several decisions a sample, such as the words of a text
        }
        let row = |i: usize| Mistake {
            index: self.indices[i],
            actual: decided.actual[i],
            predicted: decided.predicted[i],
            confidence: confidence(&scores[i * width..(i + 1) * width], outputs, decided.predicted[i]),
        };
        Some((0..n).map(row).collect())
    }

    fn values_csv(&self, of: &[String], heading: &str, names: &[String]) -> String {
        let n = self.indices.len().max(1);
        let (y, target) = (floats(&self.y), floats(&self.target));
        let header = |name: &str, width: usize| match width {
            1 => name.to_string(),
            _ => {
                let which = |i: usize| of.get(i).cloned().unwrap_or_else(|| i.to_string());
                (0..width).map(|i| csv::field(&format!("{name} {}", which(i)))).collect::<Vec<_>>().join(",")
            }
        };
        let (wide_y, wide_t) = (y.len() / n, target.len() / n);
        let mut text = format!("{heading},{},{}\n", header("target", wide_t), header("prediction", wide_y));
        let is_f32 = self.y.dtype() != mapsto_tensor::DType::F64;
        let number = |v: &f64| if is_f32 { (*v as f32).to_string() } else { v.to_string() };
        for (i, index) in names.iter().enumerate() {
            let row = target[i * wide_t..(i + 1) * wide_t].iter().chain(&y[i * wide_y..(i + 1) * wide_y]);
            text += &format!("{index},{}\n", row.map(number).collect::<Vec<_>>().join(","));
        }
        text
    }
}

fn classes_csv(rows: &[Mistake], classes: &[String], heading: &str, names: &[String]) -> String {
    let name = |c: usize| classes.get(c).map_or_else(|| c.to_string(), |n| csv::field(n));
    let mut text = format!("{heading},target,prediction,right,probability\n");
    for (m, sample) in rows.iter().zip(names) {
        let (actual, predicted) = (name(m.actual), name(m.predicted));
        text += &format!("{sample},{actual},{predicted},{},{:.6}\n", m.actual == m.predicted, m.confidence);
    }
    text
}

/// The probability of the class that a row of outputs was given.
fn confidence(row: &[f64], outputs: Outputs, predicted: usize) -> f64 {
    match (row, outputs) {
        ([p], Outputs::Probabilities) => {
            if predicted == 1 {
                *p
            } else {
                1.0 - p
            }
        }
        ([z], _) => 1.0 / (1.0 + if predicted == 1 { -z } else { *z }.exp()),
        (row, Outputs::Probabilities) => row[argmax(row)],
        (row, Outputs::LogProbabilities) => row[argmax(row)].exp(),
        (row, Outputs::Logit) => 1.0 / (1.0 + (-row[argmax(row)]).exp()),
        (row, _) => {
            let most = row[argmax(row)];
            1.0 / row.iter().map(|z| (z - most).exp()).sum::<f64>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn mistakes_come_most_confident_first() {
        let y = tensor![[2.0, 0.0], [0.0, 1.0], [0.0, 4.0], [3.0, 0.0]];
        let predictions =
            Predictions { y, target: tensor![0, 0, 0, 0], indices: vec![5, 6, 7, 8], threshold: None };
        let wrong: Vec<usize> = predictions.mistakes(Outputs::Logits).iter().map(|m| m.index).collect();
        assert_eq!(wrong, [7, 6]);
        let names = ["cat".to_string(), "dog, big".to_string()];
        let csv = predictions.to_csv(Outputs::Logits, &names);
        // 1 / (1 + e⁻²) = 0.880797
        assert!(csv.starts_with("index,target,prediction,right,probability\n5,cat,cat,true,0.880797\n6,cat,\"dog, big\",false,0.731059\n"), "{csv}");
    }

    #[test]
    fn several_answers_of_yes_or_no_are_no_class() {
        let y = tensor![[2.0, -1.0, 3.0], [-2.0, 0.5, -3.0]];
        let of = |target: Tensor| Predictions { y: y.clone(), target, indices: vec![0, 1], threshold: None };
        let labels = of(tensor![[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
        let csv = labels.to_csv(Outputs::Logit, &[]);
        assert!(csv.starts_with("index,target 0,target 1,target 2,prediction 0,"), "{csv}");
        assert!(labels.mistakes(Outputs::Logit).is_empty());
        let one_hot = of(tensor![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        let wrong = one_hot.mistakes(Outputs::Logit);
        assert_eq!((wrong.len(), wrong[0].predicted), (1, 2));
        assert!((wrong[0].confidence - 1.0 / (1.0 + (-3f64).exp())).abs() < 1e-6);
        let logs = Predictions {
            y: tensor![[0.25, 0.75]].log(),
            target: tensor![0],
            indices: vec![0],
            threshold: None,
        };
        assert!((logs.mistakes(Outputs::LogProbabilities)[0].confidence - 0.75).abs() < 1e-6);
    }

    #[test]
    fn one_column_is_two_classes() {
        let (y, target) = (tensor![[0.25], [0.75]], tensor![[1.0], [1.0]]);
        let predictions = Predictions { y, target, indices: vec![0, 1], threshold: None };
        assert_eq!(
            predictions.mistakes(Outputs::Probabilities),
            [Mistake { index: 0, actual: 1, predicted: 0, confidence: 0.75 }]
        );
        assert!(predictions.mistakes(Outputs::Values).is_empty());
        // A metric's threshold decides here too, and the probability is that of the class it names.
        for (threshold, outputs, wrong) in [
            (Some(0.2), Outputs::Probabilities, None),
            (Some(0.8), Outputs::Probabilities, Some(0.75)),
            (Some(0.3), Outputs::Logit, Some(1.0 / (1.0 + 0.25_f64.exp()))),
            (None, Outputs::Logit, None),
        ] {
            let found = Predictions { threshold, ..predictions.clone() }.mistakes(outputs);
            assert_eq!(
                found.first().map(|m| (m.index, m.confidence)),
                wrong.map(|p| (0, p)),
                "{threshold:?}"
            );
        }
    }
}
