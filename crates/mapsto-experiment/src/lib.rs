//! Experiments of mapsto: from a training file to a run, its evaluation and its predictions.
//!
//! A [`Config`] is what a training file says. [`Config::prepare`] opens the data, builds the model and checks that they fit: an
//! [`Experiment`]. [`Experiment::train`] trains it in the folder of a [`Run`], which can be gone on with ([`Run::resume`]) and
//! evaluated ([`Run::evaluate`]); a [`Predictor`] asks its best model about new images and tables.
//!
//! ```
//! use mapsto::nn::Exceptions;
//! use mapsto_experiment::{Config, Override, Predictor, Run};
//!
//! let folder = std::env::temp_dir().join(format!("mapsto-irises-{}", std::process::id()));
//! let overrides = [Override::new("train.epochs", 40), Override::new("train.out", folder.display())];
//! let experiment = Config::open("../../examples/tabular.toml", &overrides)?.prepare(|note| eprintln!("note: {note}"))?;
//! experiment.train(|trainer| trainer)?;
//!
//! let found = Run::open(&folder)?.evaluate()?;
//! assert!(found.value("accuracy").unwrap_or(0.0) > 0.9);
//! let predictor = Predictor::open(&folder, &Exceptions::none())?;
//! let answers = predictor.predict(predictor.table("../../data/iris/iris.csv".as_ref())?)?;
//! let (class, _) = answers[0].ranked()[0];
//! assert_eq!(predictor.classes()[class], "setosa");
//! # std::fs::remove_dir_all(folder).unwrap();
//! # Ok::<(), mapsto::Error>(())
//! ```
//!
//! Nothing here prints, ends the process or reads a command line: the `mapsto` command is one program that calls this crate.

mod answers;
mod averages;
mod balance;
pub mod choosing;
pub mod config;
mod document;
mod experiment;
mod fingerprint;
mod fitting;
mod held_out;
mod inits;
mod inputs;
mod judgement;
mod keys;
mod layers;
mod live;
mod lr_find;
mod new_samples;
mod options;
mod overrides;
mod parts;
mod plain;
mod predictor;
mod preflight;
mod ranges;
mod report;
mod resumption;
mod run;
mod section;
mod settings;
mod source;
mod survey;
mod tabular;
mod trained;
pub mod tuning;
mod watching;
mod weights;

pub use answers::{Answer, Asked};
pub use config::Config;
pub use experiment::Experiment;
pub use judgement::{Calibration, Confused, Curves, Judged, Judgement, Judging, Worst};
pub use keys::{KEYS, section_of};
pub use layers::LayerRow;
pub use live::Live;
pub use lr_find::{RangeCurve, RangeEnd, RangeTest};
pub use new_samples::NewSamples;
pub use overrides::Override;
pub use plain::{plain, printable};
pub use predictor::{Prediction, Predictor};
pub use preflight::{Baseline, Finding, Preflight, Verdict};
pub use resumption::Resumption;
pub use run::Run;
pub use survey::{PartSurvey, Range, Survey};
pub use tabular::Understood;
pub use trained::Trained;
