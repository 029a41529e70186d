//! Recurrent layers as flags describe them, by the name of their cell.

use clap::ValueEnum;
use elman::Backend;
use elman::layers::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Elman's network
    Elman,
    /// Long short-term memory
    Lstm,
    /// Gated recurrent unit
    Gru,
}

impl Cell {
    /// Kernels side by side in one: what a layer's size goes by.
    pub fn gates(self) -> usize {
        match self {
            Cell::Elman => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }
}

/// A recurrent layer.
#[derive(Clone, Copy, Debug)]
pub struct Recurrent {
    pub cell: Cell,
    pub units: usize,
    pub bidirectional: bool,
    /// Of the state.
    pub dropout: f64,
    /// Goes on from batch to batch.
    pub stateful: bool,
}

impl Recurrent {
    /// The network with the layer behind it, which gives the outputs of all steps (`sequences`) or the last.
    pub fn add_to<B: Backend>(self, network: Sequential<B>, sequences: bool) -> Sequential<B> {
        match self.cell {
            Cell::Elman => self.add(network, Elman::new(self.units), sequences),
            Cell::Lstm => self.add(network, Lstm::new(self.units), sequences),
            Cell::Gru => self.add(network, Gru::new(self.units), sequences),
        }
    }

    fn add<B: Backend, C: rnn::CellKind>(
        self,
        network: Sequential<B>,
        layer: rnn::Rnn<C>,
        sequences: bool,
    ) -> Sequential<B> {
        let layer = layer.recurrent_dropout(self.dropout);
        let layer = if sequences { layer.return_sequences() } else { layer };
        let layer = if self.stateful { layer.stateful() } else { layer };
        if self.bidirectional { network.add(Bidirectional::new(layer)) } else { network.add(layer) }
    }

    /// Parameters of so many layers, one on the other, over so many inputs.
    pub fn weights(self, layers: usize, inputs: f64) -> f64 {
        let (units, directions) = (self.units as f64, if self.bidirectional { 2.0 } else { 1.0 });
        let one = |inputs| super::limits::recurrent(self.cell.gates(), inputs, units);
        directions * (one(inputs) + (layers as f64 - 1.0) * one(directions * units))
    }
}
