//! The lengths of a file's texts, which only whoever has tokenised them knows.

use super::Lines;
use super::records::Reader;
use crate::data::Inputs;
use crate::error::{Error, Result};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The lengths of all texts, once they have been counted.
#[derive(Default)]
pub(super) struct Lengths(Mutex<Option<Counted>>);

struct Counted {
    /// What does not count at the ends of a text.
    padding: Option<u32>,
    lengths: Vec<u32>,
}

impl Lengths {
    /// The lengths of all texts, without padding at their ends.
    pub(super) fn of(&self, lines: &Lines, padding: Option<u32>) -> Result<Vec<usize>> {
        // A thread that has panicked has left what was there before.
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = match counted.take() {
            Some(there) if there.padding == padding => counted.insert(there),
            _ => counted.insert(Counted { padding, lengths: count(lines, padding)? }),
        };
        Ok(counted.lengths.iter().map(|&length| length as usize).collect())
    }
}

/// Tokenises the whole file, each thread a part of it. The error is that of the first part that has one.
fn count(lines: &Lines, padding: Option<u32>) -> Result<Vec<u32>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(lines.len());
    let part = lines.len().div_ceil(threads);
    let parts = (0..threads).map(|thread| thread * part..((thread + 1) * part).min(lines.len()));
    thread::scope(|scope| {
        let counting: Vec<_> = parts.map(|texts| scope.spawn(|| count_part(lines, texts, padding))).collect();
        let mut lengths = Vec::with_capacity(lines.len());
        for part in counting {
            lengths.extend(part.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(lengths)
    })
}

fn count_part(lines: &Lines, texts: Range<usize>, padding: Option<u32>) -> Result<Vec<u32>> {
    let (mut reader, mut labels) = (Reader::open(&lines.path)?, lines.labels.clone());
    let length = |number: usize| {
        let (text, _) = lines.text(&mut reader, &mut labels, number)?;
        let length = padding.and_then(|padding| Inputs::indices(&[&text]).ok()?.lengths(padding)?.first().copied());
        let length = length.unwrap_or(text.len());
        u32::try_from(length).map_err(|_| Error::invalid("lines", "texts of fewer than 2^32 tokens", length))
    };
    texts.map(length).collect()
}
