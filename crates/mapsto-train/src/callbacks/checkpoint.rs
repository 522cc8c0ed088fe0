//! Checkpoints: the best model of a run, and its latest state, as files that are always whole.

use super::run::Worth;
use super::{Callback, CallbackKind, CallbackState, Moment, Run};
use crate::metrics::Better;
use mapsto_spec::{Entry, at_least_1, count_option};
use mapsto_tensor::Result;
use std::path::PathBuf;

/// Writes the model at its best, or the newest training state, after an epoch.
///
/// `best.safetensors` is a plain model file. `last.safetensors` is one too, and holds besides what a run needs to go on
/// exactly where it stopped ([`Trainer::resume`](crate::Trainer::resume)); it is also written when the run is
/// interrupted. Both go to the trainer's folder unless [`Checkpoint::to`] names a file.
///
/// ```
/// use mapsto_train::callbacks::{Callback, Checkpoint};
/// let checkpoint = Checkpoint::best("val accuracy").to("models/digits.safetensors");
/// assert_eq!(checkpoint.name(), "save the model with the best `val accuracy`");
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The column to be best in, and what the best epoch is worth in it, NaN before there is one; none for the latest state.
    watched: Option<(String, Worth)>,
    better: Better,
    path: Option<PathBuf>,
    every: usize,
}

/// How the name of a checkpoint of the best model begins, by which its state is found in a file.
pub(crate) const SAVES_BEST: &str = "save the model with the best `";

/// What no epoch is worth.
const NONE: Worth = Worth { value: f64::NAN, loss: f64::NAN };

impl Checkpoint {
    /// The model of the epoch that is best in a column; of epochs that are equal in it, the one of the lowest loss on the same
    /// samples (`val loss` for a column of the validation set), and else the earlier. The file says which epoch it is
    /// ([`ModelFile::best_epoch`](crate::ModelFile::best_epoch)).
    #[must_use]
    pub fn best(column: impl Into<String>) -> Checkpoint {
        Checkpoint { watched: Some((column.into(), NONE)), better: Better::Lower, path: None, every: 1 }
    }

    /// The state after each epoch, from which the run can be resumed.
    #[must_use]
    pub fn last() -> Checkpoint {
        Checkpoint { watched: None, better: Better::Lower, path: None, every: 1 }
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
        let Some((column, best)) = &mut self.watched else { return Ok(()) };
        run.column(column)?;
        let Some(worth) = run.worth(column) else { return Ok(()) };
        let old = if best.value.is_nan() { Worth::least(self.better) } else { *best };
        if worth.beats(old, self.better) {
            run.save_best(&self.path.clone().unwrap_or_else(|| run.place("best.safetensors")))?;
            *best = worth;
        }
        Ok(())
    }

    fn keep(&self, run: &mut Run<'_>) {
        let path = self.path.clone().unwrap_or_else(|| run.place("last.safetensors"));
        run.keep_training_state(path);
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
            Some(_) => &[Moment::Start, Moment::EpochEnd],
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
            (Moment::EpochEnd, Some(_)) if due => self.save_if_best(run)?,
            (Moment::EpochEnd, None) if due => self.keep(run),
            (Moment::Interrupted, None) => self.keep(run),
            _ => {}
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let numbers = |best: &Worth| vec![("best".to_string(), best.value), ("loss".to_string(), best.loss)];
        let watched = self.watched.as_ref();
        CallbackState {
            numbers: watched.map(|(_, best)| numbers(best)).unwrap_or_default(),
            tensors: Vec::new(),
        }
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        if let Some((_, best)) = &mut self.watched {
            // States of earlier versions do not say the loss.
            *best = Worth { value: state.number("best")?, loss: state.number("loss").unwrap_or(f64::NAN) };
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
    .options(&[("", "the column that is watched"), ("every", "after how many epochs it looks")]);

pub(super) const LAST: CallbackKind = CallbackKind::new(
    "last",
    "Saves the state after each epoch, from which the run can be resumed exactly.",
    |args, ()| Ok(Box::new(Checkpoint::last().every(count_option(args, "every", 1_usize)?))),
)
.options(&[("every", "after how many epochs it saves")]);
