//! [`Pass`]: what a forward depends on besides its input, and what it gives besides its value.

use super::carry::{Carry, Left, Place, Slot};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::param::{Param, ParamId};
use crate::random::Key;
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: recorded for backward, dropout on, its draws taken from the key. Use another key each step.
    Training(Key),
    /// Evaluation and prediction: nothing recorded, dropout off.
    Evaluation,
}

/// What a forward depends on besides its input: the parameters, the mode, the random stream, the state that is carried to here
/// ([`Carry`]), if any. It collects what layers make of their own state meanwhile. One batch goes through a pass.
#[derive(Debug)]
pub struct Pass<'a, B: Backend> {
    backend: &'a B,
    params: &'a [Param<B>],
    mode: Mode,
    draws: u64,
    states: NewStates<B>,
    carry: Option<&'a mut Carry<B>>,
    left: Left<B>,
    /// How often each slot was used.
    turns: BTreeMap<(Vec<u32>, u32), u32>,
}

impl<'a, B: Backend> Pass<'a, B> {
    /// A pass over a model's parameters: [`Model::pass`](crate::Model::pass) makes one.
    pub fn new(backend: &'a B, params: &'a [Param<B>], mode: Mode) -> Self {
        let (states, left) = (NewStates(Vec::new()), Left(Vec::new()));
        Pass { backend, params, mode, draws: 0, states, carry: None, left, turns: BTreeMap::new() }
    }

    /// The same, whose layers go on from what `carry` holds. It takes up what they leave when the whole model is through
    /// ([`Model::run`](crate::Model::run)); after an error it is as it was.
    #[must_use]
    pub fn carrying(self, carry: &'a mut Carry<B>) -> Self {
        Pass { carry: Some(carry), ..self }
    }

    /// The backend.
    pub fn backend(&self) -> &'a B {
        self.backend
    }

    /// A parameter: a variable if it is trainable and the pass is for training, else a constant.
    pub fn param(&self, id: ParamId) -> Tensor<B> {
        let tensor = self.params[id.index()].tensor();
        match self.mode {
            Mode::Training(_) => tensor.clone(),
            Mode::Evaluation => tensor.detach(),
        }
    }

    /// Gives a layer's own state ([`Scope::state`](super::Scope::state)) a new value. Nothing changes before whoever made the pass
    /// gives [`Pass::into_states`] to [`Model::keep`](crate::Model::keep).
    pub fn set_state(&mut self, id: ParamId, value: B::Array) {
        self.states.0.push((id, value));
    }

    /// What layers made of their own state, in training: the running statistics of batch normalisation.
    pub fn into_states(self) -> NewStates<B> {
        self.states
    }

    /// The place of this use of a layer, where state is carried in this pass for its slot; `None` where the layer is to begin anew and
    /// to leave nothing. To be asked once each time that the layer computes.
    pub fn place(&mut self, slot: Slot) -> Option<Place> {
        let carry = self.carry.as_ref()?;
        if !(slot.stateful || carry.is_stepping()) {
            return None;
        }
        let within = Vec::new();
        let next = self.turns.entry((within.clone(), slot.number)).or_default();
        let turn = *next;
        *next += 1;
        Some(Place { within, slot: slot.number, turn })
    }

    /// The arrays that are carried to a place, none of them where sequences begin there. Errors when they are of another number of
    /// sequences than the `rows` that there are now.
    pub fn carried(&self, place: &Place, rows: usize) -> Result<&[B::Array]> {
        let Some(carry) = &self.carry else { return Ok(&[]) };
        match carry.rows().filter(|&carried| carried != rows) {
            Some(carried) => {
                let expected =
                    format!("batches of {carried} sequences, whose state is carried on (or a carry that is cleared)");
                Err(Error::invalid("carried state", expected, format!("a batch of {rows}")))
            }
            None => Ok(carry.get(place).unwrap_or_default()),
        }
    }

    /// Leaves arrays at a place for the next batch. Errors when their first axes are not the sequences of the batch.
    pub fn carry(&mut self, place: Place, arrays: impl IntoIterator<Item = B::Array>) -> Result<()> {
        let arrays: Vec<B::Array> = arrays.into_iter().collect();
        let before = self.left.rows().or(self.carry.as_ref().and_then(|carry| carry.rows()));
        let mut rows = arrays.iter().map(|array| self.backend.shape(array).first().copied());
        let Some(Some(first)) = rows.next() else {
            return Err(Error::invalid("state to carry", "arrays whose first axis is the batch", "none"));
        };
        if let Some(other) = rows.chain([before.or(Some(first))]).find(|&other| other != Some(first)) {
            let expected = format!("arrays whose first axis is the batch of {}", other.unwrap_or_default());
            return Err(Error::invalid("state to carry", expected, format!("{first} rows")));
        }
        self.left.0.push((place, first, arrays));
        Ok(())
    }

    /// Runs `f` with nothing carried: within it sequences begin anew and end, as those that a layer makes of single steps do
    /// ([`Scope::apart`](super::Scope::apart) says the same when it is built).
    pub fn apart<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let carry = self.carry.take();
        let value = f(self);
        self.carry = carry;
        value
    }

    /// To be asked by a layer that looks at whole sequences: an error in a pass that sees only a piece of them
    /// ([`Carry::stepping`]). `what` is the layer's name for itself.
    pub fn whole(&self, what: &str) -> Result<()> {
        match self.carry.as_ref().is_some_and(|carry| carry.is_stepping()) {
            true => {
                Err(Error::invalid(what, "whole sequences, which it looks at", "pieces of them, one after another"))
            }
            false => Ok(()),
        }
    }

    /// Lets the carry take up what layers have left.
    pub(crate) fn commit(&mut self) {
        let left = std::mem::replace(&mut self.left, Left(Vec::new()));
        if let Some(carry) = &mut self.carry {
            carry.put(left);
        }
    }

    /// What layers made of their own state, and what they have left for the carry.
    pub(crate) fn into_parts(self) -> (NewStates<B>, Left<B>) {
        (self.states, self.left)
    }

    /// Whether the pass is for training.
    pub fn is_training(&self) -> bool {
        matches!(self.mode, Mode::Training(_))
    }

    /// A random stream that no other call in this pass has, `None` when not training. Layers ask in the order in which
    /// they compute, which is the same on every backend.
    pub fn key(&mut self) -> Option<Key> {
        match self.mode {
            Mode::Training(key) => {
                self.draws += 1;
                Some(key.fold(self.draws))
            }
            Mode::Evaluation => None,
        }
    }
}

/// What a pass in training made of the layers' own state ([`Scope::state`](super::Scope::state)), such as the running statistics of
/// batch normalisation: for [`Model::keep`](crate::Model::keep), which puts it in the place of the old. Dropped it is lost, and
/// evaluation goes on with statistics of before.
#[derive(Debug)]
#[must_use = "give it to `Model::keep`, or the layers' running statistics stay as they were"]
pub struct NewStates<B: Backend>(Vec<(ParamId, B::Array)>);

impl<B: Backend> NewStates<B> {
    /// Whether no layer has any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces each new value by what is made of it.
    pub(crate) fn try_map(self, f: impl Fn(ParamId, B::Array) -> Result<B::Array>) -> Result<Self> {
        Ok(NewStates(self.0.into_iter().map(|(id, new)| Ok((id, f(id, new)?))).collect::<Result<_>>()?))
    }

    /// Puts them into the parameters. Errors, and nothing is changed then, when they are another model's.
    pub(crate) fn put(self, backend: &B, params: &mut [Param<B>]) -> Result<()> {
        for (id, new) in &self.0 {
            let shape = backend.shape(new);
            if params.get(id.index()).is_none_or(|param| param.shape() != shape) {
                let found = format!("state of shape {shape} of another");
                return Err(Error::invalid("states to keep", "those of a pass of this model", found));
            }
        }
        for (id, new) in self.0 {
            *params[id.index()].value_mut() = new;
        }
        Ok(())
    }
}
