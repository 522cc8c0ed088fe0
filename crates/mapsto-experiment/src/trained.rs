//! `Trained`: an experiment that was trained in the folder of a run, and what the run leaves there.

use mapsto::data::Info;
use mapsto::nn::Exceptions;
use mapsto::training::{History, ModelFile, Predictions, RunFolder, RunLock, Scratch, Trainer, predict};
use mapsto::{ErrorKind, Result, catch, with_matmul_precision};

use crate::config::{Config, is_path};
use crate::experiment::Experiment;
use crate::preflight::Preflight;
use crate::run::Run;

/// An experiment whose model has been trained. Its folder is locked until this is dropped.
pub struct Trained {
    /// The experiment, with the weights of the best epoch; a run that was interrupted has those of its last step.
    pub experiment: Experiment,
    /// Loss and metrics of every epoch.
    pub history: History,
    pub(crate) run: Run,
    pub(crate) epochs_before: usize,
    pub(crate) lock: Held,
}

/// The locks on the folders of a run; a folder that nothing was written into is given back as it was found.
pub(crate) struct Held {
    lock: Option<RunLock>,
    /// That of another folder, which a resumed run goes on in.
    pub of_target: Option<RunLock>,
    pub is_written: bool,
    /// Where a dev run lies, which is removed with it.
    scratch: Option<Scratch>,
}

impl Held {
    pub fn of(lock: RunLock) -> Held {
        Held { lock: Some(lock), of_target: None, is_written: false, scratch: None }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (false, Some(lock)) = (self.is_written, self.lock.take()) {
            lock.undo();
        }
    }
}

impl Experiment {
    /// Trains the model in a folder of its own: that of `out` in `[train]`, or the first free `runs/NAME-1`, `runs/NAME-2`, ..
    /// under the name of the training file. The folder gets `config.toml`, `env.json`, the history and the models.
    ///
    /// `with` may add to the trainer, which is quiet otherwise: progress, an interrupt, callbacks of a program's own.
    ///
    /// # Errors
    /// A sample that is damaged; a loss that is not finite; a folder that is taken, or a file that cannot be written. A run that
    /// fails in its first epoch leaves nothing behind.
    pub fn train(mut self, with: impl FnOnce(Trainer) -> Trainer) -> Result<Trained> {
        self.check_held_out()?;
        self.settle_rate()?;
        let scratch = self.config.train.dev_run.map(|_| Scratch::new()).transpose()?;
        if let Some(scratch) = &scratch {
            self.config.train.out = Some(scratch.path().join("run").display().to_string());
        }
        // Nothing has been written so far: from here on everything is known to fit.
        let (folder, lock) = new_folder(&self.config)?;
        let kept = |folder: &RunFolder| match self.preflight.get() {
            Some(found) => folder.write(Preflight::FILE, &format!("{}\n", found.to_json())),
            None => Ok(()),
        };
        let history = write_head(&folder, &self.config).and_then(|()| kept(&folder)).and_then(|()| {
            let trainer = self.trainer_of_run(&folder)?;
            self.fit(with(trainer))
        });
        // Without a state it could not be gone on with. Where the state itself could not be written, as on a full disk, the
        // history has that epoch already.
        let history = history.inspect_err(|e| {
            let epochs = folder.history().map_or(0, |history| history.rows.len());
            if lock.holds()
                && !folder.replay().exists()
                && !folder.last().exists()
                && epochs <= usize::from(e.kind() == ErrorKind::Io)
            {
                folder.discard();
            }
        })?;
        let mut lock = Held::of(lock);
        (lock.is_written, lock.scratch) = (true, scratch);
        let run = Run::at(folder);
        let mut trained = Trained { experiment: self, history, run, epochs_before: 0, lock };
        trained.settle()?;
        Ok(trained)
    }

    /// The trainer of a run, which keeps with its states what the run was made of.
    pub(crate) fn trainer_of_run(&self, folder: &RunFolder) -> Result<Trainer> {
        let config = self.config.clone().anywhere()?.render();
        let trainer = self.trainer(folder.path())?.note("config", config).label("data", self.fingerprint()?);
        Ok(match crate::inits::written(&self.config.model.init) {
            Some(rules) => trainer.label("init", rules.to_string()),
            None => trainer,
        })
    }

    pub(crate) fn fit(&mut self, mut trainer: Trainer) -> Result<History> {
        let Experiment { config, model, train, validation, .. } = self;
        let fit = || trainer.fit_with(model, train, validation.as_ref());
        catch(|| with_matmul_precision(config.train.matmul_precision, fit)).and_then(|history| history)
    }

    /// What the model says of every test sample; `None` where no samples are held out for the test.
    ///
    /// # Errors
    /// A damaged sample.
    pub fn predictions(&self) -> Result<Option<Predictions>> {
        let Some(test) = &self.test else { return Ok(None) };
        Ok(Some(Predictions { threshold: self.threshold(), ..predict(&self.model, test)? }))
    }

    /// As [`predictions`](Experiment::predictions), written into the folder by [`save_predictions`](Experiment::save_predictions).
    ///
    /// # Errors
    /// A damaged sample; a file that cannot be written.
    pub fn write_predictions(&self, folder: &RunFolder) -> Result<Option<Predictions>> {
        let predictions = self.predictions()?;
        predictions.iter().try_for_each(|predictions| self.save_predictions(folder, predictions))?;
        Ok(predictions)
    }

    /// Writes what the model says of every test sample into `predictions.csv`: the last file of a run, so that one which is there tells
    /// that no other is missing.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save_predictions(&self, folder: &RunFolder, predictions: &Predictions) -> Result<()> {
        let (heading, names) = self.test_names();
        let names: Vec<String> = predictions.indices.iter().map(|&i| names[i].clone()).collect();
        let Info { classes, targets, .. } = &self.info;
        let table = match classes.is_empty() {
            true if predictions.are_labels(self.outputs()) => {
                predictions.labels_to_csv(self.outputs(), targets, heading, &names)
            }
            true => predictions.to_csv_named(self.outputs(), targets, heading, &names),
            false => predictions.to_csv_named(self.outputs(), classes, heading, &names),
        };
        folder.write("predictions.csv", &table)
    }
}

impl Trained {
    /// Where the run lies.
    pub fn folder(&self) -> &RunFolder {
        self.run.folder()
    }

    /// How many epochs were done when the run was gone on with; 0 for a new run.
    pub fn epochs_before(&self) -> usize {
        self.epochs_before
    }

    /// Whether the training wrote into the folder; a resumed run with no epoch to come does not.
    pub fn is_written(&self) -> bool {
        self.lock.is_written
    }

    /// Writes the history and takes the weights of the best epoch, which ends every training; a run that was over already may do
    /// so again.
    ///
    /// # Errors
    /// A file that cannot be written or read.
    pub fn settle(&mut self) -> Result<()> {
        self.folder().write_history(&self.history)?;
        if self.history.interrupted { Ok(()) } else { self.load_best() }
    }

    /// Takes the weights of the best epoch, where the run keeps them.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load_best(&mut self) -> Result<()> {
        let best = self.folder().best();
        if best.is_file() { self.experiment.load(&best, &Exceptions::none()) } else { Ok(()) }
    }

    /// Brings the folder of a run that is over into order: what a killed process left half written goes, a configuration that is
    /// missing is written again, and where the data lies elsewhere now, that is written down. Returns whether it was.
    ///
    /// # Errors
    /// A file that cannot be written or read.
    pub fn tidy(&self) -> Result<bool> {
        let folder = self.folder();
        folder.sweep();
        if !folder.file("config.toml").is_file()
            && let Some(text) = ModelFile::read(folder.last())?.note("config")
        {
            folder.write_config(text)?;
        }
        self.relocate()
    }

    /// Writes down where the data is now, which evaluations look up; its content has been compared.
    fn relocate(&self) -> Result<bool> {
        let mut written = self.run.config()?.anywhere()?;
        let now = self.experiment.config.clone().anywhere()?;
        let mut moved = false;
        for (option, value) in now.data.set.options.iter().filter(|(option, _)| is_path(option)) {
            for (_, old) in
                written.data.set.options.iter_mut().filter(|(name, old)| name == option && old != value)
            {
                *old = value.clone();
                moved = true;
            }
        }
        if moved {
            self.folder().write_config(&written.render())?;
        }
        Ok(moved)
    }
}

fn new_folder(config: &Config) -> Result<(RunFolder, RunLock)> {
    match &config.train.out {
        Some(out) => RunFolder::create_again(out),
        None => {
            let folder = RunFolder::numbered("runs", config.sources.stem())?;
            let lock = folder.lock()?;
            Ok((folder, lock))
        }
    }
}

/// What a run says of itself before its first step.
pub(crate) fn write_head(folder: &RunFolder, config: &Config) -> Result<()> {
    folder.write_config(&config.clone().anywhere()?.render())?;
    folder.write_env(Vec::new())
}
