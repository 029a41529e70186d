//! [`RuleTokenizer`]: sentences and words of plain text, by rules, with their places in it.

mod join;
mod sentences;

use super::scan::scan;
use super::{Tokenizer, described};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Range;

pub(super) const KIND: &str = "rules";

/// The rules that there are: other rules are a version more, as a model that was trained or measured with these would read others' words.
const VERSION: u32 = 1;

/// Parts plain text into sentences, and these into words, by rules of orthography alone: nothing is learnt, and where a rule is wrong it is
/// always wrong. Nothing is changed: words are ranges of bytes of the text.
///
/// Words are those of [`WordTokenizer`](super::WordTokenizer), punctuation and emoji among them; the point of an abbreviation belongs to
/// it (`U.S.`, `e.g.`, `Mr.`, of a short list, and initials: `J. Smith`). A sentence ends behind `.`, `!`, `?` and `…`, and the quotes and
/// brackets that close there, where white space and no small letter follows; behind `。`, `！` and `？`; and at a blank line. A single line
/// break is white space.
///
/// ```
/// use elman::text::{RuleTokenizer, Tokenizer};
/// let text = "Mr. Smith lives in the U.S. now. \"Why?\" I don't know!";
/// let tokenizer = RuleTokenizer::new();
/// let sentences = tokenizer.sentences(text);
/// let words = |n: usize| sentences[n].iter().map(|range| &text[range.clone()]).collect::<Vec<_>>();
/// assert_eq!(words(0), ["Mr.", "Smith", "lives", "in", "the", "U.S.", "now", "."]);
/// assert_eq!(words(1), ["\"", "Why", "?", "\""]);
/// assert_eq!(words(2), ["I", "don't", "know", "!"]);
/// assert_eq!(tokenizer.tokenize("Two. Sentences.")?.len(), 4);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "Sentencizer")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTokenizer {}

/// What is saved of a tokenizer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    version: u32,
}

/// A word that was found.
struct Found {
    range: Range<usize>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Number,
    /// With the point that belongs to it.
    Abbreviation,
    Other,
}

impl RuleTokenizer {
    /// By the newest rules.
    pub fn new() -> Self {
        RuleTokenizer {}
    }

    pub(super) fn from_settings(settings: &Value) -> Result<Self> {
        let error =
            |error: &dyn std::fmt::Display| Error::invalid("tokenizer", "settings of a tokenizer of rules", error);
        let Settings { version } = Settings::deserialize(settings).map_err(|found| error(&found))?;
        if version != VERSION {
            let found = format!("version {version}: another version of elman has it");
            return Err(Error::invalid("tokenizer", format!("rules of version {VERSION}"), found));
        }
        Ok(RuleTokenizer {})
    }

    /// The words of a text, whatever its sentences: where they stand in it, in bytes.
    pub fn words(&self, text: &str) -> Vec<Range<usize>> {
        found(text).into_iter().map(|word| word.range).collect()
    }

    /// The words of each sentence of a text: where they stand in it, in bytes. No sentence is empty; a text without words has none.
    pub fn sentences(&self, text: &str) -> Vec<Vec<Range<usize>>> {
        sentences::parted(text, found(text))
    }
}

fn found(text: &str) -> Vec<Found> {
    let mut words = Vec::new();
    scan(text, true, |kind, token| {
        // A token is a part of the text.
        let start = token.as_ptr() as usize - text.as_ptr() as usize;
        let kind = match kind {
            super::scan::Kind::Word => Kind::Word,
            super::scan::Kind::Number => Kind::Number,
            _ => Kind::Other,
        };
        words.push(Found { range: start..start + token.len(), kind });
    });
    join::abbreviations(text, words)
}

impl Tokenizer for RuleTokenizer {
    fn name(&self) -> &str {
        KIND
    }

    fn each_token(&self, text: &str, each: &mut dyn FnMut(&str)) -> Result<()> {
        self.words(text).into_iter().for_each(|range| each(&text[range]));
        Ok(())
    }

    fn to_json(&self) -> Value {
        // A number always has a value.
        described(KIND, serde_json::to_value(Settings { version: VERSION }).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
