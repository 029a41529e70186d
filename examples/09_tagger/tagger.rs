//! From sentences to tags: what a checkpoint holds besides weights, and the model that is made of it.

use super::common::run::{CURE, RunSettings, load};
use super::corpus::Tagged;
use super::encoder::Encoder;
use super::settings::Settings;
use anyhow::{Context, ensure};
use elman::checkpoint::Extras;
use elman::data::Labels;
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

    /// The tags of each sentence's words. Errors: scores that are no numbers, of weights too large to compute with.
    pub fn tag(&self, sentences: &[Tagged]) -> anyhow::Result<Vec<Vec<&str>>> {
        if sentences.is_empty() {
            return Ok(Vec::new());
        }
        let longest = sentences.iter().map(|sentence| sentence.words.len()).max().unwrap_or(1);
        let inputs = self.description.encoder.inputs(sentences.iter())?;
        let predicted = self.model.predict(&inputs, (WORDS / longest).clamp(1, 128))?;
        let classes = self.description.tags.len();
        let steps = predicted.data().len() / (classes * sentences.len());
        let rows = predicted.data().chunks(steps * classes).zip(sentences);
        rows.map(|(row, sentence)| {
            let words = row.chunks(classes).take(sentence.words.len());
            words.map(|scores| self.best(scores)).collect()
        })
        .collect()
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
