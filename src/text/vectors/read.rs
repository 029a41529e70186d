//! [`ReadVectors`]: how to read a file of vectors, and how much of it.

use super::gather::{Gathering, Wanted};
use super::{VectorFormat, WordVectors, binary, format, lines};
use crate::error::{Error, Result};
use crate::file::Source;
use crate::text::Vocabulary;
use std::io::BufRead;
use std::path::Path;

/// How to read word vectors from a file: all of them in whatever format by default.
///
/// The file is streamed: memory is taken for the words that are kept. Gzip is known by its magic bytes (with the
/// feature `gz`), the format by what the file begins with: a line of two whole numbers is word2vec's header, anything
/// else GloVe. So GloVe vectors of one whole number, if there were such, would have to be named as that. Behind a header
/// the file is text where there are characters and nothing else, however wrong they are as numbers; a binary file so small
/// that it has none but printable bytes would have to be named.
///
/// Of a word that comes twice the first vector counts ([`WordVectors::duplicates`]). A word that is not UTF-8 is kept
/// with U+FFFD in place of its broken bytes ([`WordVectors::lossy_words`]), as published files have such words. A word
/// in text may hold spaces (GloVe's 840B vectors have `. . .`), as long as no piece but the first is a number. In binary
/// a space ends the word: a file whose writer did not heed that is refused. Where a line end follows each vector that is
/// certain; where none does it is told by numbers and words that cannot be meant.
///
/// Errors name the line in text, the entry (from 0) and its byte (of the decompressed data) in binary: a file that is
/// cut off; a line with another number of numbers; fewer or more entries than the header promises; what is not a
/// number, NaN, infinity; an empty word; in binary line ends after some vectors only; a dimension of 0 or above [`WordVectors::MAX_DIM`]. fastText's own binary
/// files, archives and Python pickles are refused by name.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vectors.txt");
/// use elman::text::{ReadVectors, VectorFormat};
/// std::fs::write(&path, "the 0.5 1\ncat -1 2.5\ndog -1 2\n")?;
/// let vectors = ReadVectors::new().format(VectorFormat::Glove).only(|word| word != "the").limit(2).read(&path)?;
/// assert_eq!(vectors.words().collect::<Vec<_>>(), ["cat"]);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use]
pub struct ReadVectors<'a> {
    format: Option<VectorFormat>,
    limit: Option<u64>,
    any_count: bool,
    skip_blank_words: bool,
    wanted: Option<Box<Wanted<'a>>>,
}

/// What the readers of the formats have to know.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) limit: u64,
    pub(super) any_count: bool,
    pub(super) skip_blank_words: bool,
}

impl<'a> ReadVectors<'a> {
    /// Everything in the file, in the format that it seems to be in.
    pub fn new() -> Self {
        ReadVectors::default()
    }

    /// The file's format. Default: told by its first bytes.
    pub fn format(mut self, format: VectorFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Reads the first `entries` of the file and no further; what comes after them is not looked at. Default: all.
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = Some(entries as u64);
        self
    }

    /// Keeps the words of which `wanted` is true. Default: all. The others are checked all the same.
    pub fn only(mut self, wanted: impl Fn(&str) -> bool + 'a) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// Keeps the words of a vocabulary.
    pub fn vocabulary(self, vocabulary: &'a Vocabulary) -> Self {
        self.only(|word| vocabulary.index(word).is_some())
    }

    /// Takes a file that has fewer or more words than its header promises, as some that were cut by hand do. Default:
    /// an error.
    pub fn any_count(mut self) -> Self {
        self.any_count = true;
        self
    }

    /// Passes over vectors without a word (an empty one, or white space), of which some published files have one or two;
    /// [`WordVectors::blank_words`] counts them. Default: an error.
    pub fn skip_blank_words(mut self) -> Self {
        self.skip_blank_words = true;
        self
    }

    /// Reads a file.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<WordVectors> {
        let path = path.as_ref();
        let mut source = Source::open(path)?;
        let head = source.peek(format::PEEK);
        // A file of which nothing can be read is not an empty one.
        source.fill_buf().map(drop).map_err(|error| source.error(None, error))?;
        format::refuse(&head).map_err(|why| Error::Parse { path: path.into(), line: None, why })?;
        let (any_count, skip_blank_words) = (self.any_count, self.skip_blank_words);
        let plan = Plan { limit: self.limit.unwrap_or(u64::MAX), any_count, skip_blank_words };
        let mut gathering = Gathering::new(self.wanted.as_deref());
        let dim = match self.format.unwrap_or_else(|| format::detect(&head)) {
            VectorFormat::Word2vecBinary => binary::read(source, plan, &mut gathering)?,
            VectorFormat::Word2vecText => lines::read(source, true, plan, &mut gathering)?,
            VectorFormat::Glove => lines::read(source, false, plan, &mut gathering)?,
        };
        Ok(gathering.finish(dim))
    }
}
