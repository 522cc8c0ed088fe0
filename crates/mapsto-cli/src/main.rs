//! The `mapsto` command: reads the command line, hands it to a subcommand and turns what comes back into an exit code.

mod commands;
mod config;
mod document;
mod experiment;
mod failure;
mod fingerprint;
mod output;
mod overrides;
mod pictures;
mod report;
mod section;
mod settings;
mod source;
mod tracing;
mod work;

use std::process::ExitCode;

use clap::Command;

use commands::{COMMANDS, Invocation, Overriding};
use failure::Failure;
use mapsto::{Error, ErrorKind};

const EXAMPLES: &str = "\
Examples:
  mapsto train mnist.toml                      train, with live progress; writes runs/mnist-1
  mapsto train mnist.toml --train.epochs 3     the same with one value replaced
  mapsto train --resume runs/mnist-1           go on where a run was stopped
  mapsto eval runs/mnist-1                     score the best model on the test set
  mapsto predict runs/mnist-1 seven.png        what is in this image?
  mapsto summary mnist.toml                    layers, shapes, parameters, multiplications, memory

Exit codes:
  0 done    2 usage or configuration    3 data or files    4 model or shape
  5 a value was not finite              130 interrupted

MAPSTO_DEBUG=ops prints every tensor operation with its shapes, time and caller to standard error.
Run `mapsto COMMAND --help` for the options of a command.";

fn main() -> ExitCode {
    let (args, overrides) = overrides::extract(std::env::args());
    // Clap prints its own usage errors, help and version, and exits with 2, 0 and 0.
    let matches = command().get_matches_from(args);
    let Some((name, matches)) = matches.subcommand() else { unreachable!("a subcommand is required") };
    let Some(verb) = COMMANDS.iter().find(|verb| verb.name == name) else {
        unreachable!("clap knows our list only")
    };

    let outcome = match (verb.overriding, overrides.first()) {
        (Overriding::None, Some(first)) => {
            let error = Error::new(
                ErrorKind::Usage,
                format!("`mapsto {name}` takes no overrides, and was given `{}`", first.written),
            );
            Err(Failure::from(error.help("`train`, `summary` and `render` of a .toml file do")))
        }
        _ => run(verb.run, &Invocation { matches, overrides: &overrides }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            use std::io::Write;
            // Standard error may be closed; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "{}", failure.text());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs a subcommand; a mistake that an operation raised as a panic becomes an error like any other.
fn run(run: fn(&Invocation) -> Result<(), Failure>, invocation: &Invocation) -> Result<(), Failure> {
    mapsto::catch(|| tracing::traced(|| run(invocation))).unwrap_or_else(|error| Err(Failure::from(error)))
}

fn command() -> Command {
    let verbs = COMMANDS.iter().map(|verb| (verb.command)(Command::new(verb.name)));
    Command::new("mapsto")
        .version(env!("CARGO_PKG_VERSION"))
        .about("x ↦ f(x): train, evaluate and use neural networks described in a file")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(verbs)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_is_well_formed_and_says_what_it_is_for() {
        let command = super::command();
        command.clone().debug_assert();
        for verb in command.get_subcommands() {
            assert!(verb.get_about().is_some(), "{} has no description", verb.get_name());
            assert!(verb.get_after_help().is_some(), "{} has no example", verb.get_name());
            for arg in verb.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {} has no help", verb.get_name(), arg.get_id());
            }
        }
    }
}
