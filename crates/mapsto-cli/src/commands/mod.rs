//! The subcommands: one file each, and the list that names them.

pub mod doctor;
pub mod eval;
pub mod new;
pub mod plot;
pub mod predict;
pub mod render;
pub mod summary;
pub mod train;

use clap::{ArgMatches, Command};
use mapsto::Error;
use mapsto::train::RunFolder;

use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::overrides::Override;
use crate::source::Sources;

/// Every subcommand, in the order `mapsto --help` shows them.
pub const COMMANDS: &[Verb] = &[
    train::VERB,
    eval::VERB,
    predict::VERB,
    summary::VERB,
    plot::VERB,
    new::VERB,
    render::VERB,
    doctor::VERB,
];

/// A subcommand: its name, its arguments and what it does.
pub struct Verb {
    /// The word on the command line.
    pub name: &'static str,
    /// Describes it and its arguments.
    pub command: fn(Command) -> Command,
    /// Whether `--section.key VALUE` flags mean something to it.
    pub overriding: Overriding,
    /// Does it.
    pub run: fn(&Invocation) -> Result<(), Failure>,
}

/// Whether a subcommand reads a configuration that flags can override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overriding {
    /// It does.
    Configuration,
    /// Such flags are an error.
    None,
}

/// What the user typed.
pub struct Invocation<'a> {
    /// The subcommand's own arguments.
    pub matches: &'a ArgMatches,
    /// The overrides, in order.
    pub overrides: &'a [Override],
}

impl Invocation<'_> {
    /// The text of an argument that clap has made sure is there.
    pub fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_else(|| unreachable!("{name} is a required argument"))
    }

    /// The text of an argument that may be absent.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.matches.get_one::<String>(name).map(String::as_str)
    }

    /// The texts of a repeated argument.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.matches.get_many::<String>(name).into_iter().flatten().map(String::as_str).collect()
    }
}

/// Reads a training file and opens what it describes.
fn read_experiment(file: &str, overrides: &[Override]) -> Result<Experiment, Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?;
    open(Sources::new(file, &text), overrides)
}

/// Opens what a run was trained on and with, from the configuration it left in its folder.
fn reopen(folder: &RunFolder) -> Result<Experiment, Failure> {
    open(run_sources(folder)?, &[])
}

/// The configuration in a run's folder.
fn run_sources(folder: &RunFolder) -> Result<Sources, Failure> {
    Ok(Sources::of_run(&folder.file("config.toml").display().to_string(), &folder.config()?))
}

fn open(mut sources: Sources, overrides: &[Override]) -> Result<Experiment, Failure> {
    let config = Config::parse(&mut sources, overrides).map_err(Failure::within(&sources))?;
    Experiment::open(config).map_err(Failure::within(&sources))
}
