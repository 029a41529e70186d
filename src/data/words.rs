//! Words to numbers by Keras' rule, and texts to bags of them.

use super::Bags;
use crate::error::{Error, Result};
use crate::text::{Vocabulary, VocabularyBuilder, WordTokenizer};

/// The most frequent words of a set of texts, numbered from 1 by falling frequency; 0 is left for padding.
///
/// A text is put in lower case and split at white space and at each of ``!"#$%&()*+,-./:;<=>?@[\]^_`{|}~``, as Keras'
/// `Tokenizer` does. Of words equally frequent the one seen first comes first.
///
/// ```
/// use elman::data::WordIndex;
/// let index = WordIndex::fit(["The cat, the mat.", "A cat!"], 3)?;
/// assert_eq!(index.encode("the dog and the cat"), [1, 1, 2]); // "the" and "cat"; "mat" and "a" are left out
/// assert_eq!(index.bag(["the cat", "a dog"])?.to_dense(), [0., 1., 1., 0., 0., 0.]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WordIndex {
    tokenizer: WordTokenizer,
    vocabulary: Vocabulary,
}

impl WordIndex {
    /// Counts the words of `texts` and keeps the most frequent, so that every index is below `max_words`: that is
    /// Keras' `num_words`, and `max_words - 1` words at most.
    ///
    /// Errors: `max_words` below 2; no word in any text.
    pub fn fit<T: IntoIterator<Item: AsRef<str>>>(texts: T, max_words: usize) -> Result<Self> {
        if max_words < 2 {
            return Err(Error::invalid("word index", "max_words of at least 2: padding and a word", max_words));
        }
        let tokenizer = WordTokenizer::keras();
        let builder = VocabularyBuilder::new().max_features(max_words).unknown(false);
        let vocabulary = builder.fit_texts(&tokenizer, texts).map_err(|error| match error {
            Error::Invalid { expected, found, .. } => Error::invalid("word index", expected, found),
            other => other,
        })?;
        Ok(WordIndex { tokenizer, vocabulary })
    }

    /// The words and their indices, without an index for unknown words.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Number of words that have an index.
    pub fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// Never: there is at least one word.
    pub fn is_empty(&self) -> bool {
        self.vocabulary.is_empty()
    }

    /// Number of indices, padding included: the width of a bag, the rows of an embedding.
    pub fn width(&self) -> usize {
        self.vocabulary.width()
    }

    /// The index of a word, given in lower case; `None` for a word that was left out.
    pub fn index(&self, word: &str) -> Option<u32> {
        self.vocabulary.index(word)
    }

    /// The word of an index; `None` for padding and for what is beyond the last word.
    pub fn word(&self, index: u32) -> Option<&str> {
        self.vocabulary.word(index)
    }

    /// The indices of a text's words, in order; words without an index are left out.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut indices = Vec::new();
        self.tokenizer.for_each(text, |word| indices.extend(self.index(word)));
        indices
    }

    /// Binary bags of the words of `texts`: `[texts, width]`, column 0 always empty. Errors: no text.
    pub fn bag<T: IntoIterator<Item: AsRef<str>>>(&self, texts: T) -> Result<Bags> {
        Bags::binary(texts.into_iter().map(|text| self.encode(text.as_ref())), self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_keras_splits_them() {
        let mut words = Vec::new();
        WordTokenizer::keras()
            .for_each("Don't PANIC: it's 3.5%\u{a0}of_U.S.\tdebt\n--ÄRGER!", |word| words.push(word.to_string()));
        assert_eq!(words, ["don't", "panic", "it's", "3", "5", "of", "u", "s", "debt", "ärger"]);
    }

    #[test]
    fn ranks_fall_with_the_count_and_ties_keep_their_order() {
        let index = WordIndex::fit(["b c a", "a d", "d"], 100).unwrap();
        let ranked: Vec<_> = (0..6).map(|i| index.word(i)).collect();
        assert_eq!(ranked, [None, Some("a"), Some("d"), Some("b"), Some("c"), None]);
        assert_eq!((index.len(), index.width(), index.index("d"), index.index("e")), (4, 5, Some(2), None));
    }

    #[test]
    fn no_index_reaches_max_words() {
        let index = WordIndex::fit(["a a a b b c"], 3).unwrap();
        assert_eq!(index.encode("c b a"), [2, 1]);
        assert_eq!(index.width(), 3);
        assert_eq!(index.bag(["c"]).unwrap().to_dense(), [0.0; 3]);
    }

    #[test]
    fn errors_say_what_is_missing() {
        let message = |texts: &[&str], max| WordIndex::fit(texts, max).unwrap_err().to_string();
        assert_eq!(message(&["a"], 1), "word index: expected max_words of at least 2: padding and a word, found 1");
        assert_eq!(message(&["", "...!"], 10), "word index: expected texts with at least one word, found none");
        let none = WordIndex::fit(["a"], 10).unwrap().bag([""; 0]).unwrap_err();
        assert_eq!(none.to_string(), "bags: expected at least one row, found none");
    }
}
