//! word2vec's binary layout.

use super::format;
use super::gather::Gathering;
use super::read::Plan;
use crate::error::{Error, Result};
use crate::file::Source;
use std::io::{BufRead, Read};

/// The longest header and the longest word in bytes: beyond that the file is something else.
const LONGEST_HEADER: usize = 100;
const LONGEST_WORD: usize = 1 << 16;

/// A file and how far it has been read.
struct Reader {
    source: Source,
    at: u64,
    entry: Option<u64>,
}

/// Reads a file's entries into `gathering`; gives their dimension.
pub(super) fn read(source: Source, plan: Plan, gathering: &mut Gathering) -> Result<usize> {
    let mut file = Reader { source, at: 0, entry: None };
    let mut bytes = Vec::new();
    file.until(b'\n', LONGEST_HEADER, &mut bytes)?;
    let (words, dim) = format::header(&bytes).map_err(|why| file.error(why))?;
    format::check_dim(dim).map_err(|why| file.error(format!("expected {why}, found {dim} in the header")))?;
    let (mut numbers, mut vector) = (Vec::new(), Vec::with_capacity(dim));
    let most = if plan.any_count { plan.limit } else { words.min(plan.limit) };
    for entry in 0..most {
        file.entry = Some(entry);
        if !file.skip_line_ends()? {
            if plan.any_count {
                break;
            }
            let why =
                format!("expected {words} words, as the header promises, found the end of the file after {entry}");
            return Err(file.error(why));
        }
        if !file.until(b' ', LONGEST_WORD, &mut bytes)? {
            return Err(file.error("expected a space after the word, found the end of the file".into()));
        }
        let word = bytes.strip_suffix(b" ").unwrap_or(&bytes);
        if word.is_empty() {
            return Err(file.error("expected a word, found an empty one".into()));
        }
        file.vector(dim, &mut numbers, &mut vector)?;
        gathering.offer(word, &vector);
    }
    file.entry = None;
    if plan.limit >= words && !plan.any_count && file.skip_line_ends()? {
        return Err(file.error(format!("expected {words} words, as the header promises, found more data after them")));
    }
    Ok(dim)
}

impl Reader {
    fn error(&self, why: String) -> Error {
        let place = self.entry.map(|entry| format!("entry {entry}, ")).unwrap_or_default();
        Error::Parse { path: self.source.path().into(), line: None, why: format!("{place}byte {}: {why}", self.at) }
    }

    /// Fills `bytes` to the first `end` and says whether it came before the file's end.
    fn until(&mut self, end: u8, most: usize, bytes: &mut Vec<u8>) -> Result<bool> {
        bytes.clear();
        let read = self.source.by_ref().take(most as u64 + 1).read_until(end, bytes);
        read.map_err(|error| self.source.error(None, error))?;
        if bytes.len() > most && bytes.last() != Some(&end) {
            let what = if end == b' ' { "a word" } else { "a header" };
            return Err(self.error(format!("expected {what} of at most {most} bytes, found a longer one")));
        }
        self.at += bytes.len() as u64;
        Ok(bytes.last() == Some(&end))
    }

    /// Goes to the next byte that is no line end; false at the file's end.
    fn skip_line_ends(&mut self) -> Result<bool> {
        loop {
            let ahead = self.source.fill_buf();
            // The error has to outlive the borrow.
            let ahead = match ahead {
                Ok(ahead) => ahead,
                Err(error) => return Err(self.source.error(None, error)),
            };
            if ahead.is_empty() {
                return Ok(false);
            }
            let ends = ahead.iter().take_while(|&&byte| byte == b'\n').count();
            let done = ends < ahead.len();
            self.source.consume(ends);
            self.at += ends as u64;
            if done {
                return Ok(true);
            }
        }
    }

    /// Fills `vector` with the next `dim` numbers; `bytes` is room to read into.
    fn vector(&mut self, dim: usize, bytes: &mut Vec<u8>, vector: &mut Vec<f32>) -> Result<()> {
        bytes.clear();
        let read = self.source.by_ref().take(4 * dim as u64).read_to_end(bytes);
        read.map_err(|error| self.source.error(None, error))?;
        vector.clear();
        for &number in bytes.as_chunks::<4>().0 {
            let x = f32::from_le_bytes(number);
            if !x.is_finite() {
                return Err(self.error(format!("expected finite numbers, found {x}")));
            }
            vector.push(x);
            self.at += 4;
        }
        if vector.len() < dim {
            let found = vector.len();
            return Err(
                self.error(format!("expected {dim} numbers of 4 bytes, found the end of the file after {found}"))
            );
        }
        Ok(())
    }
}
