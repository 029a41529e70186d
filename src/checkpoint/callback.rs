//! [`CallbackState`]: what a callback keeps in a checkpoint.

use crate::backend::Backend;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;

/// What a callback needs to go on as if nothing had happened; see
/// [`Callback::state`](crate::training::callbacks::Callback::state).
#[derive(Clone, Debug)]
pub struct CallbackState<B: Backend> {
    /// Tells it from the states of other callbacks: `early_stopping(val_loss)`.
    pub name: String,
    /// Numbers and texts. [`Exact`](super::Exact) keeps an `f64` to the bit, which JSON does not.
    pub value: serde_json::Value,
    /// Arrays by name.
    pub arrays: Vec<(String, B::Array)>,
}

impl<B: Backend> CallbackState<B> {
    /// The value as a type of the callback's. Errors when it is another's.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.value.clone())
            .map_err(|e| Error::invalid(format!("checkpoint: {}", self.name), "the state of this callback", e))
    }
}
