//! [`BestWeights`]: a file with the weights of the best epoch so far.

use super::Callback;
use super::watch::{Direction, Watch};
use crate::backend::Backend;
use crate::checkpoint::CallbackState;
use crate::error::Result;
use crate::file::check_writable;
use crate::model::Model;
use crate::training::{EpochLog, History};
use serde_json::json;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Saves the weights after each epoch that is the best so far by a value. The file is whole at any time. What is best
/// is remembered from one training to the next, as in Keras: give the second `fit` the same callback, for a new one knows nothing of
/// what is in the file and takes its place after the first epoch.
#[derive(Clone, Debug)]
#[must_use]
pub struct BestWeights {
    path: PathBuf,
    watch: Watch,
}

impl BestWeights {
    /// Saves to `path` (safetensors) when a value of the epochs, such as `val_loss`, improves. Which way it improves,
    /// the loss and the metrics say themselves.
    pub fn new(path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        BestWeights { path: path.into(), watch: Watch::new(name) }
    }

    /// Which way the value improves, where it is not to be the metric's own way.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.watch.told = Some(direction);
        self
    }

    /// The best epoch and its value.
    pub fn best(&self) -> Option<(u64, f64)> {
        self.watch.best
    }
}

impl<B: Backend> Callback<B> for BestWeights {
    fn watches(&self) -> Option<&str> {
        Some(&self.watch.name)
    }

    fn on_train_begin(&mut self, model: &mut Model<B>) -> Result<()> {
        self.watch.begin("best weights", model)?;
        // Here and not after an hour of training: a path that cannot be written is an error at once.
        check_writable(&self.path)
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        if self.watch.improves(log)? {
            model.save_weights(&self.path)?;
        }
        Ok(ControlFlow::Continue(()))
    }
    fn state(&self) -> Option<CallbackState<B>> {
        let (name, value) = (self.watch.state_name("best_weights"), json!(self.watch.state()));
        Some(CallbackState { name, value, arrays: Vec::new() })
    }

    fn resume(&mut self, state: Option<CallbackState<B>>, _: &History, _: &Model<B>) -> Result<()> {
        state.map_or(Ok(()), |state| self.watch.resume(state.parse()?))
    }
}
