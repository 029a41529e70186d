//! A recurrent layer from the options of a case.

use crate::common::golden::Reading;
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Bidirectional, Elman, Gru, Lstm, Merge, Sequential};
use elman::{Activation, Backend};

/// The options that all kinds of case have.
pub(crate) struct Options {
    pub(crate) features: usize,
    pub(crate) units: usize,
    pub(crate) layers: usize,
    pub(crate) merge: Option<Merge>,
    pub(crate) reverse: bool,
    pub(crate) use_bias: bool,
    pub(crate) sequences: bool,
    pub(crate) states: bool,
}

impl Options {
    pub(crate) fn of(case: &Reading<'_>) -> Options {
        let merge = match case.option("merge").as_str() {
            None => None,
            Some("concat") => Some(Merge::Concat),
            Some("sum") => Some(Merge::Sum),
            Some("mul") => Some(Merge::Mul),
            Some("ave") => Some(Merge::Average),
            Some(other) => panic!("{}: merge {other}", case.name()),
        };
        assert_eq!(merge.is_some(), case.is("bidirectional"), "{}", case.name());
        Options {
            features: case.number("features") as usize,
            units: case.number("units") as usize,
            layers: case.number("layers") as usize,
            merge,
            reverse: case.is("reverse"),
            use_bias: case.is("use_bias"),
            sequences: case.is("return_sequences"),
            states: case.is("return_state"),
        }
    }

    /// The options that each kind of cell takes alike.
    pub(crate) fn on<C: CellKind>(&self, layer: Rnn<C>) -> Rnn<C> {
        let layer = if self.use_bias { layer } else { layer.without_bias() };
        if self.reverse { layer.reverse() } else { layer }
    }

    /// The layers of a case by themselves, called `layer0` and so on.
    pub(crate) fn add<B: Backend, C: CellKind>(&self, mut to: Sequential<B>, layer: &Rnn<C>) -> Sequential<B> {
        for number in 0..self.layers {
            let sequences = self.sequences || number + 1 < self.layers;
            let layer = if sequences { layer.clone().return_sequences() } else { layer.clone() };
            let name = format!("layer{number}");
            to = match self.merge {
                Some(merge) => to.add_named(name, Bidirectional::new(layer).merge(merge)),
                None => to.add_named(name, layer),
            };
        }
        to
    }
}

pub(crate) fn elman(case: &Reading<'_>, options: &Options) -> Elman {
    options.on(Elman::new(options.units).activation(activation(case, "activation")))
}

pub(crate) fn lstm(case: &Reading<'_>, options: &Options) -> Lstm {
    let layer = Lstm::new(options.units).activation(activation(case, "activation"));
    options.on(layer.gate_activation(activation(case, "recurrent_activation")))
}

pub(crate) fn gru(case: &Reading<'_>, options: &Options) -> Gru {
    let layer = Gru::new(options.units).activation(activation(case, "activation"));
    let layer = layer.gate_activation(activation(case, "recurrent_activation"));
    options.on(if case.is("reset_after") { layer } else { layer.reset_before() })
}

fn activation(case: &Reading<'_>, which: &str) -> Activation {
    match case.text(which) {
        "tanh" => Activation::Tanh,
        "sigmoid" => Activation::Sigmoid,
        "hard_sigmoid" => Activation::HardSigmoid,
        "relu" => Activation::Relu,
        "linear" => Activation::Linear,
        other => panic!("{}: {which} {other}", case.name()),
    }
}
