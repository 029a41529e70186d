//! [`ChrF`]: translations by the pieces of up to six letters that they share with references.

use super::{check_pairs, counts, is_space, matches};
use crate::error::Result;
use crate::metrics::ratio;

/// The longest piece.
const ORDERS: usize = 6;
/// How much more what is found of the reference counts than what is right of the text, squared.
const BETA_SQUARED: f64 = 4.0;

/// chrF of a corpus (Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015): the F-score, with β = 2, of the mean
/// precision and the mean recall of pieces of one to six letters, white space left out; from 0 to 100. It needs no tokens, and words
/// with another ending count for what they share.
///
/// PyPI `sacrebleu` gives the same number by default, with [`ChrF::SIGNATURE`].
///
/// ```
/// use elman::metrics::ChrF;
/// let score = |text| ChrF::corpus(&[text], &["the cats sat"]).map(|chrf| chrf.score());
/// assert_eq!(score("the cats sat")?, 100.0);
/// assert!(score("the cat sat")? > score("the dogs sat")?);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "sacrebleu")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChrF {
    matches: [u64; ORDERS],
    pieces: [u64; ORDERS],
    reference_pieces: [u64; ORDERS],
}

impl ChrF {
    /// The options as `sacrebleu` writes them.
    pub const SIGNATURE: &'static str = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no";

    /// No text yet.
    pub fn new() -> Self {
        ChrF::default()
    }

    /// That of whole texts. Errors: not as many texts as references.
    pub fn corpus<T: AsRef<str>, R: AsRef<str>>(texts: &[T], references: &[R]) -> Result<Self> {
        check_pairs("chrf", texts.len(), references.len())?;
        let mut chrf = ChrF::new();
        for (text, reference) in texts.iter().zip(references) {
            chrf.add(text.as_ref(), reference.as_ref());
        }
        Ok(chrf)
    }

    /// Takes in a text and its reference.
    pub fn add(&mut self, text: &str, reference: &str) {
        let letters = |text: &str| text.chars().filter(|&letter| !is_space(letter)).collect::<Vec<_>>();
        let (text, reference) = (letters(text), letters(reference));
        for order in 0..ORDERS {
            let pieces = |letters: &[char]| letters.len().saturating_sub(order) as u64;
            self.matches[order] += matches(&counts(&text, order + 1), &counts(&reference, order + 1));
            self.reference_pieces[order] += pieces(&reference);
            // Those of a length that its reference does not have count for nothing.
            self.pieces[order] += if pieces(&reference) > 0 { pieces(&text) } else { 0 };
        }
    }

    /// chrF, from 0 to 100; 0 without a text.
    pub fn score(&self) -> f64 {
        let there = |&order: &usize| self.pieces[order] > 0 && self.reference_pieces[order] > 0;
        let orders: Vec<usize> = (0..ORDERS).filter(there).collect();
        let mean = |of: &[u64; ORDERS]| {
            let shares = orders.iter().map(|&order| self.matches[order] as f64 / of[order] as f64).sum();
            ratio(shares, orders.len() as f64)
        };
        let (precision, recall) = (mean(&self.pieces), mean(&self.reference_pieces));
        100.0 * ratio((1.0 + BETA_SQUARED) * precision * recall, BETA_SQUARED * precision + recall)
    }
}
