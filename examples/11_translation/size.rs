//! Whether a network as the settings have it fits into memory.

use super::common::limits::{TRAINED, memory_problem, recurrent};
use super::settings::{Attention, Cell, Settings};
use elman::pipeline::Languages;

impl Settings {
    /// What is wrong with the network's size, if it is too much.
    pub fn size_problems(&self, languages: &Languages) -> Vec<String> {
        let rows = (languages.source.width() + languages.target.width()) as f64;
        self.problems_of_size(rows, languages.target.width() as f64)
    }

    /// The same of so many rows of tables and words that are written.
    pub fn problems_of_size(&self, rows: f64, written: f64) -> Vec<String> {
        let [dim, units, layers] = [self.dim, self.units, self.layers].map(|size| size as f64);
        let gates = if self.model == Cell::Gru { 3 } else { 4 };
        let encoder =
            2.0 * (recurrent(gates, dim, units / 2.0) + (layers - 1.0) * recurrent(gates, units, units / 2.0));
        let decoder = recurrent(gates, dim, units) + (layers - 1.0) * recurrent(gates, units, units);
        let attention = if self.attention == Attention::None { 0.0 } else { 4.0 * units * units };
        let words = if self.tied { written } else { units * written };
        let weights = rows * dim + encoder + decoder + attention + words + layers * units * units;
        memory_problem("--units, --layers and --dim", weights * TRAINED).into_iter().collect()
    }
}
