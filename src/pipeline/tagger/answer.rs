//! What a tagger answers: [`Tagged`] sentences. They can be serialised, as JSON for instance.

use serde::Serialize;
use std::ops::Range;

/// A sentence with what was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tagged {
    /// Its words in order.
    pub words: Vec<TaggedWord>,
    /// Names or chunks, of a tagger of spans, in order.
    pub spans: Vec<TaggedSpan>,
}

/// A word with what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggedWord {
    /// As it is written.
    pub text: String,
    /// Where that is in the text, in bytes. Of words that were given as such: in these with a space between them.
    pub range: Range<usize>,
    /// The tag; empty by a tagger of trees alone.
    pub tag: String,
    /// How probable it is by the network, of a field its marginal; 0 without a tag.
    pub probability: f64,
    /// What it depends on, by a tagger of trees.
    pub arc: Option<TaggedArc>,
}

/// What a word depends on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggedArc {
    /// The number of the word that it depends on, from 1; 0: it is the root.
    pub head: usize,
    /// How: `nsubj`.
    pub label: String,
    /// How probable this head with this label is by the network; the tree may have had to pass over a more probable one.
    pub probability: f64,
}

/// A run of words: a name, a chunk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggedSpan {
    /// `person` of the tag `B-person`.
    pub kind: String,
    /// The words, from 0, the end exclusive.
    pub words: Range<usize>,
    /// As it is written.
    pub text: String,
    /// Where that is in the text, in bytes, as that of [`TaggedWord`].
    pub range: Range<usize>,
    /// How probable the least probable of its tags is.
    pub probability: f64,
}

impl Tagged {
    /// The tags of the words; empty ones by a tagger of trees alone.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(|word| word.tag.as_str())
    }

    /// The arcs of the words, by a tagger of trees.
    pub fn arcs(&self) -> impl Iterator<Item = &TaggedArc> {
        self.words.iter().filter_map(|word| word.arc.as_ref())
    }
}
