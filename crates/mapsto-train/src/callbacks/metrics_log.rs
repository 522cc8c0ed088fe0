//! The run's history on disk, whole after every epoch.

use super::{Callback, Moment, Run};
use crate::atomic_file::write_within;
use mapsto_tensor::Result;

/// Writes `metrics.csv` and `metrics.jsonl` to the trainer's folder after each epoch.
///
/// Both are rewritten whole (they are small) and atomically, so that a reader never sees half a row.
///
/// ```
/// use mapsto_train::callbacks::{Callback, MetricsLog};
/// assert_eq!(MetricsLog::new().name(), "write metrics.csv and metrics.jsonl");
/// ```
#[derive(Clone, Debug, Default)]
pub struct MetricsLog(());

impl MetricsLog {
    /// To the trainer's folder.
    #[must_use]
    pub fn new() -> MetricsLog {
        MetricsLog(())
    }
}

impl Callback for MetricsLog {
    fn name(&self) -> String {
        "write metrics.csv and metrics.jsonl".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::EpochEnd]
    }

    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        write_within(&run.place("metrics.csv"), run.there, |w| w.write_all(run.history.to_csv().as_bytes()))?;
        write_within(&run.place("metrics.jsonl"), run.there, |w| {
            w.write_all(run.history.to_jsonl().as_bytes())
        })
    }
}
