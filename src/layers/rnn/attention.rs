//! [`AttentionDecoder`]: a recurrent layer that looks at a memory in each of its steps, and knows what it looked at before.

use super::module::{INPUT, state_names};
use super::{CellKind, Rnn, RnnModule};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::layers::attention::{CrossAttention, CrossModule, Looked, Memory};
use crate::layers::{Built, Last, Layer, Mask, Module, Pass, Scope, Slot, Spec, Value};
use crate::random::Key;
use crate::record::Record;
use crate::tensor::{States, Tensor};
use serde_json::json;

/// The part of the record that is looked at.
const MEMORY: &str = "memory";

/// A recurrent decoder with attention in its loop (L25, L26). Takes a record of `input [batch, time, features]`, `memory
/// [batch, steps, width]` and, where the first state is not 0, `h [batch, units]` (and `c` of an LSTM); gives
/// `[batch, time, outputs]`. With the attention `a` to the memory `m` ([`CrossAttention`], in any of its forms) step `t` is one of
///
/// | | formula |
/// | --- | --- |
/// | input feeding, the default | `h_t = cell([x_t; y_{t-1}], h_{t-1})`, `c_t = a(h_t, m)`, `y_t = tanh(W_c [c_t; h_t])`, `y_0 = 0` |
/// | [`attention_first`](AttentionDecoder::attention_first) | `c_t = a(h_{t-1}, m)`, `h_t = cell([x_t; c_t], h_{t-1})`, `y_t = tanh(W_c [c_t; h_t])` |
///
/// The first is Luong's (Luong, Pham, Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015, section
/// 3.3: the decoder is told what was looked at before, as coverage), OpenNMT's `input_feed`; the second Bahdanau's (Bahdanau, Cho, Bengio,
/// "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015, appendix A.2.2). `W_c` is the attention's
/// [`combined`](CrossAttention::combined); without it `y_t` is `[c_t; h_t]`, which a [`Dense`](crate::layers::Dense) behind it may read as
/// the papers' output layers do, and what is fed is the context `c_{t-1}` alone (Keras' `AttentionWrapper`).
///
/// Each step waits for the one before, so that it costs several times what a recurrent layer with [`CrossAttention`] behind it does,
/// whose steps are one operation: take that first. What depends on the memory alone is computed once a sequence.
///
/// Steps that the memory's mask leaves out are not looked at; the mask of the input goes through, and where it leaves a step out nothing
/// changes. Of the layer's options dropout (with one draw for all steps) and [`Rnn::record`] count: with that it gives a record of the
/// `output` and the last states; it gives every step in any case. [`Pass::observe`] hands out the weights `[batch, time, steps]` under
/// the name `attention`. A decoder may go step by step ([`Decoder`](crate::decode::Decoder)), the memory computed
/// [once](crate::layers::Graph::once).
///
/// Parameters: those of the layer under `cell`, whose kernel has a row for each feature and each number that is fed, and those of the
/// attention under `attention`.
///
/// ```
/// use elman::Spec;
/// use elman::layers::{AttentionDecoder, Bidirectional, CrossAttention, Dense, Embedding, Graph, Gru};
/// use elman_reference::Reference;
///
/// let decoder = AttentionDecoder::new(Gru::new(16), CrossAttention::new().additive(16)).attention_first();
/// let translator = Graph::new()
///     .node("source_words", Embedding::new(50, 8).padding(0), "source")
///     .node("encoder", Bidirectional::new(Gru::new(8).return_sequences().record()), "source_words")
///     .node("target_words", Embedding::new(60, 8).padding(0), "target")
///     .node("decoder", decoder, [("input", "target_words"), ("memory", "encoder.output"), ("h", "encoder.h")])
///     .node("words", Dense::new(60), "decoder")
///     .output("words")
///     .once(["encoder"]);
/// let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))])?;
/// let model = translator.build(&Reference::<f32>::new(), input, 0)?;
/// assert_eq!(model.output(), &Spec::Dense(vec![None, Some(60)]));
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "AttentionWrapper")]
#[doc(alias = "InputFeedRNNDecoder")]
#[doc(alias = "input_feed")]
#[doc(alias = "Bahdanau")]
#[doc(alias = "Luong")]
#[derive(Clone, Debug)]
#[must_use]
pub struct AttentionDecoder<C> {
    layer: Rnn<C>,
    attention: CrossAttention,
    attention_first: bool,
}

impl<C: CellKind> AttentionDecoder<C> {
    /// Such a recurrent layer that is fed what it looked at in the step before.
    pub fn new(layer: Rnn<C>, attention: CrossAttention) -> Self {
        AttentionDecoder { layer, attention, attention_first: false }
    }

    /// Looks at the memory first in each step, by the state before, and goes on with what it saw.
    pub fn attention_first(self) -> Self {
        AttentionDecoder { attention_first: true, ..self }
    }

    /// Steps and features of the input and the width of the memory. Errors for other parts.
    fn sizes(&self, input: &Spec) -> Result<(Option<usize>, usize, usize)> {
        let cell = self.layer.cell.cell();
        let (states, state) = (state_names(&cell), Spec::dense(&[self.layer.units]));
        let expected = || {
            format!(
                "a record of `{INPUT}`, `{MEMORY}` and, where they are, the first states {} {state}",
                states.join(", ")
            )
        };
        let Spec::Record(parts) = input else { return Err(Error::invalid("input", expected(), input)) };
        let known = |name: &str| name == INPUT || name == MEMORY || states.contains(&name);
        let strange = parts.names().find(|name| !known(name));
        let lacks = states.iter().find(|name| parts.get(name).is_none()).filter(|_| parts.len() > 2);
        let other = states.iter().find(|name| parts.get(name).is_some_and(|part| !state.takes(part)));
        let wrong = match (strange, lacks, other) {
            (Some(name), ..) => Some(format!("a part `{name}`")),
            (_, Some(name), _) => Some(format!("none `{name}`")),
            (.., Some(name)) => Some(format!("{name}: {}", parts.part(name)?)),
            _ => None,
        };
        if let Some(found) = wrong {
            return Err(Error::invalid("input", expected(), found));
        }
        let (time, features) = parts.part(INPUT)?.sequence().map_err(|e| e.at(INPUT))?;
        let (_, width) = parts.part(MEMORY)?.sequence().map_err(|e| e.at(MEMORY))?;
        Ok((time, features, width))
    }
}

impl<B: Backend, C: CellKind> Layer<B> for AttentionDecoder<C> {
    fn kind(&self) -> &'static str {
        "attention_decoder"
    }

    fn describe(&self) -> Result<Description> {
        let layer = Layer::<B>::describe(&self.layer)?;
        let attention = describe(Layer::<B>::kind(&self.attention), &self.attention)?;
        let kind = Layer::<B>::kind(self);
        Ok(json!({ "kind": kind, "layer": layer, "attention": attention, "attention_first": self.attention_first }))
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let refused = [
            ("reverse", self.layer.reverse),
            ("stateful", self.layer.stateful),
            ("return_state", self.layer.return_state),
        ];
        if let Some((option, _)) = refused.into_iter().find(|&(_, is)| is) {
            let expected = "a layer from the first step on, which begins anew with each memory and gives every step";
            return Err(Error::invalid("attention_decoder", expected, format!("`{option}`")));
        }
        let ((time, features, width), units) = (self.sizes(input)?, self.layer.units);
        let fed = if self.attention_first { width } else { self.attention.outputs(width) };
        let cell = self.layer.module(features + fed, &mut scope.scope("cell")?)?;
        let attention = self.attention.module(units, width, &mut scope.scope("attention")?)?;
        let [steps, keys, before] = [(); 3].map(|()| scope.slot());
        let outputs = if self.attention.is_combined() { self.attention.outputs(width) } else { width + units };
        let output = Spec::Dense(vec![time, Some(outputs)]);
        let states = state_names(&cell.cell).iter().map(|&name| (name, Spec::dense(&[units])));
        let output = match self.layer.record {
            true => Spec::record(std::iter::once(("output", output)).chain(states))?,
            false => output,
        };
        let (combined, first) = (self.attention.is_combined(), self.attention_first);
        Ok(Built::new(DecoderModule { cell, attention, combined, first, fed, steps, keys, before }, output))
    }
}

#[derive(Debug)]
struct DecoderModule {
    cell: RnnModule,
    attention: CrossModule,
    combined: bool,
    /// Whether the memory is looked at before the cell.
    first: bool,
    /// How many numbers of what was looked at go into the cell.
    fed: usize,
    steps: Slot,
    /// What depends on the memory alone.
    keys: Slot,
    /// What the step before leaves: what is fed, or the state to look with.
    before: Slot,
}

/// What stays the same in all steps.
struct Given<B: Backend> {
    memory: Memory<B>,
    first: Vec<Tensor<B>>,
    /// Dropout's draws of the cell.
    key: Option<Key>,
}

/// What comes of a step.
struct Step<B: Backend> {
    states: States<B>,
    /// `[batch, 1, outputs]`.
    output: Tensor<B>,
    weights: Option<Tensor<B>>,
    /// What the next step is told, `[batch, ..]`.
    left: Tensor<B>,
}

impl DecoderModule {
    fn step<B: Backend>(
        &self,
        x: &Tensor<B>,
        mask: Option<&Mask<B>>,
        before: &Tensor<B>,
        given: &Given<B>,
        pass: &mut Pass<'_, B>,
    ) -> Result<Step<B>> {
        let n = x.shape()[0];
        let told = before.reshape(&[n, 1, before.shape().last()])?;
        let through = |told: &Tensor<B>, pass: &mut Pass<'_, B>| -> Result<(States<B>, Tensor<B>)> {
            let x = Tensor::concat(&[x, told], 2)?;
            let states = self.cell.states_drawn(&x, mask, &given.first, false, given.key, pass)?;
            let h = states.h.reshape(&[n, 1, states.h.shape().last()])?;
            Ok((states, h))
        };
        let (Looked { context, weights }, (states, h)) = match self.first {
            true => {
                let looked = self.attention.look(&told, &given.memory, pass)?;
                let states = through(&looked.context, pass)?;
                (looked, states)
            }
            false => {
                let states = through(&told, pass)?;
                (self.attention.look(&states.1, &given.memory, pass)?, states)
            }
        };
        let combined = self.attention.combine(&context, &h, pass)?;
        let left = match self.first {
            true => states.h.clone(),
            false => {
                let left = combined.as_ref().unwrap_or(&context).reshape(&[n, self.fed])?;
                mask.map_or(Ok(left.clone()), |mask| left.select(&mask.tensor(pass.backend()), before))?
            }
        };
        let output = combined.map_or_else(|| Tensor::concat(&[&context, &h], 2), Ok)?;
        Ok(Step { states, output, weights, left })
    }

    /// What the steps are told before the first.
    fn begin<B: Backend>(&self, n: usize, given: &Given<B>, pass: &Pass<'_, B>) -> Result<Tensor<B>> {
        let h = if self.first { self.cell.first_output(n, &given.first, pass)? } else { None };
        let width = if self.first { self.cell.units } else { self.fed };
        h.map_or_else(|| Tensor::zeros(pass.backend(), &[n, width]), Ok)
    }
}

impl<B: Backend> Module<B> for DecoderModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let parts = input.record()?;
        let states = state_names(&self.cell.cell).iter().filter_map(|name| parts.get(name));
        let first = states.map(|state| state.clone().split().0.tensor(pass)).collect::<Result<_>>()?;
        let (steps, mask) = parts.part(MEMORY)?.clone().sequence(pass)?;
        let keys = self.attention.keys_once(self.keys, &steps, pass)?;
        let given = Given { memory: Memory { steps, mask, keys }, first, key: pass.key() };
        let (mut last, mut seen) = (None, Vec::new());
        let output = pass.steps(self.steps, parts.part(INPUT)?.clone(), |step, pass| {
            let (x, mask) = step.sequence(pass)?;
            let n = x.shape()[0];
            let place = pass.place(self.before);
            let carried = place.as_ref().map(|place| pass.carried(place, n)).transpose()?;
            let before = match carried.and_then(|mut states| states.pop()) {
                Some(before) => before,
                None => self.begin(n, &given, pass)?,
            };
            let Step { states, output, weights, left } = self.step(&x, mask.as_ref(), &before, &given, pass)?;
            if let Some(place) = place {
                pass.carry(place, [left])?;
            }
            last = Some(states);
            seen.extend(weights);
            Ok(output.into())
        })?;
        if !seen.is_empty() {
            pass.observe("attention", &Tensor::concat(&seen.iter().collect::<Vec<_>>(), 1)?);
        }
        let Some(States { h, c, .. }) = last.filter(|_| self.cell.record) else { return Ok(output) };
        let states = state_names(&self.cell.cell).iter().copied().zip(std::iter::once(h).chain(c).map(Value::from));
        Record::new(std::iter::once(("output", output)).chain(states)).map(Value::Record)
    }

    fn last_activation(&self, _: Last) -> Last {
        match (self.cell.record, self.combined) {
            (true, _) => Last::Unknown,
            (_, true) => Activation::Tanh.into(),
            // Contexts and states side by side.
            _ => Activation::Linear.into(),
        }
    }
}
