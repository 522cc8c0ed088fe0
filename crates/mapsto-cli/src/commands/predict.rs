//! `mapsto predict`: what the best model of a run says of new images or of the rows of a table.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, Command};
use mapsto::training::{Outputs, readable};
use mapsto::{Error, ErrorKind, Result};
use mapsto_experiment::{Prediction, Predictor, plain};

use super::{Invocation, Overriding, Verb, exceptions};
use crate::failure::Failure;
use crate::output::{remark, say};

/// The subcommand.
pub const VERB: Verb = Verb { name: "predict", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Ask the best model of a run about images, or about the rows of a table")
        .arg(
            Arg::new("run")
                .value_name("RUN|MODEL")
                .required(true)
                .help("The folder of a run, such as runs/mnist-1, or a model file that holds its layers"),
        )
        .arg(
            Arg::new("files")
                .value_name("IMAGE|CSV")
                .required(true)
                .num_args(1..)
                .help("PNG or JPEG images, or CSV tables with the columns that the model was trained on"),
        )
        .arg(
            Arg::new("top")
                .long("top")
                .value_name("N")
                .default_value("3")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("How many classes to name, the likeliest first"),
        )
        .arg(
            Arg::new("invert")
                .long("invert")
                .action(clap::ArgAction::SetTrue)
                .help("Exchange black and white in images: MNIST's digits are white on black"),
        )
        .arg(
            Arg::new("convert")
                .long("convert")
                .action(clap::ArgAction::SetTrue)
                .help("Convert weights of another float type, such as bf16, to the model's"),
        )
        .after_help(
            "Images are brought to the size and channels that the model takes.\n\n\
             Examples:\n  mapsto predict runs/mnist-1 seven.png\n  mapsto predict runs/mnist-1 --invert scan-*.jpg\n  \
             mapsto predict runs/tabular-1 flowers.csv",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let predictor = Predictor::open(invocation.text("run"), &exceptions(invocation))?;
    check_flags(&predictor, invocation)?;
    let top = invocation.matches.get_one::<u32>("top").map_or(3, |&n| n as usize);
    for file in invocation.texts("files") {
        let path = Path::new(file);
        let name = plain(file);
        if path.is_dir() {
            let error = Error::new(ErrorKind::Usage, format!("{name}: this is a folder, no file"));
            let ending = if predictor.features().is_empty() { "png" } else { "csv" };
            return Err(error
                .help(format!("give the files in it: `{}/*.{ending}`", name.trim_end_matches('/')))
                .into());
        }
        if predictor.is_table(path) {
            let x = predictor.table(path)?;
            predictor.unseen(&x).iter().for_each(|what| remark(&format!("{name}: {what}")));
            let answers = predictor.predict(x)?;
            for (row, answer) in answers.iter().enumerate() {
                say!("{name} row {}  {}", row + 1, line(&predictor, answer, top));
            }
        } else {
            let x = predictor.image(path)?;
            let x = if invocation.matches.get_flag("invert") { 1.0 - x } else { x };
            for answer in predictor.predict(x)? {
                say!("{name}  {}", line(&predictor, &answer, top));
            }
        }
    }
    Ok(())
}

/// Refuses flags that change nothing about this model and these files: a user who gives one expects that it does.
fn check_flags(predictor: &Predictor, invocation: &Invocation) -> Result<()> {
    let is_given = |flag| invocation.matches.value_source(flag) == Some(ValueSource::CommandLine);
    let refuse = |flag: &str, why: String| {
        Err(Error::new(ErrorKind::Usage, format!("`--{flag}` {why}")).help(format!("leave `--{flag}` out")))
    };
    let table = invocation.texts("files").into_iter().find(|file| predictor.is_table(Path::new(file)));
    match table {
        Some(file) if is_given("invert") => {
            refuse("invert", format!("exchanges black and white in images, and {} is a table", plain(file)))
        }
        _ if is_given("top") && predictor.outputs() == Outputs::Values => {
            refuse("top", "says how many classes are named, and the model gives numbers".into())
        }
        _ => Ok(()),
    }
}

/// The likeliest classes with their probabilities, or the numbers that the model gives.
fn line(predictor: &Predictor, answer: &Prediction, top: usize) -> String {
    if answer.probabilities.is_none() {
        return answer.values.iter().map(|value| readable(*value, 6)).collect::<Vec<_>>().join("  ");
    }
    let name = |class: usize| predictor.classes().get(class).map_or(class.to_string(), |name| plain(name));
    let ranked = answer.ranked().into_iter().take(top);
    ranked.map(|(class, p)| format!("{} {:.1} %", name(class), 100.0 * p)).collect::<Vec<_>>().join("  ")
}
