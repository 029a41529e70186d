//! Words to numbers by Keras' rule, and texts to bags of them.

use super::Bags;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// What parts words besides white space: Keras' default filter. The apostrophe is not in it.
const FILTER: &str = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

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
    words: Vec<String>,
    index: HashMap<String, u32>,
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
        let mut counts: Vec<(String, u64)> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for text in texts {
            each_word(text.as_ref(), |word| match seen.get(word) {
                Some(&at) => counts[at].1 += 1,
                None => {
                    seen.insert(word.to_string(), counts.len());
                    counts.push((word.to_string(), 1));
                }
            });
        }
        if counts.is_empty() {
            return Err(Error::invalid("word index", "texts with at least one word", "none"));
        }
        // A stable sort keeps words of one count in the order in which they were seen.
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.truncate((max_words - 1).min(u32::MAX as usize));
        let words: Vec<String> = counts.into_iter().map(|(word, _)| word).collect();
        let index = words.iter().cloned().zip(1..).collect();
        Ok(WordIndex { words, index })
    }

    /// Number of words that have an index.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Never: there is at least one word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Number of indices, padding included: the width of a bag, the rows of an embedding.
    pub fn width(&self) -> usize {
        self.words.len() + 1
    }

    /// The index of a word, given in lower case; `None` for a word that was left out.
    pub fn index(&self, word: &str) -> Option<u32> {
        self.index.get(word).copied()
    }

    /// The word of an index; `None` for padding and for what is beyond the last word.
    pub fn word(&self, index: u32) -> Option<&str> {
        self.words.get((index as usize).checked_sub(1)?).map(String::as_str)
    }

    /// The indices of a text's words, in order; words without an index are left out.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut indices = Vec::new();
        each_word(text, |word| indices.extend(self.index(word)));
        indices
    }

    /// Binary bags of the words of `texts`: `[texts, width]`, column 0 always empty. Errors: no text.
    pub fn bag<T: IntoIterator<Item: AsRef<str>>>(&self, texts: T) -> Result<Bags> {
        Bags::binary(texts.into_iter().map(|text| self.encode(text.as_ref())), self.width())
    }
}

fn each_word(text: &str, each: impl FnMut(&str)) {
    let parts = |c: char| c.is_whitespace() || FILTER.contains(c);
    text.to_lowercase().split(parts).filter(|word| !word.is_empty()).for_each(each);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_keras_splits_them() {
        let mut words = Vec::new();
        each_word("Don't PANIC: it's 3.5%\u{a0}of_U.S.\tdebt\n--ÄRGER!", |word| words.push(word.to_string()));
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
