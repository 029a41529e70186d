//! The records of a file as bytes: where they begin, without looking at what is in them.

use crate::data::texts::TextFormat;
use crate::error::{Error, Result};
use crate::file::LONGEST_LINE;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A record's bytes, its last line end among them, and the line where it begins, from 1.
pub(super) struct Record {
    pub(super) bytes: Vec<u8>,
    pub(super) line: usize,
}

/// A file at some place in it.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
    line: usize,
}

impl Reader {
    /// At the beginning.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = BufReader::new(File::open(path).map_err(|error| Error::io(path, error))?);
        Ok(Reader { path: path.into(), file, at: 0, line: 1 })
    }

    /// Goes to the byte `at`, where line `line` begins.
    pub(super) fn seek(&mut self, (at, line): (u64, usize)) -> Result<()> {
        self.file.seek(SeekFrom::Start(at)).map_err(|error| Error::io(&self.path, error))?;
        (self.at, self.line) = (at, line);
        Ok(())
    }

    /// The byte and the line that come next.
    pub(super) fn place(&self) -> (u64, usize) {
        (self.at, self.line)
    }

    /// Puts the next line behind `bytes`; false after the last one.
    pub(super) fn line(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
        let limited = self.file.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', bytes);
        let read = limited.map_err(|error| Error::io(&self.path, error))?;
        if bytes.len() > LONGEST_LINE && bytes.last() != Some(&b'\n') {
            let why = format!("expected lines of at most {} MiB, found a longer one", LONGEST_LINE >> 20);
            return Err(Error::Parse { path: self.path.clone(), line: Some(self.line), why });
        }
        self.at += read as u64;
        self.line += usize::from(read > 0);
        Ok(read > 0)
    }

    /// The next record, which begins at the place given with it; `None` after the last one. Blank lines are passed over.
    pub(super) fn next(&mut self, format: TextFormat, separator: u8) -> Result<Option<((u64, usize), Record)>> {
        let mut bytes = Vec::new();
        loop {
            let place = self.place();
            bytes.clear();
            if !self.line(&mut bytes)? {
                return Ok(None);
            }
            if is_blank(&bytes, format) {
                continue;
            }
            if format == TextFormat::Csv {
                let mut quotes = Quotes::default();
                let mut seen = 0;
                while quotes.is_open_after(&bytes[seen..], separator) {
                    seen = bytes.len();
                    // A quote that is not closed is told by whoever reads the record.
                    if bytes.len() > LONGEST_LINE || !self.line(&mut bytes)? {
                        break;
                    }
                }
            }
            return Ok(Some((place, Record { bytes, line: place.1 })));
        }
    }
}

/// Whether the readers of texts pass over this line.
fn is_blank(line: &[u8], format: TextFormat) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    let mark = "\u{feff}".as_bytes();
    match format {
        TextFormat::Tsv => line.iter().all(|&byte| byte == b' '),
        TextFormat::Csv => line.strip_prefix(mark).unwrap_or(line).iter().all(|&byte| byte == b' '),
        TextFormat::JsonLines => {
            while let Some(rest) = line.strip_prefix(mark) {
                line = rest;
            }
            line.trim_ascii().is_empty()
        }
    }
}

/// Where in the values of a CSV record its text has come.
#[derive(Clone, Copy, Default, PartialEq)]
enum Quotes {
    /// At a value's beginning.
    #[default]
    Begin,
    Plain,
    Quoted,
    /// Behind a quote within quotes: the first of two, or the one that closes.
    Quote,
}

impl Quotes {
    /// Whether a quote is open behind more of a record.
    fn is_open_after(&mut self, bytes: &[u8], separator: u8) -> bool {
        for &byte in bytes {
            *self = match (*self, byte) {
                (Quotes::Quoted, b'"') => Quotes::Quote,
                (Quotes::Begin | Quotes::Quote, b'"') | (Quotes::Quoted, _) => Quotes::Quoted,
                (_, byte) if byte == separator => Quotes::Begin,
                _ => Quotes::Plain,
            };
        }
        *self == Quotes::Quoted
    }
}
