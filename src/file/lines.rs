//! A file's lines one after the other. A line ends in `\n` (or `\r\n`) and nowhere else.

use super::Source;
use crate::error::{Error, Result};
use std::io::{BufRead, Read};
use std::path::Path;

/// The longest line that is read, in bytes: what is longer is not a text file.
pub(crate) const LONGEST_LINE: usize = 64 << 20;

/// What some editors put at the beginning of a file in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// A file's lines, in one buffer. A byte order mark before the first is passed over.
pub(crate) struct Lines {
    source: Source,
    buffer: Vec<u8>,
    number: usize,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Lines::new(Source::open(path)?))
    }

    pub(crate) fn new(source: Source) -> Self {
        Lines { source, buffer: Vec::new(), number: 0 }
    }

    /// The number of the line given last, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The next line without its end, or `None` after the last one.
    pub(crate) fn next_bytes(&mut self) -> Result<Option<&[u8]>> {
        Ok(self.advance()?.and_then(|start| self.buffer.get(start..)))
    }

    /// The next line as text. Errors: a line that is not UTF-8.
    pub(crate) fn next_line(&mut self) -> Result<Option<&str>> {
        let Some(bytes) = self.advance()?.and_then(|start| self.buffer.get(start..)) else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|error| {
            let column = error.valid_up_to();
            let byte = bytes.get(column).copied().unwrap_or_default();
            self.error(format!("expected UTF-8, found the byte 0x{byte:02x} at column {}", column + 1))
        })
    }

    /// Reads the next line into the buffer; gives where it begins there.
    fn advance(&mut self) -> Result<Option<usize>> {
        self.number += 1;
        self.buffer.clear();
        // One byte more than allowed, to tell a line that fits from one that does not.
        let limited = self.source.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut self.buffer);
        if limited.map_err(|error| self.source.error(Some(self.number), error))? == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            self.buffer.pop_if(|last| *last == b'\r');
        } else if self.buffer.len() > LONGEST_LINE {
            return Err(self.error(format!("expected lines of at most {} MiB, found a longer one", LONGEST_LINE >> 20)));
        }
        let marked = self.number == 1 && self.buffer.starts_with(&BYTE_ORDER_MARK);
        Ok(Some(if marked { BYTE_ORDER_MARK.len() } else { 0 }))
    }

    /// An error of the line given last.
    pub(crate) fn error(&self, why: String) -> Error {
        Error::Parse { path: self.source.path().into(), line: Some(self.number), why }
    }
}

/// The beginning of what came, quoted, for a message.
pub(crate) fn cut(found: &str) -> String {
    match found.char_indices().nth(40) {
        None => format!("{found:?}"),
        Some((end, _)) => format!("{:?}...", &found[..end]),
    }
}
