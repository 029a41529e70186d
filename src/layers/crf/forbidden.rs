//! [`Forbidden`]: which tags may not begin, follow each other, or end; a scheme says so by their names.

use crate::data::{TagPlace, TagScheme, part_tag};
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

    /// What a scheme does not know, by the names of all tags in their order. Errors for a name that is none of the scheme's.
    pub(super) fn of(scheme: TagScheme, names: &[&str]) -> Result<Self> {
        let tags: Vec<(TagPlace, &str)> =
            names.iter().map(|name| part_tag(name, Some(scheme))).collect::<Result<_>>()?;
        let (outside, mut forbidden) = ((TagPlace::Outside, "_"), Forbidden::default());
        for (tag, &of_tag) in tags.iter().enumerate() {
            // Before and behind a sequence all is outside.
            if !allows(scheme, outside, of_tag) {
                forbidden.start.insert(tag);
            }
            if !allows(scheme, of_tag, outside) {
                forbidden.end.insert(tag);
            }
            let refused =
                tags.iter().enumerate().filter(|&(_, &to)| !allows(scheme, of_tag, to)).map(|(to, _)| (tag, to));
            forbidden.transitions.extend(refused);
        }
        Ok(forbidden)
    }
}

/// Whether a tag may stand behind another.
fn allows(scheme: TagScheme, (from, from_kind): (TagPlace, &str), (to, to_kind): (TagPlace, &str)) -> bool {
    let same = from_kind == to_kind;
    let within = matches!(from, TagPlace::Begin | TagPlace::Inside);
    match scheme {
        TagScheme::Bio => to != TagPlace::Inside || (same && within),
        TagScheme::Bioes => {
            let goes_on = matches!(to, TagPlace::Inside | TagPlace::End);
            within == goes_on && (!within || same)
        }
        TagScheme::Iob1 => to != TagPlace::Begin || (same && within),
    }
}
