//! `CrossValidation`: the folds of a configuration, each trained in a folder of its own and judged by what it held out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mapsto::data::Dataset;
use mapsto::spec::Json;
use mapsto::training::{RunFolder, Trainer};
use mapsto::{Error, ErrorKind, Result};

use super::folds::{Folds, Scheme};
use super::interval::Spread;
use crate::balance;
use crate::config::{Config, Split};
use crate::parts::{Parts, Rows, Samples};

/// Which fold a configuration trains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    folds: Folds,
    fold: usize,
}

impl Chosen {
    /// The samples of the fold: what it holds out stands where a training has its test samples.
    pub(crate) fn parts(&self, pool: &Samples, rows: &[usize]) -> Result<Parts> {
        let labels = match self.folds.scheme() {
            Scheme::Stratified => balance::labels(&**pool)?,
            _ => Vec::new(),
        };
        // What is no class cannot be stratified.
        let dealt = if labels.is_empty() { self.folds.unstratified() } else { self.folds };
        let mut folds = dealt.of(pool.len(), &labels)?;
        let fold = folds.swap_remove(self.fold);
        let rows_of = |places: &[usize]| places.iter().map(|&i| rows[i]).collect();
        let rows =
            Rows { train: rows_of(&fold.train), validation: Vec::new(), test: rows_of(&fold.held_out) };
        let part = |places: Vec<usize>| -> Samples { Arc::new(pool.subset(places)) };
        Ok(Parts { train: part(fold.train), validation: None, test: Some(part(fold.held_out)), rows })
    }
}

/// What one fold gave.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldScores {
    /// Which repetition it belongs to, from 1.
    pub repeat: usize,
    /// Which fold of it, from 1.
    pub fold: usize,
    /// How many samples it was trained on, those to watch the training by included.
    pub trained_on: usize,
    /// How many samples it was judged by.
    pub held_out: usize,
    /// The loss and every metric by name.
    pub scores: Vec<(String, f64)>,
}

/// A cross-validation. The samples for the test are in no fold: they stay for the model that is chosen.
#[derive(Debug)]
pub struct CrossValidation {
    config: Config,
    folds: Folds,
    repeats: usize,
    is_shuffled: bool,
    folder: PathBuf,
}

impl CrossValidation {
    /// That of a configuration, in the folder `out` of its `[train]`, or in the first free `runs/NAME-cv-1`, `runs/NAME-cv-2`, ..
    /// A folder that was begun before with the same settings is gone on with.
    ///
    /// # Errors
    /// The folder holds something else, or a cross-validation with other settings; no repetition, or repetitions that would all be
    /// the same; a walk forward over samples that are held out at random.
    pub fn new(
        mut config: Config,
        folds: Folds,
        repeats: usize,
        shuffled: Shuffled,
    ) -> Result<CrossValidation> {
        // Found before a folder is made for them.
        if folds.count() < 2 {
            folds.of(0, &[])?;
        }
        let is_walk = matches!(folds.scheme(), Scheme::WalkForward { .. });
        let is_shuffled = shuffled == Shuffled::BySeed && !is_walk;
        if repeats == 0 || (repeats > 1 && !is_shuffled) {
            let message = format!("{repeats} repetitions of folds that are not shuffled");
            let help =
                if repeats == 0 { "take at least one" } else { "they would all be the same: take one" };
            return Err(Error::new(ErrorKind::Usage, message).help(help));
        }
        if is_walk && *config.data.split.get_or_insert(Split::Ordered) != Split::Ordered {
            let message = "a walk forward needs samples in their order, and [data] holds them out otherwise";
            return Err(Error::new(ErrorKind::Usage, message).help("write `split = \"ordered\"`"));
        }
        let settings = |config: &Config| -> Result<String> {
            let mut config = config.clone().anywhere()?;
            config.train.out = None;
            Ok(format!("{folds:?}, {repeats} times, shuffled: {is_shuffled}\n{}", config.render()))
        };
        let folder = match config.train.out.take() {
            Some(out) => PathBuf::from(out),
            None => {
                RunFolder::numbered("runs", &format!("{}-cv", config.sources.stem()))?.path().to_path_buf()
            }
        };
        let said = settings(&config)?;
        let (file, shown) = (folder.join("cv.txt"), folder.display());
        match std::fs::read_to_string(&file) {
            Ok(before) if before == said => {}
            Ok(_) => {
                let message = format!("{shown} holds a cross-validation with other settings");
                return Err(Error::new(ErrorKind::Usage, message)
                    .help("say the same folds and options again, or another `--train.out`"));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let is_empty = std::fs::read_dir(&folder).map_or(true, |mut files| files.next().is_none());
                if !is_empty {
                    let message = format!("{shown} is not empty, and no cross-validation was begun in it");
                    return Err(Error::new(ErrorKind::Usage, message).help("choose another `--train.out`"));
                }
                std::fs::create_dir_all(&folder).map_err(|e| Error::io(shown.to_string(), e))?;
                RunFolder::at(&folder).write("cv.txt", &said)?;
            }
            Err(e) => return Err(Error::io(file.display().to_string(), e)),
        }
        Ok(CrossValidation { config, folds, repeats, is_shuffled, folder })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Trains every fold that is not done, tells each, and writes `out_of_fold.csv`: what each fold says of the samples that it
    /// held out, by their rows.
    ///
    /// # Errors
    /// Those of preparing and training; data that changed since the first folds; an interrupt, after which the folds that are done
    /// stay.
    pub fn run(
        &self,
        mut note: impl FnMut(&str),
        mut with: impl FnMut(Trainer) -> Trainer,
        mut told: impl FnMut(&FoldScores),
    ) -> Result<Vec<FoldScores>> {
        let mut all = Vec::new();
        let mut table = String::new();
        for repeat in 1..=self.repeats {
            for fold in 1..=self.folds.count() {
                let (scores, predictions) = self.fold(repeat, fold, &mut note, &mut with)?;
                let mut lines = predictions.lines();
                let heading = lines.next().unwrap_or_default();
                if table.is_empty() {
                    table = format!("repeat,fold,{heading}\n");
                }
                lines.for_each(|line| table.push_str(&format!("{repeat},{fold},{line}\n")));
                told(&scores);
                all.push(scores);
            }
        }
        RunFolder::at(&self.folder).write("out_of_fold.csv", &table)?;
        Ok(all)
    }

    /// The spread of a score over the folds; no walk forward has one with a margin that means anything, since its folds are not
    /// drawn alike.
    pub fn spread(&self, all: &[FoldScores], name: &str) -> Option<Spread> {
        let scores: Vec<f64> = all.iter().filter_map(|fold| value(fold, name)).collect();
        let ratio = all.iter().map(|fold| fold.held_out as f64 / fold.trained_on as f64).sum::<f64>();
        Spread::of(&scores, ratio / all.len() as f64)
    }

    /// Trains a fold, or reads what it gave when it was trained.
    fn fold(
        &self,
        repeat: usize,
        fold: usize,
        note: &mut dyn FnMut(&str),
        with: &mut dyn FnMut(Trainer) -> Trainer,
    ) -> Result<(FoldScores, String)> {
        let name =
            if self.repeats > 1 { format!("repeat-{repeat}-fold-{fold}") } else { format!("fold-{fold}") };
        let path = self.folder.join(name);
        let folder = RunFolder::at(&path);
        let mut config = self.config.clone();
        let seed = config.train.seed.wrapping_add(repeat as u64 - 1);
        let folds = if self.is_shuffled { self.folds.shuffled(seed) } else { self.folds };
        config.fold = Some(Chosen { folds, fold: fold - 1 });
        config.train.out = Some(path.display().to_string());
        let mut quiet = |_: &str| {};
        let experiment =
            if (repeat, fold) == (1, 1) { config.prepare(note)? } else { config.prepare(&mut quiet)? };
        let data = experiment.fingerprint()?.to_string();
        let scores = folder.file("scores.json");
        if scores.is_file() {
            let read = |path: PathBuf| {
                std::fs::read_to_string(&path).map_err(|e| Error::io(path.display().to_string(), e))
            };
            let found = of_json(&read(scores.clone())?, &data)
                .map_err(|e| e.context(scores.display().to_string()))?;
            return Ok((found, read(folder.file("predictions.csv"))?));
        }
        if path.exists() {
            // What an interrupt left of the fold; it is trained again from its beginning.
            std::fs::remove_dir_all(&path).map_err(|e| Error::io(path.display().to_string(), e))?;
        }
        let trained_on = experiment.rows.train.len() + experiment.rows.validation.len();
        let trained = experiment.train(with)?;
        if trained.history.interrupted {
            let message = format!("stopped in fold {fold} of {}", self.folds.count());
            return Err(Error::new(ErrorKind::Interrupted, message).help(format!(
                "the same command with `--train.out {}` goes on: folds that are done stay",
                self.folder.display()
            )));
        }
        let experiment = &trained.experiment;
        let Some(test) = &experiment.test else { unreachable!("a fold holds samples out") };
        let found = experiment.evaluate(test)?;
        experiment.write_predictions(trained.folder())?;
        let mut scores = vec![("loss".to_string(), found.loss)];
        scores.extend(found.metrics);
        let held_out = test.dataset().len();
        let given = FoldScores { repeat, fold, trained_on, held_out, scores };
        // The folder is no run to go on with or to judge by its own test samples: its samples are those of a fold.
        for (from, to) in [("config.toml", Some("fold.toml")), ("last.safetensors", None)] {
            let (from, to) = (folder.file(from), to.map(|to| folder.file(to)));
            let moved = match to {
                Some(to) => std::fs::rename(&from, to),
                None => std::fs::remove_file(&from),
            };
            moved.map_err(|e| Error::io(from.display().to_string(), e))?;
        }
        folder.write("scores.json", &format!("{}\n", to_json(&given, &data)))?;
        let text = std::fs::read_to_string(folder.file("predictions.csv"))
            .map_err(|e| Error::io(folder.file("predictions.csv").display().to_string(), e))?;
        Ok((given, text))
    }
}

/// Whether samples are dealt at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffled {
    /// By the seed of `[train]`, and by the next one for each repetition.
    BySeed,
    /// In the order of the data.
    No,
}

fn value(fold: &FoldScores, name: &str) -> Option<f64> {
    fold.scores.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
}

fn to_json(found: &FoldScores, data: &str) -> Json {
    let count = |n: usize| Json::from(n);
    let scores = found.scores.iter().map(|(name, value)| (name.clone(), Json::from(*value))).collect();
    Json::Object(vec![
        ("data".to_string(), Json::from(data)),
        ("repeat".to_string(), count(found.repeat)),
        ("fold".to_string(), count(found.fold)),
        ("trained_on".to_string(), count(found.trained_on)),
        ("held_out".to_string(), count(found.held_out)),
        ("scores".to_string(), Json::Object(scores)),
    ])
}

fn of_json(text: &str, data: &str) -> Result<FoldScores> {
    let damaged = || {
        Error::new(ErrorKind::Data, "the scores of the fold are damaged")
            .help("remove its folder: it is trained again")
    };
    let json = Json::parse(text)?;
    if json.get("data").and_then(Json::str) != Some(data) {
        let message = "the data is not what the fold was trained on";
        return Err(Error::new(ErrorKind::Data, message).help("begin again with another `--train.out`"));
    }
    let count = |key: &str| json.get(key).and_then(Json::number).map(|n| n as usize).ok_or_else(damaged);
    let scores = json.get("scores").and_then(Json::object).ok_or_else(damaged)?;
    let scores =
        scores.iter().map(|(name, value)| (name.clone(), value.number().unwrap_or(f64::NAN))).collect();
    Ok(FoldScores {
        repeat: count("repeat")?,
        fold: count("fold")?,
        trained_on: count("trained_on")?,
        held_out: count("held_out")?,
        scores,
    })
}
