//! `Tuner`: trains the trials of a tuning in a folder, keeps the best, and goes on where it was stopped.

use std::path::{Path, PathBuf};
use std::time::Instant;

use mapsto::spec::{Entry, Value, nearest};
use mapsto::training::callbacks::each_epoch;
use mapsto::training::metrics::{Better, better_of};
use mapsto::training::{History, RunFolder, Trainer};
use mapsto::{Error, ErrorKind, Result, catch};

use super::journal::{Journal, Trial};
use super::parallel;
use super::search::Suggesting;
use super::section::Tuning;
use super::space::{Setting, Space};
use crate::config::Config;
use crate::document::Node;
use crate::experiment::Experiment;
use crate::overrides::Override;
use crate::run::Run;
use crate::source::Sources;
use crate::trained::Trained;

/// A tuning that is ready to begin or to go on: its ranges are checked, its folder is there.
///
/// ```
/// use mapsto_experiment::{Override, tuning::Tuner};
/// let file = std::env::temp_dir().join(format!("mapsto-tune-{}.toml", std::process::id()));
/// let text = std::fs::read_to_string("../../examples/tabular.toml")?
///     .replace("../data", &format!("{}/../../data", env!("CARGO_MANIFEST_DIR")));
/// std::fs::write(&file, text + "\n[tune]\ntrials = 3\n'train.optimizer.adam' = { log = [1e-4, 1e-1] }\n")?;
/// let out = file.with_extension("");
/// let overrides = [Override::new("train.epochs", 3), Override::new("train.out", out.display())];
/// let tuned = Tuner::open(&file, &overrides, |_| {})?.run(|trainer| trainer, |_, _| {})?;
/// assert_eq!(tuned.trials.len(), 3);
/// assert!(tuned.best().is_some_and(|best| best.score.is_some()));
/// # std::fs::remove_dir_all(out)?;
/// # std::fs::remove_file(file)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tuner {
    name: String,
    text: String,
    overrides: Vec<Override>,
    tuning: Tuning,
    /// The column of the history that trials are judged by.
    column: String,
    better: Better,
    epochs: usize,
    folder: RunFolder,
    journal: Option<Journal>,
}

/// What a tuning gave.
pub struct Tuned {
    /// What every trial gave after its last epochs, in the order of their numbers.
    pub trials: Vec<Trial>,
    /// The ranges.
    pub space: Space,
    /// The column of the history that trials are judged by: `val accuracy`.
    pub column: String,
    better: Better,
    best: Option<usize>,
    folder: RunFolder,
}

impl Tuner {
    /// Reads a training file with a section `[tune]`, checks that both ends of every range and every choice can be trained, and makes the
    /// folder: `out` in `[train]`, or the first free `runs/NAME-tune-1`, `runs/NAME-tune-2`, .. A folder that was begun before with the
    /// same settings is gone on with.
    ///
    /// # Errors
    /// Those of the file and its data; a range that makes no sense, at its line; the folder holds something else.
    pub fn open(file: impl AsRef<Path>, overrides: &[Override], note: impl FnMut(&str)) -> Result<Tuner> {
        let file = file.as_ref();
        let config = Config::open(file, overrides)?;
        let text = config.sources.text().to_string();
        let name = file.display().to_string();
        let mut sources = Sources::new(&name, &text);
        let tuning = Config::tuning(&mut sources, overrides).map_err(|e| sources.locate(e))?;
        if tuning.space.ranges.is_empty() {
            let message = format!("{name} says no range to tune");
            return Err(Error::new(ErrorKind::Usage, message).help(
                "write a section [tune] with a range under the path of its key: \"train.optimizer.adamw\" = { log = [1e-4, 1e-1] }",
            ));
        }
        let is_tuned = |given: &&Override| tuning.space.ranges.iter().any(|range| range.path == given.path());
        if let Some(given) = overrides.iter().find(is_tuned) {
            let message =
                format!("`{}` is given on the command line, and [tune] has a range for it", given.path());
            return Err(Error::new(ErrorKind::Usage, message).help("leave one of the two out"));
        }
        if config.train.dev_run.is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                "a dev run keeps nothing that trials could be judged by",
            )
            .help("leave `dev_run` out"));
        }
        let out = config.train.out.clone();
        let epochs = config.train.epochs;
        let mut settings = config.clone().anywhere()?;
        settings.train.out = None;
        let settings = format!("{}{}", settings.render(), said(&tuning));
        let stem = config.sources.stem().to_string();
        let experiment = config.prepare(note)?;
        let data = experiment.fingerprint()?.to_string();
        let column = column(&experiment, &tuning).map_err(|e| sources.locate(e))?;
        let better = better_of(&column);
        let (overrides, folder, journal) = (overrides.to_vec(), RunFolder::at("."), None);
        let mut tuner = Tuner { name, text, overrides, tuning, column, better, epochs, folder, journal };
        let is_begun = |out: &String| Path::new(out).join(Journal::FILE).is_file();
        if !out.as_ref().is_some_and(is_begun) {
            tuner.check_ranges()?;
        }
        tuner.folder = match out {
            Some(out) if is_begun(&out) => RunFolder::at(out),
            Some(out) => RunFolder::create(out)?,
            None => RunFolder::numbered("runs", &format!("{stem}-tune"))?,
        };
        tuner.journal = Some(Journal::open(tuner.folder.clone(), &settings, &data)?);
        Ok(tuner)
    }

    /// What `[tune]` says.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Where the tuning lies.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The column of the history that trials are judged by.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The rungs: how many trials are trained, and up to which epoch. One rung where nothing is halved.
    ///
    /// With one trial in η going on, the last rung has all epochs, and each before it η times fewer; no rung is without a trial or
    /// an epoch (Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016).
    pub fn rungs(&self) -> Vec<(usize, usize)> {
        rungs(self.tuning.trials, self.epochs, self.tuning.halving)
    }

    /// Trains every trial that is not done, and tells each with what the best so far gave.
    ///
    /// `with` may add to the trainer of a trial, such as an interrupt. A trial that fails, such as by a loss that is not finite, is
    /// written down and gone past.
    ///
    /// # Errors
    /// A file that cannot be written; damaged data; an interrupt, after which the same tuning goes on from there; no trial gave a
    /// number.
    pub fn run(
        mut self,
        mut with: impl FnMut(Trainer) -> Trainer,
        mut told: impl FnMut(&Trial, Option<f64>),
    ) -> Result<Tuned> {
        let _lock = self.folder.lock()?;
        let rungs = self.rungs();
        let mut best: Option<Trial> = None;
        let mut trials: Vec<Trial> = Vec::new();
        let space = self.tuning.space.clone();
        let mut search = Suggesting::new(&space, self.tuning.search, self.tuning.seed);
        let is_last = |rung: usize| rung + 1 == rungs.len();
        for number in 1..=rungs[0].0 {
            let Some(settings) = search.next() else { break };
            let trial = self.trial(number, &settings, rungs[0].1, &mut with)?;
            search.tell(settings, trial.score.map_or(f64::INFINITY, |score| self.loss(score)));
            self.take(&mut best, &trial);
            if is_last(0) {
                // Those to come may be known from before, and one of them the best.
                let is_kept = |n: &usize| *n > number || best.as_ref().is_some_and(|best| best.number == *n);
                self.keep(&(1..=self.tuning.trials).filter(is_kept).collect::<Vec<_>>());
            }
            told(&trial, best.as_ref().and_then(|best| best.score));
            trials.push(trial);
        }
        for (rung, &(count, epochs)) in rungs.iter().enumerate().skip(1) {
            let before = rungs[rung - 1].1;
            let mut order: Vec<usize> = (0..trials.len())
                .filter(|&i| trials[i].epochs == before && trials[i].score.is_some())
                .collect();
            let loss = |i: &usize| trials[*i].score.map_or(f64::INFINITY, |score| self.loss(score));
            order.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
            // Others go on in the place of those that fail, where all do.
            let (mut done, mut found) = (0, None);
            self.keep(&order.iter().map(|&i| trials[i].number).collect::<Vec<_>>());
            for i in order {
                if done >= count && found.is_some() {
                    break;
                }
                let (number, settings) = (trials[i].number, trials[i].settings.clone());
                let trial = self.trial(number, &settings, epochs, &mut with)?;
                done += 1;
                self.take(&mut found, &trial);
                told(&trial, found.as_ref().and_then(|found| found.score));
                trials[i] = trial;
            }
            best = found.or(best);
        }
        let Some(best) = best else {
            let why = trials.iter().find_map(|trial| trial.failed.as_deref()).unwrap_or_default();
            let message = format!("none of {} trials gave a number: {why}", trials.len());
            return Err(Error::new(ErrorKind::NonFinite, message)
                .help("look at the ranges: a learning rate may begin too high"));
        };
        self.keep(&[best.number]);
        if !self.path(best.number).is_dir() {
            // Somebody removed it: the journal knows what it gave, and how to make it again.
            self.history(best.number, &best.settings, best.epochs, &mut with)?;
        }
        let folder = self.folder.clone();
        let tuned = Tuned {
            best: Some(best.number),
            trials,
            space,
            column: self.column.clone(),
            better: self.better,
            folder,
        };
        let mut config = self.config(&best.settings)?.anywhere()?;
        config.train.out = None;
        tuned.folder.write("best.toml", &config.render())?;
        tuned.folder.write("trials.csv", &tuned.to_csv())?;
        tuned.folder.write("trials.svg", &tuned.plot())?;
        Ok(tuned)
    }

    /// Trains a trial up to an epoch, or reads what it gave when it was trained.
    fn trial(
        &mut self,
        number: usize,
        settings: &[Setting],
        epochs: usize,
        with: &mut dyn FnMut(Trainer) -> Trainer,
    ) -> Result<Trial> {
        let Some(journal) = &self.journal else { unreachable!("the tuning is open") };
        if let Some(known) = journal.find(&self.tuning.space, number, epochs, settings)? {
            return Ok(known);
        }
        let start = Instant::now();
        let found = catch(|| self.history(number, settings, epochs, with)).and_then(|found| found);
        let found = match found {
            Ok(history) if history.interrupted && !history.halted => {
                let message = format!("stopped in trial {number} of {}", self.tuning.trials);
                return Err(Error::new(ErrorKind::Interrupted, message).help(format!(
                    "the same command with `--train.out {}` goes on from there",
                    self.folder.path().display()
                )));
            }
            Ok(history) => self.score(&history, epochs),
            // What other trials would meet as well.
            Err(e) if [ErrorKind::Io, ErrorKind::Data, ErrorKind::Interrupted].contains(&e.kind()) => {
                return Err(e);
            }
            Err(e) => Err(e.message().lines().next().unwrap_or("it failed").to_string()),
        };
        let (score, failed) = match found {
            Ok(score) => (Some(score), None),
            Err(why) => (None, Some(why)),
        };
        let seconds = start.elapsed().as_secs_f64();
        let trial = Trial { number, epochs, settings: settings.to_vec(), score, failed, seconds };
        if let Some(journal) = &mut self.journal {
            journal.add(&self.tuning.space, &trial)?;
        }
        Ok(trial)
    }

    /// The history of a trial up to an epoch: gone on with where it was stopped, or begun.
    fn history(
        &self,
        number: usize,
        settings: &[Setting],
        epochs: usize,
        with: &mut dyn FnMut(Trainer) -> Trainer,
    ) -> Result<History> {
        let path = self.path(number);
        let folder = RunFolder::at(&path);
        if folder.last().is_file() {
            let run = Run::open(&path)?;
            let history = run.folder().history()?;
            if history.rows.len() >= epochs {
                return Ok(history);
            }
            let trained = run.resume(&[], |_| {})?.train(|trainer| until(with(trainer), epochs))?;
            return Ok(trained.history.clone());
        }
        if path.exists() {
            // It was stopped before there was a state to go on from.
            std::fs::remove_dir_all(&path).map_err(|e| Error::io(path.display().to_string(), e))?;
        }
        let mut config = self.config(settings)?;
        config.train.out = Some(path.display().to_string());
        let trained = config.prepare(|_| {})?.train(|trainer| until(with(trainer), epochs))?;
        Ok(trained.history.clone())
    }

    /// The best value of the column up to an epoch, or why there is none.
    fn score(&self, history: &History, epochs: usize) -> std::result::Result<f64, String> {
        let rows = history.rows.iter().filter(|row| row.epoch <= epochs).cloned().collect();
        let history = History { rows, ..History::default() };
        let found = match self.better {
            Better::Higher => history.max(&self.column),
            Better::Lower => history.min(&self.column),
        };
        match found {
            Some((_, score)) if score.is_finite() => Ok(score),
            Some((_, score)) => Err(format!("{} was {score}", self.column)),
            None => Err(format!("{} was no number in any epoch", self.column)),
        }
    }

    fn loss(&self, score: f64) -> f64 {
        if self.better == Better::Higher { -score } else { score }
    }

    fn take(&self, best: &mut Option<Trial>, trial: &Trial) {
        let Some(score) = trial.score else { return };
        let before = best.as_ref().and_then(|best| best.score);
        if before.is_none_or(|before| self.better.improves(score, before, 0.0)) {
            *best = Some(trial.clone());
        }
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.file(format!("trial-{number}"))
    }

    /// Removes the folders of all other trials: what they gave stands in the journal.
    fn keep(&self, numbers: &[usize]) {
        for number in (1..=self.tuning.trials).filter(|number| !numbers.contains(number)) {
            // One that cannot be removed takes room and does nothing else.
            _ = std::fs::remove_dir_all(self.path(number));
        }
    }

    /// The configuration with settings in the place of what the file says.
    fn config(&self, settings: &[Setting]) -> Result<Config> {
        let laid = self.tuning.space.ranges.iter().zip(settings);
        self.laid(
            laid.map(|(range, setting)| (range.path.as_str(), range.offset(), range.node(*setting)))
                .collect(),
        )
    }

    fn laid(&self, laid: Vec<(&str, usize, Node)>) -> Result<Config> {
        let mut config = Config::read_laid(Sources::new(&self.name, &self.text), &self.overrides, laid)?;
        if self.tuning.by.is_some() {
            config.train.callbacks.retain(|callback| callback.name != "best");
            config.train.callbacks.push(Entry::new("best").with_value(self.column.as_str()));
        }
        config.train.out = None;
        Ok(config)
    }

    /// Tries both ends of every range and every choice in the file as it stands, before anything runs.
    fn check_ranges(&self) -> Result<()> {
        for range in &self.tuning.space.ranges {
            for node in range.tries() {
                let config = self.laid(vec![(range.path.as_str(), range.offset(), node.clone())])?;
                config.prepare(|_| {}).map_err(|e| {
                    if e.to_string().starts_with(&self.name) {
                        e
                    } else {
                        e.context(format!("`{}` of [tune]", range.path))
                    }
                })?;
            }
        }
        Ok(())
    }
}

impl Tuned {
    /// The best trial.
    pub fn best(&self) -> Option<&Trial> {
        self.trials.iter().find(|trial| Some(trial.number) == self.best)
    }

    /// The run of the best trial, in `trial-N` of the folder, with the weights of its best epoch.
    ///
    /// # Errors
    /// Its files were removed or damaged.
    pub fn best_run(&self) -> Result<Trained> {
        let path = self.folder.file(format!("trial-{}", self.best.unwrap_or_default()));
        let mut trained = Run::open(path)?.resume(&[], |_| {})?.train(|trainer| trainer)?;
        trained.tidy()?;
        trained.settle()?;
        Ok(trained)
    }

    /// Where the tuning lies.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The trials from the best to the worst: those with more epochs first, those that failed last.
    pub fn ranked(&self) -> Vec<&Trial> {
        let mut ranked: Vec<&Trial> = self.trials.iter().collect();
        let loss = |trial: &Trial| match (trial.score, self.better) {
            (Some(score), Better::Higher) => -score,
            (Some(score), Better::Lower) => score,
            (None, _) => f64::INFINITY,
        };
        ranked.sort_by(|a, b| {
            let key = |trial: &Trial| (trial.score.is_none(), usize::MAX - trial.epochs);
            key(a).cmp(&key(b)).then(loss(a).total_cmp(&loss(b)))
        });
        ranked
    }

    /// The trials as CSV, with every digit: `trial,epochs,KEY,…,val accuracy,seconds,failed`.
    pub fn to_csv(&self) -> String {
        let keys = self.space.ranges.iter().map(|range| range.path.clone());
        let ends = [self.column.clone(), "seconds".to_string(), "failed".to_string()];
        let heading: Vec<String> =
            ["trial".to_string(), "epochs".to_string()].into_iter().chain(keys).chain(ends).collect();
        let mut text = row(&heading);
        for trial in &self.trials {
            let values = self.space.ranges.iter().zip(&trial.settings).map(|(range, s)| range.text(*s));
            let ends = [
                trial.score.map_or(String::new(), |score| format!("{score:?}")),
                format!("{:.3}", trial.seconds),
                trial.failed.clone().unwrap_or_default(),
            ];
            let head = [trial.number.to_string(), trial.epochs.to_string()];
            text += &row(&head.into_iter().chain(values).chain(ends).collect::<Vec<_>>());
        }
        text
    }

    /// The trials as parallel coordinates, an SVG picture: one axis a key, one line a trial, the darker the better.
    pub fn plot(&self) -> String {
        parallel::plot(&self.space, &self.trials, &self.column, self.better, self.best)
    }
}

/// A line of CSV.
fn row(cells: &[String]) -> String {
    let quoted = cells.iter().map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

/// Has a training pause after an epoch, so that it can be gone on with.
fn until(trainer: Trainer, epochs: usize) -> Trainer {
    trainer.on(each_epoch(move |run| {
        if run.pace.epoch >= epochs && run.pace.epoch < run.pace.epochs {
            run.stop_now(format!("{epochs} epochs of a trial were done"));
        }
        Ok(())
    }))
}

/// See [`Tuner::rungs`].
fn rungs(trials: usize, epochs: usize, halving: Option<usize>) -> Vec<(usize, usize)> {
    let mut rungs = vec![(trials, epochs)];
    let Some(eta) = halving else { return rungs };
    let (mut count, mut length) = (trials, epochs);
    let mut counts = vec![trials];
    while count / eta >= 1 && length / eta >= 1 {
        (count, length) = (count / eta, length / eta);
        counts.push(count);
    }
    let last = counts.len() - 1;
    rungs.clear();
    for (i, count) in counts.into_iter().enumerate() {
        rungs.push((count, epochs.div_ceil(eta.pow((last - i) as u32))));
    }
    rungs
}

/// The column that trials are judged by.
fn column(experiment: &Experiment, tuning: &Tuning) -> Result<String> {
    if experiment.validation.is_none() {
        let message = "trials are judged by validation samples, and [data] holds out none";
        return Err(
            Error::new(ErrorKind::Usage, message).help("hold out some with `validation = 0.1` in [data]")
        );
    }
    let train = &experiment.config.train;
    let column = match &tuning.by {
        Some(by) => {
            let name = by.strip_prefix("val ").unwrap_or(by);
            let names = train.metrics.iter().zip(&experiment.metrics);
            let found = names.clone().find(|(entry, metric)| entry.name == name || metric.name() == name);
            match (name, found) {
                ("loss", _) => "val loss".to_string(),
                (_, Some((_, metric))) => format!("val {}", metric.name()),
                (_, None) => {
                    let known: Vec<String> = std::iter::once("loss".to_string())
                        .chain(names.map(|(_, metric)| metric.name()))
                        .collect();
                    let help = match nearest(name, known.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!(
                            "known are {}; others stand in `metrics` of [train] first",
                            known.join(", ")
                        ),
                    };
                    let message = format!("`by`: the trials report no \"{by}\"");
                    let e = Error::new(ErrorKind::Usage, message).help(help);
                    return Err(tuning.by_span.iter().fold(e, |e, span| e.with_span(span.clone())));
                }
            }
        }
        None => {
            let best = train.callbacks.iter().find(|callback| callback.name == "best");
            match best.and_then(|best| best.value.clone()) {
                Some(Value::Str(column)) => column,
                _ => "val loss".to_string(),
            }
        }
    };
    let of_loss = |path: &str| path.starts_with("train.loss") || path.starts_with("train.class_weight");
    if column.ends_with("loss")
        && let Some(range) = tuning.space.ranges.iter().find(|range| of_loss(&range.path))
    {
        let message =
            format!("`{}`: trials with different losses cannot be compared by their loss", range.path);
        return Err(Error::new(ErrorKind::Usage, message)
            .help("name a metric in `metrics` of [train], and `by` it")
            .with_span(range.span()));
    }
    Ok(column)
}

/// What makes a tuning the same, as text; more trials may come.
fn said(tuning: &Tuning) -> String {
    let Tuning { trials, seed, by, search, halving, space, by_span: _ } = tuning;
    let mut text = format!("\n[tune]\nseed = {seed}\nsearch = \"{}\"\nby = {by:?}\n", search.word());
    if let Some(eta) = halving {
        text += &format!("halving = {eta}\ntrials = {trials}\n");
    }
    for range in &space.ranges {
        text += &format!("\"{}\" = {:?}\n", range.path, range.domain);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::rungs;

    #[test]
    fn rungs_end_with_all_epochs() {
        assert_eq!(rungs(9, 9, Some(3)), [(9, 1), (3, 3), (1, 9)]);
        assert_eq!(rungs(20, 30, Some(3)), [(20, 4), (6, 10), (2, 30)]);
        assert_eq!(rungs(16, 100, Some(2)), [(16, 7), (8, 13), (4, 25), (2, 50), (1, 100)]);
        assert_eq!(rungs(2, 9, Some(3)), [(2, 9)]);
        assert_eq!(rungs(20, 1, Some(3)), [(20, 1)]);
        assert_eq!(rungs(20, 7, None), [(20, 7)]);
    }
}
