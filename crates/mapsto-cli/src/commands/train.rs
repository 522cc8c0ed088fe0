//! `mapsto train`: from a file to a trained model, its report and its run folder; or on from where a run was stopped.

use std::path::Path;
use std::time::Instant;

use clap::{Arg, ArgAction, Command};
use mapsto::train::{History, Interrupt, Progress, RunFolder};
use mapsto::{Error, ErrorKind, Result};

use super::{Invocation, Overriding, Verb};
use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::output::say;
use crate::report;
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
            "Any value of the file can be replaced on the command line: --train.epochs 3, --data.batch=64,\n\
             --train.optimizer '{ sgd = 0.1, momentum = 0.9 }', --model.layers.0.conv2d 16.\n\n\
             Examples:\n  mapsto train mnist.toml\n  mapsto train mnist.toml --train.epochs 3 --train.out runs/short\n  \
             mapsto train --resume runs/mnist-1\n\n\
             The run folder (runs/NAME-1, runs/NAME-2, ..) holds config.toml with every default filled in, env.json,\n\
             metrics.csv and .jsonl, best.safetensors, last.safetensors, predictions.csv and plots/.\n\
             Ctrl-C finishes the step, saves and reports; a second Ctrl-C stops at once.",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let start = Instant::now();
    let resumed = invocation.optional("resume").map(RunFolder::open).transpose()?;
    let (name, text) = match (&resumed, invocation.optional("file")) {
        (Some(folder), _) => (folder.file("config.toml").display().to_string(), folder.config()?),
        (None, Some(file)) => {
            (file.to_string(), std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?)
        }
        (None, None) => unreachable!("one of both is required"),
    };
    let mut sources = Sources::new(&name, &text);
    let config = Config::parse(&mut sources, invocation.overrides).map_err(Failure::within(&sources))?;
    let mut experiment = Experiment::open(config).map_err(Failure::within(&sources))?;
    say!("{}", report::opening(&experiment));

    // Nothing has been written so far: from here on everything is known to fit.
    let folder = match &resumed {
        Some(folder) => folder.clone(),
        None => new_folder(&experiment.config, Path::new(&name))?,
    };
    folder.write_config(&experiment.config.render())?;
    folder.write_env(Vec::new())?;
    let history = fit(&mut experiment, &folder, resumed.is_some(), invocation.matches.get_flag("quiet"))?;
    folder.write_history(&history)?;
    if history.interrupted {
        let path = folder.path().display();
        let error =
            Error::new(ErrorKind::Interrupted, format!("stopped {}", history.stopped.unwrap_or_default()));
        return Err(error.help(format!("`mapsto train --resume {path}` goes on from there")).into());
    }
    if folder.best().is_file() {
        experiment.load(&folder.best())?;
    }
    report::closing(&experiment, &folder, &history)?;
    say!("run    {}  in {}", folder.path().display(), report::duration(start.elapsed().as_secs_f64()));
    Ok(())
}

fn new_folder(config: &Config, file: &Path) -> Result<RunFolder> {
    match &config.train.out {
        Some(out) => RunFolder::create(out),
        None => {
            let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("run");
            RunFolder::numbered("runs", name)
        }
    }
}

/// Trains; a run that fails before its first checkpoint leaves no folder.
fn fit(experiment: &mut Experiment, folder: &RunFolder, resume: bool, quiet: bool) -> Result<History> {
    let mut trainer = experiment.trainer(folder.path())?.interrupt(Interrupt::on_ctrl_c()?);
    trainer = if quiet { trainer.quiet() } else { trainer.progress(Progress::auto()) };
    if resume {
        trainer = trainer.resume(folder.last());
    }
    let Experiment { config, model, train, validation, .. } = experiment;
    let fit = || trainer.fit_with(model, train, validation.as_ref());
    let outcome = mapsto::catch(|| mapsto::with_matmul_precision(config.train.matmul_precision, fit))
        .and_then(|history| history);
    outcome.inspect_err(|_| {
        if !resume && !folder.last().exists() {
            // The error is what matters; that the folder cannot be removed either would only hide it.
            _ = std::fs::remove_dir_all(folder.path());
            _ = std::fs::remove_dir("runs");
        }
    })
}
