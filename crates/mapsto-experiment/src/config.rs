//! `Config`: what a training file says, read into typed values, and written back with every default filled in.

use std::fmt::Write as _;
use std::path::Path;

use mapsto::spec::{Entry, Value, nearest};
use mapsto::training::{Averaging, RunFolder};
use mapsto::{DType, Error, ErrorKind, MatmulPrecision, Result};

use crate::document::Node;
use crate::overrides::{self, Override};
use crate::section::{Section, elsewhere, refuse_unknown};
use crate::source::Sources;
use crate::tabular::Defaults;
use crate::tuning::Tuning;
use crate::{document, inits};

mod sections;

use sections::{read_data, read_model, read_train};

/// A training file.
///
/// ```
/// use mapsto_experiment::Config;
/// let file = "[data]\nset = 'mnist'\n[model]\nlayers = ['flatten', { linear = 10 }]\n[train]\nloss = 'cross_entropy'\n";
/// let config = Config::parse(file, &[])?;
/// assert_eq!((config.data.batch, config.train.epochs), (64, 10));
/// let error = Config::parse(&file.replace("[train]", "[trian]"), &[]).unwrap_err();
/// assert!(error.to_string().contains("did you mean `train`?"));
/// # Ok::<(), mapsto::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// What to learn from.
    pub data: Data,
    /// What learns.
    pub model: Model,
    /// How.
    pub train: Train,
    /// What all of it was read from, for errors that are found later.
    pub(crate) sources: Sources,
    /// The fold of a cross-validation that is trained, if it is one.
    pub(crate) fold: Option<crate::choosing::Chosen>,
}

/// The section `[data]`.
#[derive(Debug, Clone)]
pub struct Data {
    /// The kind of data with its own keys: `{ csv = true, path = "..", class = ".." }`.
    pub set: Entry,
    /// Samples a step.
    pub batch: usize,
    /// Whether each epoch reads the training samples in an order of its own.
    pub shuffle: bool,
    /// How often samples come, where not all come once an epoch.
    pub sampler: Option<Sampling>,
    /// Threads that prepare batches ahead; 0 prepares them between steps.
    pub workers: usize,
    /// Random changes of training inputs.
    pub augment: Vec<Entry>,
    /// Fixed steps on all inputs.
    pub preprocess: Vec<Entry>,
    /// The share of the training samples that is held out to watch the training by.
    pub validation: f64,
    /// The share of the samples that is held out for the test, where the data brings no test set.
    pub test: Option<f64>,
    /// How samples are held out.
    pub split: Option<Split>,
    /// Whether the number of rows decides how many samples a step takes.
    pub(crate) batch_by_rows: bool,
}

/// How samples are held out for validation and test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// At random, with the same share of every class.
    Stratified,
    /// At random.
    Random,
    /// The last ones, as time series need it.
    Ordered,
}

/// How often the training samples come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Those of every class about equally often, drawn with replacement.
    Balanced,
}

/// How much each class counts in the loss.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeight {
    /// The more, the rarer it is: all classes together alike.
    Balanced,
    /// As much as is said of each by its name, and 1 where nothing is said.
    Each(Vec<(String, f64)>),
}

impl ClassWeight {
    fn written(&self) -> Value {
        match self {
            ClassWeight::Balanced => "balanced".into(),
            ClassWeight::Each(weights) => {
                let mut weights = weights.iter();
                let first = weights.next().map_or(Entry::new("balanced"), |(name, weight)| {
                    Entry::new(name.as_str()).with_value(*weight)
                });
                weights.fold(first, |e, (name, weight)| e.with_option(name.as_str(), *weight)).into()
            }
        }
    }
}

/// The section `[model]`.
#[derive(Debug, Clone)]
pub struct Model {
    /// The shape of one input; the data tells it where the file does not.
    pub input: Option<Vec<usize>>,
    /// The layers in order; none for the model that is made for a table.
    pub layers: Vec<Entry>,
    /// How weights begin, by patterns of their names: each entry is a pattern with an initialiser. Of several that fit, the last counts.
    pub init: Vec<Entry>,
    /// Whether weights of linear layers and convolutions begin so that their outputs have the variance 1 on the first training samples.
    pub lsuv: bool,
}

/// The section `[train]`.
#[derive(Debug, Clone)]
pub struct Train {
    /// What is lowered.
    pub loss: Entry,
    /// How much each class counts, until the numbers of their samples are known; then the loss says it.
    pub class_weight: Option<ClassWeight>,
    /// What is reported.
    pub metrics: Vec<Entry>,
    /// How weights are changed.
    pub optimizer: Entry,
    /// How the learning rate changes from step to step.
    pub schedule: Option<Entry>,
    /// The average of the weights that is judged and saved in place of them: the keys `ema` and `swa`.
    pub averaging: Option<Entry>,
    /// What else happens beside the training, such as early stopping.
    pub callbacks: Vec<Entry>,
    /// How often every training sample is seen.
    pub epochs: usize,
    /// Where all randomness starts.
    pub seed: u64,
    /// The largest global norm of the gradients.
    pub clip_norm: Option<f64>,
    /// Batches whose gradients make one step.
    pub accumulate: usize,
    /// Threads to compute with; 0 is one for each core.
    pub threads: usize,
    /// How exactly matrices are multiplied while training.
    pub matmul_precision: MatmulPrecision,
    /// What products are computed in while training: f32, bf16 or f16.
    pub precision: DType,
    /// Whether gradients, changes and dead units of the layers are looked at now and then.
    pub health: bool,
    /// A run of so many batches of everything, of which nothing is kept.
    pub dev_run: Option<usize>,
    /// How many batches are trained on in every epoch, the same ones, and validated with.
    pub overfit_batches: Option<usize>,
    /// The run folder; without it, the first free `runs/NAME-1`, `runs/NAME-2`, ..
    pub out: Option<String>,
}

impl Split {
    const ALL: [(&'static str, Split); 3] =
        [("stratified", Split::Stratified), ("random", Split::Random), ("ordered", Split::Ordered)];

    /// The word for it in a file.
    pub(crate) fn word(self) -> &'static str {
        Split::ALL.iter().find(|(_, split)| *split == self).map_or("", |(word, _)| word)
    }
}

impl Config {
    /// Reads a training file and the overrides laid over it; paths in the file are relative to its folder.
    ///
    /// # Errors
    /// The file cannot be read; as [`parse`](Config::parse).
    pub fn open(file: impl AsRef<Path>, overrides: &[Override]) -> Result<Config> {
        let file = file.as_ref();
        let name = file.display();
        if RunFolder::open(file).is_ok() {
            let error = Error::new(ErrorKind::Usage, format!("{name}: this is the folder of a run, no file"));
            return Err(error.help(format!("`mapsto train --resume {name}` goes on with the run")));
        }
        let text = std::fs::read_to_string(file).map_err(|e| {
            let help = match file.is_dir() {
                true => {
                    format!(
                        "name the file in it, such as {}/model.toml",
                        name.to_string().trim_end_matches('/')
                    )
                }
                false => "give a file that says what to train; `mapsto new NAME` makes one".to_string(),
            };
            Error::io(file, e).help(help)
        })?;
        Config::read(Sources::new(&name.to_string(), &text), overrides)
    }

    /// Reads the text of a training file and the overrides laid over it, as far as it can be checked without its data; paths are
    /// relative to the current folder.
    ///
    /// # Errors
    /// What is no TOML, unknown, of the wrong type or out of range, at its line and column.
    pub fn parse(text: &str, overrides: &[Override]) -> Result<Config> {
        Config::read(Sources::new("experiment", text), overrides)
    }

    /// Reads a file and the overrides laid over it; errors show the place.
    pub(crate) fn read(sources: Sources, overrides: &[Override]) -> Result<Config> {
        Config::read_laid(sources, overrides, Vec::new())
    }

    /// As [`read`](Config::read), with values under their paths laid over both: a path, where it stands, and the value.
    pub(crate) fn read_laid(
        mut sources: Sources,
        overrides: &[Override],
        laid: Vec<(&str, usize, Node)>,
    ) -> Result<Config> {
        let sections = Config::sections(&mut sources, overrides, laid);
        let (data, model, train) = sections.map_err(|e| sources.locate(e))?;
        Ok(Config { data, model, train, sources, fold: None })
    }

    /// The three sections; the spans of errors point into `sources`.
    fn sections(
        sources: &mut Sources,
        overrides: &[Override],
        laid: Vec<(&str, usize, Node)>,
    ) -> Result<(Data, Model, Train)> {
        let mut document = document::parse(sources.text())?;
        overrides::apply(&mut document, overrides, sources)?;
        for (path, at, value) in laid {
            overrides::set(&mut document, path, at, value)?;
        }
        // Other commands than `tune` use no range, but a mistake in one is told by all.
        Tuning::read(Section::take(&mut document, "tune")?, sources.text())?;
        let data = Section::take(&mut document, "data")?;
        let model = Section::take(&mut document, "model")?;
        let train = Section::take(&mut document, "train")?;
        refuse_unknown(&document, &["data", "model", "train", "tune"])?;
        // Model and training first: they are the user's own, and cost nothing to check.
        let defaults = Defaults::of(data.peek("class").is_some(), data.peek("labels").is_some());
        let (model, no_layers) = read_model(model)?;
        let train = read_train(train, sources, no_layers.is_some().then_some(&defaults))?;
        let says_batch = data.peek("batch").is_some();
        let mut data = read_data(data, sources)?;
        if let Some(e) = no_layers {
            if data.set.name != "csv" {
                return Err(e);
            }
            data.batch_by_rows = !says_batch;
            // A model that is made for a table takes every kind of column.
            if data.set.option("missing").is_none() {
                data.set = data.set.with_option("missing", "median");
            }
        }
        Ok((data, model, train))
    }

    /// What the section `[tune]` says; the spans of errors point into `sources`.
    pub(crate) fn tuning(sources: &mut Sources, overrides: &[Override]) -> Result<Tuning> {
        let mut document = document::parse(sources.text())?;
        overrides::apply(&mut document, overrides, sources)?;
        Tuning::read(Section::take(&mut document, "tune")?, sources.text())
    }

    /// The same with absolute paths, for a file that is read from anywhere.
    ///
    /// # Errors
    /// The system does not know the current folder.
    pub(crate) fn anywhere(mut self) -> Result<Config> {
        let absolute = |path: &str| -> Result<String> {
            Ok(std::path::absolute(path).map_err(|e| Error::io(path, e))?.display().to_string())
        };
        for (key, value) in &mut self.data.set.options {
            if let (true, Value::Str(path)) = (is_path(key), &*value) {
                *value = absolute(path)?.into();
            }
        }
        if let Some(out) = &mut self.train.out {
            *out = absolute(out)?;
        }
        Ok(self)
    }

    /// The file that says the same with nothing left out.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let Data {
            set, batch, shuffle, sampler, workers, augment, preprocess, validation, test, split, ..
        } = &self.data;
        section(&mut text, "data");
        put(&mut text, "set", set.name.as_str());
        for (key, value) in &set.options {
            put(&mut text, key, value.clone());
        }
        put(&mut text, "batch", *batch);
        put(&mut text, "shuffle", *shuffle);
        put_some(&mut text, "sampler", sampler.map(|Sampling::Balanced| "balanced"));
        put(&mut text, "workers", *workers);
        put_list(&mut text, "preprocess", preprocess);
        put_list(&mut text, "augment", augment);
        put(&mut text, "validation", *validation);
        put_some(&mut text, "test", *test);
        put_some(&mut text, "split", split.map(Split::word));

        section(&mut text, "model");
        put_some(&mut text, "input", self.model.input.clone());
        text.push_str("layers = [\n");
        for layer in &self.model.layers {
            _ = writeln!(text, "  {layer},");
        }
        text.push_str("]\n");
        put_some(&mut text, "init", inits::written(&self.model.init));
        put_some(&mut text, "lsuv", self.model.lsuv.then_some(true));

        let Train {
            loss,
            class_weight,
            metrics,
            optimizer,
            schedule,
            averaging,
            callbacks,
            epochs,
            seed,
            clip_norm,
            accumulate,
            threads,
            matmul_precision,
            precision,
            health,
            dev_run,
            overfit_batches,
            out,
        } = &self.train;
        section(&mut text, "train");
        put(&mut text, "loss", loss.clone());
        put_some(&mut text, "class_weight", class_weight.as_ref().map(ClassWeight::written));
        put_list(&mut text, "metrics", metrics);
        put(&mut text, "optimizer", optimizer.clone());
        put_some(&mut text, "schedule", schedule.clone());
        if let Some(entry) = averaging {
            put(&mut text, &entry.name, Averaging::written(entry));
        }
        put_list(&mut text, "callbacks", callbacks);
        put(&mut text, "epochs", *epochs);
        put(&mut text, "seed", *seed);
        put_some(&mut text, "clip_norm", *clip_norm);
        put(&mut text, "accumulate", *accumulate);
        put(&mut text, "threads", *threads);
        put(&mut text, "matmul_precision", matmul_precision.name());
        put(&mut text, "precision", precision.to_string());
        put_some(&mut text, "health", (!*health).then_some(false));
        put_some(&mut text, "dev_run", *dev_run);
        put_some(&mut text, "overfit_batches", *overfit_batches);
        put_some(&mut text, "out", out.clone());
        text
    }
}

/// Whether an option of a set names a file or folder.
pub(crate) fn is_path(option: &str) -> bool {
    ["path", "test", "names"].contains(&option)
}

impl Data {
    /// The share that is held out to watch the training by where nothing is said.
    pub(crate) const VALIDATION: f64 = 0.1;

    /// An error about an option that the set does not know, with our own keys among those that may have been meant.
    pub(crate) fn explain(&self, error: Error) -> Error {
        const KEYS: [&str; 11] = [
            "set",
            "batch",
            "shuffle",
            "sampler",
            "workers",
            "augment",
            "preprocess",
            "standardize",
            "validation",
            "test",
            "split",
        ];
        let at = error.span();
        let option = self.set.options.iter().find(|(name, _)| {
            at.is_some()
                && self.set.option_span(name).map(Into::into) == at
                && error.message().contains("no option")
        });
        let Some((name, _)) = option else { return error };
        let unknown = Error::new(
            ErrorKind::Usage,
            format!("unknown key `{name}` in [data] with set `{}`", self.set.name),
        );
        let help = match (nearest(name, KEYS), error.help_text()) {
            (_, Some(help)) if help.starts_with("did you mean") => Some(help.to_string()),
            (Some(near), _) => Some(format!("did you mean `{near}`?")),
            (None, help) => of_other_sets(name).or_else(|| elsewhere(name)).or(help.map(str::to_string)),
        };
        let unknown = at.into_iter().fold(unknown, Error::with_span);
        help.into_iter().fold(unknown, Error::help)
    }
}

/// Which sets have an option that another one does not know.
fn of_other_sets(option: &str) -> Option<String> {
    let with = |set: &&mapsto::data::sets::SetKind| set.options.iter().any(|(name, _)| *name == option);
    let sets: Vec<String> =
        mapsto::data::sets::SETS.iter().filter(with).map(|set| format!("`{}`", set.name)).collect();
    (!sets.is_empty()).then(|| format!("`{option}` is an option of the set {}", sets.join(" and of ")))
}

fn section(text: &mut String, name: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    _ = writeln!(text, "{gap}[{name}]");
}

fn put(text: &mut String, key: &str, value: impl Into<Value>) {
    _ = writeln!(text, "{key} = {}", value.into());
}

fn put_some(text: &mut String, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(text, key, value);
    }
}

fn put_list(text: &mut String, key: &str, entries: &[Entry]) {
    put(text, key, entries.to_vec());
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[data]\nset = 'csv'\npath = 'a.csv'\nclass = 'kind'\naugment = [{ noise = 0.1 }]\n\
        [model]\nlayers = [{ linear = 3, bias = false }, 'relu']\n[train]\nloss = 'cross_entropy'\nclip_norm = 1\n";

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, &[])
    }

    #[test]
    fn what_is_rendered_says_everything_and_reads_back_the_same() {
        let rendered = parse(FILE).unwrap().render();
        assert_eq!(
            rendered,
            "[data]\nset = \"csv\"\npath = \"a.csv\"\nclass = \"kind\"\nbatch = 64\nshuffle = true\nworkers = 0\n\
             preprocess = []\naugment = [{ noise = 0.1 }]\nvalidation = 0.1\n\n\
             [model]\nlayers = [\n  { linear = 3, bias = false },\n  \"relu\",\n]\n\n\
             [train]\nloss = \"cross_entropy\"\nmetrics = []\noptimizer = { adam = 0.001 }\ncallbacks = []\n\
             epochs = 10\nseed = 42\nclip_norm = 1.0\naccumulate = 1\nthreads = 0\n\
             matmul_precision = \"highest\"\nprecision = \"f32\"\n"
        );
        assert_eq!(parse(&rendered).unwrap().render(), rendered);
    }

    #[test]
    fn values_out_of_range_are_errors_at_their_place() {
        for (from, to, said) in [
            ("clip_norm = 1", "clip_norm = 0", "`clip_norm` should be a number above 0, found 0"),
            ("clip_norm = 1", "epochs = 0", "`epochs` should be a whole number of at least 1, found 0"),
            (
                "class = 'kind'",
                "validation = 1.5",
                "`validation` should be a share from 0 to below 1, found 1.5",
            ),
            ("class = 'kind'", "split = 'orderd'", "`split` should be one of stratified, random, ordered"),
            (
                "clip_norm = 1",
                "matmul_precision = 'fp16'",
                "`matmul_precision` should be one of highest, high, medium, bf16",
            ),
            ("clip_norm = 1", "precision = 'bf_16'", "`precision` should be one of f32, bf16, f16"),
            ("class = 'kind'", "test = true", "`test` should be a share from 0 to below 1, found true"),
            ("loss = 'cross_entropy'", "", "[train] needs `loss`"),
            ("set = 'csv'\npath = 'a.csv'", "", "[data] needs `set`"),
        ] {
            let text = FILE.replace(from, to);
            let e = Config::sections(&mut Sources::new("a.toml", &text), &[], Vec::new()).unwrap_err();
            assert_eq!((e.message(), e.kind()), (said, ErrorKind::Usage));
            assert!(e.span().is_some_and(|span| span.end <= text.len()), "{said}");
        }
    }

    #[test]
    fn a_second_file_is_the_sets_and_a_share_is_ours() {
        let with = |line: &str| parse(&FILE.replace("class = 'kind'", line)).unwrap().data;
        assert_eq!(with("test = 'b.csv'").set.option("test"), Some(&Value::from("b.csv")));
        assert_eq!(with("test = 0.25").test, Some(0.25));
        assert_eq!(with("standardize = true").preprocess, [Entry::new("standardize")]);
    }
}
