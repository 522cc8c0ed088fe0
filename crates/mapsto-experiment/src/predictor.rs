//! `Predictor`: the best model of a run, or that of a model file, asked about new images or the rows of a table.

use std::path::Path;

use mapsto::data::sets::Selection;
use mapsto::data::{Color, Preprocess, Reading, Resize, Step, Table, is_picture_name, read_image};
use mapsto::nn::{Exceptions, Layer, Loss, Sequential};
use mapsto::spec::{FromValue, Value, build};
use mapsto::training::{ModelFile, ModelInfo, Outputs};
use mapsto::{DType, Error, ErrorKind, Result, Tensor, catch, no_grad};

use crate::experiment::outputs;
use crate::inputs::prepared;
use crate::plain::plain;
use crate::run::Run;

/// What a model says of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The model's outputs.
    pub values: Vec<f64>,
    /// The probability of each class; `None` where the outputs are not classes.
    pub probabilities: Option<Vec<f64>>,
}

impl Prediction {
    /// Every class with its probability, the likeliest first; none where the outputs are not classes.
    pub fn ranked(&self) -> Vec<(usize, f64)> {
        let mut classes: Vec<(usize, f64)> =
            self.probabilities.iter().flatten().copied().enumerate().collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        classes
    }
}

/// A trained model and what it needs to be used.
pub struct Predictor {
    model: Sequential,
    input: Vec<usize>,
    preprocess: Preprocess,
    info: ModelInfo,
    outputs: Outputs,
    /// The columns that the model was trained on, where it was trained on a table.
    features: Vec<String>,
    /// What it learnt to say: the columns of numbers, or of labels; none where they are not known.
    targets: Vec<String>,
    /// What separated the cells of that table.
    delimiter: u8,
    /// How else it was read, where its columns are plain numbers.
    reading: Reading,
    /// The height and width that pictures had before they were preprocessed, where the run says it.
    size: Option<[usize; 2]>,
}

impl Predictor {
    /// The best model of the run in a folder, or the model of a file that holds its layers.
    ///
    /// # Errors
    /// There is no run, or its configuration was edited; a model file that is damaged, or that holds weights alone.
    pub fn open(path: impl AsRef<Path>, except: &Exceptions) -> Result<Predictor> {
        let path = path.as_ref();
        match path.is_file() {
            true => Predictor::of_file(path, except),
            false => Predictor::of_run(&Run::open(path)?, except),
        }
    }

    fn of_run(run: &Run, except: &Exceptions) -> Result<Predictor> {
        let config = run.config()?;
        run.check_unedited(&config)?;
        let predictor = Predictor::of_file(&run.folder().best(), except)?;
        // Files of earlier versions do not say loss and columns; those that do are what was trained.
        let option = |name: &str| config.data.set.option(name);
        let features = option("features").and_then(FromValue::from_value);
        let targets = option("labels").or(option("target"));
        let targets = targets.and_then(|v| Vec::from_value(v).or_else(|| Some(vec![String::from_value(v)?])));
        Ok(Predictor {
            outputs: match predictor.info.loss {
                Some(_) => predictor.outputs,
                None => outputs(&*build::<dyn Loss>(&config.train.loss, &())?),
            },
            features: match predictor.features.is_empty() {
                false => predictor.features.clone(),
                true => features.unwrap_or_default(),
            },
            targets: match predictor.targets.is_empty() {
                false => predictor.targets.clone(),
                true => targets.unwrap_or_default(),
            },
            size: config.data.set.option("size").and_then(FromValue::from_value),
            delimiter: match config.data.set.option("delimiter") {
                Some(Value::Str(word)) if word == "\\t" => b'\t',
                Some(Value::Str(word)) => word.bytes().next().unwrap_or(b','),
                _ => b',',
            },
            reading: Reading::of_entry(&config.data.set)?,
            ..predictor
        })
    }

    /// The model of a file alone, which a program may have written: its layers, its preprocessing, and what its outputs mean
    /// where it says the loss.
    fn of_file(path: &Path, except: &Exceptions) -> Result<Predictor> {
        let file = ModelFile::read(path)?;
        let Some(spec) = file.info.model_spec().map_err(|e| e.context(path.display()))? else {
            let message = format!("{}: the file holds no layers", path.display());
            return Err(Error::new(ErrorKind::Model, message).help(
                "a program writes them with `ModelFile::of(&net).spec(&ModelSpec::of(&net, shape)?)`",
            ));
        };
        let model = file.build_except(except).map_err(|e| e.context(path.display()))?;
        let loss = file.info.built_loss().map_err(|e| e.context(path.display()))?;
        Ok(Predictor {
            model,
            input: spec.input,
            preprocess: file.info.preprocessing().map_err(|e| e.context(path.display()))?,
            outputs: loss.map_or(Outputs::Values, |loss| outputs(&*loss)),
            features: file.info.features.clone(),
            targets: file.info.targets.clone(),
            info: file.info,
            delimiter: b',',
            reading: Reading::new(),
            size: None,
        })
    }

    /// The model, which takes inputs after their [`preprocessing`](Predictor::preprocessing).
    pub fn model(&self) -> &Sequential {
        &self.model
    }

    /// What is done to inputs before the model sees them.
    pub fn preprocessing(&self) -> &Preprocess {
        &self.preprocess
    }

    /// What the model's outputs mean.
    pub fn outputs(&self) -> Outputs {
        self.outputs
    }

    /// The names of the classes that the model tells apart; none where it fits numbers, or where they have no names.
    pub fn classes(&self) -> &[String] {
        &self.info.classes
    }

    /// What it learnt to say: the columns of numbers, or of labels of yes and no; none where they are not known.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// What logits are divided by before they become probabilities, where the model was calibrated.
    pub fn temperature(&self) -> Option<f64> {
        self.info.temperature.filter(|_| takes_temperature(self.outputs))
    }

    /// Whether its outputs are answers of yes and no, each of its own, and no class.
    pub fn has_labels(&self) -> bool {
        let is_each = matches!(self.outputs, Outputs::Logit | Outputs::Probabilities);
        let width = self.model_outputs();
        is_each && self.info.classes.is_empty() && width.is_some_and(|width| width > 1)
    }

    /// How many numbers it says of one input.
    fn model_outputs(&self) -> Option<usize> {
        let spec = self.info.model_spec().ok()??;
        spec.shapes().ok()?.last()?.last().copied()
    }

    /// The columns that the model was trained on; none where it was not trained on a table.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Whether a file is taken for a table: by its ending, or because the model was trained on one and it is not an image.
    pub fn is_table(&self, path: &Path) -> bool {
        let ends_in = |endings: &[&str]| {
            path.extension().is_some_and(|found| endings.iter().any(|e| found.eq_ignore_ascii_case(e)))
        };
        let takes_rows = !self.features.is_empty() || self.input.len() == 1;
        ends_in(&["csv", "tsv", "jsonl", "ndjson"]) || (takes_rows && !is_picture_name(path))
    }

    /// An error about a table, whose cells are separated as those of the data that the model was trained on.
    pub(crate) fn separated(&self, e: Error) -> Error {
        let delimiter = char::from(self.delimiter);
        match e.help_text().is_some_and(|help| help.contains("from_delimited")) {
            true => e.help(format!(
                "write {delimiter:?} between its cells, as the data has it that the model was trained on"
            )),
            false => e,
        }
    }

    /// Reads a table: the columns that the model was trained on, `[rows, columns]`.
    ///
    /// # Errors
    /// The file cannot be read, lacks a column, or has a cell that is no number or too large; the model does not take tables.
    pub fn table(&self, path: &Path) -> Result<Tensor> {
        let name = plain(&path.display().to_string());
        if self.features.is_empty() {
            let message = format!("{name}: this is a table, and the run was trained on pictures");
            return Err(
                Error::new(ErrorKind::Usage, message).help("give it pictures, such as PNG or JPEG images")
            );
        }
        let table = Table::open(path, &self.reading()).map_err(|e| self.separated(e))?;
        self.inputs_of(&table, &name)
    }

    /// How the tables are read that it is asked about.
    pub(crate) fn reading(&self) -> Reading {
        match self.preprocess.table() {
            Some((_, reading)) => reading.any_delimiter(),
            None => self.reading.clone().delimiter(self.delimiter),
        }
    }

    /// The columns of a table that the model was trained on.
    pub(crate) fn chosen(&self, table: &Table) -> Result<Selection> {
        let chosen = table.features(&self.features)?;
        Ok(match self.preprocess.table() {
            Some((columns, _)) => chosen.understood_as(&columns),
            None => chosen,
        })
    }

    /// The numbers of those columns, `[rows, columns]`.
    pub(crate) fn inputs_of(&self, table: &Table, name: &str) -> Result<Tensor> {
        let x = self.chosen(table)?.exact_inputs()?;
        self.check_reach(&x, name)?;
        Ok(x)
    }

    /// The words that training never met in each column, and the cells that are missing in columns that lacked none in training.
    pub(crate) fn news(&self, x: &Tensor) -> [Vec<(usize, usize)>; 2] {
        [self.preprocess.unseen(x), self.preprocess.newly_missing(x)]
    }

    /// The shape of one input.
    pub(crate) fn input(&self) -> &[usize] {
        &self.input
    }

    /// Reads an image and brings it to the size and channels that the model takes: `[1, channels, h, w]`.
    ///
    /// # Errors
    /// The file is no image that can be read; the model does not take images.
    pub fn image(&self, path: &Path) -> Result<Tensor> {
        let (color, size) = match self.input[..] {
            [1, h, w] => (Color::Gray, [h, w]),
            [3, h, w] => (Color::Rgb, [h, w]),
            _ => {
                let message = format!("{}: the model takes {:?}, no images", path.display(), self.input);
                return Err(Error::new(ErrorKind::Model, message).help("give it a table, in a .csv file"));
            }
        };
        // The way of training: to the size of the set, then through the steps, which may resize again.
        let image = read_image(path, color)?.unsqueeze(0);
        let image = match self.size {
            Some(size) => Resize::new(size).apply(image),
            None => image,
        };
        let prepared = catch(|| self.preprocess.apply(image.clone()));
        let fits = prepared.is_ok_and(|x| x.shape()[2..] == size);
        Ok(if fits { image } else { Resize::new(size).apply(image) })
    }

    /// Finds the first cell of a table that is too large for the model, once it is preprocessed.
    fn check_reach(&self, x: &Tensor, name: &str) -> Result<()> {
        let prepared = prepared(&self.preprocess, x.clone())?;
        let made = prepared.shape().get(1).copied().unwrap_or(1).max(1);
        let Some(at) = prepared.to_vec::<f32>().iter().position(|value| !value.is_finite()) else {
            return Ok(());
        };
        let (row, width) = (at / made, self.features.len().max(1));
        if made != width || self.preprocess.table().is_some() {
            let message = format!(
                "{name}: row {}: a number is too large for the 32 bits that the model computes in",
                row + 1
            );
            return Err(Error::new(ErrorKind::Data, message)
                .help("is the unit that of the data which the run was trained on?"));
        }
        let column = plain(&self.features[at % width]);
        let message = format!(
            "{name}: row {}, column `{column}`: {:e} is too large for the 32 bits that the model computes in",
            row + 1,
            x.to_vec::<f64>()[at]
        );
        Err(Error::new(ErrorKind::Data, message)
            .help("is the unit that of the data which the run was trained on?"))
    }

    /// What the model says of each input of a batch, which is as [`table`](Predictor::table) and [`image`](Predictor::image) give
    /// them: before the preprocessing of the model, which this does.
    ///
    /// # Errors
    /// Inputs of another shape than the model takes; outputs that are not finite, or not what the model file says of them.
    pub fn predict(&self, x: Tensor) -> Result<Vec<Prediction>> {
        if !self.features.is_empty() {
            self.check_batch(&x, self.features.len())?; // before a step that learnt its columns finds them missing
        }
        let rows = x.shape().first().copied();
        let x = prepared(&self.preprocess, x)?;
        let width = if self.preprocess.table().is_some() {
            self.input.first().copied().unwrap_or(0)
        } else {
            self.features.len()
        };
        self.check_batch(&x, width)?;
        let Some(rows) = rows.filter(|rows| *rows > 0) else { return Ok(Vec::new()) };
        let y = catch(|| no_grad(|| self.model.forward(&x)))?.to(DType::F64);
        if y.shape().first() != Some(&rows) {
            let message = format!("the model makes {:?} of {rows} inputs", y.shape());
            return Err(
                Error::new(ErrorKind::Model, message).help("its outputs should be one row for each input")
            );
        }
        let values = y.to_vec::<f64>();
        let width = values.len() / rows.max(1);
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let message = format!("the model's outputs for input {} are not finite", at / width.max(1) + 1);
            return Err(Error::new(ErrorKind::NonFinite, message)
                .help("look for NaN in the input and in the weights: `mapsto eval` scores the model"));
        }
        self.check_meaning(&values, width)?;
        let temperature = self.temperature().filter(|_| !(self.outputs == Outputs::Logit && width > 1));
        let of = |row: &[f64]| Prediction {
            values: row.to_vec(),
            probabilities: match temperature {
                // Logarithms of probabilities are logits too, and once divided no longer add up.
                Some(t) => shares(&row.iter().map(|z| z / t).collect::<Vec<f64>>(), Outputs::Logits),
                None => shares(row, self.outputs),
            },
        };
        Ok(values.chunks(width.max(1)).map(of).collect())
    }

    /// Finds inputs that are no batch of what the model takes. A layer may take other axes than it was trained on, and would answer
    /// for other things than the inputs.
    fn check_batch(&self, x: &Tensor, width: usize) -> Result<()> {
        let (shape, one) = (x.shape(), &self.input[..]);
        let axes: Vec<String> =
            std::iter::once("inputs".to_string()).chain(one.iter().map(usize::to_string)).collect();
        let fits =
            shape.len() == one.len() + 1 && (one.len() != 1 || self.features.is_empty() || shape[1] == width);
        if fits {
            return Ok(());
        }
        let message = format!("the model takes [{}], found {shape:?}", axes.join(", "));
        let help = match shape.len() == one.len() {
            true => "a single input needs a batch of one: `x.unsqueeze(0)`",
            false => "the first axis is that of the inputs, and the others are those of one input",
        };
        Err(Error::new(ErrorKind::Data, message).help(help))
    }

    /// Finds outputs that are not what the file says of them: as many as it names classes, and probabilities where its loss takes
    /// them for some.
    fn check_meaning(&self, values: &[f64], width: usize) -> Result<()> {
        const ROUNDING: f64 = 1e-5;
        if self.outputs == Outputs::Values {
            return Ok(());
        }
        let names = self.info.classes.len();
        if names > 0 && width != names && [width, names] != [1, 2] {
            let named = if names == 1 { "1 class".to_string() } else { format!("{names} classes") };
            let values = if width == 1 { "1 value".to_string() } else { format!("{width} values") };
            let message = format!("the model gives {values}, and its file names {named}");
            return Err(Error::new(ErrorKind::Model, message)
                .help("write the file again with a name for each class, in the order of the outputs"));
        }
        let (words, most) = match self.outputs {
            Outputs::Probabilities => ("probabilities, which lie between 0 and 1", 1.0),
            Outputs::LogProbabilities => ("logarithms of probabilities, which are at most 0", 0.0),
            _ => return Ok(()),
        };
        let is_none = |&v: &f64| v > most + ROUNDING || (most == 1.0 && v < -ROUNDING);
        let Some(at) = values.iter().position(is_none) else { return Ok(()) };
        let message = format!(
            "the model gives {} for input {}, and its loss takes the outputs for {words}",
            values[at],
            at / width.max(1) + 1
        );
        Err(Error::new(ErrorKind::Model, message)
            .help("is a last layer missing, such as `sigmoid` or `softmax`, or was another loss meant?"))
    }
}

/// Whether outputs are logits, which a temperature divides.
pub(crate) fn takes_temperature(outputs: Outputs) -> bool {
    !matches!(outputs, Outputs::Probabilities | Outputs::Values)
}

/// The probability of each class; nothing where outputs are not classes.
fn shares(row: &[f64], outputs: Outputs) -> Option<Vec<f64>> {
    match (row, outputs) {
        (_, Outputs::Values) => None,
        (&[p], Outputs::Probabilities) => Some(vec![1.0 - p, p]),
        (&[z], Outputs::Logits | Outputs::Logit) => {
            let p = 1.0 / (1.0 + (-z).exp());
            Some(vec![1.0 - p, p])
        }
        (row, Outputs::Probabilities) => Some(row.to_vec()),
        (row, Outputs::LogProbabilities) => Some(row.iter().map(|log_p| log_p.exp()).collect()),
        (row, Outputs::Logit) => Some(row.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect()),
        (row, Outputs::Logits) => {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = row.iter().map(|z| (z - most).exp()).sum();
            Some(row.iter().map(|z| (z - most).exp() / total).collect())
        }
    }
}

#[test]
fn shares_are_probabilities() {
    let near = |found: Option<Vec<f64>>, wanted: &[f64]| {
        let found = found.unwrap();
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    };
    near(shares(&[0.0, 3.0_f64.ln()], Outputs::Logits), &[0.25, 0.75]);
    near(shares(&[3.0_f64.ln()], Outputs::Logits), &[0.25, 0.75]);
    near(shares(&[0.75], Outputs::Probabilities), &[0.25, 0.75]);
    near(shares(&[1000.0, 1000.0], Outputs::Logits), &[0.5, 0.5]);
    assert_eq!(shares(&[1.0], Outputs::Values), None);
}
