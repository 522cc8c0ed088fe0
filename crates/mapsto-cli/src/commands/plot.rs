//! `mapsto plot`: the plots of a run, drawn again from what it left behind, or the schedule of one that has not begun.

use std::path::Path;

use clap::{Arg, Command};
use mapsto::nn::Exceptions;
use mapsto::training::{plots, predict};
use mapsto::{Error, ErrorKind};
use mapsto_experiment::Run;

use super::{Invocation, Overriding, Verb, read_experiment};
use crate::failure::Failure;
use crate::output::{remark, say};
use crate::pictures;

/// The subcommand.
pub const VERB: Verb = Verb { name: "plot", command, overriding: Overriding::Configuration, run };

fn command(command: Command) -> Command {
    command
        .about("Draw the plots of a run, finished or still under way")
        .arg(
            Arg::new("run")
                .value_name("RUN")
                .required_unless_present("schedule")
                .help("The folder of a run, such as runs/mnist-1"),
        )
        .arg(
            Arg::new("schedule")
                .long("schedule")
                .value_name("FILE.toml")
                .conflicts_with("run")
                .help("Draw the learning rate that a file would train with, by step, and train nothing"),
        )
        .arg(
            Arg::new("svg")
                .long("svg")
                .value_name("FILE.svg")
                .requires("schedule")
                .help("Write the schedule's plot to this file too"),
        )
        .override_usage("mapsto plot RUN\n       mapsto plot --schedule FILE.toml [--svg FILE.svg] [--SECTION.KEY VALUE]...")
        .after_help(
            "Draws into RUN/plots: loss and metrics by epoch; once there is a best model, the confusion matrix,\n\
             the most confident mistakes and the filters of the first layer.\n\nExamples:\n  mapsto plot runs/mnist-1\n  \
             mapsto plot --schedule mnist.toml --train.schedule '{ linear_warmup = 1, then = \"cosine\" }'",
        )
}

/// Draws the learning rate of a training that has not begun.
fn schedule(file: &str, invocation: &Invocation) -> Result<(), Failure> {
    let experiment = read_experiment(file, invocation.overrides)?;
    let (rates, epoch) = experiment.learning_rates()?;
    let most = rates.iter().copied().fold(0.0, f64::max);
    let highest = rates.iter().position(|lr| *lr == most).unwrap_or(0);
    say!("learning rate over {} steps, {epoch} an epoch\n", rates.len());
    for line in chart(&rates, most) {
        say!("{line}");
    }
    let (first, last) = (rates.first().unwrap_or(&0.0), rates.last().unwrap_or(&0.0));
    say!("\nfirst {first:.6e}, highest {most:.6e} at step {highest}, last {last:.6e}");
    let plateau = experiment.config.train.callbacks.iter().find(|c| c.name == "reduce_on_plateau");
    if let Some(plateau) = plateau {
        say!(
            "note   {plateau} lowers the rate where training stops improving, which nobody knows before it: this is the rate until then"
        );
    }
    if let Some(path) = invocation.optional("svg") {
        std::fs::write(path, plots::schedule(&rates, epoch)?).map_err(|e| Error::io(Path::new(path), e))?;
        say!("{path}");
    }
    Ok(())
}

/// The lines of a chart in letters: steps to the right, rates upwards from 0.
fn chart(rates: &[f64], most: f64) -> Vec<String> {
    const WIDTH: usize = 64;
    const HEIGHT: usize = 10;
    let columns = rates.len().clamp(1, WIDTH);
    let at = |column: usize| column * rates.len().saturating_sub(1) / (columns - 1).max(1);
    let height = |column: usize| {
        let share = rates.get(at(column)).map_or(0.0, |lr| if most > 0.0 { lr / most } else { 0.0 });
        (share * (HEIGHT - 1) as f64).round() as usize
    };
    let heights: Vec<usize> = (0..columns).map(height).collect();
    let row = |row: usize| {
        let marks: String = heights.iter().map(|h| if *h == row { '*' } else { ' ' }).collect();
        let label = if row == HEIGHT - 1 {
            format!("{most:.2e}")
        } else if row == 0 {
            "0".into()
        } else {
            String::new()
        };
        format!("{label:>9} |{}", marks.trim_end())
    };
    let axis = format!("{:>9} +{}", "", "-".repeat(columns));
    (0..HEIGHT).rev().map(row).chain([axis]).collect()
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    if let Some(file) = invocation.optional("schedule") {
        return schedule(file, invocation);
    }
    if let Some(first) = invocation.overrides.first() {
        let message = format!("`mapsto plot` takes no overrides, and was given `{}`", first.written());
        let help = "`train`, `summary`, `render` and `plot --schedule` of a .toml file do";
        return Err(Error::new(ErrorKind::Usage, message).help(help).into());
    }
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

#[test]
fn a_chart_has_its_highest_mark_at_the_top() {
    let lines = chart(&[0.0, 0.5, 1.0, 0.5], 1.0);
    assert_eq!(lines.len(), 11);
    assert_eq!((lines[0].as_str(), lines[9].as_str()), ("   1.00e0 |  *", "        0 |*"));
    assert_eq!(chart(&[], 0.0).len(), 11);
    assert!(chart(&vec![0.1; 100_000], 0.1).iter().all(|line| line.len() < 80));
}
