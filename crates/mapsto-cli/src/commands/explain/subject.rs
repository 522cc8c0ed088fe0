//! What is explained: a model, the samples that it is asked about, and what they are compared with.

use std::path::Path;

use mapsto::data::{Batches, Column, ColumnKind, Sample};
use mapsto::explain::{Ask, Features, METHODS, Method, Model, Needs, Target};
use mapsto::nn::Exceptions;
use mapsto::training::{Outputs, readable};
use mapsto::{DType, Error, ErrorKind, Result, Tensor, catch};
use mapsto_experiment::{Experiment, Predictor, Run, plain};

use super::Invocation;

/// Samples that stand for the training set, and those that a whole model is explained on.
const BACKGROUND: usize = 20;
const MANY: usize = 500;

/// A model with samples.
pub struct Subject {
    pub predictor: Predictor,
    /// The run's data, where it was needed or asked for.
    experiment: Option<Experiment>,
    /// All samples, before preprocessing.
    raw: Tensor,
    /// What would have been right for them, where it is known.
    truth: Option<Tensor>,
    /// Which of them is explained.
    row: usize,
    /// What the sample is called.
    pub name: String,
}

/// A question about a subject, as one method takes it.
pub struct Question<'a> {
    pub model: Model<'a>,
    pub x: Tensor,
    pub ask: Ask,
    /// Whether the model takes the inputs before their preprocessing.
    pub is_raw: bool,
}

impl Subject {
    /// # Errors
    /// The run, its data or the file cannot be read, or do not fit; a row that is not there.
    pub fn open(run: &str, invocation: &Invocation, except: &Exceptions) -> Result<Subject> {
        let predictor = Predictor::open(run, except)?;
        let row = invocation.matches.get_one::<u32>("row").map_or(0, |row| *row as usize - 1);
        let mut experiment = None;
        if Path::new(run).is_dir() {
            let run = Run::open(run)?;
            match run.experiment(&run.folder().best(), except, |_| {}) {
                Ok(found) => experiment = Some(found),
                // A file explains itself without the data, unless something is compared with it.
                Err(e) if invocation.optional("file").is_none() => return Err(e),
                Err(_) => {}
            }
        }
        let (raw, truth, name) = match (invocation.optional("file"), &experiment) {
            (Some(file), _) => {
                let path = Path::new(file);
                let raw = match predictor.is_table(path) {
                    true => predictor.table(path)?,
                    false => predictor.image(path)?,
                };
                (raw, None, plain(file))
            }
            (None, Some(experiment)) => {
                let loader = experiment.validation.as_ref().unwrap_or(&experiment.train);
                let set = loader.dataset();
                let first = if set.len() > row { row / MANY * MANY } else { 0 };
                let rows: Vec<usize> = (first..set.len().min(first + MANY)).collect();
                let (x, y) = read(set, &rows)?;
                let what = if experiment.validation.is_some() { "validation" } else { "training" };
                (x, Some(y), format!("{what} sample"))
            }
            (None, None) => {
                return Err(Error::new(ErrorKind::Usage, "a model file brings no samples")
                    .help("give an image or a table besides, or the folder of a run"));
            }
        };
        let raw = if invocation.matches.get_flag("invert") {
            if raw.rank() != 4 {
                let message = "`--invert` exchanges black and white in images, and this is a table";
                return Err(Error::new(ErrorKind::Usage, message).help("leave `--invert` out"));
            }
            1.0 - raw
        } else {
            raw
        };
        let n = raw.shape()[0];
        let row = if invocation.optional("file").is_none() && n == MANY { row % MANY } else { row };
        if row >= n {
            let message = format!("row {} was asked for, and there are {n}", row + 1);
            return Err(Error::new(ErrorKind::Usage, message).help("rows count from 1"));
        }
        let raw = match raw.dtype().is_float() {
            true => raw,
            false => raw.to(DType::F32),
        };
        let name = if n > 1 || truth.is_some() { format!("{name} {}", row + 1) } else { name };
        Ok(Subject { predictor, experiment, raw, truth, row, name })
    }

    /// Whether samples are rows of a table.
    pub fn is_table(&self) -> bool {
        self.raw.rank() == 2
    }

    /// The sample that is explained, before preprocessing.
    pub fn sample(&self) -> Tensor {
        self.raw.slice(0, self.row..self.row + 1)
    }

    /// Methods that suit these samples, the best first.
    pub fn suited(&self) -> Vec<&'static dyn Method> {
        let all = || METHODS.iter().copied().filter(|method| !method.is_global());
        let complete = |needs: Needs| all().filter(move |m| m.is_complete() && m.needs() == needs);
        match self.is_table() {
            true => complete(Needs::Answers).chain(complete(Needs::Gradients)).collect(),
            false => {
                let maps = all().filter(|m| m.name().ends_with("-cam"));
                maps.chain(complete(Needs::Gradients)).collect()
            }
        }
    }

    /// The inputs as the model takes them.
    fn prepared(&self, x: &Tensor) -> Result<Tensor> {
        let x = catch(|| self.predictor.preprocessing().apply(x.clone()))?;
        Ok(if x.dtype() == DType::F64 { x.to(DType::F32) } else { x })
    }

    /// The names of the features of a table, or of the numbers of other samples.
    pub fn feature(&self, i: usize) -> String {
        self.predictor.features().get(i).map_or(format!("x{}", i + 1), |name| plain(name))
    }

    /// The cell of the explained row in a column, in words.
    pub fn cell(&self, column: usize, value: f64) -> String {
        let columns: Vec<Column> =
            self.predictor.preprocessing().table().map_or(Vec::new(), |(columns, _)| columns);
        let exact = columns.get(column).map_or(format!("{value}"), |column| plain(&column.cell(value)));
        // A number that was computed has more digits than anybody reads.
        if exact.len() > 10 && exact.parse::<f64>().is_ok() { readable(value, 4) } else { exact }
    }

    /// The name of a class, or of an output.
    pub fn class(&self, class: usize) -> String {
        self.predictor.classes().get(class).map_or(format!("output {}", class + 1), |name| plain(name))
    }

    /// What a score is.
    pub fn score_name(&self) -> &'static str {
        match self.predictor.outputs() {
            Outputs::Logits | Outputs::Logit => "logit",
            Outputs::Probabilities => "probability",
            Outputs::LogProbabilities => "log-probability",
            Outputs::Values => "output",
        }
    }

    /// The column that each prepared number is made of; none where samples are no rows of a table.
    pub fn sources(&self, width: usize) -> Result<Option<Features>> {
        if !self.is_table() {
            return Ok(None);
        }
        let of = self.predictor.preprocessing().sources();
        let of = if of.is_empty() { (0..width).collect() } else { of };
        Ok(if of.len() == width { Some(Features::new(of)?) } else { None })
    }

    /// The question that a method is asked.
    ///
    /// # Errors
    /// A class that is not there, a baseline that cannot be had, a model whose gradients do not reach its inputs.
    pub fn question<'a>(&'a self, method: &dyn Method, invocation: &Invocation) -> Result<Question<'a>> {
        let is_raw = method.needs() == Needs::Answers;
        let mut model = Model::of(self.predictor.model());
        let outputs = self.predictor.outputs();
        if self.predictor.classes().len() == 2 {
            // One number speaks for the second class, and against the first.
            model = model.after(move |y| match (y.shape().last(), outputs) {
                (Some(1), Outputs::Probabilities) => Tensor::cat(&[1.0 - y, y.clone()], 1),
                (Some(1), _) => Tensor::cat(&[-y, y.clone()], 1),
                _ => y.clone(),
            });
        }
        let chosen = if method.is_global() { self.raw.clone() } else { self.sample() };
        let (x, ask) = if is_raw {
            model = model.before(move |x| {
                let x = self.predictor.preprocessing().apply(x.clone());
                if x.dtype() == DType::F64 { x.to(DType::F32) } else { x }
            });
            let ask = match *chosen.shape() {
                [_, c, h, w] => {
                    let side = |n: usize| n.div_ceil(14).max(1);
                    Ask::new().features(Features::patches(&[c, h, w], [side(h), side(w)])?)
                }
                _ => Ask::new(),
            };
            (chosen, ask)
        } else {
            if let (true, Needs::Gradients) =
                (!self.predictor.preprocessing().ids().is_empty(), method.needs())
            {
                let message = "columns of text become ids, through which no gradient comes";
                return Err(Error::new(ErrorKind::Usage, message)
                    .help("use a method that only asks the model: `mapsto explain --how list` names them"));
            }
            let x = self.prepared(&chosen)?;
            let features = self.sources(x.shape().get(1).copied().unwrap_or(0))?;
            (x, Ask { features, ..Ask::new() })
        };
        let mut ask = ask.seed(invocation.matches.get_one::<u64>("seed").copied().unwrap_or(0));
        ask.samples = invocation.matches.get_one::<u32>("samples").map(|n| *n as usize);
        ask.layer = invocation.optional("layer").map(str::to_string);
        ask.truth = self.truth.clone().filter(|_| method.is_global());
        if let Some(class) = invocation.optional("class") {
            ask.target = Target::Class(self.class_named(class)?);
        }
        if method.is_global() && ask.target == Target::Likeliest {
            // A whole model is explained for one class: the last, which of two is the one that is asked about.
            let of = self.predictor.classes().len().max(1) - 1;
            ask.target =
                if self.predictor.classes().len() == 2 { Target::Class(of) } else { Target::Likeliest };
        }
        ask.baseline = self.baseline(invocation.optional("baseline"), is_raw)?;
        if is_raw && self.is_table() {
            ask.range = self.range()?;
            let columns = self.predictor.preprocessing().table().map_or(Vec::new(), |(columns, _)| columns);
            let words = |(i, column): (usize, &Column)| (column.kind == ColumnKind::Category).then_some(i);
            ask.words = columns.iter().enumerate().filter_map(words).collect();
        }
        Ok(Question { model, x, ask, is_raw })
    }

    fn class_named(&self, name: &str) -> Result<usize> {
        let classes = self.predictor.classes();
        let by_name = classes.iter().position(|class| class == name);
        by_name.or_else(|| name.parse().ok()).ok_or_else(|| {
            let message = format!("the model knows no class `{}`", plain(name));
            let names: Vec<String> = classes.iter().take(12).map(|name| plain(name)).collect();
            Error::new(ErrorKind::Usage, message).help(match names.is_empty() {
                true => "give the number of an output, from 0".to_string(),
                false => format!("there are {}", names.join(", ")),
            })
        })
    }

    /// Training samples before preprocessing, spread over the set.
    fn training(&self, most: usize) -> Result<Tensor> {
        let Some(experiment) = &self.experiment else {
            let message = "the training samples are not at hand";
            return Err(Error::new(ErrorKind::Usage, message)
                .help("give the folder of a run whose data is there, or `--baseline zeros`"));
        };
        let set = experiment.train.dataset();
        let n = set.len().min(most);
        let rows: Vec<usize> = (0..n).map(|i| i * set.len() / n.max(1)).collect();
        let (x, _) = read(set, &rows)?;
        Ok(if x.dtype().is_float() { x } else { x.to(DType::F32) })
    }

    fn baseline(&self, word: Option<&str>, is_raw: bool) -> Result<Option<Tensor>> {
        let of_table = is_raw && self.is_table();
        let training = |most: usize| -> Result<Tensor> {
            let x = self.training(most)?;
            if is_raw { Ok(x) } else { self.prepared(&x) }
        };
        let is_known = self.experiment.is_some();
        match word.unwrap_or(if self.is_table() && is_known { "train" } else { "zeros" }) {
            w if w.starts_with('t') => Ok(Some(training(BACKGROUND)?)),
            w if of_table => {
                let message = format!(
                    "`--baseline {w}` is no row of a table, which a method that asks the model needs"
                );
                Err(Error::new(ErrorKind::Usage, message)
                    .help("use `--baseline train` with the folder of a run whose data is there"))
            }
            w if w.starts_with('m') => Ok(Some(training(MANY)?.mean(0))),
            _ if is_raw || self.is_table() => Ok(None),
            _ => Ok(Some(self.prepared(&Tensor::zeros_like(&self.sample()))?.squeeze(0))),
        }
    }

    /// The least and the greatest cell of each column in training.
    fn range(&self) -> Result<Option<(Tensor, Tensor)>> {
        if self.experiment.is_none() {
            return Ok(None);
        }
        let x = self.training(MANY)?;
        Ok(x.is_finite().then(|| (x.min(0), x.max(0))))
    }
}

/// Samples of a set with their targets, in all their digits.
fn read(set: &dyn Batches<Sample>, rows: &[usize]) -> Result<(Tensor, Tensor)> {
    let batch = match set.exact_batch(rows)? {
        Some(batch) => batch,
        None => set.batch(rows)?,
    };
    Ok((batch.x, batch.y))
}
