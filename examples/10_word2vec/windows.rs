//! From sentences to windows: frequent words passed over, a window of a random size around each word, words of noise.

use super::noise::{Draws, Noise};
use super::settings::Settings;
use super::vocabulary::Vocabulary;
use elman::Key;
use elman::backend::Windows;

/// Windows of a step, or somewhat more.
pub const BATCH: usize = 10_000;
/// A longer sentence is cut, as gensim cuts it.
const LONGEST: usize = 10_000;

/// Some windows, and how many words of the corpus they are from.
#[derive(Clone, Default)]
pub struct Batch {
    inputs: Vec<u32>,
    ends: Vec<u32>,
    outputs: Vec<u32>,
    pub words: u64,
    /// Scores that are learnt from.
    pub scores: u64,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn windows(&self, settings: &Settings) -> Windows<'_> {
        let (meeting, block) = (settings.model.meeting(), settings.block);
        Windows { inputs: &self.inputs, ends: &self.ends, outputs: &self.outputs, meeting, block }
    }
}

/// Makes windows of sentences.
pub struct Cutter<'a> {
    settings: &'a Settings,
    vocabulary: &'a Vocabulary,
    kept: Vec<u64>,
    noise: &'a Noise,
    key: Key,
    sentence: u64,
    ids: Vec<u32>,
}

impl<'a> Cutter<'a> {
    pub fn new(settings: &'a Settings, vocabulary: &'a Vocabulary, noise: &'a Noise, key: Key) -> Self {
        let kept = vocabulary.kept(settings.sample);
        Cutter { settings, vocabulary, kept, noise, key, sentence: 0, ids: Vec::new() }
    }

    /// Adds a sentence's windows. What is drawn depends on the key and the number of the sentence alone.
    pub fn cut(&mut self, sentence: &str, batch: &mut Batch) {
        let mut draws = Draws::new(self.key.fold(self.sentence));
        self.sentence += 1;
        let mut words = sentence.split_whitespace();
        loop {
            self.ids.clear();
            let before = batch.words;
            for word in words.by_ref().take(LONGEST) {
                batch.words += 1;
                let Some(id) = self.vocabulary.id(word) else { continue };
                if u64::from(draws.bits()) < self.kept[id as usize] {
                    self.ids.push(id);
                }
            }
            if batch.words == before {
                return;
            }
            self.around(&mut draws, batch);
        }
    }

    /// The windows around the words that were kept.
    fn around(&self, draws: &mut Draws, batch: &mut Batch) {
        for (at, &word) in self.ids.iter().enumerate() {
            let reach = 1 + draws.below(self.settings.window);
            let (from, to) = (at.saturating_sub(reach), self.ids.len().min(at + reach + 1));
            if to - from < 2 {
                continue;
            }
            batch.inputs.extend_from_slice(&self.ids[from..at]);
            batch.inputs.extend_from_slice(&self.ids[at + 1..to]);
            batch.ends.push(batch.inputs.len() as u32);
            batch.outputs.push(word);
            for _ in 0..self.settings.negative {
                let mut drawn = self.noise.draw(draws);
                while drawn == word {
                    drawn = self.noise.draw(draws);
                }
                batch.outputs.push(drawn);
            }
            let met = if self.settings.model.is_mean() { 1 } else { to - from - 1 };
            batch.scores += (met * (1 + self.settings.negative)) as u64;
        }
    }
}
