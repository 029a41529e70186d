//! Recurrent layers by the name of their cell.

use crate::backend::Backend;
use crate::layers::rnn::{CellKind, Rnn};
use crate::layers::{Bidirectional, Elman, Gru, Lstm, Sequential};
use serde::{Deserialize, Serialize};

/// The cell of a pipeline's recurrent layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecurrentCell {
    /// Elman's network.
    Elman,
    /// Long short-term memory.
    #[default]
    Lstm,
    /// Gated recurrent unit.
    Gru,
}

impl RecurrentCell {
    /// The network with a layer behind it that reads sequences in both directions and gives the outputs of all steps.
    pub(super) fn add_both_directions<B: Backend>(
        self,
        network: Sequential<B>,
        units: usize,
        dropout: f64,
    ) -> Sequential<B> {
        match self {
            RecurrentCell::Elman => add(network, Elman::new(units), dropout),
            RecurrentCell::Lstm => add(network, Lstm::new(units), dropout),
            RecurrentCell::Gru => add(network, Gru::new(units), dropout),
        }
    }
}

fn add<B: Backend, C: CellKind>(network: Sequential<B>, layer: Rnn<C>, dropout: f64) -> Sequential<B> {
    network.add(Bidirectional::new(layer.recurrent_dropout(dropout).return_sequences()))
}
