//! [`Pass`]: what a forward depends on besides its input, and what it gives besides its value.

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::param::{Param, ParamId};
use crate::random::Key;
use crate::tensor::Tensor;

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: recorded for backward, dropout on, its draws taken from the key. Use another key each step.
    Training(Key),
    /// Evaluation and prediction: nothing recorded, dropout off.
    Evaluation,
}

/// What a forward depends on besides its input: the parameters, the mode, the random stream. It collects what layers make of
/// their own state meanwhile.
#[derive(Debug)]
pub struct Pass<'a, B: Backend> {
    backend: &'a B,
    params: &'a [Param<B>],
    mode: Mode,
    draws: u64,
    states: NewStates<B>,
    rehearsal: bool,
}

impl<'a, B: Backend> Pass<'a, B> {
    /// A pass over a model's parameters: [`Model::pass`](crate::Model::pass) makes one.
    pub fn new(backend: &'a B, params: &'a [Param<B>], mode: Mode) -> Self {
        Pass { backend, params, mode, draws: 0, states: NewStates(Vec::new()), rehearsal: false }
    }

    /// A pass of evaluation that must leave no trace: only to see whether data and model go together.
    pub(crate) fn rehearsal(backend: &'a B, params: &'a [Param<B>]) -> Self {
        Pass { rehearsal: true, ..Pass::new(backend, params, Mode::Evaluation) }
    }

    /// Whether what a layer carries from batch to batch is to be left as it is.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal
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
