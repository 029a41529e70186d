//! [`Forbidden`]: which tags may not begin, follow each other, or end; and [`TagScheme`], which says so by their names.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is forbidden, by the numbers of tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Forbidden {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) start: BTreeSet<usize>,
    /// From a tag to another.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) transitions: BTreeSet<(usize, usize)>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) end: BTreeSet<usize>,
}

impl Forbidden {
    pub(super) fn is_empty(&self) -> bool {
        self.start.is_empty() && self.transitions.is_empty() && self.end.is_empty()
    }

    /// Errors unless there are that many tags, and a path is left for sequences of any length.
    pub(super) fn check(&self, tags: usize) -> Result<()> {
        let named = self.start.iter().chain(&self.end).chain(self.transitions.iter().flat_map(|(from, to)| [from, to]));
        if let Some(tag) = named.into_iter().find(|&&tag| tag >= tags) {
            let expected = format!("what is forbidden to be of the {tags} tags that come in");
            return Err(Error::invalid("forbidden", expected, format!("tag {tag}")));
        }
        // A tag may be the first of a long sequence, where another may follow it; then one that may be the last is reached.
        let all = || 0..tags;
        if all().all(|tag| self.start.contains(&tag) || self.end.contains(&tag)) {
            return Err(Error::invalid("forbidden", "a tag that may stand alone", "none"));
        }
        let mut at: BTreeSet<usize> = all().filter(|tag| !self.start.contains(tag)).collect();
        for _ in 0..2 * tags {
            let next: BTreeSet<usize> =
                all().filter(|&to| at.iter().any(|&from| !self.transitions.contains(&(from, to)))).collect();
            if next.iter().all(|tag| self.end.contains(tag)) {
                return Err(Error::invalid("forbidden", "a path through sequences of every length", "none"));
            }
            // From here on nothing changes.
            if next == at {
                break;
            }
            at = next;
        }
        Ok(())
    }

    /// The first step of `tags`, by its number, at which they are forbidden, and how: `steps` are those that count.
    pub(crate) fn broken(&self, tags: &[u32], steps: impl Iterator<Item = usize>) -> Option<(usize, String)> {
        if self.is_empty() {
            return None;
        }
        let mut before: Option<(usize, usize)> = None;
        for step in steps {
            let tag = tags[step] as usize;
            match before {
                None if self.start.contains(&tag) => return Some((step, format!("tag {tag} as the first"))),
                Some((_, from)) if self.transitions.contains(&(from, tag)) => {
                    return Some((step, format!("tag {tag} behind tag {from}")));
                }
                _ => before = Some((step, tag)),
            }
        }
        before.filter(|(_, tag)| self.end.contains(tag)).map(|(step, tag)| (step, format!("tag {tag} as the last")))
    }
}

/// How tags mark spans, such as names: the letter says where in a span a word stands, what is behind the dash of which kind the span
/// is; `O` is outside of all.
///
/// ```
/// use elman::layers::{Crf, TagScheme};
/// let names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];
/// let crf = Crf::new().scheme(TagScheme::Bio, &names)?; // no I-LOC behind O, none behind B-PER
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TagScheme {
    /// `B` begins every span, `I` goes on (also IOB2): `I` stands behind `B` or `I` of its kind alone.
    Bio,
    /// `B` begins, `I` goes on and `E` ends a span of several words, `S` is one of a single word (also IOBES, BILOU with other letters).
    Bioes,
    /// `I` is in a span, `B` begins one that directly follows another of its kind, and stands nowhere else (also IOB).
    Iob1,
}

impl TagScheme {
    /// What is forbidden by the names of the tags. Errors for a name that is none of the scheme.
    pub(super) fn forbids(self, names: &[&str]) -> Result<Forbidden> {
        let letters = if self == TagScheme::Bioes { "BIES" } else { "BI" };
        let marked = |name: &&str| match name.split_once('-') {
            None if *name == "O" => Ok(('O', String::new())),
            Some((letter, kind)) if letter.len() == 1 && letters.contains(letter) && !kind.is_empty() => {
                Ok((letter.chars().next().unwrap_or('O'), kind.to_string()))
            }
            _ => {
                let each: Vec<String> = letters.chars().map(|letter| format!("`{letter}-KIND`")).collect();
                let expected = format!("tags named `O` and {}", each.join(", "));
                Err(Error::invalid("tag scheme", expected, format!("`{name}`")))
            }
        };
        let tags: Vec<(char, String)> = names.iter().map(marked).collect::<Result<_>>()?;
        let (outside, mut forbidden) = (('O', String::new()), Forbidden::default());
        for (tag, of_tag) in tags.iter().enumerate() {
            // Before and behind a sequence all is outside.
            if !self.allows(&outside, of_tag) {
                forbidden.start.insert(tag);
            }
            if !self.allows(of_tag, &outside) {
                forbidden.end.insert(tag);
            }
            let refused = tags.iter().enumerate().filter(|(_, to)| !self.allows(of_tag, to)).map(|(to, _)| (tag, to));
            forbidden.transitions.extend(refused);
        }
        Ok(forbidden)
    }

    fn allows(self, (from, from_kind): &(char, String), (to, to_kind): &(char, String)) -> bool {
        let same = from_kind == to_kind;
        match self {
            TagScheme::Bio => *to != 'I' || (same && matches!(from, 'B' | 'I')),
            TagScheme::Bioes => {
                let within = matches!(from, 'B' | 'I');
                let goes_on = matches!(to, 'I' | 'E');
                within == goes_on && (!within || same)
            }
            TagScheme::Iob1 => *to != 'B' || (same && matches!(from, 'B' | 'I')),
        }
    }
}
