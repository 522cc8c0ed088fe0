//! `mapsto cv`: how well models trained as a file says do on samples that they were not trained on, fold by fold.

use clap::{Arg, ArgAction, Command, value_parser};
use mapsto::training::Interrupt;
use mapsto_experiment::Config;
use mapsto_experiment::choosing::{CrossValidation, FoldScores, Folds, Scheme, Shuffled};

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::{remark, say};

/// The subcommand.
pub const VERB: Verb = Verb { name: "cv", command, overriding: Overriding::Configuration, run };

fn command(command: Command) -> Command {
    let number = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(u32))
    };
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    command
        .about("Train and judge a model on several folds of its samples")
        .arg(Arg::new("file").value_name("FILE.toml").required(true).help("What to train, on what, and how"))
        .arg(number("folds", "N").default_value("5").help("Into how many folds samples are dealt"))
        .arg(number("repeats", "N").default_value("1").help("How often they are dealt anew, with the next seed each time"))
        .arg(flag("plain").help("Do not give every fold the same share of each class"))
        .arg(flag("no-shuffle").help("Deal samples in the order of the data, as scikit-learn's defaults do"))
        .arg(
            flag("walk-forward")
                .conflicts_with_all(["plain", "no-shuffle", "repeats"])
                .help("For series: each fold is trained on what comes before the samples that it holds out"),
        )
        .arg(number("gap", "N").requires("walk-forward").help("Samples left out before those that are held out [default: 0]"))
        .override_usage("mapsto cv FILE.toml [--folds N] [--SECTION.KEY VALUE]...")
        .after_help(
            "Samples for the test are in no fold. What is fitted to data, such as means and categories, is fitted to the\n\
             training samples of each fold alone. The folder (runs/NAME-cv-1, ..) holds out_of_fold.csv and a folder a\n\
             fold; the same command with --train.out FOLDER goes on where it was stopped.\n\n\
             Examples:\n  mapsto cv iris.toml --folds 10\n  mapsto cv iris.toml --repeats 3 --train.epochs 20\n  \
             mapsto cv prices.toml --walk-forward --gap 5",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let count = |name: &str| invocation.matches.get_one::<u32>(name).map_or(0, |&n| n as usize);
    let is_set = |name: &str| invocation.matches.get_flag(name);
    let scheme = match (is_set("walk-forward"), is_set("plain")) {
        (true, _) => Scheme::WalkForward { gap: count("gap") },
        (_, true) => Scheme::Plain,
        _ => Scheme::Stratified,
    };
    let shuffled = if is_set("no-shuffle") { Shuffled::No } else { Shuffled::BySeed };
    let (folds, repeats) = (count("folds"), count("repeats"));
    let config = Config::open(invocation.text("file"), invocation.overrides)?;
    let cross = CrossValidation::new(config, Folds::new(folds, scheme), repeats, shuffled)?;
    let interrupt = Interrupt::on_ctrl_c()?;
    let all = cross.run(
        remark,
        |trainer| trainer.interrupt(interrupt.clone()),
        |fold| {
            say!("{}", line(fold, folds, repeats));
        },
    )?;
    say!();
    let names = all.first().map(|fold| fold.scores.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    for name in names.unwrap_or_default() {
        let Some(found) = cross.spread(&all, &name) else { continue };
        let interval = match scheme {
            Scheme::WalkForward { .. } => String::new(),
            _ => format!(
                "   95 % interval {:.4} to {:.4}",
                found.mean - found.margin,
                found.mean + found.margin
            ),
        };
        say!("{name}  {:.4} ± {:.4}{interval}", found.mean, found.deviation);
    }
    match scheme {
        Scheme::WalkForward { .. } => say!(
            "± is the standard deviation over {} folds; no interval is given, because a walk's folds are not drawn alike",
            all.len()
        ),
        _ => say!(
            "± is the standard deviation over {} folds; intervals are Student's t with the variance corrected for\n\
             overlapping training samples (Nadeau & Bengio 2003)",
            all.len()
        ),
    }
    say!("cv     {}", cross.folder().display());
    Ok(())
}

/// What a fold gave.
fn line(found: &FoldScores, folds: usize, repeats: usize) -> String {
    let repeat = if repeats > 1 { format!("repeat {} ", found.repeat) } else { String::new() };
    let scores: Vec<String> = found.scores.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    format!(
        "{repeat}fold {}/{folds}  {} to train on, {} held out  {}",
        found.fold,
        found.trained_on,
        found.held_out,
        scores.join("  ")
    )
}
