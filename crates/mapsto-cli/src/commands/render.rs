//! `mapsto render`: the configuration as it is understood, every default filled in.

use clap::{Arg, Command};

use super::{Invocation, Overriding, Verb, read_experiment};
use crate::failure::Failure;
use crate::output::say;

/// The subcommand.
pub const VERB: Verb = Verb { name: "render", command, overriding: Overriding::Configuration, run };

fn command(command: Command) -> Command {
    command
        .about("Print a file with every default filled in")
        .arg(Arg::new("file").value_name("FILE.toml").required(true).help("The file to read"))
        .override_usage("mapsto render FILE.toml [--SECTION.KEY VALUE]...")
        .after_help("Example:\n  mapsto render mnist.toml --train.epochs 3 > short.toml")
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let experiment = read_experiment(invocation.text("file"), invocation.overrides)?;
    say!("{}", experiment.config.render().trim_end());
    Ok(())
}
