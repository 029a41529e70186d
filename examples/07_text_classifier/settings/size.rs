//! What a training takes at the least, so that sizes which no machine has are told before the work.

use super::super::common::limits::{TRAINED, memory_problem};
use super::Settings;

/// What the texts have to say about sizes.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub words: usize,
    /// Numbers of a word's vector.
    pub dim: usize,
    pub classes: usize,
    pub texts: usize,
}

impl Settings {
    /// As little as texts can have, before they are read.
    pub fn least(&self) -> Found {
        Found { words: 3, dim: if self.vectors.is_some() { 1 } else { self.dim() }, classes: 2, texts: 2 }
    }

    /// What is wrong with the sizes of network, texts and batches, if it is too much.
    pub fn size_problems(&self, found: Found) -> Vec<String> {
        let (units, dim, steps) = (self.units as f64, found.dim as f64, self.steps as f64);
        let directions = if self.bidirectional { 2.0 } else { 1.0 };
        let weights = found.words as f64 * dim
            + self.recurrent().weights(self.layers, dim)
            + (directions * units + 1.0) * found.classes as f64;
        // The rows as indices, twice while they are made; what a batch's backward pass needs: words and states.
        let rows = found.texts as f64 * steps * 8.0;
        let batch = self.learning.batch_size.min(found.texts) as f64;
        let batch = batch * steps * (dim + directions * units * self.layers as f64) * 4.0;
        let network = format!(
            "--units {}, --layers {} and vectors of {} numbers for {} words",
            self.units, self.layers, found.dim, found.words
        );
        let texts = format!("--steps {} with --batch-size {}", self.steps, self.learning.batch_size);
        let needs = [(network, weights * TRAINED), (texts, rows + batch)];
        needs.iter().filter_map(|(options, bytes)| memory_problem(options, *bytes)).collect()
    }
}
