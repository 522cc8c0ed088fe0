//! The `mapsto` command: reads the command line, hands it to a subcommand and turns what comes back into an exit code.

mod advice;
mod browser;
mod commands;
mod failure;
mod flags;
mod output;
mod pictures;
mod report;
mod tracing;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Command;

use commands::{COMMANDS, Invocation, Overriding, Verb};
use failure::Failure;
use mapsto::{Error, ErrorKind};

const EXAMPLES: &str = "\
Examples:
  mapsto train mnist.toml                      train, with live progress; writes runs/mnist-1
  mapsto train mnist.toml --epochs 3           the same with one value replaced
  mapsto train --resume runs/mnist-1           go on where a run was stopped
  mapsto eval runs/mnist-1                     score the best model on the test set
  mapsto predict runs/mnist-1 seven.png        what is in this image?
  mapsto data mnist.toml                       classes, ranges, copies, pictures of an augmented batch
  mapsto summary mnist.toml                    layers, shapes, parameters, multiplications, memory

Exit codes:
  0 done    2 usage or configuration    3 data or files    4 model or shape
  5 a value was not finite              130 interrupted

MAPSTO_DEBUG=ops prints every tensor operation with its shapes, time and caller to standard error.
Run `mapsto COMMAND --help` for the options of a command.";

/// Does what the command line of this process asks for.
fn main() -> ExitCode {
    match outcome(std::env::args_os().collect()) {
        Ok(()) => output::finish().map_or_else(ExitCode::from, |()| ExitCode::SUCCESS),
        Err(failure) => {
            // Standard error may be closed; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "{}", failure.text());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Does what a command line asks for.
fn outcome(args: Vec<OsString>) -> Result<(), Failure> {
    let asked = args.get(1).and_then(|word| COMMANDS.iter().find(|verb| word.to_str() == Some(verb.name)));
    let configured = asked.filter(|verb| verb.overriding == Overriding::Configuration);
    let (args, overrides) = flags::extract(args, configured.map(own_flags).as_deref())?;
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(e) if e.use_stderr() => {
            _ = e.print();
            // Clap's own code for a wrong command line is ours too.
            std::process::exit(ErrorKind::Usage.exit_code());
        }
        Err(help) => {
            output::note(help.print().and_then(|()| std::io::stdout().flush()));
            return Ok(());
        }
    };
    let Some((name, matches)) = matches.subcommand() else { unreachable!("a subcommand is required") };
    let Some(verb) = COMMANDS.iter().find(|verb| verb.name == name) else {
        unreachable!("clap knows our list only")
    };
    match (verb.overriding, overrides.first()) {
        (Overriding::None, Some(first)) => {
            let error = Error::new(
                ErrorKind::Usage,
                format!("`mapsto {name}` takes no overrides, and was given `{}`", first.written()),
            );
            Err(Failure::from(error.help("`train`, `summary` and `render` of a .toml file do")))
        }
        _ => run(verb.run, &Invocation { matches, overrides: &overrides }),
    }
}

/// The flags that a subcommand has of its own.
fn own_flags(verb: &Verb) -> Vec<String> {
    let command = (verb.command)(Command::new(verb.name));
    let own = command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_string);
    own.chain(["help".to_string(), "version".to_string()]).collect()
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
