//! What a tagger learns, as a flag.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use elman::pipeline::TaggerTask;

/// Takes a task by its name.
pub fn parser() -> impl TypedValueParser<Value = TaggerTask> {
    let value = |task: TaggerTask| PossibleValue::new(task.name()).help(help(task));
    PossibleValuesParser::new(TaggerTask::ALL.map(value)).try_map(|name| name.parse())
}

fn help(task: TaggerTask) -> &'static str {
    match task {
        TaggerTask::Tags => "A tag for each word, such as its part of speech",
        TaggerTask::Spans => "Spans of words, names or chunks, marked by tags (BIO, BIOES)",
        TaggerTask::Trees => "The head of each word and its label, of CoNLL-U",
        TaggerTask::All => "Tags and trees by one network",
    }
}
