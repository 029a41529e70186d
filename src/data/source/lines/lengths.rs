//! The lengths of a file's texts, which only whoever has tokenised them knows.

use super::Lines;
use super::records::Reader;
use crate::data::Inputs;
use crate::error::{Error, Result};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The lengths of all texts, once they have been counted.
#[derive(Default)]
pub(super) struct Lengths(Mutex<Option<Counted>>);

#[derive(Clone)]
pub(super) struct Counted {
    /// What does not count at the ends of texts, where all have been padded to one length: others have their own, as in memory.
    padding: Option<u32>,
    /// Whether they have.
    pub(super) is_block: bool,
    lengths: Arc<[u32]>,
}

impl Counted {
    pub(super) fn lengths(&self) -> Vec<usize> {
        self.lengths.iter().map(|&length| length as usize).collect()
    }
}

impl Lengths {
    /// The lengths of all texts, without padding at their ends.
    pub(super) fn of(&self, lines: &Lines, padding: Option<u32>) -> Result<Counted> {
        // A thread that has panicked has left what was there before.
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = counted.as_ref().filter(|there| there.padding == padding) {
            return Ok(there.clone());
        }
        Ok(counted.insert(count(lines, padding)?).clone())
    }
}

/// Tokenises the whole file, each thread a part of it. The error is that of the first part that has one.
fn count(lines: &Lines, padding: Option<u32>) -> Result<Counted> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(lines.len());
    let part = lines.len().div_ceil(threads);
    let parts = (0..threads).map(|thread| (thread * part).min(lines.len())..((thread + 1) * part).min(lines.len()));
    let mut all: Vec<[u32; 2]> = Vec::with_capacity(lines.len());
    thread::scope(|scope| {
        let counting: Vec<_> = parts.map(|texts| scope.spawn(|| count_part(lines, texts, padding))).collect();
        for part in counting {
            all.extend(part.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<(), Error>(())
    })?;
    let is_block = all[0][0] > 0 && all.iter().all(|[whole, _]| *whole == all[0][0]);
    let lengths = all.iter().map(|&[whole, without]| if is_block { without } else { whole }).collect();
    Ok(Counted { padding, is_block, lengths })
}

/// The lengths of some texts, with and without padding.
fn count_part(lines: &Lines, texts: Range<usize>, padding: Option<u32>) -> Result<Vec<[u32; 2]>> {
    let (mut reader, mut labels) = (Reader::open(&lines.path)?, lines.labels.clone());
    let lengths = |number: usize| {
        let (text, _) = lines.text(&mut reader, &mut labels, number)?;
        let without = padding.and_then(|padding| Inputs::indices(&[&text]).ok()?.lengths(padding)?.first().copied());
        let length = |length: usize| {
            u32::try_from(length).map_err(|_| Error::invalid("lines", "texts of fewer than 2^32 tokens", length))
        };
        Ok([length(text.len())?, length(without.unwrap_or(text.len()))?])
    };
    texts.map(lengths).collect()
}
