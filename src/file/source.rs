//! A file's bytes: decompressed where it is gzip-compressed, in UTF-8 where it says that it is in UTF-16, and without the
//! byte order mark. This is the one place that knows of marks.

use super::Patient;
use super::others;
use super::utf16::Utf16;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The first two bytes of every gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// U+FEFF in UTF-8: what some editors and Excel put at the beginning of a file.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// How much of a file is looked at to know its kind.
const LOOK: usize = 16;

/// A file's bytes one after the other. One that begins with gzip's magic bytes is decompressed, whatever its name; a byte
/// order mark is passed over, and text in UTF-16 that has one is converted.
///
/// Errors: a file of a kind that is known and not read (archives, workbooks, UTF-32), by its name.
pub(crate) struct Source {
    path: PathBuf,
    bytes: Box<dyn BufRead>,
    compressed: bool,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Source::from_reader(path, File::open(path).map_err(|error| Error::io(path, error))?)
    }

    /// What is no file: the path is a name for messages.
    pub(crate) fn from_reader(path: &Path, reader: impl Read + 'static) -> Result<Self> {
        let failed = |error| Error::io(path, error);
        let mut file = Patient(reader);
        let mut head = Vec::new();
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let compressed = head == GZIP;
        let whole = BufReader::new(Cursor::new(head).chain(file));
        let bytes = if compressed { decompressed(whole, path)? } else { Box::new(whole) };
        let mut source = Source { path: path.into(), bytes, compressed };
        source.pass_mark()?;
        Ok(source)
    }

    /// A piece of a file that is UTF-8, which has been read.
    pub(crate) fn of(path: &Path, bytes: Vec<u8>) -> Self {
        Source { path: path.into(), bytes: Box::new(Cursor::new(bytes)), compressed: false }
    }

    /// Goes past a byte order mark and does what it says.
    fn pass_mark(&mut self) -> Result<()> {
        let head = self.peek(LOOK);
        let refuse = |what: &str| Err(Error::Parse { path: self.path.clone(), line: None, why: what.into() });
        if let Some(what) = others::named(&head) {
            return refuse(&format!("expected text, found {what}"));
        }
        let (length, big) = match &head[..] {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
                return refuse("expected UTF-8, found UTF-32: save it as UTF-8");
            }
            [0xff, 0xfe, ..] => (2, Some(false)),
            [0xfe, 0xff, ..] => (2, Some(true)),
            head if head.starts_with(MARK) => (MARK.len(), None),
            _ => return Ok(()),
        };
        self.bytes.by_ref().take(length as u64).read_to_end(&mut Vec::new()).map_err(|e| self.error(None, e))?;
        if let Some(big) = big {
            let units = std::mem::replace(&mut self.bytes, Box::new(io::empty()));
            self.bytes = Box::new(BufReader::new(Utf16::new(units, big)));
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Up to `most` of the bytes to come, which stay to be read; so does an error that is met behind them, for whoever
    /// reads so far knows its line.
    pub(crate) fn peek(&mut self, most: usize) -> Vec<u8> {
        let mut head = Vec::new();
        let read = self.bytes.by_ref().take(most as u64).read_to_end(&mut head);
        let rest = match read {
            Ok(_) => std::mem::replace(&mut self.bytes, Box::new(io::empty())),
            Err(error) => Box::new(Broken { kind: error.kind(), error: Some(error) }),
        };
        self.bytes = Box::new(Cursor::new(head.clone()).chain(rest));
        head
    }

    /// What the system's or the decompressor's error means for this file.
    pub(crate) fn error(&self, line: Option<usize>, error: io::Error) -> Error {
        let why = match error.kind() {
            // With the words of the converter.
            _ if Utf16::is_from(&error) => error.to_string(),
            ErrorKind::UnexpectedEof if self.compressed => "the gzip data are cut off".into(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput if self.compressed => {
                format!("the gzip data are malformed ({error})")
            }
            _ => return Error::io(&self.path, error),
        };
        Error::Parse { path: self.path.clone(), line, why }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

/// Where reading failed.
struct Broken {
    kind: ErrorKind,
    /// Until it is told.
    error: Option<io::Error>,
}

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.error.take().unwrap_or_else(|| self.kind.into()))
    }
}

impl BufRead for Broken {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Err(self.error.take().unwrap_or_else(|| self.kind.into()))
    }

    fn consume(&mut self, _: usize) {}
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
