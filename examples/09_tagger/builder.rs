//! From flags to the library's own settings of a tagger.

use super::common::cell::Cell;
use super::settings::Settings;
use elman::pipeline::{RecurrentCell, TaggerBuilder};

impl Settings {
    /// The tagger that they describe.
    pub fn builder(&self) -> TaggerBuilder {
        let cell = match self.model {
            Cell::Elman => RecurrentCell::Elman,
            Cell::Lstm => RecurrentCell::Lstm,
            Cell::Gru => RecurrentCell::Gru,
        };
        TaggerBuilder::new(self.task)
            .min_count(self.min_count)
            .train_vectors(self.train_vectors)
            .columns(self.features)
            .dim(self.dim)
            .letters(self.letter_dim, self.letter_units)
            .cell(cell)
            .layers(self.layers)
            .units(self.units)
            .tree_units(self.arc_units, self.label_units)
            .crf(self.crf)
            .dropout(self.dropout)
            .word_dropout(self.word_dropout)
            .recurrent_dropout(self.recurrent_dropout)
            .label_smoothing(self.label_smoothing)
    }
}
