//! [`RnnModule`]: a recurrent layer with its parameters.

use super::normed::Norms;
use crate::activation::Activation;
use crate::backend::{Backend, Cell, norm};
use crate::error::{Error, Result};
use crate::layers::{Last, Mask, Module, Pass, Place, Slot, Value};
use crate::param::ParamId;
use crate::random::Key;
use crate::record::Record;
use crate::shape::Shape;
use crate::tensor::{Recurrence, States, Tensor};

/// A recurrent layer with its parameters, from [`Rnn::module`](super::Rnn::module).
#[derive(Debug)]
pub struct RnnModule {
    pub(super) cell: Cell,
    pub(super) units: usize,
    pub(super) kernel: ParamId,
    pub(super) recurrent_kernel: ParamId,
    pub(super) bias: Option<ParamId>,
    pub(super) recurrent_bias: Option<ParamId>,
    /// Of a layer-normalised LSTM.
    pub(super) norms: Option<Norms>,
    /// The learned first states.
    pub(super) first: Vec<ParamId>,
    pub(super) return_sequences: bool,
    pub(super) return_state: bool,
    pub(super) record: bool,
    pub(super) reverse: bool,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    /// Where it leaves the states in which it ends, if they are carried on.
    pub(super) slot: Slot,
}

impl RnnModule {
    /// The outputs of all steps, if `outputs` says so, and the last states, of sequences `x [batch, time, features]`. The
    /// first states are those carried to here, if the pass carries any, else those given, `[h]` or of an LSTM `[h, c]`, each
    /// `[batch, units]`, else those learned, else 0. Used several times in a pass, it has a state for each time. Errors: a number of
    /// first states that is not the cell's; shapes that do not go together; a layer in reverse where sequences come in pieces.
    pub fn states<B: Backend>(
        &self,
        x: &Tensor<B>,
        mask: Option<&Mask<B>>,
        first: &[Tensor<B>],
        outputs: bool,
        pass: &mut Pass<'_, B>,
    ) -> Result<States<B>> {
        let key = pass.key();
        self.states_drawn(x, mask, first, outputs, key, pass)
    }

    /// The same with dropout's draws from a stream that is given: for a loop over steps, in which all steps of a sequence have one draw.
    pub(super) fn states_drawn<B: Backend>(
        &self,
        x: &Tensor<B>,
        mask: Option<&Mask<B>>,
        first: &[Tensor<B>],
        outputs: bool,
        key: Option<Key>,
        pass: &mut Pass<'_, B>,
    ) -> Result<States<B>> {
        let b = pass.backend();
        let [n, _, features] = sizes(x.shape())?;
        let x = match key.filter(|_| self.dropout > 0.0) {
            Some(key) => {
                let keep = norm::keep_mask(n * features, self.dropout, key.named("inputs"));
                x.mul(&Tensor::new(b, keep, &[n, 1, features])?)?
            }
            None => x.clone(),
        };
        let dropout = match key.filter(|_| self.recurrent_dropout > 0.0) {
            Some(key) => {
                let keep = norm::keep_mask(n * self.units, self.recurrent_dropout, key.named("state"));
                Some(b.upload(keep, Shape::new(&[n, self.units])?)?)
            }
            None => None,
        };
        let bias = self.bias.map(|bias| pass.param(bias));
        let kernel = pass.param(self.kernel);
        if self.reverse {
            pass.whole("recurrent layer in reverse")?;
        }
        let place = pass.place(self.slot);
        let first = self.first_states(n, first, place.as_ref(), pass)?;
        let (u, recurrent_bias) = (pass.param(self.recurrent_kernel), self.recurrent_bias.map(|bias| pass.param(bias)));
        let recurrence = Recurrence {
            u: &u,
            bias: recurrent_bias.as_ref(),
            h: first.first(),
            c: first.get(1),
            mask: mask.map(Mask::array),
            dropout: dropout.as_ref(),
            reverse: self.reverse,
            outputs,
        };
        let states = match &self.norms {
            Some(norms) => {
                let x = mask.map_or(Ok(x.clone()), |mask| mask.clear(&x))?;
                let z = norms.inputs(&x.linear(&kernel, None)?, bias.as_ref(), pass)?;
                norms.recurrent(&z, self.cell.activations(), &recurrence, pass)?
            }
            None => x.projected_recurrent(self.cell, (&kernel, bias.as_ref()), &recurrence)?,
        };
        if let Some(place) = place {
            pass.carry(place, std::iter::once(&states.h).chain(&states.c).cloned())?;
        }
        Ok(states)
    }

    /// The first output of `n` sequences that begin, where it is not 0: that given, or the learned one.
    pub(super) fn first_output<B: Backend>(
        &self,
        n: usize,
        given: &[Tensor<B>],
        pass: &Pass<'_, B>,
    ) -> Result<Option<Tensor<B>>> {
        Ok(self.first_states(n, given, None, pass)?.into_iter().next())
    }

    /// The states carried to here, or those given, or the learned ones; none where all begin at 0.
    fn first_states<B: Backend>(
        &self,
        n: usize,
        given: &[Tensor<B>],
        place: Option<&Place>,
        pass: &Pass<'_, B>,
    ) -> Result<Vec<Tensor<B>>> {
        let (b, count) = (pass.backend(), if self.cell.has_cell_state() { 2 } else { 1 });
        if !(given.is_empty() || given.len() == count) {
            return Err(Error::invalid("initial states", format!("{count} of them"), given.len()));
        }
        if let Some(place) = place {
            let carried = pass.carried(place, n)?;
            let fits = |state: &Tensor<B>| state.shape()[..] == [n, self.units];
            if !carried.is_empty() && (carried.len() != count || !carried.iter().all(fits)) {
                let expected = format!("{count} of [{n}, {}]", self.units);
                return Err(Error::invalid("carried state", expected, "that of another layer"));
            }
            if !carried.is_empty() {
                return Ok(carried);
            }
        }
        if !given.is_empty() {
            return Ok(given.to_vec());
        }
        let rows = Tensor::full(b, &[n, 1], 1.0)?;
        self.first.iter().map(|&state| rows.mul(&pass.param(state))).collect()
    }
}

impl<B: Backend> Module<B> for RnnModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (input, first) = self.first_of(input, pass)?;
        let (x, mask) = input.sequence(pass)?;
        let states = self.states(&x, mask.as_ref(), &first, self.return_sequences, pass)?;
        if self.record {
            let output = match states.outputs {
                Some(outputs) => Value::Tensor(outputs).with_clean_mask(mask),
                None => states.h.clone().into(),
            };
            let states = std::iter::once(states.h).chain(states.c).map(Value::from);
            let states = state_names(&self.cell).iter().copied().zip(states);
            return Record::new(std::iter::once(("output", output)).chain(states)).map(Value::Record);
        }
        Ok(match (states.outputs, states.c) {
            (Some(outputs), _) => Value::Tensor(outputs).with_clean_mask(mask),
            (None, Some(c)) if self.return_state => Tensor::concat(&[&states.h, &c], 1)?.into(),
            (None, _) => states.h.into(),
        })
    }

    fn last_activation(&self, _: Last) -> Last {
        if self.record {
            return Last::Unknown;
        }
        match self.cell {
            Cell::Elman { activation } => activation.into(),
            // Between the state before and the candidate.
            Cell::Gru { gates, activation, .. } => gates.is_sigmoid().then_some(activation).into(),
            // Nothing holds the cell state within bounds; the output is gated by a number from 0 to 1.
            Cell::Lstm { .. } if self.return_state => Activation::Linear.into(),
            Cell::Lstm { gates, activation } => gates.is_sigmoid().then_some(activation).into(),
        }
    }
}

/// The part of a record that is the sequences.
pub(super) const INPUT: &str = "input";

/// The names of a cell's states.
pub(super) fn state_names(cell: &Cell) -> &'static [&'static str] {
    if cell.has_cell_state() { &["h", "c"] } else { &["h"] }
}

impl RnnModule {
    /// The sequences that come in, and the states to begin with where they come with them.
    fn first_of<B: Backend>(&self, input: Value<B>, pass: &Pass<'_, B>) -> Result<(Value<B>, Vec<Tensor<B>>)> {
        let Value::Record(parts) = input else { return Ok((input, Vec::new())) };
        let first = state_names(&self.cell).iter().map(|name| parts.part(name)?.clone().split().0.tensor(pass));
        let first = first.collect::<Result<_>>()?;
        Ok((parts.part(INPUT)?.clone(), first))
    }
}

fn sizes(x: Shape) -> Result<[usize; 3]> {
    match x[..] {
        [n, t, features] => Ok([n, t, features]),
        _ => Err(Error::invalid("input", "sequences [batch, time, features]", x)),
    }
}
