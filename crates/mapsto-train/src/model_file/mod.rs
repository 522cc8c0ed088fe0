//! Model files: weights, spec, preprocessing and class names in one safetensors file, so that what was trained is what is
//! deployed.

mod header;
mod safetensors;
pub(crate) mod seal;

pub use safetensors::{read_tensors, write_tensors};

use crate::atomic_file::write_within;
use crate::callbacks::SAVES_BEST;
use mapsto_data::Preprocess;
use mapsto_nn::{Exceptions, LoadReport, Loss, ModelSpec, Module, ModuleExt, Sequential};
use mapsto_spec::{Entry, Json};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::fs;
use std::path::Path;

/// What travels with the weights so that a model can be rebuilt and used without the program that trained it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// The model's spec, if it was built from one.
    pub spec: Option<Json>,
    /// What is done to every input before the model sees it.
    pub preprocess: Option<Json>,
    /// The names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// The entry of the loss that it was trained with, which tells what its outputs mean.
    pub loss: Option<Json>,
    /// The columns of the table that it was trained on, in the order of its inputs.
    pub features: Vec<String>,
    /// The columns that it learnt to say, in the order of its outputs: numbers, or labels of yes and no; of a class its column.
    pub targets: Vec<String>,
    /// What logits are divided by before they become probabilities, where the model was calibrated
    /// ([`temperature`](crate::temperature)).
    pub temperature: Option<f64>,
}

impl ModelInfo {
    /// The preprocessing as steps; none where there is none.
    ///
    /// Raw inputs go through it before a model that [`ModelFile::build`] gave, or that was filled from the file.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_train::ModelFile;
    /// let steps = Preprocess::new().then(Normalize::new([10.0, 200.0], [2.0, 50.0]));
    /// let file = ModelFile::of(&Linear::new(2, 1)).preprocess(&steps);
    /// let x = file.info.preprocessing()?.apply(tensor![[12.0, 150.0]]);
    /// assert_close!(x, [[1.0, -1.0]]);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is not a list of known steps.
    pub fn preprocessing(&self) -> Result<Preprocess> {
        let Some(json) = &self.preprocess else { return Ok(Preprocess::new()) };
        let steps =
            json.list().ok_or_else(|| Error::new(ErrorKind::Data, "preprocess: not a list of steps"))?;
        let entries = steps.iter().map(Entry::from_json).collect::<Result<Vec<Entry>>>()?;
        Preprocess::from_entries(&entries).map_err(in_file)
    }

    /// The model's spec, whose layers are known and fit its input; nothing where there is none.
    ///
    /// # Errors
    /// When it is no spec, or cannot be built.
    pub fn model_spec(&self) -> Result<Option<ModelSpec>> {
        let checked = |json| ModelSpec::from_json(json).and_then(|spec| spec.outline().map(|_| spec));
        self.spec.as_ref().map(checked).transpose().map_err(in_file)
    }

    /// The loss that the model was trained with; nothing where there is none.
    ///
    /// # Errors
    /// When it is no known loss.
    pub fn built_loss(&self) -> Result<Option<Box<dyn Loss>>> {
        let built = |json| mapsto_spec::build::<dyn Loss>(&Entry::from_json(json)?, &());
        self.loss.as_ref().map(built).transpose().map_err(in_file)
    }
}

pub(crate) fn preprocess_json(preprocess: &Preprocess) -> Option<Json> {
    let steps: Vec<Json> = preprocess.entries().iter().map(Entry::to_json).collect();
    if steps.is_empty() { None } else { Some(Json::List(steps)) }
}

/// Tensors whose names begin so belong to the training state, not to the model.
pub(crate) const TRAINER: &str = "trainer/";

/// What a program noted, among the texts of a training state.
pub(crate) const NOTE: &str = "note ";

/// The note of what the weights are, where they are an average.
pub(crate) const WEIGHTS: &str = "weights";

/// The note of the epoch after which the best weights were taken.
const EPOCH: &str = "best epoch";

/// A model as a file holds it: named tensors, and what is needed to use them.
///
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::ModelFile;
/// let path = std::env::temp_dir().join(format!("mapsto-model-{}.safetensors", std::process::id()));
/// let (model, mut other) = (Linear::new(2, 1), Linear::new(2, 1));
/// ModelFile::of(&model).classes(["no", "yes"]).write(&path).unwrap();
///
/// let file = ModelFile::read(&path).unwrap();
/// assert_eq!(file.info.classes, ["no", "yes"]);
/// file.load_into(&mut other).unwrap();
/// let x = tensor![[1.0, 2.0]];
/// assert_eq!(other.forward(&x).to_vec::<f32>(), model.forward(&x).to_vec::<f32>());
/// # std::fs::remove_file(path).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct ModelFile {
    /// Parameters and states by name.
    pub tensors: Vec<(String, Tensor)>,
    /// Spec, preprocessing, loss, and names of classes and columns.
    pub info: ModelInfo,
    /// The training state's tensors, named without their common beginning.
    pub(crate) training: Vec<(String, Tensor)>,
    /// The training state's texts.
    pub(crate) training_text: Vec<(String, String)>,
}

impl ModelFile {
    /// The parameters and states of a model.
    #[must_use]
    pub fn of<M: Module + ?Sized>(model: &M) -> ModelFile {
        ModelFile { tensors: model.state_dict(), ..ModelFile::default() }
    }

    /// Adds the spec the model was built from.
    #[must_use]
    pub fn spec(mut self, spec: &ModelSpec) -> ModelFile {
        self.info.spec = Some(spec.to_json());
        self
    }

    /// Adds what is done to every input.
    #[must_use]
    pub fn preprocess(mut self, preprocess: &Preprocess) -> ModelFile {
        self.info.preprocess = preprocess_json(preprocess);
        self
    }

    /// Adds the names of the classes.
    #[must_use]
    pub fn classes<S: Into<String>>(mut self, classes: impl IntoIterator<Item = S>) -> ModelFile {
        self.info.classes = classes.into_iter().map(Into::into).collect();
        self
    }

    /// Replaces spec, preprocessing, loss, and names of classes and columns.
    #[must_use]
    pub fn with_info(self, info: ModelInfo) -> ModelFile {
        ModelFile { info, ..self }
    }

    /// Writes the file: to a temporary one beside it, synced, then renamed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_within(path.as_ref(), None)
    }

    /// As [`ModelFile::write`], into a folder that is known to be `there` and is not made again.
    pub(crate) fn write_within(&self, path: &Path, there: Option<&Path>) -> Result<()> {
        let training = self.training.iter().map(|(name, t)| (format!("{TRAINER}{name}"), t.clone()));
        let tensors: Vec<(String, Tensor)> = self.tensors.iter().cloned().chain(training).collect();
        let mut metadata = vec![("format".to_string(), "mapsto 1".to_string())];
        let json = |key: &str, value: &Option<Json>| {
            value.iter().map(|v| (key.to_string(), v.to_string())).collect::<Vec<_>>()
        };
        metadata.extend(json("spec", &self.info.spec));
        metadata.extend(json("preprocess", &self.info.preprocess));
        metadata.extend(json("loss", &self.info.loss));
        let lists = [
            ("classes", &self.info.classes),
            ("features", &self.info.features),
            ("targets", &self.info.targets),
        ];
        for (key, names) in lists {
            if !names.is_empty() {
                metadata.push((key.into(), Json::from(names.clone()).to_string()));
            }
        }
        metadata
            .extend(self.info.temperature.map(|t| ("temperature".to_string(), Json::Float(t).to_string())));
        metadata.extend(self.training_text.iter().map(|(k, v)| (format!("{TRAINER}{k}"), v.clone())));
        metadata.push((seal::SEAL.into(), seal::digest(&metadata, &tensors)));
        write_within(path, there, |w| write_tensors(w, &metadata, &tensors))
    }

    /// Reads a file that anyone may have written; a safetensors file from elsewhere has tensors and no info.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged in any way: nothing is allocated on the word of the file, but only for
    /// bytes that are there. A file that [`ModelFile::write`] wrote holds a digest of all its content, which must agree.
    pub fn read(path: impl AsRef<Path>) -> Result<ModelFile> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        ModelFile::from_bytes(&bytes).map_err(|e| e.context(path.display()))
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    /// As [`ModelFile::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<ModelFile> {
        let (metadata, tensors) = read_tensors(bytes)?;
        seal::check(&metadata, &tensors)?;
        let mut file = ModelFile::default();
        for (key, text) in metadata {
            match key.as_str() {
                "spec" => file.info.spec = Some(Json::parse(&text).map_err(|e| e.context("spec"))?),
                "preprocess" => {
                    file.info.preprocess = Some(Json::parse(&text).map_err(|e| e.context("preprocess"))?)
                }
                "loss" => file.info.loss = Some(Json::parse(&text).map_err(|e| e.context("loss"))?),
                "classes" => file.info.classes = words("classes", &text)?,
                "features" => file.info.features = words("features", &text)?,
                "targets" => file.info.targets = words("targets", &text)?,
                "temperature" => file.info.temperature = Some(temperature(&text)?),
                _ => {
                    if let Some(key) = key.strip_prefix(TRAINER) {
                        file.training_text.push((key.into(), text));
                    }
                }
            }
        }
        for (name, tensor) in tensors {
            match name.strip_prefix(TRAINER) {
                Some(name) => file.training.push((name.into(), tensor)),
                None => file.tensors.push((name, tensor)),
            }
        }
        Ok(file)
    }

    /// What [`Trainer::note`](crate::Trainer::note) left with a training state under a name, or
    /// [`Trainer::label`](crate::Trainer::label) with the best model too.
    #[must_use]
    pub fn note(&self, about: &str) -> Option<&str> {
        let key = format!("{NOTE}{about}");
        self.training_text.iter().find(|(k, _)| *k == key).map(|(_, text)| text.as_str())
    }

    /// After which epoch, counted from 1, the best weights were taken, in a file that
    /// [`Checkpoint::best`](crate::callbacks::Checkpoint::best) wrote; nothing in any other.
    #[must_use]
    pub fn best_epoch(&self) -> Option<usize> {
        self.note(EPOCH)?.parse().ok()
    }

    /// What the weights are where they are an average of those that were trained, such as `mean of the epochs 8 to 12 (SWA)`, in a file of a run with
    /// an [`Averaging`](crate::Averaging); nothing in any other.
    #[must_use]
    pub fn averaged(&self) -> Option<&str> {
        self.note(WEIGHTS)
    }

    /// Adds the epoch after which the weights were the best, and what the program wants to know of the run.
    pub(crate) fn best_of(mut self, epoch: usize, labels: &[(String, String)]) -> ModelFile {
        self.training_text.push((format!("{NOTE}{EPOCH}"), epoch.to_string()));
        self.training_text
            .extend(labels.iter().map(|(about, text)| (format!("{NOTE}{about}"), text.clone())));
        self
    }

    /// How many epochs the training state in this file has behind it; nothing where it holds none.
    #[must_use]
    pub fn epochs_done(&self) -> Option<usize> {
        let (_, position) = self.training_text.iter().find(|(k, _)| k == "position")?;
        position.split(' ').next()?.parse().ok()
    }

    /// Whether the run whose training state this is has written a best model ([`Checkpoint::best`](crate::callbacks::Checkpoint::best)).
    #[must_use]
    pub fn has_best(&self) -> bool {
        let numbers = self.bests().filter_map(|(_, text)| text.split_once('\n'));
        let mut best =
            numbers.filter_map(|(_, numbers)| numbers.split(';').find_map(|n| n.strip_prefix("best=")));
        best.any(|bits| u64::from_str_radix(bits, 16).is_ok_and(|bits| f64::from_bits(bits).is_finite()))
    }

    /// Whether the training state in this file keeps the weights of that best model, from which a resumed run writes it again;
    /// states of earlier versions do not.
    #[must_use]
    pub fn keeps_best(&self) -> bool {
        self.bests()
            .any(|(key, _)| self.training.iter().any(|(name, _)| name.starts_with(&format!("{key}/"))))
    }

    /// What the training state says of callbacks that save the best model.
    fn bests(&self) -> impl Iterator<Item = (&str, &str)> {
        let callbacks = self.training_text.iter().filter(|(key, _)| key.starts_with("callback "));
        callbacks.filter_map(|(key, text)| Some((&**key, text.strip_prefix(SAVES_BEST)?)))
    }

    /// Rebuilds the model from its spec and fills in its weights.
    ///
    /// The preprocessing is not a layer of it: `model.forward(&file.info.preprocessing()?.apply(x))` answers for raw inputs
    /// ([`ModelInfo::preprocessing`]).
    ///
    /// # Errors
    /// When the file holds no spec, the spec cannot be built, or the weights are not exactly its own.
    pub fn build(&self) -> Result<Sequential> {
        self.build_except(&Exceptions::none()).map_err(|e| given_to("file.build_except(", e))
    }

    /// As [`ModelFile::build`], but for names that may be missing, unexpected or of another shape, or converted.
    ///
    /// # Errors
    /// As [`ModelFile::build`], for names outside the exceptions.
    pub fn build_except(&self, except: &Exceptions) -> Result<Sequential> {
        let spec = self.info.model_spec()?.ok_or_else(|| {
            Error::new(ErrorKind::Model, "model file: it holds weights but no spec to build a model from")
                .help("make the model in the program and fill it with `file.load_into(&mut model)`")
        })?;
        // Nothing is built that the file has no weights for: a spec of a few words may ask for gigabytes. The outline has no
        // numbers, so names and shapes are compared before there is memory for any.
        spec.outline().map_err(in_file)?.compare_state_dict(self.tensors.iter().cloned(), except)?;
        let elements = self.tensors.iter().map(|(_, tensor)| tensor.len()).sum();
        let mut model = spec.build_within(elements).map_err(in_file)?;
        self.load_into_except(&mut model, except)?;
        Ok(model)
    }

    /// Puts the tensors into a model that has the same names and shapes.
    ///
    /// # Errors
    /// Unless every name of the file is in the model and every name of the model in the file; the model is then unchanged.
    pub fn load_into<M: Module + ?Sized>(&self, model: &mut M) -> Result<LoadReport> {
        self.load_into_except(model, &Exceptions::none())
            .map_err(|e| given_to("file.load_into_except(&mut model, ", e))
    }

    /// As [`ModelFile::load_into`], but for names that may be missing, unexpected or of another shape.
    ///
    /// # Errors
    /// When a name outside the exceptions does not match; the model is then unchanged.
    pub fn load_into_except<M: Module + ?Sized>(
        &self,
        model: &mut M,
        except: &Exceptions,
    ) -> Result<LoadReport> {
        model.load_state_dict(self.tensors.iter().cloned(), except)
    }
}

/// What is wrong with an entry that a model file holds: nobody's usage, as in a file that was written by hand.
fn in_file(e: Error) -> Error {
    match e.kind() {
        ErrorKind::Usage => {
            let model = Error::new(ErrorKind::Model, e.message());
            e.help_text().map_or(model.clone(), |help| model.help(help))
        }
        _ => e,
    }
}

/// A JSON list of texts.
fn words(key: &str, text: &str) -> Result<Vec<String>> {
    let json = Json::parse(text).map_err(|e| e.context(key))?;
    let words = json.list().and_then(|items| items.iter().map(|w| w.str().map(str::to_string)).collect());
    words.ok_or_else(|| Error::new(ErrorKind::Data, format!("{key}: not a list of names")))
}

/// A number above 0.
fn temperature(text: &str) -> Result<f64> {
    let found = text.parse().ok().filter(|t: &f64| t.is_finite() && *t > 0.0);
    found.ok_or_else(|| Error::new(ErrorKind::Data, format!("temperature: {text:?} is no number above 0")))
}

/// Writes a model's parameters and states to a file.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let path = std::env::temp_dir().join(format!("mapsto-save-{}.safetensors", std::process::id()));
/// let (model, mut other) = (Linear::new(3, 2), Linear::new(3, 2));
/// mapsto_train::save(&model, &path).unwrap();
/// let report = mapsto_train::load(&mut other, &path).unwrap();
/// assert_eq!(report.matched, ["weight", "bias"]);
/// # std::fs::remove_file(path).unwrap();
/// ```
///
/// # Errors
/// When the file system refuses.
pub fn save<M: Module + ?Sized>(model: &M, path: impl AsRef<Path>) -> Result<()> {
    ModelFile::of(model).write(path)
}

/// Reads a model's parameters and states from a file.
///
/// # Errors
/// When the file is damaged, or its names and shapes are not exactly the model's.
pub fn load<M: Module + ?Sized>(model: &mut M, path: impl AsRef<Path>) -> Result<LoadReport> {
    let path = path.as_ref();
    ModelFile::read(path)?
        .load_into_except(model, &Exceptions::none())
        .map_err(|e| given_to("ModelFile::read(path)?.load_into_except(&mut model, ", e))
        .map_err(|e| e.context(path.display()))
}

/// The error of a function that takes no exceptions, whose help gives them to one that does.
fn given_to(call: &str, e: Error) -> Error {
    let Some((before, rest)) = e.help_text().and_then(|help| help.split_once("`Exceptions::")) else {
        return e;
    };
    let Some((exceptions, after)) = rest.split_once('`') else { return e };
    let help = format!("{before}`{call}&Exceptions::{exceptions})`{after}");
    e.help(help)
}

#[test]
fn a_help_names_a_function_that_takes_it() {
    use mapsto_nn::prelude::*;
    let path = std::env::temp_dir().join(format!("mapsto-help-{}.safetensors", std::process::id()));
    let spec = ModelSpec::new(vec![2], vec![Entry::new("linear").with_value(1_usize)]);
    let mut model = seq![Linear::new(2, 1), Linear::new(1, 1)];
    let mut half = spec.build().unwrap();
    half.convert(DType::BF16);
    let file = ModelFile::of(&half).spec(&spec);
    file.write(&path).unwrap();
    let mut net = spec.build().unwrap();
    let said = |e: Error| e.help_text().unwrap().to_string();
    for (help, call) in [
        (said(load(&mut net, &path).unwrap_err()), "ModelFile::read(path)?.load_into_except(&mut model, "),
        (said(file.load_into(&mut net).unwrap_err()), "file.load_into_except(&mut model, "),
        (said(file.build().unwrap_err()), "file.build_except("),
    ] {
        let wanted = format!("load with `{call}&Exceptions::none().converting())` to convert them");
        assert!(help.contains(&wanted), "{help}");
    }
    let except = Exceptions::none().converting();
    ModelFile::read(&path).unwrap().load_into_except(&mut net, &except).unwrap();
    file.build_except(&except).unwrap();
    let whole = ModelFile::of(&spec.build().unwrap());
    let help = said(whole.load_into(&mut model).unwrap_err());
    assert!(
        help.contains("`file.load_into_except(&mut model, &Exceptions::of([\"1.weight\", \"1.bias\"]))`"),
        "{help}"
    );
    whole.load_into_except(&mut model, &Exceptions::of(["1.*"])).unwrap();
    fs::remove_file(path).unwrap();
}
