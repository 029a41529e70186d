//! [`NewStates`]: what a pass in training made of the layers' own state.

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::param::{Param, ParamId};

/// What a pass in training made of the layers' own state ([`Scope::state`](super::Scope::state)), such as the running statistics of
/// batch normalisation: for [`Model::keep`](crate::Model::keep), which puts it in the place of the old. Dropped it is lost, and
/// evaluation goes on with statistics of before.
#[derive(Debug)]
#[must_use = "give it to `Model::keep`, or the layers' running statistics stay as they were"]
pub struct NewStates<B: Backend>(pub(super) Vec<(ParamId, B::Array)>);

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
