//! `mapsto train`: from a file to a trained model, its report and its run folder; or on from where a run was stopped.

use std::path::Path;
use std::time::Instant;

use clap::{Arg, ArgAction, Command};
use mapsto::spec::Value;
use mapsto::training::{Evaluation, Interrupt, Progress, Trainer};
use mapsto::{Error, ErrorKind};
use mapsto_experiment::{Config, Experiment, Live, Override, Run, Trained};

use super::{Invocation, Overriding, Verb, read_experiment};
use crate::browser;
use crate::failure::Failure;
use crate::output::{remark, say};
use crate::report;

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
        .arg(
            Arg::new("check")
                .long("check")
                .value_name("HOW")
                .value_parser(["usual", "deep"])
                .conflicts_with("resume")
                .help("How closely to look at data and model before the first step; `deep` also learns one batch by heart"),
        )
        .arg(
            Arg::new("open")
                .long("open")
                .action(ArgAction::SetTrue)
                .help("Show the report as it grows, in a browser on this machine, until the training ends"),
        )
        .arg(
            Arg::new("dev-run")
                .long("dev-run")
                .value_name("BATCHES")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("2")
                .conflicts_with("resume")
                .help("Go through everything with a few batches (2, or as many as said), and keep nothing"),
        )
        .arg(Arg::new("quiet").long("quiet").short('q').action(ArgAction::SetTrue).help("Show no progress, only the report"))
        .override_usage("mapsto train FILE.toml [--SECTION.KEY VALUE]...\n       mapsto train --resume RUN [--SECTION.KEY VALUE]...")
        .after_help(
            "Any value of the file can be replaced on the command line: --epochs 3, --train.epochs 3, --data.batch=64,\n\
             --train.optimizer '{ sgd = 0.1, momentum = 0.9 }', --model.layers.0.conv2d 16.\n\n\
             Examples:\n  mapsto train mnist.toml\n  mapsto train mnist.toml --train.epochs 3 --train.out runs/short\n  \
             mapsto train mnist.toml --open\n  mapsto train --resume runs/mnist-1\n\n\
             The run folder (runs/NAME-1, runs/NAME-2, ..) holds config.toml with every default filled in, env.json,\n\
             metrics.csv and .jsonl, best.safetensors, last.safetensors, predictions.csv, plots/ and report.html, a\n\
             page with all of it.\n\
             Paths in a file are relative to the file, those in flags to the current folder.\n\
             Ctrl-C, or SIGTERM, finishes the step, saves and reports; a second one stops at once.",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    match (invocation.optional("resume"), invocation.optional("file")) {
        (Some(run), _) => resume(run, invocation),
        (None, Some(file)) => begin(file, invocation),
        (None, None) => unreachable!("one of both is required"),
    }
}

/// Trains what a file describes, in a new folder.
fn begin(file: &str, invocation: &Invocation) -> Result<(), Failure> {
    let start = Instant::now();
    let mut overrides = invocation.overrides.to_vec();
    overrides.extend(invocation.optional("dev-run").map(|batches| Override::new("train.dev_run", batches)));
    let experiment = read_experiment(file, &overrides)?;
    experiment.check_held_out()?;
    say!("{}", report::opening(&experiment));
    report::preflight(&experiment, invocation.optional("check") == Some("deep"))?;
    if let Some(rate) = experiment.auto_rate()? {
        say!("lr     {rate:?}, the valley of a range test; `mapsto lr-find {file}` shows the curve");
    }
    let live = live(&experiment, file, invocation)?;
    let interrupt = Interrupt::on_ctrl_c()?;
    let trained =
        experiment.train(|trainer| shown(trainer.interrupt(interrupt), invocation, live.as_ref()))?;
    ending(live, trained, |trained| finish(trained, start))
}

/// The page that follows the training, where one is asked for.
fn live(experiment: &Experiment, of: &str, invocation: &Invocation) -> Result<Option<Live>, Failure> {
    if !invocation.matches.get_flag("open") {
        return Ok(None);
    }
    let name = Path::new(of).file_stem().map_or_else(|| of.into(), |stem| stem.to_string_lossy());
    let live = Live::start(experiment, &name)?;
    say!("live   {}", live.address());
    browser::open(&live.address());
    Ok(Some(live))
}

/// Reports what training gave, and shows it on the page that followed it.
fn ending(
    live: Option<Live>,
    trained: Trained,
    reported: impl FnOnce(Trained) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let page = trained.folder().file("report.html");
    reported(trained)?;
    if let Some(live) = live {
        live.finish(&page);
    }
    Ok(())
}

/// Goes on with a run.
fn resume(run: &str, invocation: &Invocation) -> Result<(), Failure> {
    let start = Instant::now();
    let resumption = Run::open(run)?.resume(invocation.overrides, remark)?;
    if !resumption.has_fingerprint() {
        say!(
            "note   an earlier version began this run and kept no fingerprint: that the data is the same is taken on trust"
        );
    }
    resumption.check()?;
    say!("{}", report::opening(&resumption.experiment));
    let live = live(&resumption.experiment, run, invocation)?;
    let interrupt = Interrupt::on_ctrl_c()?;
    let target = resumption.target().map(Path::to_path_buf);
    let mut trained =
        resumption.train(|trainer| shown(trainer.interrupt(interrupt), invocation, live.as_ref()))?;
    let (done, is_written) = (trained.epochs_before(), trained.is_written());
    let history = &mut trained.history;
    if !is_written && !history.interrupted {
        // Said here, and not again with the results.
        let why = match history.stopped.take() {
            Some(reason) => format!("it was stopped early: {reason}{}", longer(&trained.experiment.config)),
            None => format!("its {done} epochs are done; `--epochs {}` goes on", done + 1),
        };
        say!("note   this run is finished, and nothing was trained: {why}");
        if let Some(out) = target {
            say!("note   {} was not made", out.display());
        }
    }
    ending(live, trained, |trained| match trained.is_written() {
        true => finish(trained, start),
        false => review(trained, start),
    })
}

/// The trainer with the progress that the command line asks for.
fn shown(trainer: Trainer, invocation: &Invocation, live: Option<&Live>) -> Trainer {
    let is_quiet = invocation.matches.get_flag("quiet");
    // The report says why a run ended.
    let progress =
        if is_quiet { Progress::rows_to(std::io::sink()) } else { Progress::auto() }.without_reason();
    match live {
        None if is_quiet => trainer,
        None => trainer.progress(progress),
        Some(live) => trainer.progress(live.watch(progress)),
    }
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

/// Looks again at a run that is over: its results are said once more, and its files are left as they are, but for those that
/// are missing or older than its last state, as where a process was killed at the end.
fn review(mut trained: Trained, start: Instant) -> Result<(), Failure> {
    if trained.tidy()? {
        say!("note   the data is read from its new place from now on");
    }
    let folder = trained.folder();
    let written = |name: &str| std::fs::metadata(folder.file(name)).and_then(|found| found.modified()).ok();
    let last = written("last.safetensors");
    let mut needed = vec!["metrics.csv", "metrics.jsonl", "plots", "report.html"];
    if trained.experiment.test.is_some() {
        needed.push("predictions.csv");
    }
    // The history is written before the state of the same epoch.
    let is_due = |name: &str| match name {
        "predictions.csv" | "plots" | "report.html" => written(name) < last,
        _ => written(name).is_none(),
    };
    if needed.into_iter().any(is_due) {
        trained.settle()?;
        return finish(trained, start);
    }
    trained.load_best()?;
    let found = report::results(&trained.experiment, trained.folder())?;
    end(&trained, found, start)
}

/// Reports what training gave.
fn finish(trained: Trained, start: Instant) -> Result<(), Failure> {
    if trained.history.interrupted {
        let path = trained.folder().path().display();
        let reason = trained.history.stopped.as_deref().unwrap_or_default();
        let error = Error::new(ErrorKind::Interrupted, format!("stopped {reason}"));
        return Err(error.help(format!("`mapsto train --resume {path}` goes on from there")).into());
    }
    let found = report::closing(&trained)?;
    if trained.history.halted && trained.experiment.config.train.dev_run.is_none() {
        say!("       `mapsto train --resume {}` goes on", trained.folder().path().display());
    }
    end(&trained, found, start)
}

/// The last line of the report.
fn end(trained: &Trained, found: Option<Evaluation>, start: Instant) -> Result<(), Failure> {
    let path = trained.folder().path().display();
    let time = report::duration(start.elapsed().as_secs_f64());
    match trained.experiment.config.train.dev_run {
        Some(batches) => {
            say!("dev run of {batches} batches  in {time}: everything went through, and nothing was kept")
        }
        None => {
            let report = trained.folder().file("report.html");
            if report.is_file() {
                say!("report {}", report.display());
            }
            say!("run    {path}  in {time}");
        }
    }
    report::check_finite(found.as_ref())?;
    Ok(())
}
