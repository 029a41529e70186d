//! How much of a vocabulary has vectors.

use super::WordVectors;
use crate::text::Vocabulary;
use std::fmt;

/// How much of a vocabulary has vectors: counted over its words (types) and over the texts it was made of (tokens).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Words of the vocabulary.
    pub types: usize,
    /// Words of the vocabulary that have a vector.
    pub types_found: usize,
    /// How often the vocabulary's words came in its texts.
    pub tokens: u64,
    /// How often those that have a vector came.
    pub tokens_found: u64,
    /// The most frequent words that have none, with how often they came.
    pub missing: Vec<(String, u64)>,
}

impl Coverage {
    /// Share of the vocabulary's words that have a vector, from 0 to 1; NaN of none.
    pub fn type_share(&self) -> f64 {
        self.types_found as f64 / self.types as f64
    }

    /// Share of the texts' words that have a vector, from 0 to 1; NaN of none, as in a vocabulary without counts.
    pub fn token_share(&self) -> f64 {
        self.tokens_found as f64 / self.tokens as f64
    }
}

/// Such as `3 of 4 words (75.0 %), 90 of 100 tokens (90.0 %); missing: newt (10)`.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {} words ({:.1} %)", self.types_found, self.types, 100.0 * self.type_share())?;
        if self.tokens > 0 {
            write!(f, ", {} of {} tokens ({:.1} %)", self.tokens_found, self.tokens, 100.0 * self.token_share())?;
        }
        for (at, (word, count)) in self.missing.iter().enumerate() {
            write!(f, "{}{word} ({count})", if at == 0 { "; missing: " } else { ", " })?;
        }
        Ok(())
    }
}

impl WordVectors {
    /// How much of a vocabulary has vectors, naming the `most` most frequent words that have none. Make the vocabulary
    /// without a limit to have every token counted.
    ///
    /// ```
    /// use elman::text::{VocabularyBuilder, WordVectors};
    /// let vectors = WordVectors::new(["the", "cat"], 1, &[1., 2.])?;
    /// let vocabulary = VocabularyBuilder::new().fit([["the", "cat", "the", "newt"]])?;
    /// let coverage = vectors.coverage(&vocabulary, 10);
    /// assert_eq!(coverage.to_string(), "2 of 3 words (66.7 %), 3 of 4 tokens (75.0 %); missing: newt (1)");
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn coverage(&self, vocabulary: &Vocabulary, most: usize) -> Coverage {
        let mut coverage = Coverage { types: 0, types_found: 0, tokens: 0, tokens_found: 0, missing: Vec::new() };
        for (word, count) in vocabulary.words() {
            let found = self.index(word).is_some();
            coverage.types += 1;
            coverage.tokens = coverage.tokens.saturating_add(count);
            if found {
                coverage.types_found += 1;
                coverage.tokens_found = coverage.tokens_found.saturating_add(count);
            } else {
                coverage.missing.push((word.to_string(), count));
            }
        }
        coverage.missing.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        coverage.missing.truncate(most);
        coverage
    }
}
