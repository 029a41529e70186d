//! [`WordIndex`]: the number of a word, looked for once for every word of every text.

use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Numbers of words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WordIndex {
    /// Of short words, which are their own key, so that no pointer has to be followed, and of the others.
    short: HashMap<Short, u32, RandomState>,
    long: HashMap<Arc<str>, u32, RandomState>,
}

impl WordIndex {
    /// The number of a word, if it is there.
    pub(super) fn get(&self, word: &str) -> Option<u32> {
        match Short::new(word) {
            Some(word) => self.short.get(&word).copied(),
            None => self.long.get(word).copied(),
        }
    }

    /// Gives a word its number, and the one that it had.
    pub(super) fn insert(&mut self, word: &Arc<str>, number: u32) -> Option<u32> {
        match Short::new(word) {
            Some(word) => self.short.insert(word, number),
            None => self.long.insert(word.clone(), number),
        }
    }
}

/// A word of at most eleven bytes, which most words of a text are: its bytes, zeros, and at the end how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Short([u32; 3]);

impl Short {
    fn new(word: &str) -> Option<Self> {
        let mut bytes = [0; 12];
        let (last, head) = bytes.split_last_mut()?;
        head.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
        *last = word.len() as u8;
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Some(Short([number(0), number(4), number(8)]))
    }
}

impl Hash for Short {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c] = self.0.map(u128::from);
        state.write_u128(a | b << 32 | c << 64);
    }
}
