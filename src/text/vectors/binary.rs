//! word2vec's binary layout.

use super::alignment::{self, Alignment};
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
    file.skip_line_ends()?;
    let (mut numbers, mut vector) = (Vec::new(), Vec::with_capacity(dim));
    let mut alignment = Alignment::default();
    let most = if plan.any_count { plan.limit } else { words.min(plan.limit) };
    for entry in 0..most {
        file.entry = Some(entry);
        if file.is_at_end()? {
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
        if word.is_empty() && !plan.skip_blank_words {
            return Err(file.error("expected a word, found an empty one".into()));
        }
        alignment.word(entry, word).map_err(|(entry, why)| file.error_in(entry, why))?;
        file.vector(word, dim, &mut numbers, &mut vector)?;
        let ends = file.skip_line_ends()? > 0;
        let last = file.is_at_end()?;
        alignment.vector(word, &numbers, &vector, ends, last).map_err(|why| file.error(why))?;
        match word {
            [] => gathering.skip(),
            word => drop(gathering.offer(word, &vector)),
        }
    }
    if plan.limit >= words && !plan.any_count && !file.is_at_end()? {
        alignment.end().map_err(|(entry, why)| file.error_in(entry, why))?;
        file.entry = None;
        return Err(file.error(format!("expected {words} words, as the header promises, found more data after them")));
    }
    Ok(dim)
}

impl Reader {
    /// An error of another entry.
    fn error_in(&mut self, entry: u64, why: String) -> Error {
        self.entry = Some(entry);
        self.error(why)
    }

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

    fn is_at_end(&mut self) -> Result<bool> {
        let ahead = self.source.fill_buf().map(<[u8]>::is_empty);
        ahead.map_err(|error| self.source.error(None, error))
    }

    /// Goes to the next byte that is no line end, or to the file's end; says how many it passed.
    fn skip_line_ends(&mut self) -> Result<u64> {
        let before = self.at;
        loop {
            let ahead = self.source.fill_buf().map(|ahead| {
                let ends = ahead.iter().take_while(|&&byte| byte == b'\n').count();
                (ends, ends < ahead.len() || ahead.is_empty())
            });
            let (ends, done) = ahead.map_err(|error| self.source.error(None, error))?;
            self.source.consume(ends);
            self.at += ends as u64;
            if done {
                return Ok(self.at - before);
            }
        }
    }

    /// Fills `vector` with the next `dim` numbers, those of `word`; `bytes` is room to read into.
    fn vector(&mut self, word: &[u8], dim: usize, bytes: &mut Vec<u8>, vector: &mut Vec<f32>) -> Result<()> {
        bytes.clear();
        let read = self.source.by_ref().take(4 * dim as u64).read_to_end(bytes);
        read.map_err(|error| self.source.error(None, error))?;
        vector.clear();
        for &number in bytes.as_chunks::<4>().0 {
            let x = f32::from_le_bytes(number);
            if !x.is_finite() {
                let hint = alignment::hint(word, bytes).map(|hint| format!("; {hint}")).unwrap_or_default();
                return Err(self.error(format!("expected finite numbers, found {x}{hint}")));
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
