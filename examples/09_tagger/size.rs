//! Whether a network as the settings have it fits into memory.

use super::common::cell::{Cell, Recurrent};
use super::common::limits::{TRAINED, memory_problem};
use super::encoder::Encoder;
use super::settings::Settings;

impl Settings {
    /// What is wrong with the network's size, if it is too much.
    pub fn size_problems(&self, encoder: &Encoder, tags: usize, labels: usize) -> Vec<String> {
        let tables = (encoder.words.width() * self.dim) as f64 + (encoder.letters.width() * self.letter_dim) as f64;
        self.problems_of_size(tables, [tags, labels])
    }

    /// The same of tables and classes of which so much is known.
    pub fn problems_of_size(&self, tables: f64, [tags, labels]: [usize; 2]) -> Vec<String> {
        let [units, dim, letters] = [self.units, self.dim, self.letter_units].map(|size| size as f64);
        let spelling = Recurrent { cell: Cell::Gru, units: self.letter_units, ..self.recurrent() };
        let spelling = spelling.weights(1, self.letter_dim as f64);
        let body = self.recurrent().weights(self.layers, dim + 2.0 * letters) + 2.0 * units * tags as f64;
        let [arcs, of_labels] = [self.arc_units, self.label_units].map(|size| size as f64);
        let parser = 4.0 * units * (arcs + of_labels) + arcs * arcs + of_labels * of_labels * labels as f64;
        let parser = if self.task.has_trees() { parser } else { 0.0 };
        let options = "--units, --layers, --dim, --letter-units, --letter-dim, --arc-units and --label-units";
        memory_problem(options, (tables + spelling + body + parser) * TRAINED).into_iter().collect()
    }
}
