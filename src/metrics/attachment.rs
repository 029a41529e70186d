//! Dependency trees against those of a treebank: how many words hang where they should.

use super::ratio;
use crate::error::{Error, Result};

/// Unlabelled and labelled attachment scores, over any number of sentences whose words are given.
///
/// As CoNLL 2018 counts them (Zeman and others, 2018): all words count, punctuation too, and of labels only what stands before `:`, so
/// that `nsubj:pass` is as good as `nsubj`.
///
/// ```
/// use elman::metrics::AttachmentScores;
/// let mut scores = AttachmentScores::new();
/// scores.add((&[2, 0, 2], &["nsubj:pass", "root", "obj"]), (&[2, 0, 1], &["nsubj", "root", "obj"]))?;
/// assert_eq!((scores.uas(), scores.las()), (2.0 / 3.0, 2.0 / 3.0));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachmentScores {
    words: u64,
    heads: u64,
    labels: u64,
}

impl AttachmentScores {
    /// No sentence yet.
    pub fn new() -> Self {
        AttachmentScores::default()
    }

    /// Takes in a sentence: the heads (0 for the root) and labels of its words, as they are and as they were predicted.
    ///
    /// Errors: not as many of each.
    pub fn add<T: AsRef<str>, P: AsRef<str>>(
        &mut self,
        (heads, labels): (&[usize], &[T]),
        (predicted_heads, predicted_labels): (&[usize], &[P]),
    ) -> Result<()> {
        let (words, found) = (heads.len(), [labels.len(), predicted_heads.len(), predicted_labels.len()]);
        if found != [words; 3] {
            let expected = format!("labels, predicted heads and predicted labels for each of {words} words");
            return Err(Error::invalid("attachment scores", expected, format!("{found:?}")));
        }
        self.words += words as u64;
        for word in 0..words {
            let head = heads[word] == predicted_heads[word];
            let label = relation(labels[word].as_ref()) == relation(predicted_labels[word].as_ref());
            self.heads += u64::from(head);
            self.labels += u64::from(head && label);
        }
        Ok(())
    }

    /// How many words there were.
    pub fn words(&self) -> u64 {
        self.words
    }

    /// The share of the words with the right head; 0 without a word.
    pub fn uas(&self) -> f64 {
        ratio(self.heads as f64, self.words as f64)
    }

    /// The share of the words with the right head and the right label.
    pub fn las(&self) -> f64 {
        ratio(self.labels as f64, self.words as f64)
    }
}

/// A label without its subtype.
fn relation(label: &str) -> &str {
    label.split(':').next().unwrap_or_default()
}
