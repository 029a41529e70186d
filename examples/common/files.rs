//! Files that the examples read and write: whether results have a place, and that it is none of the program's own files.

use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// Standard input or output, where a file is asked for.
pub const STANDARD: &str = "-";

/// Files by what they are to a program (`--train`, say).
pub type Files = Vec<(String, PathBuf)>;

/// Writes a file whole or not at all; `-` is standard output, and what is no plain file is written into.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    match path.as_os_str() == STANDARD {
        true => super::say!("{}", text.trim_end_matches('\n')),
        false => Ok(elman::file::write(path, text)?),
    }
}

/// Finds out before the work whether its results will have a place, and one that is none of `others`.
pub fn output_problem(option: &str, path: &Path, others: &Files) -> Option<String> {
    if path.as_os_str() == STANDARD {
        return None;
    }
    if let Some((what, _)) = others.iter().find(|(_, other)| same(path, other)) {
        return Some(format!("{option} {}: this is the file of {what}; give another", path.display()));
    }
    elman::file::check_writable(path).err().map(|error| format!("{option} {error}"))
}

/// Finds out before the work whether a file can be read.
pub fn input_problem(option: &str, path: &Path) -> Option<String> {
    if path.as_os_str() == STANDARD {
        return None;
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Some(format!("{option} {}: this is a folder, not a file", path.display())),
        // A pipe is not opened for a trial: what is in it can be read once.
        Ok(found) if found.is_file() => {
            fs::File::open(path).err().map(|error| format!("{option} {}: {error}", path.display()))
        }
        Ok(_) => None,
        Err(error) => Some(format!("{option} {}: {error}", path.display())),
    }
}

/// What is wrong with the files that a training reads and keeps the paths of.
pub fn input_problems(files: &Files) -> Vec<String> {
    let mut problems: Vec<String> = files.iter().filter_map(|(option, path)| input_problem(option, path)).collect();
    if files.iter().filter(|(_, path)| path.as_os_str() == STANDARD).count() > 1 {
        problems.push("-: standard input can be read once; give a file for all but one".into());
    }
    for (option, path) in files.iter().filter(|(_, path)| path.to_str().is_none()) {
        problems.push(format!("{option} {}: expected a path in UTF-8, to be kept with the run", path.display()));
    }
    problems
}

/// Whether two paths lead to one plain file, there or yet to be made.
pub fn same(a: &Path, b: &Path) -> bool {
    let is_other = |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
    if is_other(a) || is_other(b) {
        return false;
    }
    #[cfg(unix)]
    if let (Ok(a), Ok(b)) = (fs::metadata(a), fs::metadata(b)) {
        use std::os::unix::fs::MetadataExt;
        // Hard links too.
        return (a.dev(), a.ino()) == (b.dev(), b.ino());
    }
    place(a).is_some_and(|a| Some(a) == place(b))
}

/// Where a file is, or would be made.
fn place(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok().or_else(|| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    })
}

/// A file to read, or standard input: that is kept in a file, as readers look at a beginning twice.
pub struct Input {
    given: PathBuf,
    path: PathBuf,
    // Goes with the input.
    _folder: Option<tempfile::TempDir>,
}

impl Input {
    pub fn open(given: &Path) -> anyhow::Result<Self> {
        if given.as_os_str() != STANDARD {
            return Ok(Input { given: given.into(), path: given.into(), _folder: None });
        }
        let folder = tempfile::tempdir().context("standard input")?;
        let path = folder.path().join("input");
        let kept = fs::File::create(&path).and_then(|mut file| std::io::copy(&mut std::io::stdin().lock(), &mut file));
        kept.context("standard input")?;
        Ok(Input { given: "standard input".into(), path, _folder: Some(folder) })
    }

    /// What `read` makes of the file; its errors name what was given.
    pub fn read<T>(&self, read: impl FnOnce(&Path) -> elman::Result<T>) -> anyhow::Result<T> {
        let given = |error: elman::Error| match error {
            elman::Error::Io { error, .. } => elman::Error::io(&self.given, error),
            elman::Error::Parse { line, why, .. } => elman::Error::Parse { path: self.given.clone(), line, why },
            other => other,
        };
        read(&self.path).map_err(|error| given(error).into())
    }
}
