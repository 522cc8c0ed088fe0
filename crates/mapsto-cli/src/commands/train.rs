//! `mapsto train`: from a file to a trained model, its report and its run folder; or on from where a run was stopped.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::{Arg, ArgAction, Command};
use mapsto::nn::Exceptions;
use mapsto::spec::Value;
use mapsto::training::{History, Interrupt, ModelFile, Progress, RunFolder, RunLock, Trainer};
use mapsto::{Error, ErrorKind, Result};

use super::{Invocation, Overriding, Verb, read_experiment, run_sources};
use crate::config::{Config, is_path};
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::fingerprint;
use crate::output::say;
use crate::report;
use crate::settings;
use crate::source::Sources;

/// The subcommand.
pub const VERB: Verb = Verb { name: "train", command, overriding: Overriding::Configuration, run };

fn command(command: Command) -> Command {
    command
        .about("Train the model that a file describes, or go on with a run that was stopped")
        .arg(Arg::new("file").value_name("FILE.toml").required_unless_present("resume").help("What to train, on what, and how"))
        .arg(
            Arg::new("resume")
                .long("resume")
                .value_name("RUN")
                .conflicts_with("file")
                .help("The folder of a run to go on with, from its last checkpoint and to the same bits"),
        )
        .arg(Arg::new("quiet").long("quiet").short('q').action(ArgAction::SetTrue).help("Show no progress, only the report"))
        .override_usage("mapsto train FILE.toml [--SECTION.KEY VALUE]...\n       mapsto train --resume RUN [--SECTION.KEY VALUE]...")
        .after_help(
            "Any value of the file can be replaced on the command line: --epochs 3, --train.epochs 3, --data.batch=64,\n\
             --train.optimizer '{ sgd = 0.1, momentum = 0.9 }', --model.layers.0.conv2d 16.\n\n\
             Examples:\n  mapsto train mnist.toml\n  mapsto train mnist.toml --train.epochs 3 --train.out runs/short\n  \
             mapsto train --resume runs/mnist-1\n\n\
             The run folder (runs/NAME-1, runs/NAME-2, ..) holds config.toml with every default filled in, env.json,\n\
             metrics.csv and .jsonl, best.safetensors, last.safetensors, predictions.csv and plots/.\n\
             Paths in a file are relative to the file, those in flags to the current folder.\n\
             Ctrl-C, or SIGTERM, finishes the step, saves and reports; a second one stops at once.",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    match (invocation.optional("resume"), invocation.optional("file")) {
        (Some(run), _) => resume(RunFolder::open(run)?, invocation),
        (None, Some(file)) => begin(file, invocation),
        (None, None) => unreachable!("one of both is required"),
    }
}

/// Trains what a file describes, in a new folder.
fn begin(file: &str, invocation: &Invocation) -> Result<(), Failure> {
    let start = Instant::now();
    let mut experiment = read_experiment(file, invocation.overrides)?;
    experiment.check_held_out()?;
    say!("{}", report::opening(&experiment));

    // Nothing has been written so far: from here on everything is known to fit.
    let (folder, lock) = new_folder(&experiment.config, Path::new(file))?;
    let trained = write_head(&folder, &experiment.config).and_then(|()| {
        let trainer = trainer(&experiment, &folder, invocation)?;
        fit(&mut experiment, trainer)
    });
    // A run that fails in its first epoch leaves nothing behind: without a state it could not be gone on with. Where the
    // state itself could not be written, as on a full disk, the history has that epoch already.
    let history = trained.inspect_err(|e| {
        let epochs = folder.history().map_or(0, |history| history.rows.len());
        if lock.holds() && !folder.last().exists() && epochs <= usize::from(e.kind() == ErrorKind::Io) {
            folder.discard();
        }
    })?;
    finish(experiment, &folder, history, start)
}

/// Goes on with a run; a run that cannot be gone on with is left as it was, byte for byte.
fn resume(folder: RunFolder, invocation: &Invocation) -> Result<(), Failure> {
    let start = Instant::now();
    let lock = folder.lock()?;
    let began = Began::default();
    let trained = go_on(&folder, invocation, &began);
    let (target, _lock) = match began.take() {
        Some((target, lock_of_target)) => (target, (lock, lock_of_target)),
        None => {
            let seen = trained.and_then(|(experiment, history)| review(experiment, &folder, history, start));
            lock.undo();
            return seen;
        }
    };
    let (experiment, history) = trained?;
    finish(experiment, &target, history, start)
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

fn go_on(
    folder: &RunFolder,
    invocation: &Invocation,
    began: &Began,
) -> Result<(Experiment, History), Failure> {
    if !folder.last().is_file() {
        let message = format!("{}: there is no last.safetensors to go on from", folder.path().display());
        let help = match folder.is_barely_begun() {
            true => format!(
                "it ended in its first epoch; start it again with `mapsto train FILE.toml --out {}`, which takes the folder over",
                folder.path().display()
            ),
            false => "start the run again with `mapsto train FILE.toml`".to_string(),
        };
        return Err(Error::new(ErrorKind::Io, message).help(help).into());
    }
    let state = ModelFile::read(folder.last())?;
    let mut sources = run_sources(folder)?;
    let mut config = Config::parse(&mut sources, invocation.overrides).map_err(Failure::within(&sources))?;
    // The file may have been edited since; the state says what the run was really made of.
    let mut noted = match state.note("config") {
        Some(text) => Sources::of_run(&folder.last().display().to_string(), text),
        None => run_sources(folder)?,
    };
    let before = Config::parse(&mut noted, &[]).map_err(Failure::within(&noted))?;
    settings::refuse_changes(&before, &config)?;
    let done = state.epochs_done().unwrap_or(0);
    if config.train.epochs < done {
        let message =
            format!("`train.epochs` is {}, and {done} epochs of this run are done", config.train.epochs);
        return Err(Error::new(ErrorKind::Usage, message).help(format!("give at least {done}")).into());
    }

    let target =
        invocation.overrides.iter().rev().find(|o| o.path == "train.out").and(config.train.out.clone());
    let target = target.map(PathBuf::from).filter(|out| !is_same(out, folder.path()));
    let unmade = target.clone();
    // A run with no epoch to come makes no folder; its own may need its best model back.
    let made = target.clone().filter(|_| config.train.epochs > done);
    let path = made.unwrap_or_else(|| folder.path().to_path_buf());
    // A folder may have been moved since its configuration was written.
    config.train.out = config.train.out.map(|_| path.display().to_string());
    let mut experiment = Experiment::open(config).map_err(Failure::within(&sources))?;
    match state.note("data") {
        Some(saved) => fingerprint::compare(saved, experiment.fingerprint()?)?,
        None => say!(
            "note   an earlier version began this run and kept no fingerprint: that the data is the same is taken on trust"
        ),
    }
    let is_needed = state.has_best() && !state.keeps_best();
    drop(state);
    if is_needed && !folder.best().is_file() {
        let message = format!("{}: the best model of the run is gone", folder.best().display());
        return Err(Error::new(ErrorKind::Io, message)
            .help("bring it back: a later epoch that is not better could not take its place")
            .into());
    }
    if folder.best().is_file() {
        let best = ModelFile::read(folder.best())?;
        experiment.check(&best, &folder.best(), &Exceptions::none())?;
    }
    experiment.check_held_out()?;
    say!("{}", report::opening(&experiment));

    let (config, folder, began) = (experiment.config.clone(), folder.clone(), began.clone());
    let trainer =
        trainer(&experiment, &RunFolder::at(path), invocation)?.resume(folder.last()).when_ready(move || {
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
            began.set(written);
            write_head(&folder, &config)
        });
    let mut history = fit(&mut experiment, trainer)?;
    if !history.interrupted && history.rows.len() == done {
        // Said here, and not again with the results.
        let why = match history.stopped.take() {
            Some(reason) => format!("it was stopped early: {reason}{}", longer(&experiment.config)),
            None => format!("its {done} epochs are done; `--epochs {}` goes on", done + 1),
        };
        say!("note   this run is finished, and nothing was trained: {why}");
        if let Some(out) = unmade {
            say!("note   {} was not made", out.display());
        }
    }
    Ok((experiment, history))
}

/// The flag with which a run that was stopped early goes on.
fn longer(config: &Config) -> String {
    let callbacks = &config.train.callbacks;
    let Some(at) = callbacks.iter().position(|callback| callback.name == "early_stop") else {
        return String::new();
    };
    match callbacks[at].option("patience") {
        Some(Value::Int(patience)) => {
            format!("; `--train.callbacks.{at}.patience {}` lets it go on", patience.saturating_mul(2))
        }
        _ => String::new(),
    }
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

fn new_folder(config: &Config, file: &Path) -> Result<(RunFolder, RunLock)> {
    match &config.train.out {
        Some(out) => RunFolder::create_again(out),
        None => {
            let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("run");
            let folder = RunFolder::numbered("runs", name)?;
            let lock = folder.lock()?;
            Ok((folder, lock))
        }
    }
}

/// What a run says of itself before its first step.
fn write_head(folder: &RunFolder, config: &Config) -> Result<()> {
    folder.write_config(&config.clone().anywhere()?.render())?;
    folder.write_env(Vec::new())
}

fn trainer(experiment: &Experiment, folder: &RunFolder, invocation: &Invocation) -> Result<Trainer> {
    let trainer = experiment
        .trainer(folder.path())?
        .interrupt(Interrupt::on_ctrl_c()?)
        .note("config", experiment.config.clone().anywhere()?.render())
        .label("data", experiment.fingerprint()?);
    Ok(match invocation.matches.get_flag("quiet") {
        true => trainer.quiet(),
        // The report says why a run ended.
        false => trainer.progress(Progress::auto().without_reason()),
    })
}

fn fit(experiment: &mut Experiment, mut trainer: Trainer) -> Result<History> {
    let Experiment { config, model, train, validation, .. } = experiment;
    let fit = || trainer.fit_with(model, train, validation.as_ref());
    mapsto::catch(|| mapsto::with_matmul_precision(config.train.matmul_precision, fit))
        .and_then(|history| history)
}

/// Looks again at a run that is over: its results are said once more, and its files are left as they are, but for those that
/// are missing or older than its last state, as where a process was killed at the end.
fn review(
    mut experiment: Experiment,
    folder: &RunFolder,
    history: History,
    start: Instant,
) -> Result<(), Failure> {
    folder.sweep();
    if !folder.file("config.toml").is_file()
        && let Some(text) = ModelFile::read(folder.last())?.note("config")
    {
        folder.write_config(text)?;
    }
    relocate(folder, &experiment.config)?;
    let written = |name: &str| std::fs::metadata(folder.file(name)).and_then(|found| found.modified()).ok();
    let last = written("last.safetensors");
    let mut needed = vec!["metrics.csv", "metrics.jsonl", "plots"];
    if experiment.test.is_some() {
        needed.push("predictions.csv");
    }
    // The history is written before the state of the same epoch.
    let is_due = |name: &str| match name {
        "predictions.csv" | "plots" => written(name) < last,
        _ => written(name).is_none(),
    };
    if needed.into_iter().any(is_due) {
        return finish(experiment, folder, history, start);
    }
    if folder.best().is_file() {
        experiment.load(&folder.best(), &Exceptions::none())?;
    }
    let found = report::results(&experiment, folder)?;
    say!("run    {}  in {}", folder.path().display(), report::duration(start.elapsed().as_secs_f64()));
    report::check_finite(found.as_ref())?;
    Ok(())
}

/// Writes down where the data is now, which `eval` and `plot` look up; its content has been compared.
fn relocate(folder: &RunFolder, config: &Config) -> Result<(), Failure> {
    let mut sources = run_sources(folder)?;
    let mut written = Config::parse(&mut sources, &[]).map_err(Failure::within(&sources))?.anywhere()?;
    let now = config.clone().anywhere()?;
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
        folder.write_config(&written.render())?;
        say!("note   the data is read from its new place from now on");
    }
    Ok(())
}

/// Writes and reports what training gave.
fn finish(
    mut experiment: Experiment,
    folder: &RunFolder,
    history: History,
    start: Instant,
) -> Result<(), Failure> {
    folder.write_history(&history)?;
    if history.interrupted {
        let path = folder.path().display();
        let error =
            Error::new(ErrorKind::Interrupted, format!("stopped {}", history.stopped.unwrap_or_default()));
        return Err(error.help(format!("`mapsto train --resume {path}` goes on from there")).into());
    }
    if folder.best().is_file() {
        experiment.load(&folder.best(), &Exceptions::none())?;
    }
    let found = report::closing(&experiment, folder, &history)?;
    say!("run    {}  in {}", folder.path().display(), report::duration(start.elapsed().as_secs_f64()));
    report::check_finite(found.as_ref())?;
    Ok(())
}
