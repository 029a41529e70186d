//! Where files are put for readers, and what must hold of every reading.

use crate::memory;
use elman::{Error, Result};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a reader may hold besides a multiple of its file: buffers, a look at the first 256 KiB (twice), a decompressor's
/// tables.
const CONSTANT: usize = 2 << 20;
/// Bytes held for one of the file: a word with its entries in two tables takes some hundred where a file has three.
const TIMES: usize = 100;

/// A folder for the files of a target, in memory where there is such a place.
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    pub(crate) fn new(target: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let within = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = within.join(format!("elman-fuzz.{}.{target}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for files");
        Place { folder }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file with these bytes.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("room for a file");
        path
    }

    /// What a reader makes of bytes in a file of this name, in memory that their number explains; an error names the
    /// file, and a line that is there.
    pub(crate) fn read<T>(&self, name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        self.read_sized(name, bytes, bytes.len(), read)
    }

    /// The same of a file that is longer when it is decompressed.
    pub(crate) fn read_sized<T>(
        &self,
        name: &str,
        bytes: &[u8],
        size: usize,
        read: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let path = self.file(name, bytes);
        let (value, most) = memory::most(|| read(&path));
        let allowed = TIMES * size + CONSTANT;
        assert!(most <= allowed, "memory: {most} bytes held for a file of {size}, {allowed} allowed");
        if let Err(error) = &value {
            // An error of a line: not beyond the file's last, which a file cut off may end before.
            if let Error::Parse { line: Some(line), .. } = error {
                let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 2;
                assert!(name.ends_with(".gz") || (1..=lines).contains(line), "line {line} of {lines}: {error}");
            }
            let named = error.to_string().contains(&path.display().to_string());
            assert!(
                named || !matches!(error, Error::Parse { .. } | Error::Io { .. }),
                "the file is not named: {error}"
            );
        }
        value
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Bytes as a gzip file of several members, cut where the bytes say: a reader gets them in pieces of all lengths.
pub(crate) fn in_pieces(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut compressed = Vec::new();
    loop {
        let piece = 1 + rest.iter().take(3).fold(0, |sum, &byte| (31 * sum + usize::from(byte)) % 97);
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        let mut encoder = GzEncoder::new(&mut compressed, Compression::none());
        encoder.write_all(piece).and_then(|()| encoder.finish().map(drop)).expect("memory can be written");
        if after.is_empty() {
            return compressed;
        }
        // Past the first pieces in one go: a file of many members tells no more.
        rest = if compressed.len() < 2000 { after } else { return finish(compressed, after) };
    }
}

fn finish(mut compressed: Vec<u8>, rest: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(&mut compressed, Compression::none());
    encoder.write_all(rest).and_then(|()| encoder.finish().map(drop)).expect("memory can be written");
    compressed
}

/// What two readings of the same content in two files must have in common: their values, or the error but for its path.
pub(crate) fn agree<T: PartialEq>(what: &str, one: &Result<T>, other: &Result<T>) {
    let same = match (one, other) {
        (Ok(one), Ok(other)) => one == other,
        (Err(one), Err(other)) => without_path(one) == without_path(other),
        _ => false,
    };
    let said = |result: &Result<T>| result.as_ref().map_or_else(without_path, |_| "a value".into());
    assert!(same, "{what}: {} and {}", said(one), said(other));
}

fn without_path(error: &Error) -> String {
    match error {
        Error::Parse { line, why, .. } => format!("line {line:?}: {why}"),
        Error::Io { error, .. } => error.to_string(),
        other => other.to_string(),
    }
}
