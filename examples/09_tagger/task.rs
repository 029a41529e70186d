//! What a tagger learns.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A tag for each word, such as its part of speech
    Tags,
    /// Spans of words, names or chunks, marked by tags (BIO, BIOES)
    Spans,
    /// The head of each word and its label, of CoNLL-U
    Trees,
    /// Tags and trees by one network
    All,
}

impl Task {
    pub fn has_tags(self) -> bool {
        self != Task::Trees
    }

    pub fn has_trees(self) -> bool {
        matches!(self, Task::Trees | Task::All)
    }

    /// As it is given.
    pub fn name(self) -> &'static str {
        match self {
            Task::Tags => "tags",
            Task::Spans => "spans",
            Task::Trees => "trees",
            Task::All => "all",
        }
    }

    /// What the best epoch is chosen by. That of trees is the share of words whose head and label, with its subtype, are the most probable
    /// ones: what the labelled attachment score would be if no tree had to be made of them.
    pub fn choose_by(self) -> &'static str {
        match self {
            Task::Tags => "val_accuracy",
            Task::Spans => "val_span_f1",
            Task::Trees | Task::All => "val_trees_accuracy",
        }
    }
}
