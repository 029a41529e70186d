//! Where the records of a file begin.

use super::records::{Reader, Record};
use crate::data::texts::{Piece, TextFormat};
use crate::data::{Labels, TextColumns};
use crate::error::{Error, Result};
use crate::file::Source;
use std::fs;
use std::path::Path;

/// The most places that are kept: 32 MiB of them.
const MOST: usize = 1 << 21;
/// A piece of the file that is checked at a time.
const PIECE: usize = 1 << 20;

/// Byte and line where a record begins.
type Place = (u64, usize);

/// Where every `stride`th record begins.
#[derive(Debug)]
pub(super) struct Index {
    format: TextFormat,
    separator: u8,
    stride: usize,
    places: Vec<Place>,
    /// How many records there are.
    pub(super) records: usize,
    /// The file's size.
    pub(super) bytes: u64,
    /// The header of CSV with its line end, and how many lines it has.
    header: Vec<u8>,
    pub(super) header_lines: usize,
}

impl Index {
    /// Goes through a file and checks all of it.
    pub(super) fn build(path: &Path, format: TextFormat, columns: &TextColumns) -> Result<(Self, Labels)> {
        Index::of_places(path, format, columns, MOST)
    }

    /// The same with `most` places, an even number.
    fn of_places(path: &Path, format: TextFormat, columns: &TextColumns, most: usize) -> Result<(Self, Labels)> {
        check_kind(path)?;
        let bytes = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        let mut index = Index {
            format,
            separator: columns.separator,
            stride: 1,
            places: Vec::new(),
            records: 0,
            bytes,
            header: Vec::new(),
            header_lines: 0,
        };
        let mut reader = Reader::open(path)?;
        if format == TextFormat::Csv {
            index.read_header(&mut reader)?;
        }
        let mut labels = columns.labels.clone().unwrap_or_default();
        let given = columns.labels.is_some();
        // Lines are read and checked many at a time, as their readers are made for.
        let (mut first, mut gathered, mut count) = (reader.place(), Vec::new(), 0);
        let mut end = first.1;
        let (mut next, mut warns) = (reader.next(format, index.separator)?, true);
        loop {
            let ended = next.is_none();
            if let Some((place, record)) = next.take() {
                if count == 0 {
                    (first, end) = (place, place.1);
                }
                // The blank lines in between count too.
                gathered.extend(std::iter::repeat_n(b'\n', place.1 - end));
                end = reader.place().1;
                gathered.extend_from_slice(&record.bytes);
                index.add(place, most);
                count += 1;
            }
            if ended || gathered.len() >= PIECE {
                let line = first.1 - index.header_lines.min(first.1 - 1);
                let piece = Piece { path, bytes: index.piece(&gathered), line, given, warns };
                let read = piece.read(format, columns, labels)?;
                if read.texts.len() != count {
                    let why = "expected lines that end in \\n or \\r\\n, each a record of its own";
                    return Err(Error::Parse { path: path.into(), line: Some(first.1), why: why.into() });
                }
                labels = read.labels;
                (count, warns) = (0, false);
                gathered.clear();
            }
            if ended {
                break;
            }
            next = reader.next(format, index.separator)?;
        }
        if index.records == 0 {
            return Err(Error::Parse { path: path.into(), line: None, why: "expected texts, found none".into() });
        }
        Ok((index, labels))
    }

    /// Reads the header, and a line `sep=;` before it.
    fn read_header(&mut self, reader: &mut Reader) -> Result<()> {
        let mut first = Vec::new();
        reader.line(&mut first)?;
        let told = first.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&first).strip_prefix(b"sep=");
        match told.map(<[u8]>::trim_ascii_end) {
            Some(&[separator]) => self.separator = separator,
            _ => {
                first.clear();
                reader.seek((0, 1))?;
            }
        }
        if let Some((_, record)) = reader.next(self.format, self.separator)? {
            first.extend(record.bytes);
        }
        if first.last().is_some_and(|&last| last != b'\n') {
            first.push(b'\n');
        }
        self.header_lines = first.iter().filter(|&&byte| byte == b'\n').count();
        self.header = first;
        Ok(())
    }

    fn add(&mut self, place: Place, most: usize) {
        if self.places.len() == most && self.records.is_multiple_of(self.stride) {
            let mut number = 0;
            self.places.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.stride *= 2;
        }
        if self.records.is_multiple_of(self.stride) {
            self.places.push(place);
        }
        self.records += 1;
    }

    /// Records as a file of their own.
    pub(super) fn piece(&self, records: &[u8]) -> Vec<u8> {
        [&self.header, records].concat()
    }

    /// The record `number`, which there is. Errors: a file that cannot be read, or has become shorter.
    pub(super) fn record(&self, reader: &mut Reader, number: usize) -> Result<Record> {
        reader.seek(self.places[number / self.stride])?;
        for _ in 0..number % self.stride {
            reader.next(self.format, self.separator)?;
        }
        let (_, line) = reader.place();
        let record = reader.next(self.format, self.separator)?;
        Ok(record.map_or(Record { bytes: Vec::new(), line }, |(_, record)| record))
    }
}

/// Errors: a file of which nobody can go to the middle, or that is no text.
fn check_kind(path: &Path) -> Result<()> {
    use std::io::Read;
    let refuse = |why: &str| Err(Error::Parse { path: path.into(), line: None, why: why.into() });
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(|error| Error::io(path, error))?;
    file.take(2).read_to_end(&mut head).map_err(|error| Error::io(path, error))?;
    match head[..] {
        [0x1f, 0x8b] => refuse("expected a plain file, found a gzip-compressed one: unpack it first (`gunzip`)"),
        [0xff, 0xfe] | [0xfe, 0xff] => refuse("expected UTF-8, found UTF-16: save it as UTF-8"),
        // Archives, workbooks and the like.
        _ => Source::open(path).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_found_from_the_places_that_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts.tsv");
        let lines: Vec<String> = (0..53).map(|i| format!("a\t{}{}", "x".repeat(i % 7), i)).collect();
        fs::write(&path, lines.join("\n\n")).unwrap();
        for (most, stride) in [(100, 1), (4, 16), (2, 32)] {
            let (index, _) = Index::of_places(&path, TextFormat::Tsv, &TextColumns::default(), most).unwrap();
            assert_eq!((index.records, index.stride), (53, stride));
            assert!(index.places.len() <= most);
            let mut reader = Reader::open(&path).unwrap();
            for number in (0..53).rev() {
                let Record { bytes, line } = index.record(&mut reader, number).unwrap();
                assert_eq!(bytes.trim_ascii_end(), lines[number].as_bytes());
                assert_eq!(line, 2 * number + 1, "{number} of {most} places");
            }
        }
    }
}
