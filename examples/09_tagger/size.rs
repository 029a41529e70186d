//! Whether a network as the settings have it, and sentences that it is to read, fit into memory.

use super::common::cell::{Cell, Recurrent};
use super::common::limits::{TRAINED, memory_problem};
use super::settings::Settings;
use elman::data::Labels;
use elman::pipeline::{TaggerExample, TaggerVocabulary};

/// Bytes of a score while a sentence is parsed: of the head's, of the label's given the head, and of both.
const BYTES: f64 = 12.0;

impl Settings {
    /// What is wrong with the network's size, if it is too much.
    pub fn size_problems(&self, vocabulary: &TaggerVocabulary) -> Vec<String> {
        let (words, letters) = (vocabulary.words().width(), vocabulary.letters().width());
        let tables = (words * self.dim) as f64 + (letters * self.letter_dim) as f64;
        let names = [vocabulary.tags(), vocabulary.labels()].map(|names| names.map_or(0, Labels::len));
        self.problems_of_size(tables, names)
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

    /// Each of the recurrent layers.
    fn recurrent(&self) -> Recurrent {
        let (cell, units, dropout) = (self.model, self.units, self.recurrent_dropout);
        Recurrent { cell, units, bidirectional: true, dropout, stateful: false }
    }
}

/// Errors: a sentence whose scores of so many labels, as many as the square of its words, do not fit into memory.
pub fn check_length<'s>(sentences: impl Iterator<Item = &'s TaggerExample>, labels: usize) -> anyhow::Result<()> {
    let longest = sentences.map(|sentence| sentence.words.len()).max().unwrap_or(0);
    problem(longest, labels).map_or(Ok(()), |problem| Err(anyhow::anyhow!(problem)))
}

fn problem(words: usize, labels: usize) -> Option<String> {
    let scores = words as f64 * (words as f64 + 1.0) * labels as f64;
    memory_problem(&format!("a sentence of {words} words"), scores * BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_beyond_memory_are_told() {
        assert_eq!(problem(1000, 50), None);
        let message = problem(4_000_000, 50).unwrap();
        assert!(message.starts_with("a sentence of 4000000 words: would take "), "{message}");
    }
}
