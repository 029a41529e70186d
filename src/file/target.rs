//! Where a path leads: to a plain file, which can be replaced whole, or to what can only be written into.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// As many symbolic links in a row as Linux follows.
const LINKS: usize = 40;

/// The folder that a file is in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is behind a path.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    /// A plain file, or none yet: its own path, behind all symbolic links.
    File(PathBuf),
    /// A pipe, a terminal, a device: cannot be replaced, and what follows a rename would no longer come out there.
    Stream(PathBuf),
    /// An open file of this process by number, as `/dev/stdout` and a shell's `>(…)` are.
    Open(i32, PathBuf),
}

impl Target {
    /// Follows the links of `path`. Errors: a folder, links that go round in a circle.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_path_buf();
        for _ in 0..LINKS {
            if let Some(number) = number(&path) {
                return Ok(Target::Open(number, path));
            }
            // Of what links lead to in the end.
            let found = fs::metadata(&path);
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
                let next = folder(&path).join(fs::read_link(&path)?);
                // The text of some links of /proc is no path: pipe:[7].
                if found.is_ok() && number(&next).is_none() && fs::symlink_metadata(&next).is_err() {
                    return Ok(Target::Stream(path));
                }
                path = next;
                continue;
            }
            return match found {
                Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
                Ok(found) if !found.is_file() => Ok(Target::Stream(path)),
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(Target::File(path)),
            };
        }
        Err(io::Error::new(ErrorKind::InvalidInput, "symbolic links that go round in a circle"))
    }

    /// A stream, to write into; a plain file is left to its caller.
    pub(super) fn stream(&self) -> io::Result<Option<File>> {
        match self {
            Target::File(_) => Ok(None),
            Target::Stream(path) => OpenOptions::new().write(true).open(path).map(Some),
            Target::Open(number, path) => open(*number, path).map(Some),
        }
    }

    /// Whether one can write there, without a trace of having tried.
    pub(super) fn check(&self) -> io::Result<()> {
        match self {
            // Opening waits for a reader, who would take the closing for the end.
            Target::Stream(path) if is_fifo(path) => Ok(()),
            Target::Stream(_) => self.stream().map(drop),
            Target::File(_) | Target::Open(..) => Ok(()),
        }
    }
}

/// The number of an open file of this process that `path` is a name of.
#[cfg(unix)]
fn number(path: &Path) -> Option<i32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let own = fs::canonicalize("/dev/fd").ok()?;
    (fs::canonicalize(folder(path)).ok()? == own).then_some(number)
}

#[cfg(not(unix))]
fn number(_path: &Path) -> Option<i32> {
    None
}

/// An open file of this process. Standard output and error are shared and not opened anew: where they are files, what is
/// written goes behind what was written before.
#[cfg(unix)]
fn open(number: i32, path: &Path) -> io::Result<File> {
    use std::io::Write;
    use std::os::fd::AsFd;
    Ok(match number {
        1 => {
            // What is printed already comes first.
            io::stdout().flush()?;
            io::stdout().as_fd().try_clone_to_owned()?.into()
        }
        2 => io::stderr().as_fd().try_clone_to_owned()?.into(),
        _ => OpenOptions::new().append(true).open(path)?,
    })
}

#[cfg(not(unix))]
fn open(_number: i32, path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

#[cfg(unix)]
fn is_fifo(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_fifo(_path: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::file::{check_writable, write};
    use std::os::unix::fs::symlink;
    use std::process::Command;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn links_stay_and_lead_to_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/file"), "old").unwrap();
        symlink("far/file", at("near")).unwrap();
        symlink("near", at("twice")).unwrap();
        // Nothing there yet: made where the link points.
        symlink("far/new", at("ahead")).unwrap();
        for (link, file) in [("near", "far/file"), ("twice", "far/file"), ("ahead", "far/new")] {
            check_writable(at(link)).unwrap();
            write(at(link), link).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert_eq!((read(&at(link)).as_str(), read(&at(file)).as_str()), (link, link));
        }
        assert_eq!(fs::read_dir(at("far")).unwrap().count(), 2, "nothing is left beside");
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        symlink("far", at("folder")).unwrap();
        for (link, why) in [("a", "circle"), ("folder", "directory")] {
            for error in [check_writable(at(link)).unwrap_err(), write(at(link), "").unwrap_err()] {
                let error = error.to_string();
                assert!(error.contains(link) && error.contains(why), "{error}");
            }
        }
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, "new").unwrap();
        assert_eq!((read(&path).as_str(), fs::metadata(&path).unwrap().permissions().mode() & 0o777), ("new", 0o600));
    }

    #[test]
    fn a_fifo_is_written_into_and_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("fifo"), folder.path().join("link"));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        symlink("fifo", &link).unwrap();
        // Does not wait for a reader.
        check_writable(&link).unwrap();
        let reader = {
            let path = path.clone();
            std::thread::spawn(move || read(&path))
        };
        write(&link, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(is_fifo(&path));
    }

    #[test]
    fn a_device_is_written_into() {
        write("/dev/null", "gone").unwrap();
        assert_eq!(Target::of(Path::new("/dev/null")).unwrap(), Target::Stream("/dev/null".into()));
        assert_eq!(fs::read_dir("/dev").unwrap().filter(|e| is_left(e.as_ref().unwrap())).count(), 0);
        if Path::new("/dev/full").exists() {
            check_writable(Path::new("/dev/full")).unwrap();
            let error = write("/dev/full", "more").unwrap_err().to_string();
            assert!(error.starts_with("/dev/full: No space left"), "{error}");
        }
    }

    fn is_left(entry: &fs::DirEntry) -> bool {
        entry.file_name().to_string_lossy().ends_with(".tmp")
    }

    #[test]
    fn open_files_are_known_by_any_name() {
        for (name, expected) in [("/dev/stdout", 1), ("/dev/fd/2", 2), ("/proc/self/fd/1", 1), ("/dev/stderr", 2)] {
            if Path::new(name).parent().is_some_and(Path::exists) {
                let found = Target::of(Path::new(name)).unwrap();
                assert!(matches!(found, Target::Open(number, _) if number == expected), "{name}: {found:?}");
            }
        }
        // A file that has a number for a name is a file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1");
        assert_eq!(Target::of(&path).unwrap(), Target::File(path));
    }
}
