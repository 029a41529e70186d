//! Text files of labelled lines, plain or gzip-compressed.
//!
//! A line ends in `\n` (or `\r\n`) and nowhere else: Unicode's other line ends may occur within a text.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The longest line that is read, in bytes: what is longer is not a text file.
const LONGEST_LINE: usize = 64 << 20;

/// The first two bytes of every gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads lines `label<TAB>text` as pairs; the text may be empty and may hold more tabs.
///
/// A file that begins with gzip's magic bytes is decompressed, whatever its name (with the feature `gz`). Errors name
/// the file and, where there is one, the line: a file that cannot be read, truncated or malformed gzip data, a file
/// without a line, a line that is not UTF-8 or longer than 64 MiB, a missing tab, a label that is not a whole number
/// from 0 to 4,294,967,295.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("reviews.tsv");
/// std::fs::write(&path, "1\tA delight.\n0\tTwo hours too long.\n")?;
/// let reviews = elman::data::read_labelled(&path)?;
/// assert_eq!(reviews[1], (0, "Two hours too long.".to_string()));
/// # Ok(())
/// # }
/// ```
pub fn read_labelled(path: impl AsRef<Path>) -> Result<Vec<(u32, String)>> {
    read_each(path.as_ref(), |line| labelled(line).map(|(label, text)| (label, text.to_string())))
}

/// Reads lines `label<TAB>index index ...` as pairs, the indices parted by spaces; there may be none.
///
/// Errors: as [`read_labelled`], and an index that is not a whole number from 0 to 4,294,967,295.
pub fn read_sequences(path: impl AsRef<Path>) -> Result<Vec<(u32, Vec<u32>)>> {
    read_each(path.as_ref(), |line| {
        let (label, indices) = labelled(line)?;
        let indices = indices.split(' ').filter(|word| !word.is_empty()).map(|word| number("an index", word));
        Ok((label, indices.collect::<Result<_, _>>()?))
    })
}

/// Reads the lines of a file as they are: the names of classes, for instance, name `i` on line `i + 1`.
///
/// Errors: as [`read_labelled`], as far as they concern a line.
pub fn read_lines(path: impl AsRef<Path>) -> Result<Vec<String>> {
    read_each(path.as_ref(), |line| Ok(line.to_string()))
}

fn labelled(line: &str) -> Result<(u32, &str), String> {
    let (label, rest) =
        line.split_once('\t').ok_or_else(|| format!("expected a tab after the label in {}", cut(line)))?;
    Ok((number("a label", label)?, rest))
}

fn number(what: &str, word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("expected {what} from 0 to {}, found {}", u32::MAX, cut(word)))
}

/// The beginning of what came, quoted, for a message.
fn cut(found: &str) -> String {
    match found.char_indices().nth(40) {
        None => format!("{found:?}"),
        Some((end, _)) => format!("{:?}...", &found[..end]),
    }
}

/// Hands every line to `parse`, whose errors become errors of the line.
fn read_each<T>(path: &Path, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
    let mut lines = Lines::open(path)?;
    let mut records = Vec::new();
    while let Some(line) = lines.next_line()? {
        let record = parse(line);
        records.push(record.map_err(|why| lines.error(why))?);
    }
    if records.is_empty() {
        return Err(Error::Parse { path: path.into(), line: None, why: "expected lines, found an empty file".into() });
    }
    Ok(records)
}

/// A file's lines one after the other, in one buffer.
struct Lines {
    path: PathBuf,
    source: Box<dyn BufRead>,
    compressed: bool,
    buffer: Vec<u8>,
    number: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::io(path, source);
        let mut file = File::open(path).map_err(failed)?;
        let mut head = Vec::new();
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let compressed = head == GZIP;
        let whole = BufReader::new(Cursor::new(head).chain(file));
        let source = if compressed { decompressed(whole, path)? } else { Box::new(whole) };
        Ok(Lines { path: path.into(), source, compressed, buffer: Vec::new(), number: 0 })
    }

    /// The next line without its end, or `None` after the last one.
    fn next_line(&mut self) -> Result<Option<&str>> {
        self.number += 1;
        self.buffer.clear();
        // One byte more than allowed, to tell a line that fits from one that does not.
        let limited = self.source.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut self.buffer);
        if limited.map_err(|error| self.read_error(error))? == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            self.buffer.pop_if(|last| *last == b'\r');
        } else if self.buffer.len() > LONGEST_LINE {
            return Err(self.error(format!("expected lines of at most {} MiB, found a longer one", LONGEST_LINE >> 20)));
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(line) => Ok(Some(line)),
            Err(error) => {
                let byte = self.buffer[error.valid_up_to()];
                Err(self.error(format!(
                    "expected UTF-8, found the byte 0x{byte:02x} at column {}",
                    error.valid_up_to() + 1
                )))
            }
        }
    }

    fn read_error(&self, error: std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof if self.compressed => self.error("the gzip data are cut off".into()),
            ErrorKind::InvalidData | ErrorKind::InvalidInput if self.compressed => {
                self.error(format!("the gzip data are malformed ({error})"))
            }
            _ => Error::io(&self.path, error),
        }
    }

    fn error(&self, why: String) -> Error {
        Error::Parse { path: self.path.clone(), line: Some(self.number), why }
    }
}

/// A gzip file may have several members one after the other, as `cat a.gz b.gz` makes.
#[cfg(feature = "gz")]
fn decompressed(source: impl BufRead + 'static, _path: &Path) -> Result<Box<dyn BufRead>> {
    Ok(Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(source))))
}

#[cfg(not(feature = "gz"))]
fn decompressed(_source: impl BufRead + 'static, path: &Path) -> Result<Box<dyn BufRead>> {
    let why = "the file is gzip-compressed; build elman with its feature `gz`, or decompress it".into();
    Err(Error::Parse { path: path.into(), line: None, why })
}

#[cfg(test)]
mod tests;
