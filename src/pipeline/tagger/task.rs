//! What a tagger learns.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a [`Tagger`](super::Tagger) learns and finds. By name ([`FromStr`], [`Display`](fmt::Display)) `tags`, `spans`, `trees` and `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaggerTask {
    /// A tag for each word, such as its part of speech.
    Tags,
    /// Spans of words, names or chunks, marked by tags ([BIO, BIOES](crate::data::TagScheme)).
    Spans,
    /// The head of each word and the label of the arc: a dependency tree.
    Trees,
    /// Tags and trees by one network.
    All,
}

impl TaggerTask {
    /// All of them.
    pub const ALL: [TaggerTask; 4] = [TaggerTask::Tags, TaggerTask::Spans, TaggerTask::Trees, TaggerTask::All];

    /// Whether words get tags.
    pub fn has_tags(self) -> bool {
        self != TaggerTask::Trees
    }

    /// Whether sentences get trees.
    pub fn has_trees(self) -> bool {
        matches!(self, TaggerTask::Trees | TaggerTask::All)
    }

    /// The name: `tags`.
    pub fn name(self) -> &'static str {
        match self {
            TaggerTask::Tags => "tags",
            TaggerTask::Spans => "spans",
            TaggerTask::Trees => "trees",
            TaggerTask::All => "all",
        }
    }

    /// What the best epoch is best chosen by, for [`EarlyStopping`](crate::training::callbacks::EarlyStopping): accuracy, F1 of spans, or of
    /// trees the share of words whose head and label, with its subtype, are the most probable ones (what the labelled attachment score would
    /// be if no tree had to be made of them).
    pub fn best_by(self) -> &'static str {
        match self {
            TaggerTask::Tags => "val_accuracy",
            TaggerTask::Spans => "val_span_f1",
            TaggerTask::Trees | TaggerTask::All => "val_trees_accuracy",
        }
    }
}

impl fmt::Display for TaggerTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TaggerTask {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = TaggerTask::ALL.into_iter().find(|task| task.name() == name);
        found.ok_or_else(|| Error::invalid("task", "tags, spans, trees or all", format!("{name:?}")))
    }
}
