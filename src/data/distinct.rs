//! Sequences whose steps are sequences themselves, such as words that are letters, each different one kept once.

use super::Ragged;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::hash::Hash;

/// [`Inputs::Distinct`](super::Inputs::Distinct) of such sequences.
pub(super) fn distinct<E: AsRef<[u32]>>(sequences: &[Vec<E>]) -> Result<(Ragged<u32>, Ragged<u32>)> {
    if sequences.iter().all(Vec::is_empty) {
        let found = if sequences.is_empty() { "none" } else { "empty ones" };
        return Err(Error::invalid("distinct inputs", "at least one sequence of at least one step", found));
    }
    let mut numbers = Numbers::default();
    let places =
        sequences.iter().map(|steps| steps.iter().map(|step| numbers.of(step.as_ref())).collect::<Result<_>>());
    let places = places.collect::<Result<Vec<Vec<u32>>>>()?;
    Ok((Ragged::new("distinct inputs", &places, 1)?, Ragged::or_empty(&numbers.keys)))
}

/// The sequences `rows`, which have been checked, with the entries that they have, numbered anew as they occur. There is always one
/// entry, for what is padded has a number too.
pub(super) fn select(
    places: &Ragged<u32>,
    entries: &Ragged<u32>,
    rows: &[usize],
) -> Result<(Ragged<u32>, Ragged<u32>)> {
    let selected = places.select(rows);
    let mut numbers = Numbers::default();
    let renumbered = selected.map(|entry| numbers.of(entry))?;
    let kept: Vec<usize> = numbers.keys.iter().map(|&entry| entry as usize).collect();
    Ok((renumbered, if kept.is_empty() { Ragged::empty(1) } else { entries.select(&kept) }))
}

/// Numbers from 0 on in the order of first occurrence.
struct Numbers<K> {
    of: HashMap<K, u32>,
    keys: Vec<K>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Numbers { of: HashMap::new(), keys: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash> Numbers<K> {
    fn of(&mut self, key: K) -> Result<u32> {
        if let Some(&number) = self.of.get(&key) {
            return Ok(number);
        }
        let number = u32::try_from(self.keys.len());
        let number = number.map_err(|_| Error::invalid("distinct inputs", "steps that u32 can number", "more"))?;
        self.of.insert(key, number);
        self.keys.push(key);
        Ok(number)
    }
}
