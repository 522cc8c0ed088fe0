//! The subcommands: one file each, and the list that names them.

pub mod doctor;
pub mod eval;
pub mod new;
pub mod plot;
pub mod predict;
pub mod render;
pub mod summary;
pub mod train;

use std::path::Path;

use clap::{ArgMatches, Command};
use mapsto::nn::Exceptions;
use mapsto::training::{ModelFile, RunFolder};
use mapsto::{Error, ErrorKind};

use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::overrides::Override;
use crate::source::Sources;
use crate::{fingerprint, settings};

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
    if RunFolder::open(file).is_ok() {
        let error = Error::new(ErrorKind::Usage, format!("{file}: this is the folder of a run, no file"));
        return Err(error.help(format!("`mapsto train --resume {file}` goes on with the run")).into());
    }
    let text = std::fs::read_to_string(file).map_err(|e| {
        let help = match Path::new(file).is_dir() {
            true => format!("name the file in it, such as {}/model.toml", file.trim_end_matches('/')),
            false => "give a file that says what to train; `mapsto new NAME` makes one".to_string(),
        };
        Error::io(file, e).help(help)
    })?;
    open(Sources::new(file, &text), overrides)
}

/// Opens what a run was trained on and with, from the configuration it left in its folder, with the weights of a model file;
/// data and configuration must be what they were.
fn reopen(folder: &RunFolder, model: &Path, except: &Exceptions) -> Result<Experiment, Failure> {
    let mut experiment = open(run_sources(folder)?, &[])?;
    let state = unedited(folder, &experiment.config)?;
    experiment.load(model, except)?;
    if let Some(saved) = state.as_ref().and_then(|state| state.note("data")) {
        fingerprint::compare(saved, experiment.fingerprint()?)?;
    }
    Ok(experiment)
}

/// The state of a run, which says what the run was really made of; the configuration in its folder must say the same. None where
/// there is none, such as beside a model that was copied: then the model alone is known.
fn unedited(folder: &RunFolder, config: &Config) -> Result<Option<ModelFile>, Error> {
    if !folder.last().exists() {
        return Ok(None);
    }
    let state = ModelFile::read(folder.last()).map_err(|e| {
        let help = e.help_text().map_or(String::new(), |help| format!("{help}; "));
        e.help(format!("{help}without the file the best model alone says what the run was made of"))
    })?;
    if let Some(text) = state.note("config") {
        let mut noted = Sources::of_run(&folder.last().display().to_string(), text);
        let before = Config::parse(&mut noted, &[]).map_err(|e| noted.locate(e))?;
        settings::refuse_edits(&before, config, &folder.file("config.toml"))?;
    }
    Ok(Some(state))
}

/// The configuration in a run's folder, or where it was removed, as the state of the run knows it.
fn run_sources(folder: &RunFolder) -> Result<Sources, Error> {
    let file = folder.file("config.toml");
    if file.exists() {
        return Ok(Sources::of_run(&file.display().to_string(), &folder.config()?));
    }
    let state = ModelFile::read(folder.last())?;
    let text = state.note("config").ok_or_else(|| {
        let message =
            format!("{}: the file is gone, and the state of the run does not know it", file.display());
        Error::new(ErrorKind::Io, message)
            .help("bring it back: without it nobody knows what the run was made of")
    })?;
    Ok(Sources::of_run(&folder.last().display().to_string(), text))
}

fn open(mut sources: Sources, overrides: &[Override]) -> Result<Experiment, Failure> {
    let config = Config::parse(&mut sources, overrides).map_err(Failure::within(&sources))?;
    Experiment::open(config).map_err(Failure::within(&sources))
}
