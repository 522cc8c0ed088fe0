//! `mapsto predict`: what the best model of a run says of new images or of the rows of a table.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, Command};
use mapsto::data::{Color, Preprocess, Resize, Step, Table, read_image};
use mapsto::nn::{Exceptions, Layer, Loss, Sequential};
use mapsto::spec::{Value, build};
use mapsto::training::{ModelFile, ModelInfo, Outputs, RunFolder, readable};
use mapsto::{DType, Error, ErrorKind, Result, Tensor, no_grad};

use super::{Invocation, Overriding, Verb, run_sources, unedited};
use crate::config::Config;
use crate::experiment::outputs;
use crate::failure::Failure;
use crate::output::{plain, say};

/// The subcommand.
pub const VERB: Verb = Verb { name: "predict", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Ask the best model of a run about images, or about the rows of a table")
        .arg(
            Arg::new("run")
                .value_name("RUN|MODEL")
                .required(true)
                .help("The folder of a run, such as runs/mnist-1, or a model file that holds its layers"),
        )
        .arg(
            Arg::new("files")
                .value_name("IMAGE|CSV")
                .required(true)
                .num_args(1..)
                .help("PNG or JPEG images, or CSV tables with the columns that the model was trained on"),
        )
        .arg(
            Arg::new("top")
                .long("top")
                .value_name("N")
                .default_value("3")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("How many classes to name, the likeliest first"),
        )
        .arg(
            Arg::new("invert")
                .long("invert")
                .action(clap::ArgAction::SetTrue)
                .help("Exchange black and white in images: MNIST's digits are white on black"),
        )
        .arg(
            Arg::new("convert")
                .long("convert")
                .action(clap::ArgAction::SetTrue)
                .help("Convert weights of another float type, such as bf16, to the model's"),
        )
        .after_help(
            "Images are brought to the size and channels that the model takes.\n\n\
             Examples:\n  mapsto predict runs/mnist-1 seven.png\n  mapsto predict runs/mnist-1 --invert scan-*.jpg\n  \
             mapsto predict runs/tabular-1 flowers.csv",
        )
}

/// A trained model and what it needs to be used.
struct Predictor {
    model: Sequential,
    input: Vec<usize>,
    preprocess: Preprocess,
    info: ModelInfo,
    outputs: Outputs,
    /// The columns that the model was trained on, where it was trained on a table.
    features: Vec<String>,
    /// What separated the cells of that table.
    delimiter: u8,
    /// The height and width that pictures had before they were preprocessed, where the run says it.
    size: Option<[usize; 2]>,
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let except = match invocation.matches.get_flag("convert") {
        true => Exceptions::none().converting(),
        false => Exceptions::none(),
    };
    let of = Path::new(invocation.text("run"));
    let predictor = match of.is_file() {
        true => Predictor::of_file(of, &except)?,
        false => Predictor::open(&RunFolder::open(of)?, &except)?,
    };
    predictor.check_flags(invocation)?;
    let top = invocation.matches.get_one::<u32>("top").map_or(3, |&n| n as usize);
    for file in invocation.texts("files") {
        let path = Path::new(file);
        let name = plain(file);
        if path.is_dir() {
            let error = Error::new(ErrorKind::Usage, format!("{name}: this is a folder, no file"));
            let ending = if predictor.features.is_empty() { "png" } else { "csv" };
            return Err(error
                .help(format!("give the files in it: `{}/*.{ending}`", name.trim_end_matches('/')))
                .into());
        }
        if predictor.is_table(path) && predictor.features.is_empty() {
            let message = format!("{name}: this is a table, and the run was trained on pictures");
            return Err(Error::new(ErrorKind::Usage, message).help("give it PNG or JPEG images").into());
        }
        if predictor.is_table(path) {
            let table =
                Table::from_delimited(path, predictor.delimiter).map_err(|e| predictor.separated(e))?;
            let x = table.features(&predictor.features)?.exact_inputs()?;
            predictor.check_reach(&x, &name)?;
            for (row, answer) in predictor.answers(x, top)?.into_iter().enumerate() {
                say!("{name} row {}  {answer}", row + 1);
            }
        } else {
            let x = predictor.image(path)?;
            let x = if invocation.matches.get_flag("invert") { 1.0 - x } else { x };
            for answer in predictor.answers(x.unsqueeze(0), top)? {
                say!("{name}  {answer}");
            }
        }
    }
    Ok(())
}

impl Predictor {
    fn open(folder: &RunFolder, except: &Exceptions) -> Result<Predictor> {
        let mut sources = run_sources(folder)?;
        let config = Config::parse(&mut sources, &[]).map_err(|e| sources.locate(e))?;
        unedited(folder, &config)?;
        let predictor = Predictor::of_file(&folder.best(), except)?;
        // Files of earlier versions do not say loss and columns; those that do are what was trained.
        let features = config.data.set.option("features").and_then(mapsto::spec::FromValue::from_value);
        Ok(Predictor {
            outputs: match predictor.info.loss {
                Some(_) => predictor.outputs,
                None => outputs(&*build::<dyn Loss>(&config.train.loss, &())?),
            },
            features: match predictor.features.is_empty() {
                false => predictor.features.clone(),
                true => features.unwrap_or_default(),
            },
            size: config.data.set.option("size").and_then(mapsto::spec::FromValue::from_value),
            delimiter: match config.data.set.option("delimiter") {
                Some(Value::Str(word)) if word == "\\t" => b'\t',
                Some(Value::Str(word)) => word.bytes().next().unwrap_or(b','),
                _ => b',',
            },
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
            info: file.info,
            delimiter: b',',
            size: None,
        })
    }

    /// Whether a file is taken for a table: by its ending, or because the model was trained on one and it is not an image.
    fn is_table(&self, path: &Path) -> bool {
        let ends_in = |endings: &[&str]| {
            path.extension().is_some_and(|found| endings.iter().any(|e| found.eq_ignore_ascii_case(e)))
        };
        ends_in(&["csv", "tsv"]) || (!self.features.is_empty() && !ends_in(&["png", "jpg", "jpeg"]))
    }

    /// An error about a table, whose cells are separated as those of the data that the model was trained on.
    fn separated(&self, e: Error) -> Error {
        let delimiter = char::from(self.delimiter);
        match e.help_text().is_some_and(|help| help.contains("from_delimited")) {
            true => e.help(format!(
                "write {delimiter:?} between its cells, as the data has it that the model was trained on"
            )),
            false => e,
        }
    }

    /// Refuses flags that change nothing about this model and these files: whoever gives one expects that it does.
    fn check_flags(&self, invocation: &Invocation) -> Result<()> {
        let is_given = |flag| invocation.matches.value_source(flag) == Some(ValueSource::CommandLine);
        let refuse = |flag: &str, why: String| {
            Err(Error::new(ErrorKind::Usage, format!("`--{flag}` {why}"))
                .help(format!("leave `--{flag}` out")))
        };
        let table = invocation.texts("files").into_iter().find(|file| self.is_table(Path::new(file)));
        match table {
            Some(file) if is_given("invert") => refuse(
                "invert",
                format!("exchanges black and white in images, and {} is a table", plain(file)),
            ),
            _ if is_given("top") && self.outputs == Outputs::Values => {
                refuse("top", "says how many classes are named, and the model gives numbers".into())
            }
            _ => Ok(()),
        }
    }

    /// Reads an image the way the model takes it: `[channels, h, w]`.
    fn image(&self, path: &Path) -> Result<Tensor> {
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
        let prepared = mapsto::catch(|| self.preprocess.apply(image.clone()));
        let fits = prepared.is_ok_and(|x| x.shape()[2..] == size);
        let image = if fits { image } else { Resize::new(size).apply(image) };
        Ok(image.squeeze(0))
    }

    /// Finds the first cell of a table that is too large for the model, once it is preprocessed.
    fn check_reach(&self, x: &Tensor, name: &str) -> Result<()> {
        let prepared = mapsto::catch(|| floats(self.preprocess.apply(x.clone())))?.to_vec::<f32>();
        let Some(at) = prepared.iter().position(|value| !value.is_finite()) else { return Ok(()) };
        let width = self.features.len().max(1);
        let (row, column) = (at / width, plain(&self.features[at % width]));
        let message = format!(
            "{name}: row {}, column `{column}`: {:e} is too large for the 32 bits that the model computes in",
            row + 1,
            x.to_vec::<f64>()[at]
        );
        Err(Error::new(ErrorKind::Data, message)
            .help("is the unit that of the data which the run was trained on?"))
    }

    /// One line for each input.
    fn answers(&self, x: Tensor, top: usize) -> Result<Vec<String>> {
        let y = mapsto::catch(|| no_grad(|| self.model.forward(&floats(self.preprocess.apply(x)))))?
            .to(DType::F64);
        let rows = y.shape()[0];
        let values = y.to_vec::<f64>();
        let width = values.len() / rows.max(1);
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let message = format!("the model's outputs for input {} are not finite", at / width.max(1) + 1);
            return Err(Error::new(ErrorKind::NonFinite, message)
                .help("look for NaN in the input and in the weights: `mapsto eval` scores the model"));
        }
        self.check_meaning(&values, width)?;
        Ok(values.chunks(width.max(1)).map(|row| self.answer(row, top)).collect())
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

    fn answer(&self, row: &[f64], top: usize) -> String {
        let Some(shares) = shares(row, self.outputs) else {
            return row.iter().map(|value| readable(*value, 6)).collect::<Vec<_>>().join("  ");
        };
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        let name = |class: usize| self.info.classes.get(class).map_or(class.to_string(), |name| plain(name));
        let named =
            order.iter().take(top).map(|&class| format!("{} {:.1} %", name(class), 100.0 * shares[class]));
        named.collect::<Vec<_>>().join("  ")
    }
}

/// The cells of a table as models see them; ids and pixels stay what they are.
fn floats(x: Tensor) -> Tensor {
    if x.dtype() == DType::F64 { x.to(DType::F32) } else { x }
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
