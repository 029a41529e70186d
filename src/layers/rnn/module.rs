//! [`RnnModule`]: a recurrent layer with its parameters.

use super::normed::Norms;
use crate::activation::Activation;
use crate::backend::{Backend, Cell, norm};
use crate::error::{Error, Result};
use crate::layers::{Mask, Module, Pass, Value};
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::{Recurrence, States, Tensor};
use std::sync::{Mutex, PoisonError};

/// A recurrent layer with its parameters, from [`Rnn::module`](super::Rnn::module).
#[derive(Debug)]
pub struct RnnModule<B: Backend> {
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
    pub(super) reverse: bool,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    /// The states in which the last batch ended, if they are carried on.
    pub(super) carried: Option<Mutex<Vec<B::Array>>>,
}

impl<B: Backend> RnnModule<B> {
    /// The outputs of all steps, if `outputs` says so, and the last states, of sequences `x [batch, time, features]`. The
    /// first states are those given, `[h]` or of an LSTM `[h, c]`, each `[batch, units]`; with none given, those carried on
    /// or learned, else 0. Errors: a number of first states that is not the cell's; shapes that do not go together.
    pub fn states(
        &self,
        x: &Tensor<B>,
        mask: Option<&Mask<B>>,
        first: &[Tensor<B>],
        outputs: bool,
        pass: &mut Pass<'_, B>,
    ) -> Result<States<B>> {
        let b = pass.backend();
        let ([n, _, features], key) = (sizes(x.shape())?, pass.key());
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
        let first = if first.is_empty() { self.first_states(n, pass)? } else { first.to_vec() };
        let count = if self.cell.has_cell_state() { 2 } else { 1 };
        if !(first.is_empty() || first.len() == count) {
            return Err(Error::invalid("initial states", format!("{count} of them"), first.len()));
        }
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
        if let Some(carried) = self.carried.as_ref().filter(|_| !pass.is_rehearsal()) {
            let last = std::iter::once(&states.h).chain(&states.c).map(|state| state.value().clone());
            *carried.lock().unwrap_or_else(PoisonError::into_inner) = last.collect();
        }
        Ok(states)
    }

    /// The states carried on from the last batch, or the learned ones; none where both are 0.
    fn first_states(&self, n: usize, pass: &Pass<'_, B>) -> Result<Vec<Tensor<B>>> {
        let b = pass.backend();
        if let Some(carried) = &self.carried {
            let carried = carried.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(other) = carried.first().map(|h| b.shape(h)[0]).filter(|&other| other != n) {
                let expected = format!("batches of {other} sequences, whose states are carried on (or `reset_states`)");
                return Err(Error::invalid("stateful layer", expected, format!("a batch of {n}")));
            }
            if !carried.is_empty() {
                return Ok(carried.into_iter().map(|state| Tensor::constant(b, state)).collect());
            }
        }
        let rows = Tensor::full(b, &[n, 1], 1.0)?;
        self.first.iter().map(|&state| rows.mul(&pass.param(state))).collect()
    }
}

impl<B: Backend> Module<B> for RnnModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let states = self.states(&x, mask.as_ref(), &[], self.return_sequences, pass)?;
        Ok(match (states.outputs, states.c) {
            (Some(outputs), _) => Value::Tensor(outputs).with_clean_mask(mask),
            (None, Some(c)) if self.return_state => Tensor::concat(&[&states.h, &c], 1)?.into(),
            (None, _) => states.h.into(),
        })
    }

    fn reset_state(&self) {
        if let Some(carried) = &self.carried {
            carried.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn last_activation(&self, _: Option<Activation>) -> Option<Activation> {
        match self.cell {
            Cell::Elman { activation } => Some(activation),
            // Between the state before and the candidate.
            Cell::Gru { gates, activation, .. } => gates.is_sigmoid().then_some(activation),
            // Nothing holds the cell state within bounds; the output is gated by a number from 0 to 1.
            Cell::Lstm { .. } if self.return_state => Some(Activation::Linear),
            Cell::Lstm { gates, activation } => gates.is_sigmoid().then_some(activation),
        }
    }
}

fn sizes(x: Shape) -> Result<[usize; 3]> {
    match x[..] {
        [n, t, features] => Ok([n, t, features]),
        _ => Err(Error::invalid("input", "sequences [batch, time, features]", x)),
    }
}
