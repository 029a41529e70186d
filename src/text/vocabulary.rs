//! [`Vocabulary`]: tokens and their numbers.

use super::word_index::WordIndex;
use super::{Tokenizer, nfc};
use crate::error::{Error, Result};
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

const PLACE: &str = "vocabulary";

/// Words, numbered by falling frequency from 2: index 0 is padding, 1 stands for every word that is not there. Without
/// an index for unknown words the numbers begin at 1.
///
/// Made from texts it takes words as Unicode's form NFC has them, so that `café` of composed and of decomposed characters
/// is one word, which both find ([`VocabularyBuilder::nfc`]).
///
/// Serialisable, to be saved with a model; what is read is checked. A file from before NFC was heeded says nothing of it,
/// and its words stay as they are.
///
/// ```
/// use elman::text::VocabularyBuilder;
/// let vocabulary = VocabularyBuilder::new().fit([["the", "cat", "the", "mat"]])?;
/// assert_eq!(vocabulary.encode(["the", "mat", "newt"]), [2, 4, 1]);
/// assert_eq!(vocabulary.decode(&[0, 0, 2, 3, 1])?, ["the", "cat", "<unk>"]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    words: Vec<Arc<str>>,
    /// How often each word came; empty where that is not known.
    counts: Vec<u64>,
    /// Indices by word.
    index: WordIndex,
    unknown: bool,
    /// Whether words are in form NFC, and looked for in it.
    nfc: bool,
}

/// What is saved of a [`Vocabulary`].
#[derive(Serialize, Deserialize)]
struct Stored {
    words: Vec<String>,
    #[serde(default)]
    counts: Vec<u64>,
    unknown: bool,
    #[serde(default)]
    nfc: bool,
}

impl From<Vocabulary> for Stored {
    fn from(vocabulary: Vocabulary) -> Self {
        let words = vocabulary.words.iter().map(|word| word.to_string()).collect();
        Stored { words, counts: vocabulary.counts, unknown: vocabulary.unknown, nfc: vocabulary.nfc }
    }
}

impl TryFrom<Stored> for Vocabulary {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        if !stored.counts.is_empty() && stored.counts.len() != stored.words.len() {
            let expected = format!("as many counts as words, {}", stored.words.len());
            return Err(Error::invalid(PLACE, expected, stored.counts.len()));
        }
        let mut vocabulary = Vocabulary::from_words(stored.words, stored.unknown)?;
        vocabulary.counts = stored.counts;
        vocabulary.nfc = stored.nfc;
        Ok(vocabulary)
    }
}

impl Vocabulary {
    /// What [`decode`](Self::decode) gives for the index of unknown words.
    pub const UNKNOWN: &str = "<unk>";

    /// Words in the order of their numbers, the first being 2, or 1 where no index is kept for unknown words; as they are
    /// given, also where two look the same.
    ///
    /// Errors: no word; a word that comes twice; more words than there are indices.
    pub fn from_words<W: AsRef<str>>(words: impl IntoIterator<Item = W>, unknown: bool) -> Result<Self> {
        let (counts, index) = (Vec::new(), WordIndex::default());
        let mut vocabulary = Vocabulary { words: Vec::new(), counts, index, unknown, nfc: false };
        for word in words {
            let word: Arc<str> = word.as_ref().into();
            let index = u32::try_from(vocabulary.width());
            let index =
                index.map_err(|_| Error::invalid(PLACE, format!("words numbered up to {}", u32::MAX), "more"))?;
            if vocabulary.index.insert(&word, index).is_some() {
                return Err(Error::invalid(PLACE, "every word once", format!("{word:?} a second time")));
            }
            vocabulary.words.push(word);
        }
        if vocabulary.words.is_empty() {
            return Err(Error::invalid(PLACE, "at least one word", "none"));
        }
        Ok(vocabulary)
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Never: there is at least one word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Number of indices, those of padding and unknown words included: the rows of an embedding.
    pub fn width(&self) -> usize {
        self.words.len() + self.first()
    }

    /// The index of unknown words, where there is one.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown.then_some(1)
    }

    /// The index of a word; `None` for one that is not there.
    pub fn index(&self, word: &str) -> Option<u32> {
        self.index.get(&if self.nfc { nfc(word) } else { word.into() })
    }

    /// The word of an index; `None` for padding, unknown words and what is beyond the last word.
    pub fn word(&self, index: u32) -> Option<&str> {
        self.words.get((index as usize).checked_sub(self.first())?).map(|word| &**word)
    }

    /// The words with how often they came, in the order of their indices; 0 where that is not known.
    pub fn words(&self) -> impl Iterator<Item = (&str, u64)> {
        let counts = self.counts.iter().copied().chain(std::iter::repeat(0));
        self.words.iter().map(|word| &**word).zip(counts)
    }

    /// The indices of tokens. Those that are not there become the index of unknown words, or are left out without one.
    pub fn encode<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> Vec<u32> {
        tokens.into_iter().filter_map(|token| self.index(token.as_ref()).or(self.unknown())).collect()
    }

    /// The indices of a text's tokens, as [`encode`](Self::encode). Errors: the tokenizer's.
    pub fn encode_text(&self, tokenizer: &dyn Tokenizer, text: &str) -> Result<Vec<u32>> {
        let mut indices = Vec::new();
        tokenizer.each_token(text, &mut |token| indices.extend(self.index(token).or(self.unknown())))?;
        Ok(indices)
    }

    /// The words of indices; padding is left out, unknown words are [`UNKNOWN`](Self::UNKNOWN).
    ///
    /// Errors: an index that is not below [`width`](Self::width).
    pub fn decode(&self, indices: &[u32]) -> Result<Vec<&str>> {
        let mut words = Vec::new();
        for &index in indices {
            match self.word(index) {
                Some(word) => words.push(word),
                None if index == 0 => {}
                None if Some(index) == self.unknown() => words.push(Self::UNKNOWN),
                None => return Err(Error::invalid(PLACE, format!("indices below {}", self.width()), index)),
            }
        }
        Ok(words)
    }

    /// The index of the first word.
    fn first(&self) -> usize {
        1 + usize::from(self.unknown)
    }
}

/// How a [`Vocabulary`] is made from texts: all words by default, with an index for unknown ones.
#[derive(Clone, Debug)]
#[must_use]
pub struct VocabularyBuilder {
    max_features: usize,
    min_count: u64,
    unknown: bool,
    nfc: bool,
}

impl Default for VocabularyBuilder {
    fn default() -> Self {
        VocabularyBuilder { max_features: u32::MAX as usize, min_count: 1, unknown: true, nfc: true }
    }
}

impl VocabularyBuilder {
    /// Every word of the texts.
    pub fn new() -> Self {
        VocabularyBuilder::default()
    }

    /// Keeps the most frequent words, so that every index is below `max_features`: padding and unknown words count too,
    /// as in Keras. Default: no limit.
    pub fn max_features(mut self, max_features: usize) -> Self {
        self.max_features = max_features;
        self
    }

    /// Keeps words that come at least that often. Default: 1.
    pub fn min_count(mut self, min_count: u64) -> Self {
        self.min_count = min_count;
        self
    }

    /// Whether there is an index for unknown words. Default: true; without, they are left out.
    pub fn unknown(mut self, unknown: bool) -> Self {
        self.unknown = unknown;
        self
    }

    /// Whether words are taken in Unicode's form NFC, in which characters are composed, here and whenever the vocabulary is
    /// asked for one: `e` with a combining accent is `é`. Default: true.
    pub fn nfc(mut self, nfc: bool) -> Self {
        self.nfc = nfc;
        self
    }

    /// The vocabulary of texts that are tokens already. Of words equally frequent the one seen first comes first.
    ///
    /// Errors: `max_features` that leaves no room for a word; no word that comes often enough.
    pub fn fit<D: IntoIterator<Item: AsRef<str>>>(&self, texts: impl IntoIterator<Item = D>) -> Result<Vocabulary> {
        let mut counts = Counts::new(self.nfc);
        for text in texts {
            text.into_iter().for_each(|token| counts.add(token.as_ref()));
        }
        self.build(counts)
    }

    /// The vocabulary of the tokens of texts. Errors: as [`fit`](Self::fit), and the tokenizer's.
    pub fn fit_texts<T: AsRef<str>>(
        &self,
        tokenizer: &dyn Tokenizer,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Vocabulary> {
        let mut counts = Counts::new(self.nfc);
        for text in texts {
            tokenizer.each_token(text.as_ref(), &mut |token| counts.add(token))?;
        }
        self.build(counts)
    }

    fn build(&self, counts: Counts) -> Result<Vocabulary> {
        let first = 1 + usize::from(self.unknown);
        if self.max_features <= first {
            let what = if self.unknown { "padding, unknown words and a word" } else { "padding and a word" };
            let expected = format!("max_features of at least {}: {what}", first + 1);
            return Err(Error::invalid(PLACE, expected, self.max_features));
        }
        let mut words = counts.words;
        if words.is_empty() {
            return Err(Error::invalid(PLACE, "texts with at least one word", "none"));
        }
        // A stable sort keeps words of one count in the order in which they were seen.
        words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        words.retain(|(_, count)| *count >= self.min_count);
        words.truncate(self.max_features - first);
        if words.is_empty() {
            let expected = format!("a word that comes {} times or more", self.min_count);
            return Err(Error::invalid(PLACE, expected, "none"));
        }
        let mut vocabulary = Vocabulary::from_words(words.iter().map(|(word, _)| word), self.unknown)?;
        vocabulary.counts = words.into_iter().map(|(_, count)| count).collect();
        vocabulary.nfc = self.nfc;
        Ok(vocabulary)
    }
}

/// How often words came, in the order in which they were first seen.
struct Counts {
    words: Vec<(Arc<str>, u64)>,
    seen: HashMap<Arc<str>, usize, RandomState>,
    nfc: bool,
}

impl Counts {
    fn new(nfc: bool) -> Self {
        Counts { words: Vec::new(), seen: HashMap::default(), nfc }
    }

    fn add(&mut self, word: &str) {
        let word = if self.nfc { nfc(word) } else { word.into() };
        match self.seen.get(&*word) {
            Some(&at) => self.words[at].1 += 1,
            None => {
                let word: Arc<str> = word.into();
                self.seen.insert(word.clone(), self.words.len());
                self.words.push((word, 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::WordTokenizer;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn ranks_fall_with_the_count_and_ties_keep_their_order() {
        let texts = [vec!["b", "c", "a"], vec!["a", "d"], vec!["d"]];
        let all = VocabularyBuilder::new().fit(&texts).unwrap();
        assert_eq!(all.words().collect::<Vec<_>>(), [("a", 2), ("d", 2), ("b", 1), ("c", 1)]);
        assert_eq!(
            (all.len(), all.width(), all.unknown(), all.index("a"), all.index("e")),
            (4, 6, Some(1), Some(2), None)
        );
        assert_eq!((all.word(0), all.word(1), all.word(5), all.word(6)), (None, None, Some("c"), None));
        let few = VocabularyBuilder::new().max_features(3).unknown(false).fit(&texts).unwrap();
        assert_eq!((few.width(), few.unknown(), few.encode(["d", "b", "a"])), (3, None, vec![2, 1]));
        let frequent = VocabularyBuilder::new().min_count(2).fit(&texts).unwrap();
        assert_eq!(frequent.encode(["d", "b", "a"]), [3, 1, 2]);
        assert_eq!(frequent.decode(&[0, 3, 1, 2]).unwrap(), ["d", "<unk>", "a"]);
    }

    #[test]
    fn words_of_any_length_are_told_apart() {
        let words: Vec<String> = (0..40).map(|n| "a".repeat(n)).chain((1..12).map(|n| "a".repeat(n) + "\0")).collect();
        let vocabulary = Vocabulary::from_words(&words, true).unwrap();
        assert!((0..).zip(&words).all(|(number, word)| vocabulary.index(word) == Some(number + 2)));
        assert_eq!((vocabulary.index("\0"), vocabulary.index(&"b".repeat(12))), (None, None));
        for twice in [11, 12] {
            let word = "b".repeat(twice);
            assert!(message(Vocabulary::from_words([&word, &word], true)).contains("every word once"));
        }
    }

    #[test]
    fn texts_are_encoded_by_their_tokenizer() {
        let keras = WordTokenizer::keras();
        let vocabulary = VocabularyBuilder::new().fit_texts(&keras, ["The cat, the mat."]).unwrap();
        assert_eq!(vocabulary.encode_text(&keras, "A cat -- THE cat!").unwrap(), [1, 3, 2, 3]);
    }

    #[test]
    fn it_is_saved_whole_and_checked_when_read() {
        let vocabulary = VocabularyBuilder::new().fit([["ä", "b", "b"]]).unwrap();
        let json = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(json, r#"{"words":["b","ä"],"counts":[2,1],"unknown":true,"nfc":true}"#);
        assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), vocabulary);
        let error =
            |json: &str| message(serde_json::from_str::<Vocabulary>(json).map_err(|e| Error::invalid("", "", e)));
        assert!(error(r#"{"words":["a","a"],"unknown":true}"#).contains("every word once, found \"a\" a second time"));
        assert!(
            error(r#"{"words":["a"],"counts":[1,2],"unknown":true}"#).contains("as many counts as words, 1, found 2")
        );
        assert!(error(r#"{"words":[],"unknown":true}"#).contains("at least one word, found none"));
        assert!(error(r#"{"words":["a"]}"#).contains("unknown"));
    }

    #[test]
    fn errors_say_what_is_missing() {
        let fit = |builder: VocabularyBuilder, tokens: &[&str]| message(builder.fit([tokens]));
        let new = VocabularyBuilder::new;
        assert_eq!(fit(new(), &[]), "vocabulary: expected texts with at least one word, found none");
        assert_eq!(
            fit(new().min_count(2), &["a"]),
            "vocabulary: expected a word that comes 2 times or more, found none"
        );
        let expected = "vocabulary: expected max_features of at least 3: padding, unknown words and a word, found 2";
        assert_eq!(fit(new().max_features(2), &["a"]), expected);
        let vocabulary = new().fit([["a"]]).unwrap();
        assert_eq!(message(vocabulary.decode(&[3])), "vocabulary: expected indices below 3, found 3");
    }
}
