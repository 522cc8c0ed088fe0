//! `mapsto eval`: the best model of a run on the test set.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use mapsto::training::ModelFile;
use mapsto_experiment::{Run, plain};

use super::{Invocation, Overriding, Verb, exceptions};
use crate::failure::Failure;
use crate::output::{remark, say};
use crate::report;

/// The subcommand.
pub const VERB: Verb = Verb { name: "eval", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Score the best model of a run on its test set")
        .arg(Arg::new("run").value_name("RUN").required(true).help("The folder of a run, such as runs/mnist-1"))
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
        .after_help("Examples:\n  mapsto eval runs/mnist-1\n  mapsto eval runs/mnist-1 --model runs/mnist-1/last.safetensors")
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let run = Run::open(invocation.text("run"))?;
    let model = invocation.optional("model").map_or_else(|| run.folder().best(), PathBuf::from);
    let experiment = run.experiment(&model, &exceptions(invocation), remark)?;
    let file = ModelFile::read(&model)?;
    let test = run.test(&experiment)?;
    let found = experiment.evaluate(test)?;
    let is_table = invocation.optional("format") != Some("json");
    // What a loss that is no number comes from has no intervals.
    let judgement = match found.loss.is_finite() {
        true => {
            let resamples = invocation.matches.get_one::<u32>("resamples").map(|&n| n as usize);
            Some(experiment.judge(test, &found, resamples)?)
        }
        false => None,
    };
    let look =
        run.count_look().map_err(|e| remark(&format!("this look at the test set is not counted: {e}"))).ok();
    if let (false, Some(judgement)) = (is_table, &judgement) {
        say!("{}", judgement.to_json(&found, &experiment.info.classes, look));
        return Ok(());
    }
    say!("{}", report::scored(&found, Some(&file)));
    if let Some(confusion) = &found.confusion {
        let name =
            |class: usize| experiment.info.classes.get(class).map_or(class.to_string(), |name| plain(name));
        for (actual, predicted, count) in confusion.mistakes().into_iter().take(5) {
            say!("  {count:>5} of {} taken for {}", name(actual), name(predicted));
        }
    }
    report::check_finite(Some(&found))?;
    if let Some(judgement) = &judgement {
        say!("{}", report::judged(judgement));
    }
    if let Some(look) = look {
        say!("\nthis is look {look} at the test set");
    }
    Ok(())
}
