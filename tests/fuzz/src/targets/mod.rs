//! What is read, and what must hold of it whatever is in the file.

mod description;
mod models;
mod texts;
mod tokens;
mod treebanks;
mod vectors;

use crate::mutate::Shape;
use crate::place::Place;

/// One reader, or a few of one kind.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What has a meaning in such a file.
    pub(crate) words: &'static [&'static str],
    /// Sound files.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Panics where something does not hold.
    pub(crate) run: fn(&Place, &[u8]),
}

pub(crate) const ALL: [&Target; 16] = [
    &texts::TSV,
    &texts::CSV,
    &texts::JSONL,
    &texts::GZ,
    &treebanks::CONLLU,
    &treebanks::COLUMNS,
    &vectors::TEXT,
    &vectors::BINARY,
    &tokens::TOKENIZER,
    &tokens::VOCABULARY,
    &models::WEIGHTS,
    &models::TRAINING,
    &models::MANIFEST,
    &description::DESCRIPTION,
    &models::PYTORCH,
    &models::KERAS,
];

/// Texts as seeds.
fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
