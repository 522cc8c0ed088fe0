//! Checkpoints: the best model of a run, and its latest state, as files that are always whole.

use super::run::Worth;
use super::{Callback, CallbackKind, CallbackState, Moment, Run};
use crate::metrics::Better;
use crate::model_file::{ModelFile, seal};
use mapsto_nn::ModuleExt;
use mapsto_spec::{Entry, at_least_1, count_option};
use mapsto_tensor::{Result, Tensor};
use std::path::PathBuf;

/// Writes the model at its best, or the newest training state, after an epoch.
///
/// `best.safetensors` is a plain model file. `last.safetensors` is one too, and holds besides what a run needs to go on
/// exactly where it stopped ([`Trainer::resume`](crate::Trainer::resume)); it is also written when the run is
/// interrupted. Both go to the trainer's folder unless [`Checkpoint::to`] names a file.
///
/// The best weights are kept in memory and in the training state too: a run that is resumed goes on with the best model of
/// that state, whatever a process that was killed later has written, and a file that was removed is written again.
///
/// ```
/// use mapsto_train::callbacks::{Callback, Checkpoint};
/// let checkpoint = Checkpoint::best("val accuracy").to("models/digits.safetensors");
/// assert_eq!(checkpoint.name(), "save the model with the best `val accuracy`");
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The column to be best in, and the best epoch in it; none for the latest state.
    watched: Option<(String, Best)>,
    better: Better,
    path: Option<PathBuf>,
    every: usize,
    /// Whether the file on the disk has to be compared with what a training state knew.
    is_resumed: bool,
}

/// The best epoch so far.
#[derive(Clone, Debug)]
struct Best {
    /// NaN before there is one.
    worth: Worth,
    epoch: usize,
    /// Its parameters and states; none in states of earlier versions.
    weights: Vec<(String, Tensor)>,
}

/// How the name of a checkpoint of the best model begins, by which its state is found in a file.
pub(crate) const SAVES_BEST: &str = "save the model with the best `";

/// Before the first epoch.
const NONE: Best = Best { worth: Worth { value: f64::NAN, loss: f64::NAN }, epoch: 0, weights: Vec::new() };

impl Checkpoint {
    /// The model of the epoch that is best in a column; of epochs that are equal in it, the one of the lowest loss on the same
    /// samples (`val loss` for a column of the validation set), and else the earlier. The file says which epoch it is
    /// ([`ModelFile::best_epoch`](crate::ModelFile::best_epoch)).
    #[must_use]
    pub fn best(column: impl Into<String>) -> Checkpoint {
        Checkpoint { watched: Some((column.into(), NONE)), ..Checkpoint::last() }
    }

    /// The state after each epoch, from which the run can be resumed.
    #[must_use]
    pub fn last() -> Checkpoint {
        Checkpoint { watched: None, better: Better::Lower, path: None, every: 1, is_resumed: false }
    }

    /// Writes to this file.
    #[must_use]
    pub fn to(self, path: impl Into<PathBuf>) -> Checkpoint {
        Checkpoint { path: Some(path.into()), ..self }
    }

    /// Looks only once in this many epochs, and at the last.
    ///
    /// # Panics
    /// When `epochs` is 0.
    #[must_use]
    #[track_caller]
    pub fn every(self, epochs: usize) -> Checkpoint {
        Checkpoint { every: at_least_1("checkpoint", "every", epochs), ..self }
    }

    fn save_if_best(&mut self, run: &Run<'_>) -> Result<()> {
        let place = self.place(run);
        let Some((column, best)) = &mut self.watched else { return Ok(()) };
        run.column(column)?;
        let Some(worth) = run.worth(column) else { return Ok(()) };
        let old = if best.worth.value.is_nan() { Worth::least(self.better) } else { best.worth };
        if worth.beats(old, self.better) {
            // Cloning a tensor is a reference count; the optimizer then copies on its next write.
            *best = Best { worth, epoch: run.pace.epoch, weights: run.model.state_dict() };
            run.save_best(&place, best.epoch, &best.weights)?;
        }
        Ok(())
    }

    /// Writes the best model again where its file is gone, or is of another epoch: a process that was killed may have gone on
    /// for some epochs after the state from which this run was resumed, and a better one of those is none of this run's.
    fn restore(&mut self, run: &Run<'_>) -> Result<()> {
        self.is_resumed = false;
        let Some((_, best)) = self.watched.as_ref().filter(|(_, best)| !best.weights.is_empty()) else {
            return Ok(());
        };
        // A run that had nothing left to do has made no folder.
        if run.folder.is_some() && run.there.is_none() && self.path.is_none() {
            return Ok(());
        }
        let (place, of) = (self.place(run), seal::digest(&[], &best.weights));
        let is_it =
            |file: ModelFile| file.best_epoch() == Some(best.epoch) && seal::digest(&[], &file.tensors) == of;
        if ModelFile::read(&place).is_ok_and(is_it) {
            return Ok(());
        }
        run.save_best(&place, best.epoch, &best.weights)
    }

    fn place(&self, run: &Run<'_>) -> PathBuf {
        let kept = self.path.clone().filter(|_| !run.is_dev_run());
        kept.unwrap_or_else(|| run.place(self.name_of_file()))
    }

    fn name_of_file(&self) -> &'static str {
        if self.watched.is_some() { "best.safetensors" } else { "last.safetensors" }
    }

    fn keep(&self, run: &mut Run<'_>) {
        run.keep_training_state(self.place(run));
    }
}

impl Callback for Checkpoint {
    fn name(&self) -> String {
        match &self.watched {
            Some((column, _)) => format!("{SAVES_BEST}{column}`"),
            None => "save the state to resume from".into(),
        }
    }

    fn moments(&self) -> &'static [Moment] {
        match self.watched {
            Some(_) => &[Moment::Start, Moment::EpochEnd, Moment::End],
            None => &[Moment::EpochEnd, Moment::Interrupted],
        }
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        // An epoch is also due when another callback has found it to be the last.
        let is_last = run.pace.epoch == run.pace.epochs || run.history.stopped.is_some();
        let due = run.pace.epoch.is_multiple_of(self.every) || is_last;
        match (moment, &mut self.watched) {
            (Moment::Start, Some((column, best))) => {
                self.better = run.column(column)?.better;
                // What an earlier run left behind says nothing of this one.
                if run.history.rows.is_empty() {
                    *best = NONE;
                }
            }
            (Moment::End, Some(_)) => self.restore(run)?,
            (Moment::EpochEnd, Some(_)) => {
                if due {
                    self.save_if_best(run)?;
                }
                if self.is_resumed {
                    self.restore(run)?;
                }
            }
            (Moment::EpochEnd, None) if due => self.keep(run),
            (Moment::Interrupted, None) => self.keep(run),
            _ => {}
        }
        Ok(())
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone().unwrap_or_else(|| self.name_of_file().into()))
    }

    fn state(&self) -> CallbackState {
        let Some((_, best)) = &self.watched else { return CallbackState::default() };
        let numbers = [("best", best.worth.value), ("loss", best.worth.loss), ("epoch", best.epoch as f64)];
        CallbackState {
            numbers: numbers.map(|(name, value)| (name.to_string(), value)).to_vec(),
            tensors: best.weights.clone(),
        }
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        if let Some((_, best)) = &mut self.watched {
            // States of earlier versions do not say the loss, or the epoch and its weights.
            let number = |name| state.number(name).unwrap_or(f64::NAN);
            let worth = Worth { value: state.number("best")?, loss: number("loss") };
            *best = Best { worth, epoch: number("epoch") as usize, weights: state.tensors };
            self.is_resumed = true;
        }
        Ok(())
    }

    fn entry(&self) -> Option<Entry> {
        if self.path.is_some() {
            return None; // A file does not say where.
        }
        let entry = match &self.watched {
            Some((column, _)) => Entry::new(BEST.name).with_value(column.as_str()),
            None => Entry::new(LAST.name),
        };
        Some(entry.with_option("every", self.every))
    }
}

pub(super) const BEST: CallbackKind =
    CallbackKind::new("best", "Saves the model of the epoch that is best in a column.", |args, ()| {
        let column = args.main_or("val loss".to_string())?;
        Ok(Box::new(Checkpoint::best(column).every(count_option(args, "every", 1_usize)?)))
    })
    .options(&[
        ("", "the column that is watched; in a training file without one that of the first metric, or else of the loss, of the validation samples where there are any"),
        ("every", "after how many epochs it looks"),
    ]);

pub(super) const LAST: CallbackKind = CallbackKind::new(
    "last",
    "Saves the state after each epoch, from which the run can be resumed exactly.",
    |args, ()| Ok(Box::new(Checkpoint::last().every(count_option(args, "every", 1_usize)?))),
)
.options(&[("every", "after how many epochs it saves")]);
