//! The subcommands: one file each, and the list that names them.

pub mod cv;
pub mod data;
pub mod doctor;
pub mod eval;
pub mod explain;
pub mod lr_find;
pub mod new;
pub mod plot;
pub mod predict;
pub mod render;
pub mod replay;
pub mod report;
pub mod summary;
pub mod train;
pub mod tune;

use clap::{ArgMatches, Command};
use mapsto::Result;
use mapsto::nn::Exceptions;
use mapsto_experiment::{Config, Experiment, Override};

use crate::failure::Failure;
use crate::output::remark;

/// Every subcommand, in the order `mapsto --help` shows them.
pub const COMMANDS: &[Verb] = &[
    train::VERB,
    tune::VERB,
    eval::VERB,
    predict::VERB,
    cv::VERB,
    explain::VERB,
    data::VERB,
    lr_find::VERB,
    summary::VERB,
    plot::VERB,
    report::VERB,
    new::VERB,
    render::VERB,
    replay::VERB,
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
fn read_experiment(file: &str, overrides: &[Override]) -> Result<Experiment> {
    Config::open(file, overrides)?.prepare(remark)
}

/// The exceptions that the flag `--convert` makes for the weights of a model file.
fn exceptions(invocation: &Invocation) -> Exceptions {
    match invocation.matches.get_flag("convert") {
        true => Exceptions::none().converting(),
        false => Exceptions::none(),
    }
}
