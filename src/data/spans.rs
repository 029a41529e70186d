//! Spans of a sequence (names, chunks) and the tags that mark them, one a word.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// How tags mark spans, where that is to be strict: in reading ([`TagScheme::spans`]), and in what a model may say
/// ([`Crf::scheme`](crate::layers::Crf::scheme)).
///
/// Tags are `O` outside of spans, else a letter, a hyphen and the kind of the span: `B-person`. Without kind (`B`) the kind is `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagScheme {
    /// Ramshaw and Marcus (1995): `I`, and `B` only where a span follows on one of its own kind.
    Iob1,
    /// Also IOB2: `B` begins a span, `I` continues it.
    Bio,
    /// Also IOBES and BILOU by other letters: `B` begins a span, `I` continues it, `E` ends it, `S` is one of one word.
    Bioes,
}

/// What a tag says of a word's place in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TagPlace {
    Outside,
    Begin,
    Inside,
    End,
    Single,
}

use TagPlace::{Begin, End, Inside, Outside, Single};

/// A run of words of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span<'a> {
    /// `person` of `B-person`.
    pub kind: &'a str,
    /// The words, from 0, the end exclusive.
    pub words: Range<usize>,
}

/// The spans that tags mark, whatever the scheme and however odd they are: the reading of CoNLL's script `conlleval` and of seqeval's
/// default.
///
/// A span begins at `B` and `S`, behind `O`, `E` and `S`, and wherever the kind changes; it ends before the next one and before `O`. So
/// an `I` without a `B` begins a span, too. For a strict reading see [`TagScheme::spans`]. Errors: a tag that is none (names its word).
///
/// ```
/// use elman::data::spans;
/// let found = spans(&["B-NP", "I-NP", "B-NP", "O", "I-VP"])?;
/// let told: Vec<_> = found.iter().map(|span| (span.kind, span.words.clone())).collect();
/// assert_eq!(told, [("NP", 0..2), ("NP", 2..3), ("VP", 4..5)]);
/// # Ok::<(), elman::Error>(())
/// ```
pub fn spans<S: AsRef<str>>(tags: &[S]) -> Result<Vec<Span<'_>>> {
    marked(tags, None)
}

impl TagScheme {
    /// The spans that are marked as the scheme wants it, and no others: seqeval's `mode="strict"`. Spans that lack their beginning (or in
    /// [`TagScheme::Bioes`] their end) are left out.
    ///
    /// Errors: a tag that is none, or has a letter that the scheme does not know (names its word).
    ///
    /// ```
    /// use elman::data::TagScheme;
    /// assert_eq!(TagScheme::Bio.spans(&["I-NP", "B-VP"])?.len(), 1);
    /// assert_eq!(TagScheme::Iob1.spans(&["I-NP", "I-VP"])?.len(), 2);
    /// assert!(TagScheme::Bio.spans(&["S-NP"]).is_err());
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn spans<'a, S: AsRef<str>>(&self, tags: &'a [S]) -> Result<Vec<Span<'a>>> {
        marked(tags, Some(*self))
    }

    pub(crate) fn knows(self, place: TagPlace) -> bool {
        match place {
            Outside | Begin | Inside => true,
            End | Single => self == TagScheme::Bioes,
        }
    }

    /// Whether a span begins at a tag behind another.
    fn begins(self, before: TagPlace, place: TagPlace, same: bool) -> bool {
        match (self, place) {
            (TagScheme::Bio, _) => place == Begin,
            (TagScheme::Bioes, _) => matches!(place, Begin | Single),
            (TagScheme::Iob1, Inside) => before != Inside || !same,
            (TagScheme::Iob1, _) => place == Begin && matches!(before, Begin | Inside) && same,
        }
    }

    /// Whether a tag continues the span of the one before it.
    fn continues(self, before: TagPlace, place: TagPlace, same: bool) -> bool {
        let goes_on = place == Inside || (place == End && self == TagScheme::Bioes);
        same && goes_on && matches!(before, Begin | Inside)
    }

    /// Whether a span may end at a tag behind which another follows, that does not continue it.
    fn ends(self, place: TagPlace, next: TagPlace, same: bool) -> bool {
        match self {
            TagScheme::Bio => true,
            TagScheme::Bioes => matches!(place, End | Single),
            // As seqeval has it: a `B` behind one of another kind is no tag of the scheme, and what it ends is not taken either.
            TagScheme::Iob1 => place == Inside || next != Begin || same,
        }
    }
}

impl fmt::Display for TagScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TagScheme::Iob1 => "IOB1",
            TagScheme::Bio => "BIO",
            TagScheme::Bioes => "BIOES",
        })
    }
}

fn marked<S: AsRef<str>>(tags: &[S], scheme: Option<TagScheme>) -> Result<Vec<Span<'_>>> {
    let mut parted = Vec::with_capacity(tags.len());
    for (word, tag) in tags.iter().enumerate() {
        parted.push(part_tag(tag.as_ref(), scheme).map_err(|error| error.at(format!("word {word}")))?);
    }
    let mut spans = Vec::new();
    each_span(&parted, scheme, |kind, words| spans.push(Span { kind, words }));
    Ok(spans)
}

/// Place and kind of a tag. Errors: a tag that is none, or none of the scheme.
pub(crate) fn part_tag(tag: &str, scheme: Option<TagScheme>) -> Result<(TagPlace, &str)> {
    let (letter, kind) = tag.split_once('-').unwrap_or((tag, "_"));
    let place = match letter {
        "O" if tag == "O" => Some(Outside),
        "B" => Some(Begin),
        "I" => Some(Inside),
        "E" => Some(End),
        "S" => Some(Single),
        _ => None,
    };
    let fits = |&place: &TagPlace| scheme.is_none_or(|scheme| scheme.knows(place)) && !kind.is_empty();
    place.filter(fits).map(|place| (place, kind)).ok_or_else(|| {
        let letters = match scheme {
            Some(TagScheme::Iob1 | TagScheme::Bio) => "`B-` or `I-`",
            _ => "`B-`, `I-`, `E-` or `S-`",
        };
        let of = scheme.map_or(String::new(), |scheme| format!(" of {scheme}"));
        Error::invalid("tag", format!("a tag{of}: `O`, or {letters} and a kind"), format!("{tag:?}"))
    })
}

/// Hands each span to `each`, with the kind that its tags have; leniently where there is no scheme.
pub(crate) fn each_span<K: PartialEq + Copy>(
    tags: &[(TagPlace, K)],
    scheme: Option<TagScheme>,
    mut each: impl FnMut(K, Range<usize>),
) {
    let place = |at: usize| tags.get(at).map_or(Outside, |tag| tag.0);
    let before = |at: usize| if at == 0 { Outside } else { place(at - 1) };
    let same = |at: usize| at > 0 && at < tags.len() && tags[at - 1].1 == tags[at].1;
    let begins = |at: usize| match scheme {
        Some(scheme) => scheme.begins(before(at), place(at), same(at)),
        None if matches!(before(at), Outside | End | Single) => place(at) != Outside,
        None => matches!(place(at), Begin | Single) || (place(at) != Outside && !same(at)),
    };
    let continues = |at: usize| match scheme {
        Some(scheme) => scheme.continues(before(at), place(at), same(at)),
        None => place(at) != Outside && !begins(at),
    };
    let mut at = 0;
    while at < tags.len() {
        if !begins(at) {
            at += 1;
            continue;
        }
        let start = at;
        at += 1;
        while at < tags.len() && continues(at) {
            at += 1;
        }
        if scheme.is_none_or(|scheme| scheme.ends(place(at - 1), place(at), same(at))) {
            each(tags[start].1, start..at);
        }
    }
}
