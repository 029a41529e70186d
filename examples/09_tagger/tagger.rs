//! From sentences to tags: what a checkpoint holds besides weights, and the model that is made of it.

use super::common::run::{CURE, RunSettings, load};
use super::corpus::{Found, Tagged};
use super::encoder::Encoder;
use super::parser;
use super::settings::Settings;
use anyhow::{Context, ensure};
use elman::checkpoint::Extras;
use elman::data::Labels;
use elman::model::Predictions;
use elman::{Backend, Model};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of a [`Description`] among the extras of a checkpoint.
const EXTRA: &str = "tagger";

/// Words that are tagged in one batch.
const WORDS: usize = 2048;

/// All that tagging needs besides the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    pub settings: Settings,
    pub encoder: Encoder,
    pub tags: Labels,
    /// Of arcs, where there are trees.
    #[serde(default)]
    pub labels: Option<Labels>,
    /// Columns of the files, if they are columns.
    pub columns: Option<usize>,
}

impl Description {
    /// For a checkpoint.
    pub fn extras(&self) -> anyhow::Result<Extras> {
        let description = Description { settings: self.settings.with_bare_names()?, ..self.clone() };
        Ok(Extras::new().with(EXTRA, &description)?)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let extras = Extras::read(path)?;
        extras.get(EXTRA).with_context(|| format!("{}: not written by this program", path.display()))
    }
}

/// A trained model that takes sentences.
pub struct Tagger<B: Backend> {
    pub description: Description,
    model: Model<B>,
}

impl<B: Backend> Tagger<B> {
    /// Out of a checkpoint alone.
    pub fn load(backend: &B, path: &Path) -> anyhow::Result<Self> {
        Ok(Tagger { description: Description::read(path)?, model: load(backend, path)? })
    }

    /// The tags of each sentence's words, and its tree. Errors: scores that are no numbers, of weights too large to compute with.
    pub fn tag(&self, sentences: &[Tagged]) -> anyhow::Result<Vec<Found<'_>>> {
        if sentences.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(labels) = &self.description.labels {
            return self.parse(sentences, labels);
        }
        let longest = sentences.iter().map(|sentence| sentence.words.len()).max().unwrap_or(1);
        let inputs = self.description.encoder.inputs(sentences.iter())?;
        let predicted = self.model.predict(&inputs, (WORDS / longest).clamp(1, 128))?;
        let rows = rows(&predicted).zip(sentences);
        rows.map(|(row, sentence)| Ok(Found { tags: self.tags(row, sentence)?, tree: None })).collect()
    }

    /// Sentences of like length together, as every word has scores for all words of the longest one.
    fn parse(&self, sentences: &[Tagged], labels: &Labels) -> anyhow::Result<Vec<Found<'_>>> {
        parser::check_length(sentences, labels.len())?;
        let mut found: Vec<(usize, Found<'_>)> = Vec::with_capacity(sentences.len());
        for batch in parser::batches(sentences, labels.len()) {
            let inputs = self.description.encoder.inputs(batch.iter().map(|&at| &sentences[at]))?;
            let outputs = self.model.predict_outputs(&inputs, batch.len())?;
            let trees = outputs.part("trees")?;
            let width = trees.shape()[2];
            for (&at, row) in batch.iter().zip(rows(trees)) {
                let tree = parser::tree(row, width, sentences[at].words.len(), labels)?;
                found.push((at, Found { tags: Vec::new(), tree: Some(tree) }));
            }
            if let Some(tags) = outputs.get("tags") {
                let first = found.len() - batch.len();
                for ((at, found), row) in found[first..].iter_mut().zip(rows(tags)) {
                    found.tags = self.tags(row, &sentences[*at])?;
                }
            }
        }
        found.sort_by_key(|&(at, _)| at);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    /// The tags of a sentence by its scores.
    fn tags(&self, row: &[f32], sentence: &Tagged) -> anyhow::Result<Vec<&str>> {
        let words = row.chunks(self.description.tags.len()).take(sentence.words.len());
        words.map(|scores| self.best(scores)).collect()
    }

    /// The tag of the greatest score, the first one of equals.
    fn best(&self, scores: &[f32]) -> anyhow::Result<&str> {
        ensure!(
            scores.iter().all(|score| score.is_finite()),
            "expected scores, found NaN: the training diverged; {CURE}"
        );
        let first = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
        let best = (0..scores.len()).fold(0, first);
        Ok(self.description.tags.name(best as u32).unwrap_or_default())
    }
}

/// The numbers of each sentence.
fn rows(predictions: &Predictions) -> impl Iterator<Item = &[f32]> {
    let sentence: usize = predictions.shape()[1..].iter().product();
    predictions.data().chunks(sentence)
}
