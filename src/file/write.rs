//! Files written whole or not at all: beside their place, synced, then renamed. What is behind a symbolic link is
//! replaced, the link stays; what is no plain file ([`Target`]) is written into.
//!
//! A writer's file beside the target has a name of its own (`NAME.PID.N.tmp`) and is locked for as long as the writer
//! lives. What a killed run left behind is therefore known by its lock being free, and goes with the next save to the
//! same target. Where a file system knows no locks, nothing is cleared away.

use super::target::{Target, folder};
use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A name of one's own beside a file: of another process, another thread, another call.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

/// Finds out before the work whether [`write()`] could begin: the folder is there and lets one write, and no folder is in
/// the file's place. Leaves no trace.
///
/// A pipe or a device is only opened, and a named pipe not even that: opening one waits for a reader.
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let probe = || {
        let target = Target::of(path)?;
        let Target::File(file) = &target else { return target.check() };
        // Of a run that was killed while it probed, perhaps.
        clear(file);
        let (beside, _file) = create(file)?;
        fs::remove_file(&beside)
    };
    probe().map_err(|e| Error::io(path, e))
}

/// Gives a file this content, all of it or nothing: whatever happens (a full disk, a loss of power), `path` holds the old
/// file or the whole new one.
///
/// The file behind a symbolic link is replaced and the link stays; a file keeps its permissions. What is no plain file (a
/// pipe, a terminal, a device, `/dev/stdout`) is written into. Errors name the path.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels.txt");
/// elman::file::check_writable(&path)?;
/// elman::file::write(&path, "ham\nspam\n")?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "ham\nspam\n");
/// # Ok::<(), elman::Error>(())
/// ```
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    let path = path.as_ref();
    write_whole(path, |writer| writer.write_all(content.as_ref()).map_err(|e| Error::io(path, e)))
}

/// [`write()`] with a content that comes piece by piece.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let failed = |e| Error::io(path, e);
    let target = Target::of(path).map_err(failed)?;
    if let Some(stream) = target.stream().map_err(failed)? {
        let mut writer = BufWriter::new(stream);
        return write(&mut writer).and_then(|()| writer.flush().map_err(failed));
    }
    let Target::File(path) = &target else { return Ok(()) };
    clear(path);
    let (beside, file) = create(path).map_err(failed)?;
    let written = (|| {
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        let mut finish = || {
            writer.flush()?;
            if let Ok(old) = fs::metadata(path) {
                // Not every file system has them.
                writer.get_ref().set_permissions(old.permissions()).ok();
            }
            writer.get_ref().sync_all()?;
            fs::rename(&beside, path)?;
            // The rename itself lies in the folder; not every system lets one sync that.
            File::open(folder(path)).and_then(|folder| folder.sync_all()).ok();
            Ok(())
        };
        finish().map_err(failed)
    })();
    if written.is_err() {
        fs::remove_file(&beside).ok();
    }
    written
}

/// A new file beside `path`, locked.
fn create(path: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let beside = beside(path);
        let file = OpenOptions::new().write(true).create_new(true).open(&beside);
        let file = match file {
            // Of a killed run that had the number of this process.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
            file => file?,
        };
        match file.try_lock() {
            // Between the file's making and its locking another writer may have taken it for one left behind.
            Err(fs::TryLockError::WouldBlock) => continue,
            Ok(()) if !beside.exists() => continue,
            // Locked, or a file system without locks.
            _ => return Ok((beside, file)),
        }
    }
}

/// Removes what killed runs left beside `path`. What cannot be looked at or removed stays: the save itself matters more.
fn clear(path: &Path) {
    let Some(target) = path.file_name() else { return };
    let Ok(entries) = fs::read_dir(folder(path)) else { return };
    for entry in entries.flatten().filter(|entry| is_beside(&entry.file_name(), target)) {
        // Whoever has the lock may remove the file; a renamed file is no longer found under this name.
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// Whether `name` is one that [`beside`] gives for `target`.
fn is_beside(name: &std::ffi::OsStr, target: &std::ffi::OsStr) -> bool {
    let rest = name.as_encoded_bytes().strip_prefix(target.as_encoded_bytes());
    let number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let parts: Vec<&[u8]> = rest.unwrap_or_default().split(|&byte| byte == b'.').collect();
    matches!(parts[..], [b"", pid, count, b"tmp"] if number(pid) && number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn save(path: &Path, text: &str) -> Result<()> {
        write_whole(path, |writer| writer.write_all(text.as_bytes()).map_err(|e| Error::io(path, e)))
    }

    #[test]
    fn what_killed_runs_left_goes_with_the_next_save_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.st");
        save(&path, "old").unwrap();
        // Killed between the writing and the rename: a whole file beside the old one.
        fs::write(folder.path().join("run.st.4294967295.7.tmp"), "new").unwrap();
        fs::write(folder.path().join("run.st.4294967295.8.tmp"), "half").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let others = ["run.st.1.tmp", "run.st.a.1.tmp", "run.st.1.2.3.tmp", "other.st.1.2.tmp", "run.st.1.2.tmp2"];
        others.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        save(&path, "newer").unwrap();
        let mut expected: Vec<&str> = others.into_iter().chain(["run.st"]).collect();
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
        assert_eq!(fs::read_to_string(&path).unwrap(), "newer");
        // Probing clears up as well: not every path that is probed is saved to.
        fs::write(folder.path().join("run.st.4294967295.9.tmp"), "").unwrap();
        check_writable(&path).unwrap();
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn the_file_of_a_writer_at_work_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.st");
        write_whole(&path, |outer| {
            save(&path, "inner").unwrap();
            assert_eq!(names(folder.path()).len(), 2, "the target and the outer writer's file");
            outer.write_all(b"outer").map_err(|e| Error::io(&path, e))
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "outer");
        assert_eq!(names(folder.path()), ["run.st"]);
    }

    #[test]
    fn a_write_that_fails_halfway_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.st");
        save(&path, "old").unwrap();
        let error = write_whole(&path, |writer| {
            writer.write_all(b"half").unwrap();
            Err(Error::invalid("test", "room", "none"))
        });
        assert_eq!(error.unwrap_err().to_string(), "test: expected room, found none");
        assert_eq!((names(folder.path()), fs::read_to_string(&path).unwrap()), (vec!["run.st".into()], "old".into()));
    }
}
