//! A file's lines one after the other. A line ends in `\n` (or `\r\n`) and nowhere else; only where a file begins without
//! any `\n` and with `\r`, as on Macs of old, `\r` ends its lines.

use super::Source;
use crate::error::{Error, Result};
use std::io::{BufRead, Read};
use std::path::Path;

/// The longest line that is read, in bytes: what is longer is not a text file.
pub(crate) const LONGEST_LINE: usize = 64 << 20;

/// How much of a file is looked at to know what ends its lines, and whether it is UTF-16.
const LOOK: usize = 64 << 10;

/// Calls `each` with every line of a text file, plain or gzip-compressed (with the feature `gz`), without its end. Memory is taken for
/// one line, so the file may be of any size.
///
/// Errors: those of `each`; a file that cannot be read; a line that is not UTF-8, has a zero byte or is longer than 64 MiB.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("text.txt");
/// elman::file::write(&path, "one\ntwo\n")?;
/// let mut lines = Vec::new();
/// elman::file::each_line(&path, |line| elman::Result::Ok(lines.push(line.to_string())))?;
/// assert_eq!(lines, ["one", "two"]);
/// # Ok::<(), elman::Error>(())
/// ```
pub fn each_line<E: From<Error>>(
    path: impl AsRef<Path>,
    mut each: impl FnMut(&str) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut lines = Lines::open(path.as_ref())?;
    while let Some(line) = lines.next_line()? {
        each(line)?;
    }
    Ok(())
}

/// A file's lines, in one buffer.
pub(crate) struct Lines {
    source: Source,
    buffer: Vec<u8>,
    number: usize,
    /// What ends lines: `\n` or `\r`.
    terminator: u8,
    /// What ended the line given last.
    end: &'static str,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Lines::new(Source::open(path)?))
    }

    pub(crate) fn new(source: Source) -> Self {
        Lines { source, buffer: Vec::new(), number: 0, terminator: b'\n', end: "" }
    }

    /// The number of the line given last, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// What ended the line given last: nothing at the end of a file, perhaps.
    pub(crate) fn end(&self) -> &'static str {
        self.end
    }

    /// The next line without its end, or `None` after the last one. Errors: a zero byte.
    pub(crate) fn next_bytes(&mut self) -> Result<Option<&[u8]>> {
        Ok(if self.advance()? { Some(&self.buffer) } else { None })
    }

    /// The next line as text. Errors: a line that is not UTF-8, or has a zero byte.
    pub(crate) fn next_line(&mut self) -> Result<Option<&str>> {
        if !self.advance()? {
            return Ok(None);
        }
        std::str::from_utf8(&self.buffer).map(Some).map_err(|error| {
            let column = error.valid_up_to();
            let byte = self.buffer.get(column).copied().unwrap_or_default();
            self.error(format!("expected UTF-8, found the byte 0x{byte:02x} at column {}", column + 1))
        })
    }

    /// Reads the next line into the buffer; false after the last one.
    fn advance(&mut self) -> Result<bool> {
        if self.number == 0 {
            self.look()?;
        }
        self.number += 1;
        self.buffer.clear();
        // One byte more than allowed, to tell a line that fits from one that does not.
        let limited = self.source.by_ref().take(LONGEST_LINE as u64 + 1).read_until(self.terminator, &mut self.buffer);
        if limited.map_err(|error| self.source.error(Some(self.number), error))? == 0 {
            return Ok(false);
        }
        self.end = "";
        if self.buffer.pop_if(|last| *last == self.terminator).is_some() {
            self.end = match (self.terminator, self.buffer.last()) {
                (b'\r', _) => "\r",
                (_, Some(b'\r')) => "\r\n",
                _ => "\n",
            };
            if self.end == "\r\n" {
                self.buffer.pop();
            }
        } else if self.buffer.len() > LONGEST_LINE {
            return Err(self.error(format!("expected lines of at most {} MiB, found a longer one", LONGEST_LINE >> 20)));
        }
        if self.buffer.contains(&0) {
            let at = self.buffer.iter().take_while(|&&byte| byte != 0).count();
            return Err(self.error(format!("expected text, found the byte 0x00 at column {}", at + 1)));
        }
        if self.terminator == b'\r' && self.buffer.contains(&b'\n') {
            return Err(self.error("expected lines that end in \\r as the first does, found \\n".into()));
        }
        Ok(true)
    }

    /// Learns from the file's beginning what ends its lines. Errors: what looks like UTF-16.
    fn look(&mut self) -> Result<()> {
        let head = self.source.peek(LOOK);
        // Of the last byte it is not known what follows.
        let sure = head.len().min(LOOK - 1);
        if head[..sure].contains(&b'\r') && !head.contains(&b'\n') {
            self.terminator = b'\r';
        }
        // ASCII in UTF-16 has a zero byte on one side, all the time.
        let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count();
        let order = match (zeros(0), zeros(1)) {
            (0, 2..) => "little",
            (2.., 0) => "big",
            _ => return Ok(()),
        };
        let why = "expected UTF-8, found what looks like UTF-16";
        let why = format!("{why} ({order}-endian) without a mark: save it as UTF-8");
        Err(Error::Parse { path: self.source.path().into(), line: None, why })
    }

    /// An error of the line given last.
    pub(crate) fn error(&self, why: String) -> Error {
        self.error_at(self.number, why)
    }

    /// An error of another line.
    pub(crate) fn error_at(&self, line: usize, why: String) -> Error {
        Error::Parse { path: self.source.path().into(), line: Some(line), why }
    }
}

/// What is wrong with a line that has a carriage return within: other programs take it for two.
pub(crate) fn whole(line: &str) -> Result<(), String> {
    match line.find('\r') {
        None => Ok(()),
        Some(at) => Err(returns(at)),
    }
}

/// What is said of a carriage return in the place `at` of a line.
pub(crate) fn returns(at: usize) -> String {
    format!("expected lines that end in \\n or \\r\\n, found a carriage return within one, at column {}", at + 1)
}

/// Whether a line has nothing but spaces.
pub(crate) fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| byte == b' ')
}

/// The beginning of what came, quoted, for a message.
pub(crate) fn cut(found: &str) -> String {
    match found.char_indices().nth(40) {
        None => format!("{found:?}"),
        Some((end, _)) => format!("{:?}...", &found[..end]),
    }
}
