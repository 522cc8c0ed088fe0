//! What a callback sees of the run it belongs to, and what it may ask of it.

use crate::averaging::Averaging;
use crate::history::History;
use crate::metrics::Better;
use crate::model_file::{ModelFile, ModelInfo, WEIGHTS};
use mapsto_nn::Module;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::path::{Path, PathBuf};

/// A column of the history and which way it improves.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, such as `val accuracy`.
    pub name: String,
    /// Which way it improves.
    pub better: Better,
}

/// Where in the run a callback is called, and how fast the run goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The number of epochs planned.
    pub epochs: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// Optimizer steps since the start of the run.
    pub step: u64,
    /// Training samples of the epoch that are done.
    pub samples: u64,
    /// The loss of the last step.
    pub loss: f64,
    /// The learning rate of the last step of the first optimizer.
    pub lr: f64,
    /// Training samples a second, this epoch.
    pub samples_per_second: f64,
    /// The share of this epoch's training time spent waiting for data, 0 to 1.
    pub waiting: f64,
    /// Seconds to the end of the last planned epoch at the speed so far.
    pub seconds_left: f64,
}

/// A run of training, as a callback sees it.
pub struct Run<'a> {
    /// The model in training.
    pub model: &'a mut dyn Module,
    /// The epochs so far; at [`Moment::EpochEnd`](super::Moment::EpochEnd) the last row is of the epoch that ended.
    pub history: &'a History,
    /// Where the run is.
    pub pace: &'a Pace,
    /// The columns of loss, metrics and terms that the history has.
    pub columns: &'a [Column],
    pub(crate) info: &'a ModelInfo,
    /// What the program keeps with the best model.
    pub(crate) labels: &'a [(String, String)],
    /// What is judged in place of the trained weights.
    pub(crate) averaging: Option<&'a Averaging>,
    pub(crate) folder: Option<&'a Path>,
    /// The folder, once it has been seen: it is not made again.
    pub(crate) there: Option<&'a Path>,
    pub(crate) wishes: Wishes,
    /// Whether a task may report terms that no epoch has shown yet.
    pub(crate) is_open: bool,
    /// Whether nothing of the run is kept.
    pub(crate) is_dev_run: bool,
    /// Whether a schedule sets the learning rate at every step.
    pub(crate) has_schedule: bool,
}

/// What an epoch is worth in the column that decides which is the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Worth {
    pub(crate) value: f64,
    /// The loss, which decides between equal values; NaN where it is not known, as in states of earlier versions.
    pub(crate) loss: f64,
}

impl Worth {
    /// What every epoch beats whose value is a number.
    pub(crate) fn least(better: Better) -> Worth {
        Worth { value: better.worst(), loss: f64::NAN }
    }

    /// Whether this epoch is better than an earlier one: in its value, or of equal value in its loss. Of epochs that are
    /// equal in both, the earlier stays: an accuracy of few samples takes the same value in many epochs.
    pub(crate) fn beats(self, other: Worth, better: Better) -> bool {
        better.improves(self.value, other.value, 0.0) || (self.value == other.value && self.loss < other.loss)
    }
}

#[test]
fn the_loss_decides_between_equal_values() {
    let worth = |value, loss| Worth { value, loss };
    let best = worth(0.9, 0.5);
    for (value, loss, higher, lower) in [
        (0.95, 9.0, true, false),
        (0.9, 0.4, true, true),
        (0.9, 0.5, false, false),
        (0.9, f64::NAN, false, false),
        (0.8, 0.1, false, true),
        (f64::NAN, 0.1, false, false),
    ] {
        let found = [Better::Higher, Better::Lower].map(|better| worth(value, loss).beats(best, better));
        assert_eq!(found, [higher, lower], "{value} {loss}");
    }
    // Nothing is known of the loss of a state of an earlier version: the earlier epoch stays.
    assert!(!worth(0.9, 0.1).beats(worth(0.9, f64::NAN), Better::Higher));
    assert!(worth(0.0, f64::NAN).beats(Worth::least(Better::Higher), Better::Higher));
}

/// What a callback found while training, in a line, and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was found.
    pub text: String,
    /// What to try.
    pub help: String,
}

/// What callbacks asked for at one moment.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) stop: Option<String>,
    /// Why the run is to end after the step it is in.
    pub(crate) halt: Option<String>,
    /// What is to be said to who watches.
    pub(crate) notes: Vec<Note>,
    pub(crate) keep: Vec<PathBuf>,
    /// States that are written before the others: whoever is killed between the two goes on from an earlier one, and writes them again.
    pub(crate) keep_first: Vec<PathBuf>,
}

impl Run<'_> {
    /// The value of a column in the last finished epoch.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<f64> {
        self.history.last(column)
    }

    /// A column by name, for callbacks that watch one. Before the first epoch of a task with a loss of its own, any name may be
    /// that of a term it will report, which improves by falling.
    ///
    /// # Errors
    /// When there is none, with the nearest name.
    pub fn column(&self, name: &str) -> Result<Column> {
        if let Some(found) = self.columns.iter().find(|c| c.name == name) {
            return Ok(found.clone());
        }
        if self.is_open {
            return Ok(Column { name: name.into(), better: Better::Lower });
        }
        Err({
            let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
            let validates = names.iter().any(|n| n.starts_with("val "));
            // Other programs write `val_loss`; a word for a metric has its synonyms.
            let plain = name.replace(['_', '-'], " ");
            let metric = plain.strip_prefix("val ").unwrap_or(&plain);
            let meant =
                mapsto_spec::nearest(metric, names.iter().copied().filter(|n| !n.starts_with("val "))).map(
                    |near| if metric.len() < plain.len() { format!("val {near}") } else { near.to_string() },
                );
            let help = match meant
                .or_else(|| mapsto_spec::nearest(&plain, names.iter().copied()).map(str::to_string))
            {
                Some(near) if names.contains(&&*near) => format!("did you mean `{near}`?"),
                _ if metric.len() < plain.len() && !validates => "give `fit` a validation loader".to_string(),
                _ => format!("there are {}", names.join(", ")),
            };
            Error::new(ErrorKind::Usage, format!("training: no column `{name}` to watch")).help(help)
        })
    }

    /// Ends the run after this epoch; the first reason given counts.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.wishes.stop.get_or_insert(reason.into());
    }

    /// Ends the run after this step, as a user's interrupt does: the state is saved where a [`Checkpoint::last`](super::Checkpoint::last)
    /// is, so that the run can be resumed within its epoch. The history says the reason, and where it was.
    pub fn stop_now(&mut self, reason: impl Into<String>) {
        self.wishes.halt.get_or_insert(reason.into());
    }

    /// Says something to who watches the training, once: it is shown between the rows of progress, and stands in
    /// [`History::notes`](crate::History::notes).
    pub fn say(&mut self, text: impl Into<String>, help: impl Into<String>) {
        self.wishes.notes.push(Note { text: text.into(), help: help.into() });
    }

    /// Whether this is a dev run, of which nothing is kept: a callback that writes outside of the trainer's folder writes nothing then.
    #[must_use]
    pub fn is_dev_run(&self) -> bool {
        self.is_dev_run
    }

    /// Writes the model, with its spec, preprocessing and class names, to a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_model(&self, path: impl AsRef<Path>) -> Result<()> {
        self.model_file().write_within(path.as_ref(), self.there)
    }

    /// As [`Run::save_model`], with the weights of the epoch that is the best so far.
    pub(crate) fn save_best(&self, path: &Path, epoch: usize, weights: &[(String, Tensor)]) -> Result<()> {
        let file = ModelFile { tensors: weights.to_vec(), ..ModelFile::default() };
        let weights = self.averaging.and_then(|averaging| averaging.weights_after(epoch));
        let weights = weights.map(|text| (WEIGHTS.to_string(), text));
        let labels: Vec<(String, String)> = self.labels.iter().cloned().chain(weights).collect();
        file.with_info(self.info.clone()).best_of(epoch, &labels).write_within(path, self.there)
    }

    fn model_file(&self) -> ModelFile {
        ModelFile::of(&*self.model).with_info(self.info.clone())
    }

    /// What an epoch that has just ended is worth in a column: the value, and the loss of the same samples.
    pub(crate) fn worth(&self, column: &str) -> Option<Worth> {
        let loss = if column.starts_with("val ") { "val loss" } else { "loss" };
        Some(Worth { value: self.value(column)?, loss: self.value(loss).unwrap_or(f64::NAN) })
    }

    /// Has the trainer write model and training state to a file once every callback of this moment is done, so that the
    /// run can be resumed from there exactly.
    pub fn keep_training_state(&mut self, path: impl Into<PathBuf>) {
        self.wishes.keep.push(path.into());
    }

    /// As [`keep_training_state`](Run::keep_training_state), before the state from which a run is usually resumed.
    pub(crate) fn keep_training_state_first(&mut self, path: impl Into<PathBuf>) {
        self.wishes.keep_first.push(path.into());
    }

    /// Where files of this run belong: the trainer's folder, or `checkpoints`.
    #[must_use]
    pub fn place(&self, file: &str) -> PathBuf {
        self.folder.unwrap_or(Path::new("checkpoints")).join(file)
    }
}
