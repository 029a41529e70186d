//! Watching one value for improvement: what early stopping, the plateau and the best weights share.

use crate::backend::Backend;
use crate::checkpoint::Exact;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::training::EpochLog;
use serde::{Deserialize, Serialize};

/// Which way a value improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smaller is better: losses.
    Down,
    /// Greater is better: accuracies.
    Up,
}

/// So long nothing can have been waited for, and counting on cannot overflow.
const MOST_EPOCHS: u64 = 1 << 53;

/// What a [`Watch`] has seen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchState {
    best: Option<(u64, Exact)>,
    waited: u64,
}

/// A value by name, its best so far and the epochs since.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) name: String,
    /// As told; otherwise what the value itself says.
    pub(super) told: Option<Direction>,
    pub(super) min_delta: f64,
    pub(super) best: Option<(u64, f64)>,
    /// Epochs since the best.
    pub(super) waited: u64,
    direction: Direction,
}

impl Watch {
    pub(super) fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Watch { name, told: None, min_delta: 0.0, best: None, waited: 0, direction: Direction::Down }
    }

    /// Before the first epoch: finds out which way the value improves. Errors when the least improvement is none.
    pub(super) fn begin<B: Backend>(&mut self, place: &str, model: &Model<B>) -> Result<()> {
        if !(self.min_delta.is_finite() && self.min_delta >= 0.0) {
            return Err(Error::invalid(place, "a finite least improvement of at least 0", self.min_delta));
        }
        let up = model.higher_is_better(&self.name).unwrap_or(false);
        self.direction = self.told.unwrap_or(if up { Direction::Up } else { Direction::Down });
        Ok(())
    }

    /// Forgets what it has seen.
    pub(super) fn reset(&mut self) {
        (self.best, self.waited) = (None, 0);
    }

    /// What it has seen, for a checkpoint.
    pub(super) fn state(&self) -> WatchState {
        WatchState { best: self.best.map(|(epoch, value)| (epoch, Exact(value))), waited: self.waited }
    }

    /// Goes on from a state. Errors when it has waited longer than there can have been epochs.
    pub(super) fn resume(&mut self, state: WatchState) -> Result<()> {
        if state.waited > MOST_EPOCHS {
            let place = format!("checkpoint: state of a callback on {}", self.name);
            return Err(Error::invalid(place, "a number of epochs", state.waited));
        }
        self.best = state.best.map(|(epoch, value)| (epoch, value.0));
        self.waited = state.waited;
        Ok(())
    }

    /// The name of the state of a callback that watches this value.
    pub(super) fn state_name(&self, callback: &str) -> String {
        format!("{callback}({})", self.name)
    }

    /// Takes an epoch's value; whether it is the best so far by more than `min_delta`. NaN never is. Errors when the
    /// epoch has no such value, naming those that it has.
    pub(super) fn improves(&mut self, log: &EpochLog) -> Result<bool> {
        let value = log.get(&self.name).ok_or_else(|| {
            let names: Vec<&str> = log.values.iter().map(|(name, _)| name.as_str()).collect();
            unknown_value(&self.name, &names)
        })?;
        let better = match (self.best, self.direction) {
            (None, _) => !value.is_nan(),
            (Some((_, best)), Direction::Down) => value < best - self.min_delta,
            (Some((_, best)), Direction::Up) => value > best + self.min_delta,
        };
        if better {
            (self.best, self.waited) = (Some((log.epoch, value)), 0);
        } else {
            self.waited += 1;
        }
        Ok(better)
    }
}

/// A value is watched that the epochs do not have.
pub(crate) fn unknown_value(name: &str, names: &[&str]) -> Error {
    let hint = if name.starts_with("val_") && !names.iter().any(|name| name.starts_with("val_")) {
        " (there is no validation data)"
    } else {
        ""
    };
    Error::invalid("callback", format!("a value to watch among {}{hint}", names.join(", ")), format!("`{name}`"))
}
