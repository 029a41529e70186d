//! [`ReduceOnPlateau`]: a smaller learning rate when a value no longer improves.

use super::Callback;
use super::watch::{Direction, Watch};
use crate::backend::Backend;
use crate::checkpoint::CallbackState;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::training::{EpochLog, History};
use serde_json::json;
use std::ops::ControlFlow;

/// Multiplies the learning rate by a factor when a value has not improved for some epochs. Defaults as in Keras: factor
/// 0.1, patience 10, least improvement 1e-4, no cool-down, rates down to 0.
#[derive(Clone, Debug)]
#[must_use]
pub struct ReduceOnPlateau {
    watch: Watch,
    factor: f64,
    patience: u64,
    cooldown: u64,
    cooling: u64,
    min_rate: f64,
}

impl ReduceOnPlateau {
    /// Watches a value of the epochs, such as `val_loss`. Which way it improves, the loss and the metrics say
    /// themselves.
    pub fn new(name: impl Into<String>) -> Self {
        let mut watch = Watch::new(name);
        watch.min_delta = 1e-4;
        ReduceOnPlateau { watch, factor: 0.1, patience: 10, cooldown: 0, cooling: 0, min_rate: 0.0 }
    }

    /// What the rate is multiplied by, between 0 and 1.
    pub fn factor(self, factor: f64) -> Self {
        ReduceOnPlateau { factor, ..self }
    }

    /// How many epochs in a row without improvement it takes; 0 counts as 1.
    pub fn patience(self, epochs: u64) -> Self {
        ReduceOnPlateau { patience: epochs, ..self }
    }

    /// For how many epochs after a reduction none is counted; as in Keras the last of them counts again.
    pub fn cooldown(self, epochs: u64) -> Self {
        ReduceOnPlateau { cooldown: epochs, ..self }
    }

    /// The least change that counts as an improvement.
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.watch.min_delta = delta;
        self
    }

    /// The rate below which it does not go.
    pub fn min_rate(self, rate: f64) -> Self {
        ReduceOnPlateau { min_rate: rate, ..self }
    }

    /// Which way the value improves, where it is not to be the metric's own way.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.watch.told = Some(direction);
        self
    }
}

impl<B: Backend> Callback<B> for ReduceOnPlateau {
    fn watches(&self) -> Option<&str> {
        Some(&self.watch.name)
    }

    fn on_train_begin(&mut self, model: &mut Model<B>) -> Result<()> {
        if !(self.factor > 0.0 && self.factor < 1.0) {
            return Err(Error::invalid("reduce on plateau", "a factor between 0 and 1, neither of them", self.factor));
        }
        if !(self.min_rate.is_finite() && self.min_rate >= 0.0) {
            return Err(Error::invalid("reduce on plateau", "a least rate of at least 0", self.min_rate));
        }
        self.watch.begin("reduce on plateau", model)?;
        self.watch.reset();
        self.cooling = 0;
        Ok(())
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        if self.cooling > 0 {
            self.cooling -= 1;
            self.watch.waited = 0;
        }
        self.watch.improves(log)?;
        if self.cooling > 0 {
            self.watch.waited = 0;
        }
        if self.watch.waited >= self.patience.max(1) {
            let Some(optimizer) = model.optimizer_mut() else { return Ok(ControlFlow::Continue(())) };
            // The base rate: a schedule goes on multiplying it.
            let rate = optimizer.base_learning_rate();
            if rate > self.min_rate {
                optimizer.set_learning_rate((rate * self.factor).max(self.min_rate))?;
                (self.cooling, self.watch.waited) = (self.cooldown, 0);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
    fn state(&self) -> Option<CallbackState<B>> {
        let (name, value) = (self.watch.state_name("reduce_on_plateau"), json!((self.watch.state(), self.cooling)));
        Some(CallbackState { name, value, arrays: Vec::new() })
    }

    fn resume(&mut self, state: Option<CallbackState<B>>, _: &History, _: &Model<B>) -> Result<()> {
        let Some(state) = state else { return Ok(()) };
        let (watch, cooling) = state.parse()?;
        self.watch.resume(watch)?;
        self.cooling = cooling;
        Ok(())
    }
}
