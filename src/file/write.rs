//! Writing a file beside its place and renaming it, so that no reader ever meets half a file.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A name of one's own beside a file: of another process, another thread, another call.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

/// Whether [`write_whole`] could begin: the folder is there and lets one write, and no folder is in the file's place.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    let beside = beside(path);
    let probe = || {
        if path.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        File::create(&beside)?;
        fs::remove_file(&beside)
    };
    probe().map_err(|e| Error::io(path, e))
}

/// Lets `write` fill a file beside its place, syncs it and renames it, so that `path` never holds half a file: on an
/// error it holds what it held before.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let beside = beside(path);
    let fill = || {
        let mut file = BufWriter::new(File::create(&beside)?);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename itself lies in the folder; not every system lets one sync that.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).ok();
        Ok(())
    };
    fill().map_err(|e| {
        fs::remove_file(&beside).ok();
        Error::io(path, e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_whole(&path, |file| file.write_all(b"old")).unwrap();
        let failed = write_whole(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(std::io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(Error::Io { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
