//! [`Bleu`]: translations by the pieces of up to four words that they share with references.

use super::{check_pairs, counts, is_space, matches};
use crate::error::Result;
use crate::metrics::ratio;

/// The longest piece.
const ORDERS: usize = 4;

/// BLEU of a corpus (Papineni and others, "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002): the geometric mean of
/// the shares of pieces of one to four tokens that are in the reference too, each counted at most as often as there, times
/// `exp(1 - reference / length)` where the texts are shorter than the references together; from 0 to 100.
///
/// Tokens are compared as they are given: case counts, nothing is smoothed, each text has one reference. PyPI `sacrebleu` gives the same number
/// for texts whose tokens are apart by spaces with what [`Bleu::SIGNATURE`] says; its defaults (`tok:13a`, `smooth:exp`) are for texts
/// that are not cut yet. Where there is no shared piece of some length, in texts of fewer than four tokens say, it is 0.
///
/// ```
/// use elman::metrics::Bleu;
/// let bleu = Bleu::corpus(&["the cat sat on the mat"], &["the cat sat on a mat"])?;
/// assert_eq!(bleu.precisions(), [5.0 / 6.0, 3.0 / 5.0, 2.0 / 4.0, 1.0 / 3.0]);
/// assert!((bleu.score() - 100.0 * (5.0f64 / 6.0 * 0.6 * 0.5 / 3.0).powf(0.25)).abs() < 1e-9);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "sacrebleu")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bleu {
    matches: [u64; ORDERS],
    pieces: [u64; ORDERS],
    tokens: u64,
    reference_tokens: u64,
}

impl Bleu {
    /// The options as `sacrebleu` writes them.
    pub const SIGNATURE: &'static str = "nrefs:1|case:mixed|eff:no|tok:none|smooth:none";

    /// No text yet.
    pub fn new() -> Self {
        Bleu::default()
    }

    /// That of whole texts whose tokens are apart by white space. Errors: not as many texts as references.
    pub fn corpus<T: AsRef<str>, R: AsRef<str>>(texts: &[T], references: &[R]) -> Result<Self> {
        check_pairs("bleu", texts.len(), references.len())?;
        let mut bleu = Bleu::new();
        for (text, reference) in texts.iter().zip(references) {
            bleu.add(&tokens(text.as_ref()), &tokens(reference.as_ref()));
        }
        Ok(bleu)
    }

    /// Takes in the tokens of a text and those of its reference.
    pub fn add<T: AsRef<str>, R: AsRef<str>>(&mut self, text: &[T], reference: &[R]) {
        let text: Vec<&str> = text.iter().map(AsRef::as_ref).collect();
        let reference: Vec<&str> = reference.iter().map(AsRef::as_ref).collect();
        for order in 0..ORDERS {
            self.matches[order] += matches(&counts(&text, order + 1), &counts(&reference, order + 1));
            self.pieces[order] += text.len().saturating_sub(order) as u64;
        }
        self.tokens += text.len() as u64;
        self.reference_tokens += reference.len() as u64;
    }

    /// BLEU, from 0 to 100; 0 without a text.
    pub fn score(&self) -> f64 {
        let logarithms = self.precisions().iter().map(|share| (100.0 * share).ln()).sum::<f64>();
        // Of a share of 0 that is minus infinity.
        self.brevity_penalty() * (logarithms / ORDERS as f64).exp()
    }

    /// The shares of the pieces of one, two, three and four tokens that are in the references.
    pub fn precisions(&self) -> [f64; ORDERS] {
        std::array::from_fn(|order| ratio(self.matches[order] as f64, self.pieces[order] as f64))
    }

    /// What texts that are too short are multiplied with: 1 where they are at least as long as the references together.
    pub fn brevity_penalty(&self) -> f64 {
        match (self.tokens, self.reference_tokens) {
            (0, 1..) => 0.0,
            (tokens, references) if tokens < references => (1.0 - references as f64 / tokens as f64).exp(),
            _ => 1.0,
        }
    }

    /// How many tokens the texts have.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many tokens the references have.
    pub fn reference_tokens(&self) -> u64 {
        self.reference_tokens
    }
}

/// The tokens of a text that are apart by white space.
fn tokens(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|token| !token.is_empty()).collect()
}
