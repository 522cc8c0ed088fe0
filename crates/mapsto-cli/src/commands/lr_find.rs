//! `mapsto lr-find`: the loss over the learning rate, and the rate that it suggests.

use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use mapsto::spec::{Entry, Json, Value};
use mapsto::training::{plots, readable, write_atomic};
use mapsto::{Error, ErrorKind, Result};
use mapsto_experiment::{RangeCurve, RangeEnd, RangeTest};

use super::{Invocation, Overriding, Verb, read_experiment};
use crate::failure::Failure;
use crate::output::say;

/// The subcommand.
pub const VERB: Verb = Verb { name: "lr-find", command, overriding: Overriding::Configuration, run };

fn command(command: Command) -> Command {
    let number = |name: &'static str, value: &'static str, default: &'static str| {
        Arg::new(name).long(name).value_name(value).default_value(default)
    };
    command
        .about("Find a learning rate: take steps at rates that grow, and look where the loss falls")
        .arg(Arg::new("file").value_name("FILE.toml").required(true).help("The training file whose rate is looked for"))
        .arg(number("from", "RATE", "1e-7").help("The lowest rate"))
        .arg(number("to", "RATE", "10").help("The highest rate"))
        .arg(number("steps", "N", "100").help("The steps from one to the other, 20 to 10000"))
        .arg(Arg::new("svg").long("svg").value_name("FILE.svg").help("Where the curve is drawn [default: runs/NAME-lr.svg]"))
        .arg(
            number("format", "FORMAT", "table")
                .value_parser(["table", "json"])
                .help("Lines to read, or JSON with every step for other programs"),
        )
        .override_usage("mapsto lr-find FILE.toml [--from RATE] [--to RATE] [--steps N] [--SECTION.KEY VALUE]...")
        .after_help(
            "The test trains a copy of the model and writes nothing but the curve. `optimizer = { adam = \"auto\" }` in a\n\
             file has it made before the training, and takes the rate of the valley.\n\n\
             Examples:\n  mapsto lr-find mnist.toml\n  \
             mapsto lr-find mnist.toml --from 1e-5 --to 1 --steps 200\n  \
             mapsto lr-find mnist.toml --train.optimizer '{ sgd = 0.1, momentum = 0.9 }' --svg sgd.svg\n  \
             mapsto train mnist.toml --train.optimizer '{ adam = \"auto\" }'",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let range = RangeTest {
        from: number(invocation, "from")?,
        to: number(invocation, "to")?,
        steps: number(invocation, "steps")?,
    };
    let file = invocation.text("file");
    let experiment = read_experiment(file, invocation.overrides)?;
    let curve = experiment.range_test(&range)?;
    let suggested = (curve.suggestion(), curve.valley(), curve.steepest());
    let marks: Vec<(&str, f64)> = [("valley", &suggested.1), ("steepest", &suggested.2)]
        .into_iter()
        .filter_map(|(name, rate)| Some((name, *rate.as_ref().ok()?)))
        .collect();
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let svg = invocation
        .optional("svg")
        .map_or_else(|| Path::new("runs").join(format!("{stem}-lr.svg")), PathBuf::from);
    draw(&curve, &marks, &svg)?;
    if invocation.optional("format") == Some("json") {
        let Json::Object(mut fields) = curve.to_json() else { unreachable!("a curve is an object") };
        fields.push(("curve".into(), Json::Str(svg.display().to_string())));
        say!("{}", Json::Object(fields));
        return suggested.0.map(drop).map_err(Failure::from);
    }
    table(&curve);
    for (name, rate) in &marks {
        say!("{name:<9} {rate:.1e}");
    }
    say!("curve     {}", svg.display());
    let rate = suggested.0?;
    say!("suggested {rate:?}: {}", how(&experiment.config.train.optimizer, rate));
    Ok(())
}

/// A flag that is a number.
fn number<T: std::str::FromStr>(invocation: &Invocation, name: &str) -> Result<T> {
    let text = invocation.text(name);
    text.parse().map_err(|_| {
        let message = format!("`--{name}` should be a number, found `{text}`");
        Error::new(ErrorKind::Usage, message).help("for example `--from 1e-5 --to 1 --steps 200`")
    })
}

/// Every so many steps of the curve.
fn table(curve: &RangeCurve) {
    const ROWS: usize = 16;
    let n = curve.rates.len();
    say!("rate         loss");
    for i in (0..n).step_by(n.div_ceil(ROWS).max(1)) {
        say!("{:<9}  {:>10}", format!("{:.1e}", curve.rates[i]), readable(curve.smoothed[i], 4));
    }
    let last = curve.rates.last().copied().unwrap_or(0.0);
    match curve.end {
        RangeEnd::Reached => say!("\nend       the highest rate was reached after {n} steps"),
        RangeEnd::Risen => {
            say!("\nend       the loss had risen to four times its least at {last:.1e}, after {n} steps")
        }
        RangeEnd::NotFinite => say!("\nend       a number was not finite above {last:.1e}, after {n} steps"),
    }
}

/// How a file takes the rate: it is the value of the optimizer, or of the one inside of it.
fn how(optimizer: &Entry, rate: f64) -> String {
    match &optimizer.value {
        Some(Value::Entry(inner)) => how(inner, rate),
        _ => {
            let name = &optimizer.name;
            format!(
                "write `{name} = {rate:?}` in `optimizer`, or `{name} = \"auto\"` to have it found before each training"
            )
        }
    }
}

/// Draws the curve into a file.
fn draw(curve: &RangeCurve, marks: &[(&str, f64)], to: &Path) -> Result<()> {
    let svg = plots::range_test(&curve.rates, &curve.losses, &curve.smoothed, marks)?;
    write_atomic(to, |file| file.write_all(svg.as_bytes()))
}
