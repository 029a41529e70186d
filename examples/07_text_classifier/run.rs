//! The folder of a run: what is where in it, and what a training that goes on must agree with.
//!
//! | file | what |
//! | --- | --- |
//! | `run.json` | what the run was begun with: settings, fingerprints of its data, what computes it |
//! | `checkpoint.step-N.safetensors` | where training goes on; predicts, too |
//! | `history.csv` | an epoch a line |
//! | `model.safetensors` | in the end: the chosen weights and all that predicting needs |
//! | `lock` | held by the process that trains |

use super::note;
use super::record::Record;
use anyhow::{Context, bail, ensure};
use elman::checkpoint::Checkpoint;
use serde_json::Value;
use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The files of a run that always have the same names.
pub const OWN: [&str; 5] = ["run.json", "history.csv", "model.safetensors", "lock", "test.tsv"];

/// The folder, held for training by this process.
pub struct Run {
    folder: PathBuf,
    /// Let go by the system when the process ends, in whatever way.
    _lock: File,
}

impl Run {
    /// Makes the folder if it is not there. Errors when another process trains in it.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
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
        let run = Run { folder: folder.to_path_buf(), _lock: lock };
        if run.record()?.is_none() {
            let found = checkpoint(folder).latest()?;
            ensure!(found.is_none(), "{}: there are checkpoints but no run.json to say of what", place());
        }
        Ok(run)
    }

    /// What the run was begun with, if it was.
    pub fn record(&self) -> anyhow::Result<Option<Record>> {
        let path = self.file("run.json");
        if !path.try_exists().with_context(|| path.display().to_string())? {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let record = serde_json::from_str(&text);
        record.map(Some).with_context(|| format!("{}: not what `train` writes there", path.display()))
    }

    /// Keeps what the run is begun with: whole, and before the first checkpoint.
    pub fn begin(&self, record: &Record) -> anyhow::Result<()> {
        self.write("run.json", &(serde_json::to_string_pretty(record)? + "\n"))
    }

    /// Writes a file of the folder whole or not at all.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(elman::file::write(self.file(name), text)?)
    }

    /// The newest checkpoint, if there is one.
    pub fn latest(&self) -> anyhow::Result<Option<PathBuf>> {
        Ok(self.checkpoint().latest()?)
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
        here && (OWN.contains(&name.as_ref()) || name.starts_with("checkpoint."))
    }

    /// Its checkpoints.
    pub fn checkpoint(&self) -> Checkpoint {
        checkpoint(&self.folder)
    }
}

fn checkpoint(folder: &Path) -> Checkpoint {
    Checkpoint::new(folder.join("checkpoint.safetensors")).keep(1)
}

/// The file of a run that predicts best: the chosen weights of a training that has ended, otherwise the newest checkpoint.
pub fn trained(folder: &Path) -> anyhow::Result<PathBuf> {
    let place = folder.display();
    let is_file = folder.exists() && !folder.is_dir();
    ensure!(!is_file, "--run {place}: this is a file; give the folder that it is in, as `train --run` was given it");
    ensure!(folder.is_dir(), "--run {place}: there is no such folder");
    let model = folder.join("model.safetensors");
    if model.is_file() {
        return Ok(model);
    }
    let Some(path) = checkpoint(folder).latest()? else {
        bail!("--run {place}: there is no checkpoint; `train --run {place}` writes one")
    };
    note!("the training in {place} has not ended; using {}", path.display());
    Ok(path)
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

/// A hash of what a training goes through (FNV-1a, 64 bits), to know it again; not proof against malice.
pub struct Fingerprint(u64);

impl Fingerprint {
    pub fn new() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in some bytes, told apart from those before and after.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    pub fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(parts: &[&str]) -> String {
        let mut print = Fingerprint::new();
        parts.iter().for_each(|part| print.add(part.as_bytes()));
        print.text()
    }

    #[test]
    fn the_fingerprint_sees_order_and_borders() {
        assert_eq!(print(&["good", "film"]), print(&["good", "film"]));
        for other in [&["film", "good"][..], &["goodf", "ilm"], &["good"], &["good", "film", ""]] {
            assert_ne!(print(&["good", "film"]), print(other), "{other:?}");
        }
    }

    #[test]
    fn one_process_trains_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Run::open(folder.path()).unwrap();
        let message = Run::open(folder.path()).err().unwrap().to_string();
        assert!(message.ends_with("another process trains there"), "{message}");
        drop(first);
        // A child of another test, between its fork and its exec, has all open files of this process and their locks.
        let again = || std::iter::repeat_with(|| Run::open(folder.path())).take(1000);
        let opened =
            again().inspect(|_| std::thread::sleep(std::time::Duration::from_millis(5))).any(|run| run.is_ok());
        assert!(opened);
    }
}
