//! `mapsto report`: the report of a run, written again from what it left behind.

use clap::{Arg, Command};
use mapsto_experiment::Run;

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::{remark, say};

/// The subcommand.
pub const VERB: Verb = Verb { name: "report", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Write the report of a run, finished or still under way, as one page")
        .arg(Arg::new("run").value_name("RUN").required(true).help("The folder of a run, such as runs/mnist-1"))
        .after_help(
            "Writes RUN/report.html, as every training does at its end: one file that needs no network and nothing\n\
             beside it, with the network, the data, curves, results, mistakes, what to try next and how to get it again.\n\n\
             Examples:\n  mapsto report runs/mnist-1\n  xdg-open runs/mnist-1/report.html",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let path = Run::open(invocation.text("run"))?.write_report(remark)?;
    say!("report {}", path.display());
    Ok(())
}
