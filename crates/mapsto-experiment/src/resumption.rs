//! `Resumption`: a run that is about to be gone on with, checked against what it was started with. A run that cannot be gone on with
//! is left as it was, byte for byte.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mapsto::nn::Exceptions;
use mapsto::training::{ModelFile, RunFolder, RunLock, Trainer};
use mapsto::{Error, ErrorKind, Result};

use crate::config::Config;
use crate::experiment::Experiment;
use crate::lr_find::is_auto;
use crate::overrides::Override;
use crate::run::Run;
use crate::trained::{Held, Trained, write_head};
use crate::{fingerprint, settings};

/// A run whose state, configuration and data are those that it was started with, and that is locked.
pub struct Resumption {
    /// What is trained.
    pub experiment: Experiment,
    run: Run,
    lock: Held,
    /// The folder to go on in, where that is another one.
    target: Option<PathBuf>,
    /// Where callbacks write.
    path: PathBuf,
    epochs_done: usize,
    has_fingerprint: bool,
    needs_best: bool,
}

/// Where a resumed run writes, and the lock on that folder where it is a new one; known once the run has begun.
#[derive(Clone, Default)]
struct Began(Arc<Mutex<Option<Written>>>);

type Written = (RunFolder, Option<RunLock>);

impl Began {
    fn set(&self, written: Written) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(written);
    }

    fn take(&self) -> Option<Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Run {
    /// Opens the run to go on from its last state, with some settings replaced, such as `train.epochs`; `train.out` lets it go on
    /// in another folder. `note` is told what [`prepare`](Config::prepare) tells.
    ///
    /// # Errors
    /// Another process trains the run; its state is missing or damaged; a setting that a run keeps to its end was changed; the data
    /// is not what it was.
    pub fn resume(&self, overrides: &[Override], note: impl FnMut(&str)) -> Result<Resumption> {
        let folder = self.folder();
        let lock = Held::of(folder.lock()?);
        if !folder.last().is_file() {
            return Err(no_state(folder));
        }
        let state = ModelFile::read(folder.last())?;
        let mut config = Config::read(self.sources()?, overrides)?;
        // The file may have been edited since; the state says what the run was really made of.
        let noted = self.noted(&state).map_or_else(|| self.sources(), Ok)?;
        settings::refuse_changes(&Config::read(noted, &[])?, &config)?;
        if is_auto(&config.train.optimizer) {
            let message = "a resumed run goes on with the learning rate that it has";
            return Err(Error::new(ErrorKind::Usage, message)
                .help("give a number in place of \"auto\", or leave `train.optimizer` as it is"));
        }
        let done = state.epochs_done().unwrap_or(0);
        if config.train.epochs < done {
            let message =
                format!("`train.epochs` is {}, and {done} epochs of this run are done", config.train.epochs);
            return Err(Error::new(ErrorKind::Usage, message).help(format!("give at least {done}")));
        }

        let is_given = overrides.iter().any(|o| o.path() == "train.out");
        let target = config.train.out.clone().filter(|_| is_given).map(PathBuf::from);
        let target = target.filter(|out| !is_same(out, folder.path()));
        // A run with no epoch to come makes no folder; its own may need its best model back.
        let made = target.clone().filter(|_| config.train.epochs > done);
        let path = made.unwrap_or_else(|| folder.path().to_path_buf());
        // A folder may have been moved since its configuration was written.
        config.train.out = config.train.out.map(|_| path.display().to_string());
        let experiment = config.prepare(note)?;
        let saved = state.note("data");
        if let Some(saved) = saved {
            fingerprint::compare(saved, experiment.fingerprint()?)?;
        }
        let (has_fingerprint, needs_best) = (saved.is_some(), state.has_best() && !state.keeps_best());
        let (run, epochs_done) = (self.clone(), done);
        Ok(Resumption { experiment, run, lock, target, path, epochs_done, has_fingerprint, needs_best })
    }
}

impl Resumption {
    /// Whether the run kept a fingerprint of its data, so that the data is known to be the same; runs of the first version did not.
    pub fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// The folder that the run was told to go on in, where that is not its own.
    pub fn target(&self) -> Option<&Path> {
        self.target.as_deref()
    }

    /// Checks the best model of the run and the samples that are held out. [`train`](Resumption::train) does so too.
    ///
    /// # Errors
    /// The best model is gone or of another run; a sample that is held out is damaged.
    pub fn check(&self) -> Result<()> {
        let best = self.run.folder().best();
        if self.needs_best && !best.is_file() {
            let message = format!("{}: the best model of the run is gone", best.display());
            return Err(Error::new(ErrorKind::Io, message)
                .help("bring it back: a later epoch that is not better could not take its place"));
        }
        if best.is_file() {
            self.experiment.check(&ModelFile::read(&best)?, &best, &Exceptions::none())?;
        }
        self.experiment.check_held_out()
    }

    /// Goes on with the run, to the same bits as if it had never been stopped, where no setting was replaced. A run with no epoch
    /// to come is not written into, see [`Trained::is_written`].
    ///
    /// `with` may add to the trainer, as in [`Experiment::train`].
    ///
    /// # Errors
    /// As [`check`](Resumption::check) and [`Experiment::train`]; a state that another version wrote.
    pub fn train(self, with: impl FnOnce(Trainer) -> Trainer) -> Result<Trained> {
        self.check()?;
        let Resumption { mut experiment, run, mut lock, target, path, epochs_done, .. } = self;
        let began = Began::default();
        let (config, folder, begin) = (experiment.config.clone(), run.folder().clone(), began.clone());
        let trainer = experiment.trainer_of_run(&RunFolder::at(path))?;
        let trainer = trainer.resume(folder.last()).when_ready(move || {
            let written = match target {
                None => (folder, None),
                Some(out) => {
                    let new = RunFolder::create(out)?;
                    let lock = new.lock()?;
                    copy(&folder, &new).inspect_err(|_| new.discard())?;
                    (new, Some(lock))
                }
            };
            let folder = written.0.clone();
            folder.sweep();
            begin.set(written);
            write_head(&folder, &config)
        });
        let history = experiment.fit(with(trainer));
        let Some((folder, of_target)) = began.take() else {
            return Ok(Trained { experiment, history: history?, run, epochs_before: epochs_done, lock });
        };
        (lock.is_written, lock.of_target) = (true, of_target);
        let run = Run::at(folder);
        let mut trained = Trained { experiment, history: history?, run, epochs_before: epochs_done, lock };
        trained.settle()?;
        Ok(trained)
    }
}

fn no_state(folder: &RunFolder) -> Error {
    let path = folder.path().display();
    let message = format!("{path}: there is no last.safetensors to go on from");
    let help = match folder.is_barely_begun() {
        true => format!(
            "it ended in its first epoch; start it again with `mapsto train FILE.toml --out {path}`, which takes the folder over"
        ),
        false => "start the run again with `mapsto train FILE.toml`".to_string(),
    };
    Error::new(ErrorKind::Io, message).help(help)
}

/// The files that a run goes on from.
fn copy(from: &RunFolder, to: &RunFolder) -> Result<()> {
    for name in ["best.safetensors", "last.safetensors", "metrics.csv", "metrics.jsonl"] {
        if from.file(name).is_file() {
            std::fs::copy(from.file(name), to.file(name)).map_err(|e| Error::io(to.file(name), e))?;
        }
    }
    Ok(())
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
