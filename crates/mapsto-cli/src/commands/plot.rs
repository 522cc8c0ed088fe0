//! `mapsto plot`: the plots of a run, drawn again from what it left behind.

use clap::{Arg, Command};
use mapsto::nn::Exceptions;
use mapsto::training::predict;
use mapsto::{Error, ErrorKind};
use mapsto_experiment::Run;

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::{remark, say};
use crate::pictures;

/// The subcommand.
pub const VERB: Verb = Verb { name: "plot", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Draw the plots of a run, finished or still under way")
        .arg(Arg::new("run").value_name("RUN").required(true).help("The folder of a run, such as runs/mnist-1"))
        .after_help(
            "Draws into RUN/plots: loss and metrics by epoch; once there is a best model, the confusion matrix,\n\
             the most confident mistakes and the filters of the first layer.\n\nExample:\n  mapsto plot runs/mnist-1",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let run = Run::open(invocation.text("run"))?;
    let folder = run.folder();
    if !folder.file("metrics.csv").is_file() {
        let message = format!("{}: no epoch of the run is finished yet", folder.path().display());
        return Err(Error::new(ErrorKind::Data, message).help("draw once the first one is").into());
    }
    pictures::draw_curves(folder, &folder.history()?)?;
    if folder.best().is_file() {
        let experiment = run.experiment(&folder.best(), &Exceptions::none(), remark)?;
        let input = experiment.config.model.input.as_deref().unwrap_or_default();
        pictures::draw_filters(folder, &experiment.model, input)?;
        if let Some(test) = &experiment.test {
            let found = experiment.evaluate(test)?;
            let predictions = predict(&experiment.model, test)?;
            pictures::draw_test(folder, &experiment, &found, &predictions)?;
        }
    }
    let plots = folder.file("plots");
    let mut names: Vec<String> = std::fs::read_dir(&plots)
        .map_err(|e| Error::io(&plots, e))?
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect();
    names.sort();
    for name in names {
        say!("{name}");
    }
    Ok(())
}
