//! `Scratch`: a folder for the files of a run of which nothing is kept.

use mapsto_tensor::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of its own among the system's temporary files, which is removed with all in it when this is dropped.
///
/// ```
/// use mapsto_train::Scratch;
/// let scratch = Scratch::new()?;
/// let path = scratch.path().to_path_buf();
/// assert!(path.is_dir());
/// drop(scratch);
/// assert!(!path.exists());
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Scratch> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mapsto-dev-run-{}-{serial}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| Error::io(&path, e))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies among temporary files, which the system removes.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
