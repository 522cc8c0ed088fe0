//! `mapsto replay`: the step again that ended a run with a number that is not finite, and the operation that gave it.

use clap::{Arg, Command};
use mapsto::training::{RunFolder, readable, replay};
use mapsto::{Error, ErrorKind};

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::say;

/// The subcommand.
pub const VERB: Verb = Verb { name: "replay", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Run the step again that ended a run with a number that is not finite, and say where it arose")
        .arg(Arg::new("run").value_name("RUN").required(true).help("The folder of the run"))
        .after_help(
            "A training that meets a loss or gradient that is not finite leaves the step in its folder, as replay.safetensors:\n\
             weights, batch, optimizer, randomness and configuration. The data is not needed.\n\n\
             Example:\n  mapsto replay runs/mnist-1",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let folder = RunFolder::at(invocation.text("run"));
    let path = folder.replay();
    if !path.is_file() {
        let message = format!("{}: there is no replay.safetensors", folder.path().display());
        let help = "a run leaves one where its loss or gradient was not finite; look whether this is the run's folder";
        return Err(Error::new(ErrorKind::Io, message).help(help).into());
    }
    let again = replay(&path)?;
    say!("step   {} in epoch {}, batch {}", again.step, again.epoch, again.batch);
    if !again.samples.is_empty() {
        let more = again.samples.len().saturating_sub(4);
        let first = again.samples[..again.samples.len() - more].join(", ");
        say!("batch  {first}{}", if more > 0 { format!(" and {more} more") } else { String::new() });
    }
    say!("said   {}", again.said);
    for what in &again.before {
        say!("before {what} is not finite before the step");
    }
    say!("loss   {}", readable(again.loss, 6));
    match &again.first {
        Some(found) if found.gave.is_empty() => {
            say!("first  {}", [found.op.as_str(), found.layer.as_str()].join(" ").trim_end())
        }
        Some(found) => {
            say!("first  `{}`, {}: it gave {}", found.op, found.layer, found.gave);
            found.inputs.iter().enumerate().for_each(|(i, input)| say!("       input {i}: {input}"));
            if let Some(row) = found.row {
                let name = again.samples.get(row).map_or(String::new(), |name| format!(", {name}"));
                say!("       first in row {row} of the batch{name}");
            }
        }
        None => say!("first  every number was finite this time"),
    }
    if !again.is_same {
        let message = "the step gave other bits than in the training";
        let help = "the same processor and version give the same bits; a layer that keeps a state besides running statistics, such as `spectral_norm`, does not";
        return Err(Error::new(ErrorKind::Data, message).help(help).into());
    }
    say!("bits   the same as in the training");
    Ok(())
}
