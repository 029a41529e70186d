//! The folder of a run: which files it has, and that one process alone trains in it.

use super::super::files::Files;
use super::record::Record;
use super::settings::RunSettings;
use anyhow::{Context, bail, ensure};
use elman::checkpoint::Checkpoint;
use serde_json::Value;
use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The files of a run that always have the same names.
const OWN: [&str; 4] = ["run.json", "history.csv", "model.safetensors", "lock"];

/// The folder, held for training by this process.
pub struct Run {
    folder: PathBuf,
    /// Names that are the program's own.
    more: &'static [&'static str],
    /// Let go by the system when the process ends, in whatever way.
    _lock: File,
}

impl Run {
    /// Makes the folder if it is not there. Errors when another process trains in it.
    pub fn open(folder: &Path, more: &'static [&'static str]) -> anyhow::Result<Self> {
        let place = || format!("--run {}", folder.display());
        ensure!(!folder.is_file(), "{}: this is a file, not a folder", place());
        fs::create_dir_all(folder).with_context(place)?;
        let lock = folder.join("lock");
        let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => bail!("{}: another process trains there", place()),
            // A file system without locks does not keep anyone from training.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let run = Run { folder: folder.to_path_buf(), more, _lock: lock };
        if !run.is_begun()? {
            let found = checkpoint(folder).latest()?;
            ensure!(found.is_none(), "{}: there are checkpoints but no run.json to say of what", place());
        }
        Ok(run)
    }

    fn is_begun(&self) -> anyhow::Result<bool> {
        let path = self.file("run.json");
        path.try_exists().with_context(|| path.display().to_string())
    }

    /// What the run was begun with, if it was.
    pub fn record<S: RunSettings>(&self) -> anyhow::Result<Option<Record<S>>> {
        if !self.is_begun()? {
            return Ok(None);
        }
        let path = self.file("run.json");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Record::read(&text).map(Some).with_context(|| path.display().to_string())
    }

    /// Keeps what the run is begun with: whole, and before the first checkpoint.
    pub fn begin<S: RunSettings>(&self, record: &Record<S>) -> anyhow::Result<()> {
        self.write("run.json", &(serde_json::to_string_pretty(record)? + "\n"))
    }

    /// Writes a file of the folder whole or not at all.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(elman::file::write(self.file(name), text)?)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether a file is one that the run writes.
    pub fn owns(&self, path: &Path) -> bool {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let here =
            fs::canonicalize(folder).ok().is_some_and(|folder| fs::canonicalize(&self.folder).ok() == Some(folder));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        here && (names(self.more).any(|own| own == name) || name.starts_with("checkpoint."))
    }

    /// Its checkpoints.
    pub fn checkpoint(&self) -> Checkpoint {
        checkpoint(&self.folder)
    }
}

fn names(more: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    OWN.into_iter().chain(more.iter().copied())
}

/// The files of a run whose names are known, `more` of them the program's own: what a command that uses it must not write
/// over.
pub fn own_files(folder: &Path, more: &'static [&'static str]) -> Files {
    names(more).map(|name| ("--run".to_string(), folder.join(name))).collect()
}

/// The checkpoints of a folder.
pub fn checkpoint(folder: &Path) -> Checkpoint {
    Checkpoint::new(folder.join("checkpoint.safetensors")).keep(1)
}

/// Epochs that a checkpoint has behind it, with the one that it stands in.
pub fn epochs_begun(checkpoint: &Path) -> anyhow::Result<u64> {
    let read = || {
        let mut file = File::open(checkpoint)?;
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let mut header = Vec::new();
        file.take(u64::from_le_bytes(length)).read_to_end(&mut header)?;
        let header: Value = serde_json::from_slice(&header)?;
        let training = header["__metadata__"]["elman.training"].as_str().unwrap_or_default();
        let training: Value = serde_json::from_str(training)?;
        let done = training["epoch_logs"].as_array().map_or(0, Vec::len) as u64;
        anyhow::Ok(done + u64::from(!training["position"].is_null()))
    };
    read().with_context(|| format!("{}: not a checkpoint of a training", checkpoint.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_trains_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Run::open(folder.path(), &[]);
        let first = open().unwrap();
        let message = open().err().unwrap().to_string();
        assert!(message.ends_with("another process trains there"), "{message}");
        drop(first);
        // A child of another test, between its fork and its exec, has all open files of this process and their locks.
        let again = || std::iter::repeat_with(open).take(1000);
        let opened =
            again().inspect(|_| std::thread::sleep(std::time::Duration::from_millis(5))).any(|run| run.is_ok());
        assert!(opened);
    }

    #[test]
    fn a_run_owns_its_files_by_any_way_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::create_dir(place.join("other")).unwrap();
        let run = Run::open(&place.join("run"), &["words.txt"]).unwrap();
        for name in ["run/lock", "run/words.txt", "run/checkpoint.step-7.safetensors", "other/../run/run.json"] {
            assert!(run.owns(&place.join(name)), "{name}");
        }
        for name in ["run/results.json", "other/run.json", "run.json", "none/run.json"] {
            assert!(!run.owns(&place.join(name)), "{name}");
        }
    }
}
