//! `Run`: the folder that a training left, from which its experiment is opened again as it was.

use std::path::{Path, PathBuf};

use mapsto::data::Loader;
use mapsto::nn::Exceptions;
use mapsto::training::{Evaluation, ModelFile, RunFolder};
use mapsto::{Error, ErrorKind, Result};

use crate::config::Config;
use crate::experiment::Experiment;
use crate::source::Sources;
use crate::{fingerprint, settings};

/// A run that was started before, finished or not.
#[derive(Debug, Clone)]
pub struct Run {
    folder: RunFolder,
}

impl Run {
    /// The run in a folder.
    ///
    /// # Errors
    /// There is no such folder, or no run in it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Run> {
        Ok(Run { folder: RunFolder::open(path)? })
    }

    /// The run in a folder that was just made.
    pub(crate) fn at(folder: RunFolder) -> Run {
        Run { folder }
    }

    /// Where the run lies.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// What the run was trained on and with, with the weights of a model file of it; data and configuration must be what they
    /// were. `note` is told what [`prepare`](Config::prepare) tells.
    ///
    /// # Errors
    /// Data, configuration or model file are missing or damaged, or are not those of the run.
    pub fn experiment(
        &self,
        model: &Path,
        except: &Exceptions,
        note: impl FnMut(&str),
    ) -> Result<Experiment> {
        let mut experiment = self.config()?.prepare(note)?;
        let state = self.check_unedited(&experiment.config)?;
        experiment.load(model, except)?;
        if let Some(saved) = state.as_ref().and_then(|state| state.note("data")) {
            fingerprint::compare(saved, experiment.fingerprint()?)?;
        }
        Ok(experiment)
    }

    /// The loss and metrics of the run's best model on its test samples.
    ///
    /// # Errors
    /// As [`experiment`](Run::experiment); the run held out no test samples.
    pub fn evaluate(&self) -> Result<Evaluation> {
        let experiment = self.experiment(&self.folder.best(), &Exceptions::none(), |_| {})?;
        experiment.evaluate(self.test(&experiment)?)
    }

    /// The test samples of the run's experiment.
    ///
    /// # Errors
    /// It held out none.
    pub fn test<'a>(&self, experiment: &'a Experiment) -> Result<&'a Loader> {
        experiment.test.as_ref().ok_or_else(|| {
            let message = format!("{} held out no test samples", self.folder.path().display());
            Error::new(ErrorKind::Usage, message).help("train with `test = 0.2` in [data]")
        })
    }

    /// Counts a look at the test samples, and says which it is: the training took the first one, where it wrote its predictions. A set
    /// that models are chosen by is none to judge them by, so the folder knows how often it was looked at.
    ///
    /// # Errors
    /// The count cannot be read or written.
    pub fn count_look(&self) -> Result<usize> {
        const NAME: &str = "test_looks.txt";
        let path = self.folder.file(NAME);
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| {
                let message = format!("{}: {:?} is no number of looks", path.display(), text.trim());
                Error::new(ErrorKind::Data, message)
                    .help("write how often the test set was looked at, or remove the file")
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                usize::from(self.folder.file("predictions.csv").exists())
            }
            Err(e) => return Err(Error::io(path.display().to_string(), e)),
        };
        let look = before.saturating_add(1);
        self.folder.write(NAME, &format!("{look}\n"))?;
        Ok(look)
    }

    /// The configuration of the run.
    pub(crate) fn config(&self) -> Result<Config> {
        Config::read(self.sources()?, &[])
    }

    /// The configuration in the run's folder, or where it was removed, as the state of the run knows it.
    pub(crate) fn sources(&self) -> Result<Sources> {
        let folder = &self.folder;
        let file = folder.file("config.toml");
        if file.exists() {
            return Ok(Sources::of_run(&file.display().to_string(), &folder.config()?));
        }
        let state = ModelFile::read(folder.last())?;
        let text = state.note("config").ok_or_else(|| {
            let message =
                format!("{}: the file is gone, and the state of the run does not know it", file.display());
            Error::new(ErrorKind::Io, message)
                .help("bring it back: without it nobody knows what the run was made of")
        })?;
        Ok(Sources::of_run(&folder.last().display().to_string(), text))
    }

    /// What the state of a run notes as the configuration that it was really made of, if it does.
    pub(crate) fn noted(&self, state: &ModelFile) -> Option<Sources> {
        let text = state.note("config")?;
        Some(Sources::of_run(&self.folder.last().display().to_string(), text))
    }

    /// The state of the run, which says what the run was really made of; the configuration in its folder must say the same. None
    /// where there is none, such as beside a model that was copied: then the model alone is known.
    pub(crate) fn check_unedited(&self, config: &Config) -> Result<Option<ModelFile>> {
        let folder = &self.folder;
        if !folder.last().exists() {
            return Ok(None);
        }
        let state = ModelFile::read(folder.last()).map_err(|e| {
            let help = e.help_text().map_or(String::new(), |help| format!("{help}; "));
            e.help(format!("{help}without the file the best model alone says what the run was made of"))
        })?;
        if let Some(noted) = self.noted(&state) {
            let before = Config::read(noted, &[])?;
            settings::refuse_edits(&before, config, &folder.file("config.toml"))?;
        }
        Ok(Some(state))
    }
}
