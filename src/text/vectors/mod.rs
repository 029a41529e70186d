//! [`WordVectors`]: words and the vectors that stand for them, as word2vec, GloVe and fastText give them away.

mod alignment;
mod binary;
mod coverage;
mod format;
mod gather;
mod lines;
mod matrix;
mod nearest;
mod read;
mod write;

pub use coverage::Coverage;
pub use format::VectorFormat;
pub use matrix::UnknownRows;
pub use read::ReadVectors;

use crate::error::{Error, Result};
use crate::text::{nfc, nfd};
use gather::Gathering;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Words, each with a vector of `dim` numbers: a table `[words, dim]`.
///
/// [`WordVectors::read`] takes what is published: word2vec's text and binary layout, GloVe's text, fastText's `.vec`,
/// plain or gzip-compressed. [`ReadVectors`] reads a part of a file. Similarity is the cosine of the angle between two
/// vectors.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vectors.txt");
/// use elman::text::WordVectors;
/// std::fs::write(&path, "4 2\nking 2 2\nqueen 2 -1\nman 1 2\nwoman 1 -1\n")?;
/// let vectors = WordVectors::read(&path)?;
/// assert_eq!((vectors.len(), vectors.dim()), (4, 2));
/// assert_eq!(vectors.get("man"), Some(&[1.0, 2.0][..]));
/// assert_eq!(vectors.neighbours("man", 1)?[0].0, "king");
/// assert_eq!(vectors.analogy("king", "man", "woman", 1)?[0].0, "queen");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WordVectors {
    words: Vec<Arc<str>>,
    dim: usize,
    data: Vec<f32>,
    index: HashMap<Arc<str>, usize>,
    /// Euclidean length of every vector.
    norms: Vec<f64>,
    duplicates: usize,
    lossy: usize,
    blank: usize,
}

impl WordVectors {
    /// The most numbers that a vector may have: what claims more is not a file of word vectors.
    pub const MAX_DIM: usize = 1 << 16;

    /// Reads a whole file in whatever format it is in; [`ReadVectors`] says what is accepted and what is refused.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        ReadVectors::new().read(path)
    }

    /// Vectors that are in memory already: `data` is `[words, dim]`, row-major. There may be no word.
    ///
    /// Errors: a `dim` of 0 or above [`MAX_DIM`](Self::MAX_DIM); other than `dim` numbers a word; a number that is NaN
    /// or infinite; a word that comes twice.
    pub fn new<W: AsRef<str>>(words: impl IntoIterator<Item = W>, dim: usize, data: &[f32]) -> Result<Self> {
        const PLACE: &str = "word vectors";
        format::check_dim(dim).map_err(|why| Error::invalid(PLACE, why, dim))?;
        let mut gathering = Gathering::new(None);
        let mut rows = data.chunks_exact(dim);
        for word in words {
            let word = word.as_ref();
            let place = || format!("{PLACE}, `{word}`");
            let row = rows.next().ok_or_else(|| Error::invalid(place(), format!("{dim} numbers"), "fewer"))?;
            if let Some(x) = row.iter().find(|x| !x.is_finite()) {
                return Err(Error::invalid(place(), "finite numbers", x));
            }
            if !gathering.offer(word.as_bytes(), row) {
                return Err(Error::invalid(place(), "every word once", "it a second time"));
            }
        }
        if rows.next().is_some() || !rows.remainder().is_empty() {
            let expected = format!("{dim} numbers for each of {} words", gathering.len());
            return Err(Error::invalid(PLACE, expected, format!("{} in all", data.len())));
        }
        Ok(gathering.finish(dim))
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word: none was wanted, or none of those that were is in the file.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Numbers in a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The words in the order of the file, which is mostly that of falling frequency.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(|word| &**word)
    }

    /// All vectors: `[words, dim]`, row-major.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The row of a word; `None` for one that is not there. A word in composed characters is also found where the file
    /// has it in decomposed ones, and the other way round (Unicode's NFC and NFD).
    pub fn index(&self, word: &str) -> Option<usize> {
        let find = |word: &str| self.index.get(word).copied();
        match find(word) {
            None if !word.is_ascii() => find(&nfc(word)).or_else(|| find(&nfd(word))),
            found => found,
        }
    }

    /// The vector of a word; `None` for one that is not there.
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        self.index(word).map(|row| self.row(row))
    }

    /// How often the file gave a word anew: the first vector counts.
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// How many words of the file were not UTF-8: what could not be read in them is the replacement character U+FFFD.
    /// The published GoogleNews vectors have such words.
    pub fn lossy_words(&self) -> usize {
        self.lossy
    }

    /// How many vectors of the file had no word and were [passed over](ReadVectors::skip_blank_words).
    pub fn blank_words(&self) -> usize {
        self.blank
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.dim..(row + 1) * self.dim]
    }
}

#[cfg(test)]
mod tests;
