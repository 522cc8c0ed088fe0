//! `mapsto eval`: the best model of a run on its test set, or on new files.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use mapsto::training::{ModelFile, readable};
use mapsto::{Error, ErrorKind};
use mapsto_experiment::{Judging, Run};

use super::{Invocation, Overriding, Verb, exceptions};
use crate::failure::Failure;
use crate::output::{remark, say};
use crate::{pictures, report};

/// The subcommand.
pub const VERB: Verb = Verb { name: "eval", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Score the best model of a run on its test set, or on new files")
        .arg(Arg::new("run").value_name("RUN").required(true).help("The folder of a run, such as runs/mnist-1"))
        .arg(Arg::new("files").value_name("FILE").num_args(0..).help(
            "New data with targets in place of the test set: tables, folders of class folders, or files as MNIST's",
        ))
        .arg(
            Arg::new("model")
                .long("model")
                .value_name("FILE.safetensors")
                .help("Another model file of the same layers [default: RUN/best.safetensors]"),
        )
        .arg(
            Arg::new("convert")
                .long("convert")
                .action(ArgAction::SetTrue)
                .help("Convert weights of another float type, such as bf16, to the model's"),
        )
        .arg(
            Arg::new("calibrate")
                .long("calibrate")
                .value_name("on|off")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("on")
                .value_parser(["on", "off"])
                .help("Fit the temperature on the validation samples and keep it in the model file; =off forgets it"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(["table", "json"])
                .default_value("table")
                .help("A table to read, or JSON for other programs"),
        )
        .arg(
            Arg::new("resamples")
                .long("resamples")
                .value_name("N")
                .value_parser(clap::value_parser!(u32).range(20..=1_000_000))
                .help("Bootstrap draws behind the intervals [default: 1000, fewer of large sets]"),
        )
        .after_help(
            "Examples:\n  mapsto eval runs/mnist-1\n  mapsto eval runs/adult-1 this-year.csv\n  mapsto eval runs/mnist-1 --calibrate\n  \
             mapsto eval runs/mnist-1 --model runs/mnist-1/last.safetensors",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let run = Run::open(invocation.text("run"))?;
    let model = invocation.optional("model").map_or_else(|| run.folder().best(), PathBuf::from);
    let experiment = run.experiment(&model, &exceptions(invocation), remark)?;
    let mut file = ModelFile::read(&model)?;
    let files = invocation.texts("files");
    let new = (!files.is_empty()).then(|| experiment.new_samples(&files)).transpose()?;
    let samples = match &new {
        Some(new) => &new.loader,
        None => run.test(&experiment)?,
    };
    if let Some(word) = invocation.optional("calibrate") {
        file =
            calibrate(file, &model, if word == "on" { Some(experiment.fit_temperature()?) } else { None })?;
    }
    let found = experiment.evaluate(samples)?;
    let is_table = invocation.optional("format") != Some("json");
    // What a loss that is no number comes from has no intervals.
    let judgement = match found.loss.is_finite() {
        true => {
            let how = Judging {
                resamples: invocation.matches.get_one::<u32>("resamples").map(|&n| n as usize),
                names: new.as_ref().map(|new| new.names.clone()),
                temperature: file.info.temperature,
            };
            Some(experiment.judge(samples, &found, &how)?)
        }
        false => None,
    };
    let look = match new.is_some() {
        true => None,
        false => {
            let uncounted = |e: &Error| remark(&format!("this look at the test set is not counted: {e}"));
            run.count_look().inspect_err(uncounted).ok()
        }
    };
    let drawn = match &judgement {
        Some(judgement) => {
            let folder = if new.is_some() { "new/" } else { "" };
            pictures::draw_judged(run.folder(), folder, &judgement.curves)
                .inspect_err(|e| remark(&format!("the plots are not drawn: {e}")))
                .unwrap_or_default()
        }
        None => Vec::new(),
    };
    if let (false, Some(judgement)) = (is_table, &judgement) {
        say!("{}", judgement.to_json(&found, &experiment.info.classes, look));
        return Ok(());
    }
    say!("{}", report::scored(&found, Some(&file)));
    if let Some(judgement) = &judgement {
        for confused in judgement.confused.iter().take(5) {
            say!("  {}", report::confused(confused));
        }
    }
    report::check_finite(Some(&found))?;
    if let Some(judgement) = &judgement {
        say!("{}", report::judged(judgement));
    }
    if !drawn.is_empty() {
        let folder = run.folder().path().join("plots");
        say!(
            "\nplots  {}",
            drawn.iter().map(|name| folder.join(name).display().to_string()).collect::<Vec<_>>().join("  ")
        );
    }
    match look {
        _ if new.is_some() => {
            say!("\nthese are new samples, not the sealed test set: no look at it is counted")
        }
        Some(look) => say!("\nthis is look {look} at the test set"),
        None => {}
    }
    Ok(())
}

/// Writes the temperature into the model file, or takes it out.
fn calibrate(mut file: ModelFile, path: &Path, temperature: Option<f64>) -> Result<ModelFile, Failure> {
    if file.info.temperature.is_none() && temperature.is_none() {
        let error = Error::new(ErrorKind::Usage, format!("{}: the model is not calibrated", path.display()));
        return Err(error.help("`--calibrate` calibrates it").into());
    }
    file.info.temperature = temperature;
    file.write(path)?;
    match temperature {
        Some(t) => remark(&format!(
            "{} keeps the temperature {}: `mapsto predict` gives calibrated probabilities; `--calibrate=off` forgets it",
            path.display(),
            readable(t, 4)
        )),
        None => remark(&format!("{} is not calibrated any more", path.display())),
    }
    Ok(file)
}
