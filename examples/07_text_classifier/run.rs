//! The folder of a run: what is where in it, and what a training that goes on must agree with.
//!
//! | file | what |
//! | --- | --- |
//! | `run.json` | the settings that the run was begun with, and a fingerprint of its data |
//! | `checkpoint.step-N.safetensors` | where training goes on; predicts, too |
//! | `history.csv` | an epoch a line |
//! | `model.safetensors` | in the end: the chosen weights and all that predicting needs |
//! | `lock` | held by the process that trains |

use super::settings::Settings;
use anyhow::{Context, bail, ensure};
use elman::checkpoint::Checkpoint;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a run was begun with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub settings: Settings,
    pub seed: u64,
    /// Of words, labels and texts as the network sees them.
    pub fingerprint: String,
    /// What computed it, down to the threads: sums on another one may differ in their last bits.
    pub backend: String,
}

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
        let lock = File::create(folder.join("lock")).with_context(place)?;
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
        let (path, beside) = (self.file(name), self.file(&format!("{name}.tmp")));
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().with_context(|| path.display().to_string())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
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
    ensure!(folder.is_dir(), "--run {place}: there is no such folder");
    let model = folder.join("model.safetensors");
    if model.is_file() {
        return Ok(model);
    }
    let Some(path) = checkpoint(folder).latest()? else {
        bail!("--run {place}: there is no checkpoint; `train --run {place}` writes one")
    };
    eprintln!("note: the training in {place} has not ended; using {}", path.display());
    Ok(path)
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
        Run::open(folder.path()).unwrap();
    }
}
