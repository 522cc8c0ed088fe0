//! More than one checkpoint: the best k models, and a state to resume from every n epochs, in a folder of their own.

use super::run::Worth;
use super::{Callback, CallbackKind, CallbackState, Moment, Run};
use crate::metrics::Better;
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::fs;
use std::path::PathBuf;

/// Keeps the models of the best epochs, or a state after every so many, in `checkpoints/` of the trainer's folder.
///
/// The best are `best-epoch-0012.safetensors`, plain model files; a model that is no longer among them is removed an epoch later, when
/// the state that knows it has been saved. States are `epoch-0010.safetensors`, from which a run can be resumed
/// ([`Trainer::resume`](crate::Trainer::resume)). Lightning calls the two `save_top_k` and `every_n_epochs`.
///
/// Of epochs that are equal in the column, the one of the lower loss is better, and else the earlier.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_train::Trainer;
/// use mapsto_train::callbacks::Keep;
/// let folder = std::env::temp_dir().join(format!("mapsto-keep-{}", std::process::id()));
/// let set = InMemory::new(tensor![[1.0], [2.0]], tensor![[2.0], [4.0]]);
/// let mut trainer = Trainer::new(Sgd::new(0.01), mse).epochs(5).folder(&folder).on(Keep::best(2, "loss")).on(Keep::every(4)).quiet();
/// trainer.fit(&mut Linear::new(1, 1), set.batches(1), None)?;
/// let mut names: Vec<_> = std::fs::read_dir(folder.join("checkpoints")).unwrap().map(|e| e.unwrap().file_name()).collect();
/// names.sort();
/// assert_eq!(names, ["best-epoch-0004.safetensors", "best-epoch-0005.safetensors", "epoch-0004.safetensors"]);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Keep(How);

#[derive(Clone, Debug)]
enum How {
    Best { most: usize, column: String, better: Better, kept: Vec<(usize, Worth)>, leaving: Vec<usize> },
    Every(usize),
}

/// The folder in the trainer's.
pub(crate) const FOLDER: &str = "checkpoints";

impl Keep {
    /// The models of the `most` epochs that are best in a column.
    ///
    /// # Panics
    /// When `most` is 0.
    #[must_use]
    #[track_caller]
    pub fn best(most: usize, column: impl Into<String>) -> Keep {
        let most = at_least_1("keep", "best", most);
        let (column, better) = (column.into(), Better::Lower);
        Keep(How::Best { most, column, better, kept: Vec::new(), leaving: Vec::new() })
    }

    /// A state to resume from after every so many epochs.
    ///
    /// # Panics
    /// When `epochs` is 0.
    #[must_use]
    #[track_caller]
    pub fn every(epochs: usize) -> Keep {
        Keep(How::Every(at_least_1("keep", "every", epochs)))
    }
}

fn best_of(run: &Run<'_>, epoch: usize) -> PathBuf {
    run.place(&format!("{FOLDER}/best-epoch-{epoch:04}.safetensors"))
}

/// The epoch of a model that [`best_of`] named.
fn epoch_of(name: &str) -> Option<usize> {
    name.strip_prefix("best-epoch-")?.strip_suffix(".safetensors")?.parse().ok()
}

fn remove(run: &Run<'_>, epoch: usize) -> Result<()> {
    let path = best_of(run, epoch);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, e)),
        _ => Ok(()),
    }
}

impl Callback for Keep {
    fn name(&self) -> String {
        match &self.0 {
            How::Best { most, column, .. } => {
                format!("keep the models of the {most} epochs with the best `{column}`")
            }
            How::Every(1) => "keep the state after every epoch".into(),
            How::Every(n) => format!("keep the state after every {n} epochs"),
        }
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::EpochEnd, Moment::End]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        let epoch = run.pace.epoch;
        match (&mut self.0, moment) {
            (How::Every(n), Moment::EpochEnd) if epoch.is_multiple_of(*n) => {
                run.keep_training_state_first(run.place(&format!("{FOLDER}/epoch-{epoch:04}.safetensors")));
            }
            (How::Best { column, better, kept, leaving, .. }, Moment::Start) => {
                *better = run.column(column)?.better;
                if run.history.rows.is_empty() {
                    kept.clear();
                    leaving.clear();
                }
                // Models of epochs that a process wrote which was killed before it saved its state: this run does them again.
                if let (false, Ok(files)) = (run.history.rows.is_empty(), fs::read_dir(run.place(FOLDER))) {
                    let epochs = files.flatten().filter_map(|e| epoch_of(&e.file_name().to_string_lossy()));
                    let known =
                        |epoch: &usize| kept.iter().any(|(of, _)| of == epoch) || leaving.contains(epoch);
                    epochs.filter(|epoch| !known(epoch)).try_for_each(|epoch| remove(run, epoch))?;
                }
            }
            (How::Best { most, column, better, kept, leaving }, Moment::EpochEnd) => {
                run.column(column)?;
                leaving.drain(..).try_for_each(|epoch| remove(run, epoch))?;
                let Some(worth) = run.worth(column).filter(|worth| !worth.value.is_nan()) else {
                    return Ok(());
                };
                let place = kept.iter().position(|(_, old)| worth.beats(*old, *better)).unwrap_or(kept.len());
                if place < *most {
                    run.save_model(best_of(run, epoch))?;
                    kept.insert(place, (epoch, worth));
                    leaving.extend(kept.drain((*most).min(kept.len())..).map(|(epoch, _)| epoch));
                }
            }
            // An interrupted run goes on from a state that still knows them.
            (How::Best { leaving, .. }, Moment::End)
                if run.history.stopped.is_none() || run.pace.batch == 0 =>
            {
                leaving.drain(..).try_for_each(|epoch| remove(run, epoch))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let How::Best { kept, leaving, .. } = &self.0 else { return CallbackState::default() };
        let mut numbers = vec![("kept".to_string(), kept.len() as f64)];
        for (i, (epoch, worth)) in kept.iter().enumerate() {
            numbers.push((format!("epoch {i}"), *epoch as f64));
            numbers.push((format!("value {i}"), worth.value));
            numbers.push((format!("loss {i}"), worth.loss));
        }
        numbers.extend(leaving.iter().enumerate().map(|(i, epoch)| (format!("leaving {i}"), *epoch as f64)));
        CallbackState { numbers, tensors: Vec::new() }
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let How::Best { kept, leaving, .. } = &mut self.0 else { return Ok(()) };
        let count = state.number("kept")?;
        if !(0.0..1e6).contains(&count) {
            return Err(Error::new(ErrorKind::Data, "callback state: the number of kept models is damaged"));
        }
        let one = |i: usize| {
            let worth = Worth {
                value: state.number(&format!("value {i}"))?,
                loss: state.number(&format!("loss {i}"))?,
            };
            Ok((state.number(&format!("epoch {i}"))? as usize, worth))
        };
        *kept = (0..count as usize).map(one).collect::<Result<_>>()?;
        *leaving =
            (0..).map_while(|i| state.number(&format!("leaving {i}")).ok()).map(|e| e as usize).collect();
        Ok(())
    }

    fn entry(&self) -> Option<Entry> {
        Some(match &self.0 {
            How::Best { most, column, .. } => {
                Entry::new(BEST.name).with_value(*most).with_option("watch", column.as_str())
            }
            How::Every(n) => Entry::new(EVERY.name).with_value(*n),
        })
    }
}

pub(super) const BEST: CallbackKind =
    CallbackKind::new("keep_best", "Keeps the models of the best epochs in `checkpoints/`.", |args, ()| {
        let most: usize = args.main_or(3_usize)?;
        if most == 0 {
            return Err(args.error("", "the number of models must be at least 1, got 0"));
        }
        let column: String = args.get_or("watch", "val loss".to_string())?;
        Ok(Box::new(Keep::best(most, column)))
    })
    .options(&[("", "how many models"), ("watch", "the column that decides which are the best")]);

pub(super) const EVERY: CallbackKind = CallbackKind::new(
    "keep_every",
    "Keeps a state to resume from in `checkpoints/`, after every so many epochs.",
    |args, ()| {
        let epochs: usize = args.main_or(1_usize)?;
        if epochs == 0 {
            return Err(args.error("", "the number of epochs must be at least 1, got 0"));
        }
        Ok(Box::new(Keep::every(epochs)))
    },
)
.options(&[("", "after how many epochs")]);
