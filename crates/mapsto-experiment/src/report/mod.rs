//! The report of a run: one page that needs nothing beside it, with what was trained, on what, how it went, how good it is and what to try
//! next.
//!
//! A section is one file with one function, which is given the [`Facts`] and leaves itself out where it has nothing to say;
//! [`SECTIONS`] lists them in the order in which they are shown.

mod calibration;
mod chart;
mod confusion;
mod curves;
mod data;
mod diagnosis;
mod explanations;
mod filters;
mod html;
mod labels;
mod lead;
mod network;
pub(crate) mod page;
mod regression;
mod reproduce;
mod result;
#[cfg(test)]
mod tests;
mod thumbnail;
mod worst;

use std::path::PathBuf;

use mapsto::nn::Exceptions;
use mapsto::spec::Json;
use mapsto::training::{Evaluation, History, ModelFile, Predictions, RunFolder, predict};
use mapsto::{Error, ErrorKind, Result};

use crate::experiment::Experiment;
use crate::preflight::Preflight;
use crate::run::Run;

/// Everything that the sections speak of.
pub(crate) struct Facts<'a> {
    /// The name of the run's folder.
    pub name: String,
    pub folder: &'a RunFolder,
    /// With the weights of the best epoch.
    pub experiment: &'a Experiment,
    pub history: &'a History,
    /// What the test found, with the answer to each of its samples.
    pub test: Option<(&'a Evaluation, &'a Predictions)>,
    /// The epoch whose weights are the best, and how they were averaged, where they were.
    pub best: Option<usize>,
    pub averaged: Option<String>,
    /// `preflight.json` and `env.json`.
    pub preflight: Option<Json>,
    pub env: Option<Json>,
}

/// A part of the page.
pub(crate) struct Section {
    /// What links call it.
    pub id: &'static str,
    pub title: &'static str,
    /// What stands below the title.
    pub html: String,
}

/// Writes a section, or leaves it out.
type Write = fn(&Facts<'_>) -> Result<Option<Section>>;

/// Every section, in the order in which they are shown.
const SECTIONS: &[Write] = &[
    result::section,
    diagnosis::section,
    curves::section,
    confusion::section,
    labels::section,
    regression::section,
    calibration::section,
    worst::section,
    explanations::section,
    network::section,
    filters::section,
    data::section,
    reproduce::section,
];

/// Where a run keeps its report.
pub(crate) const FILE: &str = "report.html";

impl Experiment {
    /// Writes the report of a run of this experiment, whose model has the weights of the best epoch, as `report.html` into its folder, and
    /// says where that is. `test` is what its test samples gave.
    ///
    /// # Errors
    /// A damaged sample; a file that cannot be written.
    pub fn write_report(
        &self,
        folder: &RunFolder,
        history: &History,
        test: Option<(&Evaluation, &Predictions)>,
    ) -> Result<PathBuf> {
        let facts = Facts::of(self, folder, history, test)?;
        folder.write(FILE, &page::whole(&facts)?)?;
        Ok(folder.file(FILE))
    }
}

impl Run {
    /// Writes the report of the run again, from what it left behind, and says where it is.
    ///
    /// # Errors
    /// As [`experiment`](Run::experiment); no epoch of the run is finished yet.
    pub fn write_report(&self, note: impl FnMut(&str)) -> Result<PathBuf> {
        let folder = self.folder();
        if !folder.file("metrics.csv").is_file() || !folder.best().is_file() {
            let message = format!("{}: no epoch of the run is finished yet", folder.path().display());
            return Err(Error::new(ErrorKind::Data, message).help("ask for the report once the first one is"));
        }
        let history = folder.history()?;
        let experiment = self.experiment(&folder.best(), &Exceptions::none(), note)?;
        let found = match &experiment.test {
            Some(test) => {
                let threshold = experiment.threshold();
                let predictions = Predictions { threshold, ..predict(&experiment.model, test)? };
                Some((experiment.evaluate(test)?, predictions))
            }
            None => None,
        };
        experiment.write_report(
            folder,
            &history,
            found.as_ref().map(|(found, predictions)| (found, predictions)),
        )
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn of(
        experiment: &'a Experiment,
        folder: &'a RunFolder,
        history: &'a History,
        test: Option<(&'a Evaluation, &'a Predictions)>,
    ) -> Result<Facts<'a>> {
        let best = folder.best().is_file().then(|| ModelFile::read(folder.best())).transpose()?;
        // What is missing or damaged is left out: earlier versions wrote less.
        let json = |name: &str| Json::parse(&std::fs::read_to_string(folder.file(name)).ok()?).ok();
        let path = folder.path();
        let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = absolute.file_name().map_or("run".into(), |name| name.to_string_lossy().into_owned());
        Ok(Facts {
            name,
            folder,
            experiment,
            history,
            test,
            best: best.as_ref().and_then(ModelFile::best_epoch),
            averaged: best.as_ref().and_then(ModelFile::averaged).map(str::to_string),
            preflight: json(Preflight::FILE),
            env: json("env.json"),
        })
    }

    /// Every section that has something to say.
    pub(crate) fn sections(&self) -> Result<Vec<Section>> {
        let found = SECTIONS.iter().map(|write| write(self)).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The shape of a picture, channels first, where the model looks at pictures.
    pub(crate) fn picture(&self) -> Option<[usize; 3]> {
        match *self.experiment.config.model.input.as_deref()? {
            [c @ (1 | 3), h, w] if h * w > 1 => Some([c, h, w]),
            _ => None,
        }
    }

    /// The name of a class.
    pub(crate) fn class(&self, c: usize) -> String {
        let classes = &self.experiment.info.classes;
        classes.get(c).map_or_else(|| c.to_string(), |name| crate::plain(name))
    }
}
