//! Early stopping: ends a run that no longer improves, and gives back the best weights it had.

use super::run::Worth;
use super::{Callback, CallbackKind, CallbackState, Moment, Run};
use crate::metrics::Better;
use crate::readable;
use mapsto_nn::{Exceptions, ModuleExt};
use mapsto_spec::{Bounds, Entry, at_least_1, count_option};
use mapsto_tensor::{Result, Tensor};

/// Ends training when a column has not improved for some epochs, and restores the weights of its best epoch.
///
/// The weights are restored however the run ends, at the last planned epoch too. Of epochs that are equal in the column, the best
/// is the one of the lowest loss, and else the earlier; the patience waits for the column alone. A NaN counts as no improvement.
/// The direction is the column's own: a loss falls, an accuracy rises.
///
/// ```
/// use mapsto_train::callbacks::{Callback, EarlyStop};
/// let stop = EarlyStop::watching("val accuracy").patience(3).least(0.001);
/// assert_eq!(
///     stop.name(),
///     "stop early when `val accuracy` has not improved by 0.001 for 3 epochs, and restore the best weights"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStop {
    column: String,
    patience: usize,
    least: f64,
    better: Better,
    best: Option<Best>,
    /// The value of the last improvement by `least`.
    improved: Option<f64>,
    waited: usize,
}

#[derive(Clone, Debug)]
struct Best {
    worth: Worth,
    epoch: usize,
    weights: Vec<(String, Tensor)>,
}

impl EarlyStop {
    /// Watches a column of the history, with a patience of 5 epochs.
    #[must_use]
    pub fn watching(column: impl Into<String>) -> EarlyStop {
        let column = column.into();
        EarlyStop {
            column,
            patience: 5,
            least: 0.0,
            better: Better::Lower,
            best: None,
            improved: None,
            waited: 0,
        }
    }

    /// How many epochs without improvement are borne.
    ///
    /// # Panics
    /// When `epochs` is 0.
    #[must_use]
    #[track_caller]
    pub fn patience(self, epochs: usize) -> EarlyStop {
        EarlyStop { patience: at_least_1("early_stop", "patience", epochs), ..self }
    }

    /// By how much a value must beat the last improvement to count as another, which is what the patience waits for; 0 by
    /// default. The weights restored are the best seen, by however little.
    ///
    /// # Panics
    /// When `improvement` is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn least(self, improvement: f64) -> EarlyStop {
        EarlyStop { least: Bounds::AT_LEAST_0.check("early_stop", "least", improvement), ..self }
    }

    fn look(&mut self, run: &mut Run<'_>) {
        let Some(worth) = run.worth(&self.column) else { return };
        let (value, best) = (worth.value, self.best.as_ref().map_or(Worth::least(self.better), |b| b.worth));
        if worth.beats(best, self.better) {
            // Cloning a tensor is a reference count; the optimizer then copies on its next write.
            self.best = Some(Best { worth, epoch: run.pace.epoch, weights: run.model.state_dict() });
        }
        if self.better.improves(value, self.improved.unwrap_or(self.better.worst()), self.least) {
            self.improved = Some(value);
            self.waited = 0;
            return;
        }
        self.waited += 1;
        self.stop_if_over(run);
    }

    fn stop_if_over(&self, run: &mut Run<'_>) {
        if self.waited >= self.patience {
            let best = self.best.as_ref().map_or("never finite".into(), |b| {
                format!("best {} in epoch {}", readable(b.worth.value, 6), b.epoch)
            });
            run.stop(format!("`{}` has not improved for {} epochs ({best})", self.column, self.waited));
        }
    }
}

impl Callback for EarlyStop {
    fn name(&self) -> String {
        let by = if self.least > 0.0 { format!(" by {}", self.least) } else { String::new() };
        format!(
            "stop early when `{}` has not improved{by} for {} epochs, and restore the best weights",
            self.column, self.patience
        )
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::EpochEnd, Moment::End]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        match moment {
            Moment::Start => {
                self.better = run.column(&self.column)?.better;
                match run.history.rows.is_empty() {
                    // What an earlier run left behind says nothing of this one.
                    true => (self.best, self.improved, self.waited) = (None, None, 0),
                    // A run that is resumed after it has stopped is over, unless it may wait longer now.
                    false => self.stop_if_over(run),
                }
            }
            Moment::End if !run.history.interrupted => {
                if let Some(best) = &self.best {
                    run.model.load_state_dict(best.weights.iter().cloned(), &Exceptions::none())?;
                }
            }
            Moment::EpochEnd => {
                run.column(&self.column)?;
                self.look(run);
            }
            _ => {}
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let Some(best) = &self.best else {
            return CallbackState {
                numbers: vec![("waited".into(), self.waited as f64)],
                tensors: Vec::new(),
            };
        };
        let Worth { value, loss } = best.worth;
        let numbers =
            [("waited", self.waited as f64), ("best", value), ("loss", loss), ("epoch", best.epoch as f64)];
        let improved = self.improved.map(|value| ("improved", value));
        CallbackState {
            numbers: numbers.into_iter().chain(improved).map(|(n, v)| (n.to_string(), v)).collect(),
            tensors: best.weights.clone(),
        }
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        self.waited = state.number("waited")? as usize;
        let state_improved = state.number("improved").ok();
        self.best = match state.number("best") {
            Ok(value) => Some(Best {
                worth: Worth { value, loss: state.number("loss").unwrap_or(f64::NAN) },
                epoch: state.number("epoch")? as usize,
                weights: state.tensors,
            }),
            Err(_) => None,
        };
        // States of earlier versions do not tell the two apart.
        self.improved = state_improved.or(self.best.as_ref().map(|best| best.worth.value));
        Ok(())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.column.as_str());
        Some(entry.with_option("patience", self.patience).with_option("least", self.least))
    }
}

pub(super) const KIND: CallbackKind = CallbackKind::new(
    "early_stop",
    "Ends a run whose column has not improved for some epochs, and restores the best weights.",
    |args, ()| {
        let column = args.main_or("val loss".to_string())?;
        let patience = count_option(args, "patience", 5_usize)?;
        let least = Bounds::AT_LEAST_0.option(args, "least", 0.0)?;
        Ok(Box::new(EarlyStop::watching(column).patience(patience).least(least)))
    },
)
.options(&[
    ("", "the column that is watched"),
    ("patience", "the epochs it waits for an improvement"),
    ("least", "the smallest change that is an improvement"),
]);
