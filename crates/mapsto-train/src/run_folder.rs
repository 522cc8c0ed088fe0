//! The folder of a run: all that is needed to read, judge, continue and repeat it.

use crate::atomic_file::write_atomic;
use crate::evaluate::{Outputs, Predictions};
use crate::history::History;
use mapsto_spec::Json;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A run's folder and the names of the files in it.
///
/// | file | what |
/// |---|---|
/// | `config.toml` | the training file with every default filled in |
/// | `env.json` | where the run ran |
/// | `metrics.csv`, `metrics.jsonl` | the history, after every epoch |
/// | `best.safetensors` | the best model |
/// | `last.safetensors` | the last state, to resume from |
/// | `predictions.csv` | the model's answer to every test sample |
/// | `plots/*.svg` | curves, confusion matrix, mistakes, filters |
///
/// ```
/// use mapsto_train::RunFolder;
/// let base = std::env::temp_dir().join(format!("mapsto-runs-{}", std::process::id()));
/// let run = RunFolder::numbered(&base, "mnist").unwrap();
/// run.write_config("epochs = 3\n").unwrap();
/// assert!(run.path().ends_with("mnist-1"));
/// assert!(RunFolder::numbered(&base, "mnist").unwrap().path().ends_with("mnist-2"));
/// assert_eq!(RunFolder::open(run.path()).unwrap().config().unwrap(), "epochs = 3\n");
/// # std::fs::remove_dir_all(base).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes `base/name-1`, or the first number that is free.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn numbered(base: impl AsRef<Path>, name: &str) -> Result<RunFolder> {
        let base = base.as_ref();
        fs::create_dir_all(base).map_err(|e| Error::io(base, e))?;
        let mut number = 1;
        loop {
            let path = base.join(format!("{name}-{number}"));
            // Making the folder claims the number, so that two runs started together get two folders.
            match fs::create_dir(&path) {
                Ok(()) => return Ok(RunFolder { path }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(Error::io(path, e)),
            }
        }
    }

    /// Makes a folder for a run, which must be new or empty.
    ///
    /// # Errors
    /// When it cannot be made, or holds something already.
    pub fn create(path: impl Into<PathBuf>) -> Result<RunFolder> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(|e| Error::io(&path, e))?;
        let mut content = fs::read_dir(&path).map_err(|e| Error::io(&path, e))?;
        if content.next().is_some() {
            return Err(Error::new(ErrorKind::Usage, format!("{}: the folder is not empty", path.display()))
                .help("name a new folder, or resume the run that is there"));
        }
        Ok(RunFolder { path })
    }

    /// The folder of a run that was started before.
    ///
    /// # Errors
    /// When there is no such folder, or no `config.toml` in it.
    pub fn open(path: impl Into<PathBuf>) -> Result<RunFolder> {
        let run = RunFolder { path: path.into() };
        if !run.file("config.toml").is_file() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{}: no run folder (no config.toml in it)", run.path.display()),
            )
            .help("give the folder that `mapsto train` made, such as runs/mnist-1"));
        }
        Ok(run)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// The best model.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.file("best.safetensors")
    }

    /// The last state, to resume from.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.file("last.safetensors")
    }

    /// The rendered configuration.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn config(&self) -> Result<String> {
        self.read("config.toml")
    }

    /// The history so far.
    ///
    /// # Errors
    /// When `metrics.csv` cannot be read, or is damaged.
    pub fn history(&self) -> Result<History> {
        History::from_csv(&self.read("metrics.csv")?).map_err(|e| e.context(self.path.display()))
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_config(&self, text: &str) -> Result<()> {
        self.write("config.toml", text)
    }

    /// Writes `env.json`: [`environment`] and what the caller adds.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_env(&self, more: Vec<(String, Json)>) -> Result<()> {
        let pairs: Vec<(String, Json)> = environment().into_iter().chain(more).collect();
        let lines: Vec<String> =
            pairs.iter().map(|(k, v)| format!("  {}: {v}", Json::from(k.as_str()))).collect();
        self.write("env.json", &format!("{{\n{}\n}}\n", lines.join(",\n")))
    }

    /// Writes `metrics.csv` and `metrics.jsonl`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_history(&self, history: &History) -> Result<()> {
        self.write("metrics.csv", &history.to_csv())?;
        self.write("metrics.jsonl", &history.to_jsonl())
    }

    /// Writes `predictions.csv`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_predictions(
        &self,
        predictions: &Predictions,
        outputs: Outputs,
        classes: &[String],
    ) -> Result<()> {
        self.write("predictions.csv", &predictions.to_csv(outputs, classes))
    }

    /// Writes a plot, as `plots/NAME.svg`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_plot(&self, name: &str, svg: &str) -> Result<()> {
        self.write(&format!("plots/{name}.svg"), svg)
    }

    /// Writes any text file, whole or not at all.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_atomic(self.file(name), |w| w.write_all(text.as_bytes()))
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.file(name);
        fs::read_to_string(&path).map_err(|e| Error::io(path, e))
    }
}

/// Where a run ran: the version of mapsto, system, processor and number of cores, the time, and the command.
///
/// ```
/// let env = mapsto_train::environment();
/// assert_eq!(env[0].0, "mapsto");
/// ```
#[must_use]
pub fn environment() -> Vec<(String, Json)> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let command: Vec<String> = std::env::args().collect();
    let pairs = [
        ("mapsto", Json::from(env!("CARGO_PKG_VERSION"))),
        ("os", Json::from(std::env::consts::OS)),
        ("arch", Json::from(std::env::consts::ARCH)),
        ("cpu", processor().map_or(Json::Null, Json::from)),
        ("cores", Json::from(cores)),
        ("started", Json::from(utc(now))),
        ("command", Json::from(command)),
    ];
    pairs.map(|(k, v)| (k.to_string(), v)).to_vec()
}

/// The processor's name, where the system tells it in a file.
fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Seconds since 1970 as `2026-01-31T12:00:00Z` (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn utc(seconds: u64) -> String {
    let (days, rest) = ((seconds / 86_400) as i64, seconds % 86_400);
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (d, m) = (day - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let y = year + era * 400 + i64::from(m <= 2);
    format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_folder_is_not_taken_over() {
        let path = std::env::temp_dir().join(format!("mapsto-run-folder-{}", std::process::id()));
        let run = RunFolder::create(&path).unwrap();
        assert!(RunFolder::open(&path).unwrap_err().to_string().contains("no run folder"));
        run.write_config("").unwrap();
        run.write_env(vec![("seed".into(), Json::Int(42))]).unwrap();
        let env = Json::parse(&run.read("env.json").unwrap()).unwrap();
        assert_eq!(env.get("seed"), Some(&Json::Int(42)));
        assert!(RunFolder::create(&path).unwrap_err().to_string().contains("not empty"));
        assert_eq!(RunFolder::open(&path).unwrap(), run);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn dates() {
        // date -u -d @1709164800 = 2024-02-29 00:00:00; date -u -d @4102444799 = 2099-12-31 23:59:59
        let dates = [0, 1_709_164_800, 4_102_444_799].map(utc);
        assert_eq!(dates, ["1970-01-01T00:00:00Z", "2024-02-29T00:00:00Z", "2099-12-31T23:59:59Z"]);
    }
}
