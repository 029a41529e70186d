//! [`EarlyStopping`]: ends training when a value no longer improves (L14).

use super::Callback;
use super::watch::{Direction, Watch};
use crate::backend::Backend;
use crate::checkpoint::CallbackState;
use crate::error::Result;
use crate::model::Model;
use crate::training::{EpochLog, History};
use serde_json::json;
use std::ops::ControlFlow;

/// Stops when a value has not improved for some epochs; can put the best epoch's weights back. Defaults as in Keras:
/// patience 0 (the first epoch without improvement stops), no least improvement, weights left as they are.
#[derive(Clone, Debug)]
#[must_use]
pub struct EarlyStopping<B: Backend> {
    watch: Watch,
    patience: u64,
    restore: bool,
    weights: Option<Vec<B::Array>>,
}

impl<B: Backend> EarlyStopping<B> {
    /// Watches a value of the epochs, such as `val_loss`. Which way it improves, the loss and the metrics say
    /// themselves.
    pub fn new(name: impl Into<String>) -> Self {
        EarlyStopping { watch: Watch::new(name), patience: 0, restore: false, weights: None }
    }

    /// How many epochs in a row without improvement it takes to stop; 0 counts as 1.
    pub fn patience(self, epochs: u64) -> Self {
        EarlyStopping { patience: epochs, ..self }
    }

    /// The least change that counts as an improvement.
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.watch.min_delta = delta;
        self
    }

    /// Which way the value improves, where it is not to be the metric's own way.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.watch.told = Some(direction);
        self
    }

    /// Puts the weights of the best epoch back at the end of training, whether it was stopped or not. The last checkpoint of
    /// such a training holds them, too; see [`Checkpoint`](crate::checkpoint::Checkpoint).
    pub fn restore_best(self) -> Self {
        EarlyStopping { restore: true, ..self }
    }

    /// The best epoch and its value.
    pub fn best(&self) -> Option<(u64, f64)> {
        self.watch.best
    }
}

impl<B: Backend> Callback<B> for EarlyStopping<B> {
    fn watches(&self) -> Option<&str> {
        Some(&self.watch.name)
    }

    fn on_train_begin(&mut self, model: &mut Model<B>) -> Result<()> {
        self.watch.begin("early stopping", model)?;
        self.watch.reset();
        self.weights = None;
        Ok(())
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        if self.watch.improves(log)? && self.restore {
            self.weights = Some(model.snapshot());
        }
        if self.watch.waited < self.patience.max(1) {
            return Ok(ControlFlow::Continue(()));
        }
        let name = &self.watch.name;
        Ok(ControlFlow::Break(match self.watch.best {
            Some((epoch, value)) => format!("{name} has not improved on {value:.4} of epoch {epoch}"),
            None => format!("{name} is not a number"),
        }))
    }

    fn on_train_end(&mut self, _: &History, model: &mut Model<B>) -> Result<()> {
        self.weights.take().map_or(Ok(()), |weights| model.restore(weights))
    }
    fn state(&self) -> Option<CallbackState<B>> {
        let arrays = self.weights.iter().flatten().enumerate().map(|(i, array)| (i.to_string(), array.clone()));
        Some(CallbackState {
            name: self.watch.state_name("early_stopping"),
            value: json!(self.watch.state()),
            arrays: arrays.collect(),
        })
    }

    fn resume(&mut self, state: Option<CallbackState<B>>, _: &History, model: &Model<B>) -> Result<()> {
        let Some(state) = state else { return Ok(()) };
        self.watch.resume(state.parse()?)?;
        self.weights = None;
        if !state.arrays.is_empty() {
            let weights: Vec<B::Array> = state.arrays.into_iter().map(|(_, array)| array).collect();
            model.check_snapshot(&weights).map_err(|e| e.at("checkpoint: early stopping"))?;
            self.weights = Some(weights);
        }
        Ok(())
    }
}
