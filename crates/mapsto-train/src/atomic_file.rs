//! Files that are either whole or absent: written beside their place, synced, then renamed into it.

use mapsto_tensor::{Error, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that a crash at any moment leaves either the old content or the new one, never a part.
///
/// The bytes go to a hidden temporary file in the same folder, which is synced to the disk and renamed over `path`;
/// the folder is then synced too, so that the name itself survives a power cut. Missing parent folders are made.
///
/// ```
/// let path = std::env::temp_dir().join(format!("mapsto-atomic-{}.txt", std::process::id()));
/// mapsto_train::write_atomic(&path, |w| w.write_all(b"42")).unwrap();
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "42");
/// # std::fs::remove_file(path).unwrap();
/// ```
///
/// # Errors
/// Whatever the file system says, with the path; the temporary file is removed.
pub fn write_atomic(
    path: impl AsRef<Path>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    write_within(path.as_ref(), None, content)
}

/// As [`write_atomic`], but a folder that is known to be `there` is not made: if it is gone, somebody has removed it, and the
/// error says so.
pub(crate) fn write_within(
    path: &Path,
    there: Option<&Path>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let temporary = beside(path);
    let done = write_synced(&temporary, there, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(err) = done {
        let _ = fs::remove_file(&temporary);
        return Err(Error::io(path, err));
    }
    sync_folder(path);
    Ok(())
}

fn write_synced(
    path: &Path,
    there: Option<&Path>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty() && Some(*p) != there) {
        fs::create_dir_all(folder)?;
    }
    let mut writer = BufWriter::with_capacity(1 << 18, File::create(path)?);
    content(&mut writer)?;
    writer.into_inner().map_err(|e| e.into_error())?.sync_all()
}

/// A name no other process or thread of ours writes to at the same time.
fn beside(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{serial}.tmp", std::process::id()))
}

/// What was to become of a file whose name [`beside`] gave; nothing for any other name.
pub(crate) fn to_become(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplitn(3, '.');
    let numbers = [parts.next()?, parts.next()?];
    numbers.iter().all(|n| n.parse::<u64>().is_ok()).then_some(parts.next()?)
}

/// Not every file system lets a folder be opened and synced, and the file itself is safe by now: best effort.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_there_is_not_made_again() {
        let folder = std::env::temp_dir().join(format!("mapsto-gone-{}", std::process::id()));
        let gone = write_within(&folder.join("a.txt"), Some(&folder), |w| w.write_all(b"x"));
        assert!(gone.unwrap_err().to_string().contains("a.txt") && !folder.exists());
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("mapsto-atomic-file-{}", std::process::id()));
        let path = folder.join("a.txt");
        write_atomic(&path, |w| w.write_all(b"old")).unwrap();
        let failed = write_atomic(&path, |w| {
            w.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "the temporary file is gone");
        fs::remove_dir_all(folder).unwrap();
    }
}
