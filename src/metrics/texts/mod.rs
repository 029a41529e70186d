//! How good texts are that a model has written: beside others ([`Bleu`], [`ChrF`]), and how varied by themselves ([`Distinct`]).

mod bleu;
mod chrf;
mod distinct;

pub use bleu::Bleu;
pub use chrf::ChrF;
pub use distinct::Distinct;

use crate::error::{Error, Result};
use std::collections::HashMap;
use std::hash::Hash;

/// How often each piece of `order` neighbours occurs.
fn counts<T: Eq + Hash>(tokens: &[T], order: usize) -> HashMap<&[T], u64> {
    let mut counts = HashMap::new();
    for piece in tokens.windows(order) {
        *counts.entry(piece).or_default() += 1;
    }
    counts
}

/// How many pieces of the one are in the other, each at most as often as it is there.
fn matches<T: Eq + Hash>(pieces: &HashMap<&[T], u64>, others: &HashMap<&[T], u64>) -> u64 {
    pieces.iter().map(|(piece, &count)| count.min(others.get(piece).copied().unwrap_or(0))).sum()
}

/// White space where Python sees it, by whose rules the tools go that these numbers are compared with: Unicode's, and U+001C to U+001F.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// Errors unless there are as many texts as references.
fn check_pairs(metric: &str, texts: usize, references: usize) -> Result<()> {
    match texts == references {
        true => Ok(()),
        false => Err(Error::invalid(metric, format!("a text for each of {references} references"), texts)),
    }
}
