//! `Config`: what a training file says, read into typed values, and written back with every default filled in.

use std::fmt::Write as _;

use mapsto::spec::{Entry, Value, nearest};
use mapsto::{Error, ErrorKind, MatmulPrecision, Result};

use crate::document::{self, Node, Tree};
use crate::overrides::{self, Override};
use crate::section::{Section, elsewhere, refuse_unknown};
use crate::source::Sources;

/// A training file.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to learn from.
    pub data: Data,
    /// What learns.
    pub model: Model,
    /// How.
    pub train: Train,
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

/// The section `[model]`.
#[derive(Debug, Clone)]
pub struct Model {
    /// The shape of one input; the data tells it where the file does not.
    pub input: Option<Vec<usize>>,
    /// The layers in order.
    pub layers: Vec<Entry>,
}

/// The section `[train]`.
#[derive(Debug, Clone)]
pub struct Train {
    /// What is lowered.
    pub loss: Entry,
    /// What is reported.
    pub metrics: Vec<Entry>,
    /// How weights are changed.
    pub optimizer: Entry,
    /// How the learning rate changes from step to step.
    pub schedule: Option<Entry>,
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
    /// The run folder; without it, the first free `runs/NAME-1`, `runs/NAME-2`, ..
    pub out: Option<String>,
}

impl Split {
    const ALL: [(&'static str, Split); 3] =
        [("stratified", Split::Stratified), ("random", Split::Random), ("ordered", Split::Ordered)];

    /// The word for it in a file.
    pub fn word(self) -> &'static str {
        Split::ALL.iter().find(|(_, split)| *split == self).map_or("", |(word, _)| word)
    }
}

impl Config {
    /// Reads a file and the flags laid over it.
    ///
    /// # Errors
    /// What is no TOML, unknown, of the wrong type or out of range; the error's span points into the returned sources.
    pub fn parse(sources: &mut Sources, overrides: &[Override]) -> Result<Config> {
        let mut document = document::parse(sources.text())?;
        overrides::apply(&mut document, overrides, sources)?;
        let data = Section::take(&mut document, "data")?;
        let model = Section::take(&mut document, "model")?;
        let train = Section::take(&mut document, "train")?;
        refuse_unknown(&document, &["data", "model", "train"])?;
        // Model and training first: they are the user's own, and cost nothing to check.
        Ok(Config {
            model: read_model(model)?,
            train: read_train(train, sources)?,
            data: read_data(data, sources)?,
        })
    }

    /// The same with absolute paths, for a file that is read from anywhere.
    ///
    /// # Errors
    /// The system does not know the current folder.
    pub fn anywhere(mut self) -> Result<Config> {
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
        let Data { set, batch, shuffle, workers, augment, preprocess, validation, test, split } = &self.data;
        section(&mut text, "data");
        put(&mut text, "set", set.name.as_str());
        for (key, value) in &set.options {
            put(&mut text, key, value.clone());
        }
        put(&mut text, "batch", *batch);
        put(&mut text, "shuffle", *shuffle);
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

        let Train {
            loss,
            metrics,
            optimizer,
            schedule,
            callbacks,
            epochs,
            seed,
            clip_norm,
            accumulate,
            threads,
            matmul_precision,
            out,
        } = &self.train;
        section(&mut text, "train");
        put(&mut text, "loss", loss.clone());
        put_list(&mut text, "metrics", metrics);
        put(&mut text, "optimizer", optimizer.clone());
        put_some(&mut text, "schedule", schedule.clone());
        put_list(&mut text, "callbacks", callbacks);
        put(&mut text, "epochs", *epochs);
        put(&mut text, "seed", *seed);
        put_some(&mut text, "clip_norm", *clip_norm);
        put(&mut text, "accumulate", *accumulate);
        put(&mut text, "threads", *threads);
        put(&mut text, "matmul_precision", matmul_precision.name());
        put_some(&mut text, "out", out.clone());
        text
    }
}

fn read_data(mut section: Section, sources: &Sources) -> Result<Data> {
    let batch = at_least(1, section.node("batch"), "batch", 64)?;
    let shuffle = section.or("shuffle", true)?;
    let workers = section.or("workers", 0)?;
    let augment = section.entries("augment")?;
    let mut preprocess = section.entries("preprocess")?;
    // The key is short for the step, and stands above the list: a flag says `false` to a run that has the step.
    match section.optional("standardize")? {
        Some(true) if !preprocess.iter().any(|step| step.name == "standardize") => {
            preprocess.push(Entry::new("standardize"));
        }
        Some(false) => preprocess.retain(|step| step.name != "standardize"),
        _ => {}
    }
    let validation = fraction(section.node("validation"), "validation")?.unwrap_or(0.1);
    // A share to hold out is ours; the name of a second file is an option of the set.
    let test = match section.peek("test") {
        Some(Tree::Str(_)) => None,
        _ => fraction(section.node("test"), "test")?,
    };
    let split = one_of(section.node("split"), "split", Split::ALL)?;
    let set = section.node("set").ok_or_else(|| {
        let known: Vec<&str> = mapsto::data::sets::SETS.iter().map(|set| set.name).collect();
        section.missing("set", &format!("known are {}", known.join(", ")))
    })?;
    let mut set = set.to_entry()?;
    // What is left belongs to the set, which refuses what it does not know.
    for (key, node) in section.rest() {
        let value = match node.to_value()? {
            Value::Str(path) if is_path(&key.name) => sources.path(&path, node.span.start).into(),
            value => value,
        };
        set = set.with_option_at(key.name.as_str(), value, key.span.into());
    }
    Ok(Data { set, batch, shuffle, workers, augment, preprocess, validation, test, split })
}

/// Whether an option of a set names a file or folder.
pub fn is_path(option: &str) -> bool {
    ["path", "test"].contains(&option)
}

impl Data {
    /// An error about an option that the set does not know, with our own keys among those that may have been meant.
    pub fn explain(&self, error: Error) -> Error {
        const KEYS: [&str; 10] = [
            "set",
            "batch",
            "shuffle",
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
            (None, help) => elsewhere(name).or(help.map(str::to_string)),
        };
        let unknown = at.into_iter().fold(unknown, Error::with_span);
        help.into_iter().fold(unknown, Error::help)
    }
}

fn read_model(mut section: Section) -> Result<Model> {
    let input: Option<Vec<usize>> = section.optional("input")?;
    let layers = section.entries("layers")?;
    if layers.is_empty() {
        return Err(section.missing("layers", "such as layers = [{ linear = 16 }, \"relu\", { linear = 2 }]"));
    }
    section.finish()?;
    Ok(Model { input, layers })
}

fn read_train(mut section: Section, sources: &Sources) -> Result<Train> {
    let out = section.place("out");
    let loss = section.entry("loss")?.ok_or_else(|| {
        section.missing("loss", "\"cross_entropy\" tells classes apart, \"mse\" fits numbers")
    })?;
    let train = Train {
        loss,
        metrics: section.entries("metrics")?,
        optimizer: section.entry("optimizer")?.unwrap_or_else(|| Entry::new("adam").with_value(1e-3)),
        schedule: section.entry("schedule")?,
        callbacks: section.entries("callbacks")?,
        epochs: at_least(1, section.node("epochs"), "epochs", 10)?,
        seed: section.or("seed", 42)?,
        clip_norm: positive(section.node("clip_norm"), "clip_norm")?,
        accumulate: at_least(1, section.node("accumulate"), "accumulate", 1)?,
        threads: section.or("threads", 0)?,
        matmul_precision: one_of(
            section.node("matmul_precision"),
            "matmul_precision",
            MatmulPrecision::ALL.map(|precision| (precision.name(), precision)),
        )?
        .unwrap_or_default(),
        out: section.optional::<String>("out")?.map(|path| sources.path(&path, out)),
    };
    section.finish()?;
    Ok(train)
}

/// What one of some words stands for.
fn one_of<T: Copy, const N: usize>(
    node: Option<Node>,
    key: &str,
    words: [(&'static str, T); N],
) -> Result<Option<T>> {
    let Some(node) = node else { return Ok(None) };
    let word = match &node.value {
        Tree::Str(word) => word.as_str(),
        _ => "",
    };
    if let Some((_, meant)) = words.iter().find(|(known, _)| *known == word) {
        return Ok(Some(*meant));
    }
    let known = words.map(|(word, _)| word);
    let error = Error::new(ErrorKind::Usage, format!("`{key}` should be one of {}", known.join(", ")));
    let error = match nearest(word, known) {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error,
    };
    Err(error.with_span(node.span.clone()))
}

fn wrong(node: &Node, key: &str, expected: &str) -> Error {
    let found = node.to_value().map_or_else(|_| node.kind().to_string(), |value| value.to_string());
    let error = Error::new(ErrorKind::Usage, format!("`{key}` should be {expected}, found {found}"));
    let error = error.with_span(node.span.clone());
    match &node.value {
        Tree::Str(text) if text.parse::<f64>().is_ok() => {
            error.help(format!("write numbers without quotes: `{key} = {text}`"))
        }
        _ => error,
    }
}

fn at_least(least: usize, node: Option<Node>, key: &str, default: usize) -> Result<usize> {
    let Some(node) = node else { return Ok(default) };
    match node.value {
        Tree::Int(i) if i >= least as i64 => Ok(i as usize),
        _ => Err(wrong(&node, key, &format!("a whole number of at least {least}"))),
    }
}

fn number(node: &Node) -> Option<f64> {
    match node.value {
        Tree::Int(i) => Some(i as f64),
        Tree::Float(x) => Some(x),
        _ => None,
    }
}

fn fraction(node: Option<Node>, key: &str) -> Result<Option<f64>> {
    let Some(node) = node else { return Ok(None) };
    match number(&node).filter(|x| (0.0..1.0).contains(x)) {
        Some(share) => Ok(Some(share)),
        None => Err(wrong(&node, key, "a share from 0 to below 1")),
    }
}

fn positive(node: Option<Node>, key: &str) -> Result<Option<f64>> {
    let Some(node) = node else { return Ok(None) };
    match number(&node).filter(|x| *x > 0.0 && x.is_finite()) {
        Some(x) => Ok(Some(x)),
        None => Err(wrong(&node, key, "a number above 0")),
    }
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
        Config::parse(&mut Sources::new("a.toml", text), &[])
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
             matmul_precision = \"highest\"\n"
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
            ("class = 'kind'", "test = true", "`test` should be a share from 0 to below 1, found true"),
            ("loss = 'cross_entropy'", "", "[train] needs `loss`"),
            ("set = 'csv'", "", "[data] needs `set`"),
        ] {
            let text = FILE.replace(from, to);
            let e = parse(&text).unwrap_err();
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
