//! Words and vectors as they come from a file, until they are [`WordVectors`].

use super::WordVectors;
use std::collections::HashMap;
use std::sync::Arc;

/// Whether a word is wanted.
pub(super) type Wanted<'a> = dyn Fn(&str) -> bool + 'a;

/// What has been kept so far. Memory grows with what is read, never by what a header promises.
pub(super) struct Gathering<'a> {
    wanted: Option<&'a Wanted<'a>>,
    words: Vec<Arc<str>>,
    data: Vec<f32>,
    index: HashMap<Arc<str>, usize>,
    duplicates: usize,
    lossy: usize,
    blank: usize,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(wanted: Option<&'a Wanted<'a>>) -> Self {
        Gathering {
            wanted,
            words: Vec::new(),
            data: Vec::new(),
            index: HashMap::new(),
            duplicates: 0,
            lossy: 0,
            blank: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Takes the vector of a word that is wanted and new; says whether it did.
    pub(super) fn offer(&mut self, word: &[u8], vector: &[f32]) -> bool {
        let text = String::from_utf8_lossy(word);
        self.lossy += usize::from(matches!(text, std::borrow::Cow::Owned(_)));
        if self.wanted.is_some_and(|wanted| !wanted(&text)) {
            return false;
        }
        if self.index.contains_key(&*text) {
            self.duplicates += 1;
            return false;
        }
        let word: Arc<str> = text.into();
        self.index.insert(word.clone(), self.words.len());
        self.words.push(word);
        self.data.extend_from_slice(vector);
        true
    }

    /// Counts a vector without a word.
    pub(super) fn skip(&mut self) {
        self.blank += 1;
    }

    pub(super) fn finish(self, dim: usize) -> WordVectors {
        let Gathering { words, mut data, index, duplicates, lossy, blank, .. } = self;
        data.shrink_to_fit();
        let norms = data.chunks_exact(dim).map(|row| super::nearest::dot(row, row).sqrt()).collect();
        WordVectors { words, dim, data, index, norms, duplicates, lossy, blank }
    }
}
