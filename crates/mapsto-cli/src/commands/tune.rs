//! `mapsto tune`: trains a file again and again with values from the ranges that it says, and keeps the best.

use clap::{Arg, Command, value_parser};
use mapsto::training::{Interrupt, readable};
use mapsto_experiment::tuning::{Search, Trial, Tuned, Tuner};
use mapsto_experiment::{Override, plain};

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::{remark, say};
use crate::report;

/// The subcommand.
pub const VERB: Verb = Verb { name: "tune", command, overriding: Overriding::Configuration, run };

/// Trials of the table at the end; `trials.csv` has all.
const SHOWN: usize = 10;

fn command(command: Command) -> Command {
    command
        .about("Try values from the ranges that a file says, and keep the best model")
        .arg(Arg::new("file").value_name("FILE.toml").required(true).help("A training file with a section [tune]"))
        .arg(
            Arg::new("trials")
                .long("trials")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("How many trials there are, in place of what the file says"),
        )
        .override_usage("mapsto tune FILE.toml [--trials N] [--SECTION.KEY VALUE]...")
        .after_help(
            "The section [tune] says how to search, and ranges under the paths of their keys:\n\n  \
             [tune]\n  trials  = 30\n  by      = \"accuracy\"     # a metric, or \"loss\", on the validation samples\n  \
             search  = \"tpe\"          # or \"random\", \"grid\"\n  halving = true           # short trials first; a third of them goes on\n  \
             \"train.optimizer.adamw\" = { log = [1e-4, 1e-1] }\n  \"model.layers.0.linear\" = [16, 32, 64]\n  \
             \"model.layers.2.dropout\" = { uniform = [0.0, 0.5] }\n  \"data.batch\"            = { int = [16, 128], step = 16 }\n\n\
             The folder (runs/NAME-tune-1, ..) holds trials.jsonl, a line a trial as it ends, trials.csv, trials.svg (parallel\n\
             coordinates), best.toml, a file to train, and the run of the best trial. The test samples are looked at once,\n\
             by the best model. The same command with --train.out FOLDER goes on where it was stopped, also with more trials.\n\n\
             Examples:\n  mapsto tune iris.toml\n  mapsto tune iris.toml --trials 50 --tune.search random\n  \
             mapsto tune iris.toml --train.out runs/iris-tune-1\n  mapsto train runs/iris-tune-1/best.toml",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let file = invocation.text("file");
    let mut overrides = invocation.overrides.to_vec();
    let trials = invocation.matches.get_one::<u32>("trials");
    overrides.extend(trials.map(|n| Override::new("tune.trials", n)));
    let tuner = Tuner::open(file, &overrides, remark)?;
    say!("{}", opening(&tuner));
    let interrupt = Interrupt::on_ctrl_c()?;
    let space = tuner.tuning().space.clone();
    let tuned = tuner.run(
        |trainer| trainer.interrupt(interrupt.clone()),
        |trial, best| {
            let keys = space.ranges.iter().zip(&trial.settings);
            let keys: Vec<String> = keys
                .map(|(range, setting)| format!("{} {}", last(&range.path), plain(&range.brief(*setting))))
                .collect();
            let given = match (trial.score, best, &trial.failed) {
                (Some(score), Some(best), _) if score == best => {
                    format!("{}  best so far", readable(score, 4))
                }
                (Some(score), _, _) => readable(score, 4),
                (None, _, why) => format!("failed: {}", plain(why.as_deref().unwrap_or_default())),
            };
            say!("trial {}  {}  {}  {given}", trial.number, epochs(trial.epochs), keys.join("  "));
        },
    )?;
    say!();
    table(&tuned);
    let folder = tuned.folder().path().display().to_string();
    if let Some(best) = tuned.best() {
        say!();
        say!(
            "best   trial {}: {} {}",
            best.number,
            tuned.column,
            best.score.map_or(String::new(), |s| readable(s, 4))
        );
        let trained = tuned.best_run()?;
        let found = report::closing(&trained)?;
        say!("run    {}", trained.folder().path().display());
        say!("train  `mapsto train {folder}/best.toml` trains the best again");
        say!("tune   {folder}");
        report::check_finite(found.as_ref())?;
    }
    Ok(())
}

/// What is about to be done.
fn opening(tuner: &Tuner) -> String {
    let tuning = tuner.tuning();
    let how = match tuning.search {
        Search::Random => "at random",
        Search::Tpe => "by a tree-structured Parzen estimator",
        Search::Grid => "one combination after the other",
    };
    let rungs = tuner.rungs();
    let each = match rungs.as_slice() {
        [(_, one)] => format!("{} each", epochs(*one)),
        rungs => {
            let said: Vec<String> =
                rungs.iter().map(|(n, length)| format!("{n} of {}", epochs(*length))).collect();
            format!("halving: {}", said.join(", "))
        }
    };
    let of = tuning.space.count().map_or(String::new(), |n| format!(" of {n} combinations"));
    let n = tuning.space.ranges.len();
    format!(
        "tune   {n} {}{of}  {} trials {how}, {each}, judged by {}",
        if n == 1 { "key" } else { "keys" },
        tuning.trials.min(tuning.space.count().unwrap_or(usize::MAX)),
        tuner.column()
    )
}

fn epochs(n: usize) -> String {
    if n == 1 { "1 epoch".to_string() } else { format!("{n} epochs") }
}

/// The best trials, the best first.
fn table(tuned: &Tuned) {
    let paths = tuned.space.ranges.iter().map(|range| last(&range.path).to_string());
    let heading = ["trial".to_string(), "epochs".to_string()].into_iter().chain(paths);
    let mut rows: Vec<Vec<String>> = vec![heading.chain([tuned.column.clone()]).collect()];
    let ranked = tuned.ranked();
    for trial in ranked.iter().take(SHOWN) {
        rows.push(cells(tuned, trial));
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|k| rows.iter().map(|row| row[k].chars().count()).max().unwrap_or_default())
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
        say!("{}", cells.collect::<Vec<_>>().join("  "));
    }
    if ranked.len() > SHOWN {
        say!("… {} more in {}", ranked.len() - SHOWN, tuned.folder().file("trials.csv").display());
    }
}

fn cells(tuned: &Tuned, trial: &Trial) -> Vec<String> {
    let keys =
        tuned.space.ranges.iter().zip(&trial.settings).map(|(range, setting)| plain(&range.brief(*setting)));
    let score = trial.score.map_or("failed".to_string(), |score| readable(score, 4));
    [trial.number.to_string(), trial.epochs.to_string()].into_iter().chain(keys).chain([score]).collect()
}

/// The end of a path, from the last word that is no number on: `optimizer.adamw` of `train.optimizer.adamw`, `0.linear`.
fn last(path: &str) -> &str {
    let cut = path.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
    &path[cut..]
}
