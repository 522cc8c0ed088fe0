//! The trainer of mapsto: metrics, callbacks, run folders, model files and plots.
//!
//! Features, on by default: `plots` (SVG plots, through plotters), `progress` (a live line, through indicatif), `signals`
//! (Ctrl-C, through ctrlc). Without them the trainer is the same, in plain rows and without pictures.

mod atomic_file;
mod averaging;
mod bootstrap;
pub mod callbacks;
mod class_report;
mod csv;
pub mod curves;
pub mod diagnosis;
mod digest;
mod environment;
mod evaluate;
mod history;
mod interrupt;
mod label_report;
pub mod metrics;
mod model_file;
#[cfg(feature = "plots")]
pub mod plots;
mod png;
mod progress;
mod readable;
mod run_folder;
mod run_lock;
mod scratch;
mod step;
mod tally;
mod task;
mod temperature;
mod trainer;

pub use atomic_file::write_atomic;
pub use averaging::{AVERAGINGS, Averaging, AveragingKind};
pub use bootstrap::{Interval, bootstrap};
pub use class_report::{ClassReport, ClassRow};
pub use digest::Digest;
pub use environment::environment;
pub use evaluate::{Evaluation, Mistake, Predictions, evaluate, predict};
pub use history::{History, Row};
pub use interrupt::Interrupt;
pub use label_report::LabelReport;
pub use mapsto_nn::Outputs;
pub use model_file::{ModelFile, ModelInfo, load, read_tensors, save, write_tensors};
pub use png::{data_uri, png};
pub use progress::Progress;
pub use readable::readable;
pub use run_folder::RunFolder;
pub use run_lock::RunLock;
pub use scratch::Scratch;
pub use step::Step;
pub use task::{Function, Supervised, Task};
pub use temperature::temperature;
pub use trainer::{Culprit, Cx, Held, Replay, Trainer, replay};

/// What most programs use; `use mapsto_train::prelude::*;`.
pub mod prelude {
    pub use crate::callbacks::{Checkpoint, EarlyStop, MetricsLog, each_epoch, each_step};
    pub use crate::metrics::{
        Accuracy, Average, ConfusionMatrix, F1, Mae, Metric, Precision, Recall, Rmse, TopK,
    };
    pub use crate::{
        Averaging, Cx, Evaluation, History, Interrupt, ModelFile, ModelInfo, Outputs, Progress, RunFolder,
        Step, Supervised, Task, Trainer, evaluate, load, predict, save,
    };
}
