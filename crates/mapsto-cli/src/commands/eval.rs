//! `mapsto eval`: the best model of a run on the test set.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use mapsto::nn::Exceptions;
use mapsto::training::{ModelFile, RunFolder};
use mapsto::{Error, ErrorKind};

use super::{Invocation, Overriding, Verb, reopen};
use crate::failure::Failure;
use crate::output::{plain, say};
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
        .after_help("Examples:\n  mapsto eval runs/mnist-1\n  mapsto eval runs/mnist-1 --model runs/mnist-1/last.safetensors")
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let folder = RunFolder::open(invocation.text("run"))?;
    let model = invocation.optional("model").map_or_else(|| folder.best(), PathBuf::from);
    let except = match invocation.matches.get_flag("convert") {
        true => Exceptions::none().converting(),
        false => Exceptions::none(),
    };
    let experiment = reopen(&folder, &model, &except)?;
    let epoch = ModelFile::read(&model)?.best_epoch();
    let Some(test) = &experiment.test else {
        let error =
            Error::new(ErrorKind::Usage, format!("{} held out no test samples", folder.path().display()));
        return Err(error.help("train with `test = 0.2` in [data]").into());
    };
    let found = experiment.evaluate(test)?;
    say!("{}", report::scored(&found, epoch));
    if let Some(confusion) = &found.confusion {
        let name =
            |class: usize| experiment.info.classes.get(class).map_or(class.to_string(), |name| plain(name));
        for (actual, predicted, count) in confusion.mistakes().into_iter().take(5) {
            say!("  {count:>5} of {} taken for {}", name(actual), name(predicted));
        }
    }
    report::check_finite(Some(&found))?;
    Ok(())
}
