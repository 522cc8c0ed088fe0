//! Who writes into the folder of a run: the lock that one process holds, and the check that the folder is still the one it was.

use mapsto_tensor::{Error, ErrorKind, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A run's folder held by this process; see [`RunFolder::lock`](crate::RunFolder::lock).
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
    made: bool,
}

impl RunLock {
    /// Locks the file at `path` of the run in `folder`; made if it is not there.
    pub(crate) fn take(path: PathBuf, folder: &Path) -> Result<RunLock> {
        loop {
            let made = !path.exists();
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|e| Error::io(&path, e))?;
            match file.try_lock() {
                // A file that was removed between opening and locking it locks nothing.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(RunLock { file, path, made }),
                Err(TryLockError::WouldBlock) => {
                    let message = format!("{}: another process is training this run", folder.display());
                    return Err(
                        Error::new(ErrorKind::Io, message).help("wait for it, or stop it, and try again")
                    );
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(&path, e)),
            }
        }
    }

    /// Whether the folder is still the one that was locked: where it was removed, a run of another process may be there now.
    #[must_use]
    pub fn holds(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Gives the folder back as it was found: a lock file that was not there before is removed.
    pub fn undo(self) {
        if self.made {
            _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder of a run as it was when a training saw it first.
pub(crate) struct SeenFolder {
    path: PathBuf,
    /// Open, so that no other folder gets its number; none where a system opens no folders.
    folder: Option<File>,
}

impl SeenFolder {
    /// The folder at `path`, if it is there.
    pub(crate) fn look(path: &Path) -> Option<SeenFolder> {
        path.is_dir().then(|| SeenFolder { path: path.into(), folder: File::open(path).ok() })
    }

    /// Refuses to write where somebody has removed the folder, and perhaps begun another run in its place.
    pub(crate) fn check(&self) -> Result<()> {
        present(&self.path)?;
        if self.folder.as_ref().is_none_or(|folder| is_at(folder, &self.path)) {
            return Ok(());
        }
        let message =
            format!("{}: the folder of the run was removed, and another is there", self.path.display());
        Err(Error::new(ErrorKind::Io, message)
            .help("was a new run started in its place while this one was under way?"))
    }
}

/// Whether an open file is the one that has this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |found: std::io::Result<fs::Metadata>| found.map(|m| (m.dev(), m.ino())).ok();
    id(file.metadata()) == id(fs::metadata(path))
}

/// Whether an open file is the one that has this path; here an open file cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Refuses a run's folder that was there and is not any more: writing on would make another one in its place.
pub(crate) fn present(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let message = format!("{}: the folder of the run is gone", folder.display());
    Err(Error::new(ErrorKind::Io, message).help("was it removed or renamed while the run was under way?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunFolder;

    #[test]
    fn a_lock_that_was_not_there_leaves_no_trace_when_undone() {
        let path = std::env::temp_dir().join(format!("mapsto-undo-{}", std::process::id()));
        let run = RunFolder::create(&path).unwrap();
        run.lock().unwrap().undo();
        assert!(!run.file(".lock").exists());
        drop(run.lock().unwrap());
        run.lock().unwrap().undo();
        assert!(run.file(".lock").exists(), "it was there before");
        fs::remove_dir_all(path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_holds_no_folder_that_takes_the_place_of_its_own() {
        let path = std::env::temp_dir().join(format!("mapsto-place-{}", std::process::id()));
        let (_, old) = RunFolder::create_again(&path).unwrap();
        assert!(old.holds());
        fs::remove_dir_all(&path).unwrap();
        assert!(!old.holds());
        let (_, new) = RunFolder::create_again(&path).unwrap();
        assert!(new.holds() && !old.holds());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn of_many_that_begin_at_once_one_has_the_folder_and_its_files() {
        let path = std::env::temp_dir().join(format!("mapsto-race-{}", std::process::id()));
        for round in 0..100 {
            if round % 2 == 1 {
                // What a run left that was killed in its first epoch.
                fs::create_dir_all(&path).unwrap();
                ["config.toml", "env.json", ".lock"]
                    .iter()
                    .for_each(|name| fs::write(path.join(name), "").unwrap());
            }
            let begin = |number: usize| {
                let begun = RunFolder::create_again(&path);
                begun
                    .inspect(|(run, _)| run.write_config(&number.to_string()).unwrap())
                    .ok()
                    .map(|held| (number, held))
            };
            let held: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..5).map(|number| scope.spawn(move || begin(number))).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            let [(winner, (run, _lock))] = &held[..] else { panic!("{} have the folder", held.len()) };
            assert_eq!(run.config().unwrap(), winner.to_string());
            assert!(run.file(".lock").is_file());
            drop(held);
            fs::remove_dir_all(&path).unwrap();
        }
    }
}
