//! The folder of a run: all that is needed to read, judge, continue and repeat it.

use crate::atomic_file::{to_become, write_within};
use crate::callbacks::CHECKPOINTS;
use crate::environment::environment;
use crate::evaluate::Predictions;
use crate::history::History;
use crate::run_lock::{RunLock, present};
use crate::trainer::REPLAY;
use mapsto_nn::Outputs;
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
/// | `health.jsonl` | gradients, changes and dead units of each layer, now and then ([`Health`](crate::callbacks::Health)) |
/// | `best.safetensors` | the best model |
/// | `last.safetensors` | the last state, to resume from |
/// | `predictions.csv` | the model's answer to every test sample |
/// | `checkpoints/*.safetensors` | the best models and the states after every so many epochs, where asked for |
/// | `tensorboard/events.*` | an event file of TensorBoard, where asked for |
/// | `replay.safetensors` | the step whose loss or gradient was not finite ([`replay`](crate::replay)) |
/// | `plots/*.svg` | curves, confusion matrix, mistakes, filters |
/// | `report.html` | all of it on one page |
/// | `.lock` | empty; held by the process that trains ([`RunFolder::lock`]) |
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
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The folders that were made for this run, the outermost first.
    made: Vec<PathBuf>,
}

/// The files that a run writes directly into its folder.
const FILES: [&str; 12] = [
    "config.toml",
    "env.json",
    "preflight.json",
    "metrics.csv",
    "metrics.jsonl",
    "health.jsonl",
    "best.safetensors",
    "last.safetensors",
    "predictions.csv",
    "report.html",
    REPLAY,
    LOCK,
];

const LOCK: &str = ".lock";
/// The folder of the files that TensorBoard reads.
const EVENTS: &str = "tensorboard";

impl RunFolder {
    /// Makes `base/name-1`, or the first number that is free.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn numbered(base: impl AsRef<Path>, name: &str) -> Result<RunFolder> {
        let base = base.as_ref();
        let mut made = make(base)?;
        let mut number = 1;
        loop {
            let path = base.join(format!("{name}-{number}"));
            // Making the folder claims the number, so that two runs started together get two folders.
            match fs::create_dir(&path) {
                Ok(()) => {
                    made.push(path.clone());
                    return Ok(RunFolder { path, made });
                }
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
        let run = RunFolder { made: make(&path)?, path };
        run.check_empty()?;
        Ok(run)
    }

    /// As [`create`](RunFolder::create), and takes over what a run left behind that was stopped in its first epoch, in which
    /// there is nothing to go on from. The folder is [locked](RunFolder::lock): of several processes that begin at once, one has it.
    ///
    /// # Errors
    /// As [`create`](RunFolder::create), and when another process is training there.
    pub fn create_again(path: impl Into<PathBuf>) -> Result<(RunFolder, RunLock)> {
        let path = path.into();
        let run = RunFolder { made: make(&path)?, path };
        // Nothing is put into a folder of other things, a lock neither.
        if !run.is_barely_begun() {
            run.check_empty()?;
        }
        let lock = run.lock()?;
        // Another process may have been quicker, and be done by now.
        if !run.is_barely_begun() {
            lock.undo();
            return Err(run.not_empty());
        }
        FILES.iter().filter(|name| **name != LOCK).for_each(|name| _ = fs::remove_file(run.file(name)));
        [CHECKPOINTS, EVENTS].iter().for_each(|name| _ = fs::remove_dir_all(run.file(name)));
        run.sweep();
        Ok((run, lock))
    }

    fn check_empty(&self) -> Result<()> {
        let mut content = fs::read_dir(&self.path).map_err(|e| Error::io(&self.path, e))?;
        if content.next().is_some() { Err(self.not_empty()) } else { Ok(()) }
    }

    fn not_empty(&self) -> Error {
        Error::new(ErrorKind::Usage, format!("{}: the folder is not empty", self.path.display()))
            .help("name a new folder, or resume the run that is there")
    }

    /// A folder at this path, which is neither made nor looked at.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> RunFolder {
        RunFolder { path: path.into(), made: Vec::new() }
    }

    /// The folder of a run that was started before.
    ///
    /// # Errors
    /// When there is no such folder, or neither a `config.toml` nor a `last.safetensors` in it, which knows the configuration too.
    pub fn open(path: impl Into<PathBuf>) -> Result<RunFolder> {
        let run = RunFolder::at(path);
        if !run.path.exists() {
            let message = format!("{}: no such folder", run.path.display());
            return Err(Error::new(ErrorKind::Io, message)
                .help("give the folder that `mapsto train` made, such as runs/mnist-1"));
        }
        if !run.file("config.toml").is_file() && !run.last().is_file() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{}: no run folder (no config.toml in it)", run.path.display()),
            )
            .help("give the folder that `mapsto train` made, such as runs/mnist-1"));
        }
        Ok(run)
    }

    /// Whether a run has begun here and left nothing to go on from or to use: it was stopped, in whatever way, in its first
    /// epoch. The lock shows that it was a run.
    #[must_use]
    pub fn is_barely_begun(&self) -> bool {
        let names = |folder: &Path| -> Vec<String> {
            let content = fs::read_dir(folder).into_iter().flatten().flatten();
            content.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
        };
        // What the first epoch leaves before its state is written, which is the last thing that it writes.
        let is_head = |name: &String| match name.as_str() {
            "config.toml" | "env.json" | "preflight.json" | "health.jsonl" | "best.safetensors" | REPLAY
            | LOCK => true,
            "metrics.csv" => self.has_lines(name, 2),
            "metrics.jsonl" => self.has_lines(name, 1),
            CHECKPOINTS => names(&self.file(name))
                .iter()
                .all(|file| file.ends_with(".safetensors") || to_become(file).is_some()),
            EVENTS => names(&self.file(name)).iter().all(|file| file.starts_with("events.out.tfevents")),
            _ => is_of_a_killed_write(name),
        };
        let names = names(&self.path);
        self.file(LOCK).is_file() && names.iter().all(is_head)
    }

    /// Whether a file has at most so many lines.
    fn has_lines(&self, name: &str, most: usize) -> bool {
        fs::read(self.file(name)).is_ok_and(|text| text.iter().filter(|c| **c == b'\n').count() <= most)
    }

    /// Takes the folder for this process, until the lock is dropped or the process ends, in whatever way.
    ///
    /// The lock is the operating system's, on the empty file `.lock`: a crash frees it, and a file that lies there holds
    /// nobody up. The file stays, except that [`RunLock::undo`] removes one that was not there before.
    ///
    /// ```
    /// use mapsto_train::RunFolder;
    /// let path = std::env::temp_dir().join(format!("mapsto-lock-{}", std::process::id()));
    /// let run = RunFolder::create(&path).unwrap();
    /// let lock = run.lock().unwrap();
    /// assert!(run.lock().unwrap_err().to_string().contains("another process"));
    /// drop(lock);
    /// assert!(run.lock().is_ok());
    /// # std::fs::remove_dir_all(path).unwrap();
    /// ```
    ///
    /// # Errors
    /// When another process holds it, or the file system has no locks.
    pub fn lock(&self) -> Result<RunLock> {
        RunLock::take(self.file(LOCK), &self.path)
    }

    /// Removes what the run has written, and the folders that were made for it where nothing else is in them.
    pub fn discard(&self) {
        // A file that cannot be removed stays, and so does the folder around it; what led here is the error to report.
        FILES.iter().for_each(|name| _ = fs::remove_file(self.file(name)));
        self.sweep();
        self.made.iter().rev().for_each(|folder| _ = fs::remove_dir(folder));
    }

    /// Removes what processes that were killed have left half written of this run's files. Whoever calls it holds the lock, so
    /// that nobody is writing.
    pub fn sweep(&self) {
        let files = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let remove = |e: fs::DirEntry| _ = fs::remove_file(e.path());
        let name = |e: &fs::DirEntry| e.file_name().to_string_lossy().into_owned();
        files(&self.path).filter(|e| is_of_a_killed_write(&name(e))).for_each(remove);
        let is_plot = |e: &fs::DirEntry| to_become(&name(e)).is_some_and(|file| file.ends_with(".svg"));
        files(&self.file("plots")).filter(is_plot).for_each(remove);
        let is_model =
            |e: &fs::DirEntry| to_become(&name(e)).is_some_and(|file| file.ends_with(".safetensors"));
        files(&self.file(CHECKPOINTS)).filter(is_model).for_each(remove);
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

    /// The step that ended the run with a number that is not finite, for [`replay`](crate::replay).
    #[must_use]
    pub fn replay(&self) -> PathBuf {
        self.file(REPLAY)
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
    /// When the file system refuses, or the folder is gone.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        present(&self.path)?;
        write_within(&self.file(name), Some(&self.path), |w| w.write_all(text.as_bytes()))
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.file(name);
        fs::read_to_string(&path).map_err(|e| Error::io(path, e))
    }
}

impl PartialEq for RunFolder {
    fn eq(&self, other: &RunFolder) -> bool {
        self.path == other.path
    }
}

impl Eq for RunFolder {}

/// Whether a file is what a process that was killed had written of one of a run's.
fn is_of_a_killed_write(name: &str) -> bool {
    to_become(name).is_some_and(|file| FILES.contains(&file))
}

/// Makes a folder and those above it, and says which were not there.
fn make(folder: &Path) -> Result<Vec<PathBuf>> {
    let above = folder.ancestors().filter(|f| !f.as_os_str().is_empty());
    let mut missing: Vec<PathBuf> = above.take_while(|f| !f.exists()).map(Path::to_path_buf).collect();
    missing.reverse();
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    Ok(missing)
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
    fn only_what_the_run_wrote_is_removed() {
        let base = std::env::temp_dir().join(format!("mapsto-discard-{}", std::process::id()));
        let run = RunFolder::create(base.join("a/b")).unwrap();
        run.write_config("").unwrap();
        drop(run.lock().unwrap());
        fs::write(base.join("a/notes.txt"), "mine").unwrap();
        run.discard();
        assert!(!base.join("a/b").exists() && base.join("a/notes.txt").exists());
        fs::create_dir(base.join("a/b")).unwrap();
        let run = RunFolder::create(base.join("a/b")).unwrap();
        run.write_config("").unwrap();
        fs::write(base.join("a/b/notes.txt"), "mine").unwrap();
        run.discard();
        let left: Vec<_> = fs::read_dir(base.join("a/b")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
        fs::remove_file(base.join("a/b/notes.txt")).unwrap();
        run.discard();
        assert!(base.join("a/b").is_dir(), "the folder was there before the run");
        fs::remove_dir_all(&base).unwrap();
        let run = RunFolder::numbered(base.join("runs"), "net").unwrap();
        run.discard();
        assert!(!base.exists());
        assert!(run.write_config("").unwrap_err().to_string().contains("is gone"));
        assert!(!base.exists(), "writing must not make the folder again");
    }

    #[test]
    fn what_a_killed_run_leaves_in_its_first_epoch_is_taken_over() {
        let path = std::env::temp_dir().join(format!("mapsto-killed-{}", std::process::id()));
        let begun = |more: &str| {
            let run = RunFolder::at(&path);
            fs::create_dir_all(&path).unwrap();
            run.write_config("").unwrap();
            run.write_env(Vec::new()).unwrap();
            drop(run.lock().unwrap());
            fs::write(path.join(".last.safetensors.123.4.tmp"), "half").unwrap();
            if !more.is_empty() {
                fs::write(path.join(more), "mine").unwrap();
            }
            run
        };
        assert!(begun("").is_barely_begun());
        // A configuration without the lock of a run is somebody's own file.
        fs::remove_file(path.join(LOCK)).unwrap();
        assert!(!RunFolder::at(&path).is_barely_begun());
        // Killed while it wrote its first file.
        fs::remove_dir_all(&path).unwrap();
        fs::create_dir_all(&path).unwrap();
        drop(RunFolder::at(&path).lock().unwrap());
        fs::write(path.join(".config.toml.123.4.tmp"), "half").unwrap();
        assert!(RunFolder::at(&path).is_barely_begun());
        begun("");
        let held = RunFolder::at(&path).lock().unwrap();
        assert!(RunFolder::create_again(&path).unwrap_err().to_string().contains("another process"));
        drop(held);
        drop(RunFolder::create_again(&path).unwrap());
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
        for more in [
            "best.safetensors",
            "metrics.csv",
            "checkpoints/epoch-1.safetensors",
            "tensorboard/events.out.tfevents.1",
        ] {
            fs::create_dir_all(path.join(more).parent().unwrap()).unwrap();
            assert!(begun(more).is_barely_begun(), "{more}");
            drop(RunFolder::create_again(&path).unwrap());
            let left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left, [LOCK], "{more}");
        }
        fs::write(path.join("metrics.csv"), "epoch,loss\n1,2\n2,1\n").unwrap();
        assert!(!begun("").is_barely_begun(), "two epochs");
        fs::remove_dir_all(&path).unwrap();
        for more in ["last.safetensors", "notes.txt", ".notes.tmp", "predictions.csv", "checkpoints/mine.txt"]
        {
            fs::create_dir_all(path.join(more).parent().unwrap()).unwrap();
            assert!(!begun(more).is_barely_begun(), "{more}");
            assert!(RunFolder::create_again(&path).unwrap_err().to_string().contains("not empty"));
            assert!(path.join(more).exists());
            fs::remove_dir_all(&path).unwrap();
        }
    }

    #[test]
    fn only_what_killed_processes_left_is_swept() {
        let path = std::env::temp_dir().join(format!("mapsto-sweep-{}", std::process::id()));
        let run = RunFolder::at(&path);
        fs::create_dir_all(path.join("plots")).unwrap();
        let left = [".best.safetensors.1.2.tmp", ".metrics.csv.77.0.tmp", "plots/.loss.svg.1.0.tmp"];
        let kept = [
            ".best.safetensors.tmp",
            ".notes.1.2.tmp",
            "best.safetensors",
            "plots/loss.svg",
            "plots/.a.1.2.tmp",
        ];
        left.iter().chain(&kept).for_each(|name| fs::write(path.join(name), "x").unwrap());
        run.sweep();
        assert!(left.iter().all(|name| !path.join(name).exists()));
        assert!(kept.iter().all(|name| path.join(name).exists()));
        fs::remove_dir_all(path).unwrap();
    }
}
