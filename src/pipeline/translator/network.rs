//! [`EncoderDecoder`]: the network of a translator.

use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::rnn::{CellKind, Rnn};
use crate::layers::{
    AttentionDecoder, Bidirectional, CrossAttention, Dense, Dropout, Edges, Elman, Embedding, Graph, Gru, Layer, Lstm,
};
use crate::pipeline::RecurrentCell;
use serde::{Deserialize, Serialize};

/// How the decoder of an [`EncoderDecoder`] looks at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionForm {
    /// By a small network over state and source (Bahdanau, Cho, Bengio, 2015).
    #[default]
    Bahdanau,
    /// By a product of state and source (Luong, Pham, Manning, 2015; their "general").
    Luong,
    /// Not at all: all that it knows of the source is the last state of the encoder (Sutskever, Vinyals, Le, 2014).
    None,
}

/// A recurrent encoder that reads the source in both directions, and a recurrent decoder that writes the target word by word, with
/// attention to what was read (L25, L26). The [`Graph`] takes `source` and `target`, the target's words so far, and gives logits of the next.
///
/// | node | what |
/// | --- | --- |
/// | `source_words`, `target_words` | tables of vectors |
/// | `encoder`, before it `encoder_1` .. | recurrent layers in both directions, each of half as many units as the decoder's |
/// | `state`, `state_1` .., of an LSTM also `cell` .. | `tanh(h W + b)` of the encoder's last states: where each layer of the decoder begins |
/// | `decoder`, before it `decoder_1` .. | recurrent layers |
/// | `attention` | `tanh(W [context; h])` of what was looked at and the state, which the words are read from |
/// | `words` | a logit for each word, by a kernel of its own or the table of the target's words ([`EncoderDecoder::tied`]) |
///
/// With [`EncoderDecoder::input_feeding`] attention is part of the decoder's loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct EncoderDecoder {
    cell: RecurrentCell,
    dim: usize,
    units: usize,
    layers: usize,
    attention: AttentionForm,
    input_feeding: bool,
    tied: bool,
    dropout: f64,
}

impl EncoderDecoder {
    /// With vectors of `dim` numbers and a decoder of `units`, at least 2: a layer of GRUs on either side, Bahdanau's attention, no dropout.
    pub fn new(dim: usize, units: usize) -> Self {
        EncoderDecoder {
            cell: RecurrentCell::Gru,
            dim,
            units,
            layers: 1,
            attention: AttentionForm::Bahdanau,
            input_feeding: false,
            tied: false,
            dropout: 0.0,
        }
    }

    /// What the recurrent layers are.
    pub fn cell(self, cell: RecurrentCell) -> Self {
        EncoderDecoder { cell, ..self }
    }

    /// So many recurrent layers, one on the other, on either side, at least 1, or building the network is an error.
    pub fn layers(self, layers: usize) -> Self {
        EncoderDecoder { layers, ..self }
    }

    /// How the decoder looks at the source.
    pub fn attention(self, attention: AttentionForm) -> Self {
        EncoderDecoder { attention, ..self }
    }

    /// Attention in the decoder's loop: of Luong's kind a step is told what the one before has made of it, of Bahdanau's it looks first
    /// ([`AttentionDecoder`]). Several times slower; nothing without attention.
    pub fn input_feeding(self) -> Self {
        EncoderDecoder { input_feeding: true, ..self }
    }

    /// Words are written by the vectors by which they are read ([`Dense::tied`]).
    pub fn tied(self) -> Self {
        EncoderDecoder { tied: true, ..self }
    }

    /// Dropout of word vectors, between layers and before the words, in `[0, 1)`. Default: 0.
    pub fn dropout(self, rate: f64) -> Self {
        EncoderDecoder { dropout: rate, ..self }
    }

    /// The network for so many numbers of the source's and the target's tokens. Errors: no layers; a dropout that is no rate.
    pub fn graph<B: Backend>(&self, source: usize, target: usize) -> Result<Graph<B>> {
        if self.layers == 0 {
            return Err(Error::invalid("layers", "at least 1 on either side", 0));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::invalid("dropout", "a number in [0, 1)", self.dropout));
        }
        Ok(match self.cell {
            RecurrentCell::Elman => self.of_cells(source, target, Elman::new),
            RecurrentCell::Gru => self.of_cells(source, target, Gru::new),
            RecurrentCell::Lstm => self.of_cells(source, target, Lstm::new),
        })
    }

    fn of_cells<B: Backend, C: CellKind>(&self, source: usize, target: usize, layer: fn(usize) -> Rnn<C>) -> Graph<B> {
        let mut network = Network { graph: Graph::new(), once: Vec::new(), dropout: self.dropout };
        let states: &[(&str, &str)] = match self.cell {
            RecurrentCell::Elman | RecurrentCell::Gru => &[("h", "state")],
            RecurrentCell::Lstm => &[("h", "state"), ("c", "cell")],
        };
        // From the lowest, `encoder_1` of two, to `encoder`.
        let numbered = |name: &str, below: usize| match below {
            0 => name.to_string(),
            below => format!("{name}_{}", self.layers - below),
        };

        let mut from = network.add("source_words", Embedding::new(source, self.dim), "source".to_string());
        from = network.dropped(from);
        for below in (0..self.layers).rev() {
            let name = numbered("encoder", below);
            let both = Bidirectional::new(layer(self.units.div_ceil(2)).return_sequences().record());
            network.add(&name, both, from);
            // What nobody looks at is not dropped.
            let is_read = below > 0 || self.attention != AttentionForm::None;
            from = if is_read { network.dropped_part(&name) } else { name };
        }
        let memory = from;
        let mut firsts = Vec::with_capacity(self.layers);
        for below in 0..self.layers {
            let mut first = Vec::new();
            for &(part, name) in states {
                let bridge = Dense::new(self.units).activation(Activation::Tanh);
                let name = network.add(&numbered(name, below), bridge, format!("encoder.{part}"));
                first.push((part.to_string(), name));
            }
            firsts.push(first);
        }
        // What is looked at while words are written was read before.
        let once = std::mem::take(&mut network.once);

        let mut from = network.add("target_words", Embedding::new(target, self.dim), "target".to_string());
        from = network.dropped(from);
        let readout = if self.tied { self.dim } else { self.units };
        let attention = match self.attention {
            AttentionForm::None => None,
            AttentionForm::Luong => Some(CrossAttention::new().general().combined(readout)),
            AttentionForm::Bahdanau => Some(CrossAttention::new().additive(self.units).combined(readout)),
        };
        for below in (0..self.layers).rev() {
            let name = numbered("decoder", below);
            let mut edges = vec![("input".to_string(), from)];
            edges.extend(firsts[below].iter().cloned());
            let layer = layer(self.units).return_sequences();
            from = match attention.clone().filter(|_| self.input_feeding && below == 0) {
                Some(attention) => {
                    edges.push(("memory".to_string(), memory.clone()));
                    let decoder = AttentionDecoder::new(layer, attention);
                    let decoder =
                        if self.attention == AttentionForm::Bahdanau { decoder.attention_first() } else { decoder };
                    network.add(&name, decoder, edges)
                }
                None => network.add(&name, layer, edges),
            };
            if below > 0 {
                from = network.dropped(from);
            }
        }
        if let Some(attention) = attention.filter(|_| !self.input_feeding) {
            let edges = vec![("query".to_string(), from), ("memory".to_string(), memory)];
            from = network.add("attention", attention, edges);
        } else if self.attention == AttentionForm::None && self.tied {
            from = network.add("readout", Dense::new(self.dim).activation(Activation::Tanh), from);
        }
        from = network.dropped(from);
        let words = if self.tied { Dense::tied("target_words.embeddings") } else { Dense::new(target) };
        network.add("words", words, from);
        network.graph.output("words").once(once)
    }
}

/// A graph that grows.
struct Network<B: Backend> {
    graph: Graph<B>,
    /// All nodes so far, until they are taken.
    once: Vec<String>,
    dropout: f64,
}

impl<B: Backend> Network<B> {
    /// Adds a node and gives its name.
    fn add(&mut self, name: &str, layer: impl Layer<B> + 'static, edges: impl Into<Edges>) -> String {
        let graph = std::mem::take(&mut self.graph);
        self.graph = graph.node(name, layer, edges);
        self.once.push(name.to_string());
        name.to_string()
    }

    /// A node with dropout behind it, where there is any.
    fn dropped(&mut self, from: String) -> String {
        match self.dropout == 0.0 {
            true => from,
            false => self.add(&format!("{from}_dropout"), Dropout::new(self.dropout), from),
        }
    }

    /// The same of the output of a recurrent layer that gives its states, too.
    fn dropped_part(&mut self, from: &str) -> String {
        let output = format!("{from}.output");
        match self.dropout == 0.0 {
            true => output,
            false => self.add(&format!("{from}_dropout"), Dropout::new(self.dropout), output),
        }
    }
}
