//! Recurrent layers: [`Elman`], [`Lstm`], [`Gru`] and [`Bidirectional`].
//!
//! All of them are [`Rnn`]s, which deal once with time, masks, direction, dropout and state; a cell adds its formula. They
//! take sequences `[batch, time, features]` of at least one step and give the last output `[batch, units]`, or with
//! [`Rnn::return_sequences`] that of every step `[batch, time, units]`. Masked steps change neither state nor output (L19):
//! the last output is that of the last step that counts, and a sequence that is all padding gives its first state.
//!
//! On candle's CPU kernels gradients below 1e-30 count as 0 on their way back through the steps: what is left after hundreds of
//! fading steps, and would make a processor a hundred times slower. What is 0 in a gradient may be such a number elsewhere.
//!
//! ```
//! use elman::layers::{Bidirectional, Dense, Embedding, Gru, Lstm, Sequential};
//! use elman::{Activation, Spec};
//! use elman_reference::Reference;
//!
//! let network = Sequential::new()
//!     .add(Embedding::new(1000, 16).padding(0))
//!     .add(Bidirectional::new(Lstm::new(8).return_sequences()))
//!     .add(Gru::new(8).dropout(0.2).recurrent_dropout(0.2))
//!     .add(Dense::new(1).activation(Activation::Sigmoid));
//! let model = network.build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
//! assert_eq!(model.output(), &Spec::dense(&[1]));
//! # Ok::<(), elman::Error>(())
//! ```

mod attention;
mod bidirectional;
mod elman;
mod gru;
mod lstm;
mod module;
mod normed;

pub use attention::AttentionDecoder;
pub use bidirectional::{Bidirectional, Merge};
pub use elman::{Elman, ElmanCell};
pub use gru::{Gru, GruCell};
pub use lstm::{Lstm, LstmCell};
pub use module::RnnModule;

use super::{Built, Layer, Scope, Spec, Weight};
use crate::backend::{Backend, Cell};
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::shape::Shape;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// What tells one recurrent layer from another.
pub trait CellKind: Clone + Debug + Default + DeserializeOwned + Send + Serialize + Sync + 'static {
    /// The layer's kind: `lstm`.
    const KIND: &'static str;

    /// The cell with its activation functions.
    fn cell(&self) -> Cell;

    /// Whether the recurrent part has a bias of its own.
    fn has_recurrent_bias(&self) -> bool {
        false
    }

    /// What is added to the variances of the state if it is normalised within its steps, which the LSTM can be.
    fn norm_epsilon(&self) -> Option<f64> {
        None
    }

    /// Changes the first values of the bias `[gates units]`.
    fn init_bias(&self, _units: usize, _values: &mut [f64]) {}
}

/// A recurrent layer with cell `C`; see [`Elman`], [`Lstm`], [`Gru`].
///
/// Defaults as in Keras: kernel Glorot uniform, recurrent kernel orthogonal, biases 0 (L21), no dropout, the last output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "of_no_units", deny_unknown_fields, bound = "C: CellKind")]
#[must_use]
pub struct Rnn<C> {
    cell: C,
    units: usize,
    kernel: Weight,
    recurrent_kernel: Weight,
    bias: Option<Weight>,
    #[serde(rename = "init_by_gate")]
    by_gate: bool,
    return_sequences: bool,
    return_state: bool,
    record: bool,
    reverse: bool,
    stateful: bool,
    learned_state: bool,
    dropout: f64,
    recurrent_dropout: f64,
}

/// The options that a description leaves out.
fn of_no_units<C: CellKind>() -> Rnn<C> {
    Rnn::with_cell(0, C::default())
}

impl<C: CellKind> Rnn<C> {
    fn with_cell(units: usize, cell: C) -> Self {
        Rnn {
            cell,
            units,
            kernel: Weight::new(Init::GlorotUniform),
            recurrent_kernel: Weight::new(Init::Orthogonal { gain: 1.0 }),
            bias: Some(Weight::zeros()),
            by_gate: false,
            return_sequences: false,
            return_state: false,
            record: false,
            reverse: false,
            stateful: false,
            learned_state: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
        }
    }

    /// Gives the output of every step, `[batch, time, units]`, and keeps the mask.
    pub fn return_sequences(self) -> Self {
        Rnn { return_sequences: true, ..self }
    }

    /// Gives the last state instead of the last output: `h` and, of an LSTM, `c` behind it, `[batch, 2 units]`. For the
    /// outputs and the states at once, in a layer of one's own, see [`RnnModule::states`].
    pub fn return_state(self) -> Self {
        Rnn { return_state: true, ..self }
    }

    /// Gives a record: `output` as it is without, the last state `h [batch, units]` and, of an LSTM, `c [batch, units]`. What encodes a
    /// source gives a decoder its first state so:
    ///
    /// ```
    /// use elman::Spec;
    /// use elman::layers::{Dense, Embedding, Graph, Lstm};
    /// use elman_reference::Reference;
    ///
    /// let translator = Graph::new()
    ///     .node("source_words", Embedding::new(50, 8).padding(0), "source")
    ///     .node("encoder", Lstm::new(16).record(), "source_words")
    ///     .node("target_words", Embedding::new(60, 8).padding(0), "target")
    ///     .node("decoder", Lstm::new(16).return_sequences(), [("input", "target_words"), ("h", "encoder.h"), ("c", "encoder.c")])
    ///     .node("words", Dense::new(60), "decoder")
    ///     .output("words")
    ///     .once(["encoder"]);
    /// let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))])?;
    /// let model = translator.build(&Reference::<f32>::new(), input, 0)?;
    /// assert_eq!(model.output(), &Spec::Dense(vec![None, Some(60)]));
    /// # Ok::<(), elman::Error>(())
    /// ```
    ///
    /// All recurrent layers take such a record too: of `input`, the sequences, and of the states with which they begin where none is
    /// [carried](crate::layers::Carry).
    #[doc(alias = "return_state")]
    pub fn record(self) -> Self {
        Rnn { record: true, ..self }
    }

    /// Goes from the last step to the first. Outputs stand at their own steps (Keras' `go_backwards` gives them in
    /// reversed order); the last output is that of the first step.
    #[doc(alias = "go_backwards")]
    pub fn reverse(self) -> Self {
        Rnn { reverse: !self.reverse, ..self }
    }

    /// Begins each batch with the states in which the one before ended, for sequences that go on from batch to batch (Keras'
    /// word): sequence `i` of a batch goes on sequence `i` of the one before. No gradient flows back into the batch before.
    ///
    /// The state is not in the layer but in a [`Carry`](crate::layers::Carry) of whoever goes through the batches:
    /// - [`Model::fit`](crate::Model::fit) begins anew with every epoch and wants `shuffle(false)` and batches of one size; validation
    ///   and [`Model::evaluate`](crate::Model::evaluate) have carries of their own and change nothing in that of training; a checkpoint within an epoch
    ///   has training's in it.
    /// - [`Model::predict`](crate::Model::predict) and [`Model::forward`](crate::Model::forward) begin every sequence anew, whatever the batch size; to predict
    ///   in streams see [`Model::forward_carried`](crate::Model::forward_carried), in a training loop of one's own
    ///   [`Model::train_step_carried`](crate::Model::train_step_carried).
    ///
    /// Errors when the model is built: with [`Rnn::reverse`], in both directions, within a layer for single steps
    /// ([`TimeDistributed`](crate::layers::TimeDistributed)).
    pub fn stateful(self) -> Self {
        Rnn { stateful: true, ..self }
    }

    /// Trains the first state, which is the same for all sequences and starts at 0: parameters `initial_h [units]` and, of
    /// an LSTM, `initial_c [units]`.
    pub fn learned_state(self) -> Self {
        Rnn { learned_state: true, ..self }
    }

    /// Dropout of the inputs while training, one draw for all steps of a sequence (L23's `dropout_W`).
    pub fn dropout(self, rate: f64) -> Self {
        Rnn { dropout: rate, ..self }
    }

    /// Dropout of the state on its way into the recurrent products while training, one draw for all steps of a sequence
    /// (L23's `dropout_U`; Gal and Ghahramani, 2016). What a gate carries over from step to step is not dropped.
    pub fn recurrent_dropout(self, rate: f64) -> Self {
        Rnn { recurrent_dropout: rate, ..self }
    }

    /// How the kernel `[features, gates units]` starts and what is asked of it.
    pub fn kernel(self, kernel: Weight) -> Self {
        Rnn { kernel, ..self }
    }

    /// How the recurrent kernel `[units, gates units]` starts and what is asked of it.
    pub fn recurrent_kernel(self, recurrent_kernel: Weight) -> Self {
        Rnn { recurrent_kernel, ..self }
    }

    /// How the bias `[gates units]` starts and what is asked of it.
    pub fn bias(self, bias: Weight) -> Self {
        Rnn { bias: Some(bias), ..self }
    }

    /// Leaves the biases out.
    pub fn without_bias(self) -> Self {
        Rnn { bias: None, ..self }
    }

    /// Draws the kernels gate by gate, each `[.., units]` by itself, as Keras 1 did; Keras 2 and 3 draw the whole matrix.
    pub fn init_by_gate(self) -> Self {
        Rnn { by_gate: true, ..self }
    }

    /// Builds the parameters for inputs of so many features in the layer's scope: for a layer of one's own that needs
    /// more of a recurrent network than a value ([`RnnModule::states`]). Errors: no units, rates out of range,
    /// activations that are not elementwise.
    pub fn module<B: Backend>(&self, features: usize, scope: &mut Scope<'_, B>) -> Result<RnnModule> {
        let cell = self.cell.cell();
        cell.check()?;
        if self.units == 0 {
            return Err(Error::invalid("units", "at least 1", 0));
        }
        for (name, rate) in [("dropout", self.dropout), ("recurrent dropout", self.recurrent_dropout)] {
            if !(0.0..1.0).contains(&rate) {
                return Err(Error::invalid(name, "a rate in [0, 1)", rate));
            }
        }
        if self.stateful && self.reverse {
            let expected = "a direction from the first step on: what reads sequences from their ends cannot go on from batch to batch";
            return Err(Error::invalid("stateful layer", expected, "`reverse`"));
        }
        let slot = if self.stateful { scope.stateful_slot()? } else { scope.slot() };
        let (units, gates) = (self.units, cell.gates());
        let width = gates.checked_mul(units).ok_or_else(|| Error::invalid("units", "fewer", units))?;
        let mut matrix = |name: &str, rows: usize, weight: &Weight| {
            let shape = Shape::new(&[rows, width])?;
            match self.by_gate {
                true => scope.param_from(name, shape, weight, |key| {
                    let gate = |i: u64| weight.init().values(Shape::new(&[rows, units])?, key.fold(i));
                    let gates = (0..gates as u64).map(gate).collect::<Result<Vec<_>>>()?;
                    let row = |row: usize| gates.iter().flat_map(move |gate| &gate[row * units..][..units]);
                    Ok((0..rows).flat_map(row).copied().collect())
                }),
                false => scope.param(name, shape, weight),
            }
        };
        let kernel = matrix("kernel", features, &self.kernel)?;
        let recurrent_kernel = matrix("recurrent_kernel", units, &self.recurrent_kernel)?;
        let (mut bias, mut recurrent_bias) = (None, None);
        if let Some(weight) = &self.bias {
            bias = Some(scope.param_from("bias", [width].into(), weight, |key| {
                let mut values = weight.init().values([width].into(), key)?;
                self.cell.init_bias(units, &mut values);
                Ok(values)
            })?);
            if self.cell.has_recurrent_bias() {
                recurrent_bias = Some(scope.param("recurrent_bias", [width].into(), weight)?);
            }
        }
        let epsilon = self.cell.norm_epsilon();
        let norms = epsilon.map(|epsilon| normed::Norms::build(units, epsilon, scope)).transpose()?;
        let mut first = Vec::new();
        if self.learned_state {
            let names = ["initial_h", "initial_c"];
            for name in names.iter().take(if cell.has_cell_state() { 2 } else { 1 }) {
                first.push(scope.param(name, [units].into(), &Weight::zeros())?);
            }
        }
        Ok(RnnModule {
            cell,
            units,
            kernel,
            recurrent_kernel,
            bias,
            recurrent_bias,
            norms,
            first,
            return_sequences: self.return_sequences,
            return_state: self.return_state,
            record: self.record,
            reverse: self.reverse,
            dropout: self.dropout,
            recurrent_dropout: self.recurrent_dropout,
            slot,
        })
    }
}

impl<B: Backend, C: CellKind> Layer<B> for Rnn<C> {
    fn kind(&self) -> &'static str {
        C::KIND
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (steps, features) = sequences(self.sequences_of(input)?)?;
        if self.return_sequences && self.return_state {
            let found = "both `return_sequences` and `return_state`";
            return Err(Error::invalid("recurrent layer", "one value: outputs or states (`record` gives both)", found));
        }
        if self.record && self.return_state {
            let found = "both `record` and `return_state`";
            return Err(Error::invalid("recurrent layer", "states in a record or side by side", found));
        }
        let module = self.module(features, scope)?;
        let states = if self.return_state && module.cell.has_cell_state() { 2 } else { 1 };
        let output = match self.return_sequences {
            true => Spec::Dense(vec![steps, Some(self.units)]),
            false => Spec::dense(&[states * self.units]),
        };
        if !self.record {
            return Ok(Built::new(module, output));
        }
        let states = module::state_names(&module.cell).iter().map(|&name| (name, Spec::dense(&[self.units])));
        Ok(Built::new(module, Spec::record(std::iter::once(("output", output)).chain(states))?))
    }
}

impl<C: CellKind> Rnn<C> {
    /// The sequences that come in, by themselves or in a record with states to begin with. Errors for other parts.
    fn sequences_of<'a>(&self, input: &'a Spec) -> Result<&'a Spec> {
        let Spec::Record(parts) = input else { return Ok(input) };
        let (cell, state) = (self.cell.cell(), Spec::dense(&[self.units]));
        let names = module::state_names(&cell);
        let wrong = |found: String| {
            let expected = format!("a record of `input` and the first states {} {state}", names.join(", "));
            Err(Error::invalid("input", expected, found))
        };
        if let Some(name) = parts.names().find(|name| *name != module::INPUT && !names.contains(name)) {
            return wrong(format!("a part `{name}`"));
        }
        for &name in names {
            match parts.get(name) {
                Some(found) if state.takes(found) => {}
                Some(found) => return wrong(format!("{name}: {found}")),
                None => return wrong(format!("none `{name}`")),
            }
        }
        parts.part(module::INPUT)
    }
}

/// The steps and the features of sequences. Errors for what is none.
fn sequences(input: &Spec) -> Result<(Option<usize>, usize)> {
    match input {
        Spec::Dense(sizes) => match sizes[..] {
            [steps, Some(features)] if steps != Some(0) && features > 0 => Some((steps, features)),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| {
        Error::invalid("input", "sequences [batch, time, features] of at least one step, features known", input)
    })
}
