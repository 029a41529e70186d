//! Watching one value for improvement: what early stopping, the plateau and the best weights share.

use super::super::EpochLog;
use crate::error::{Error, Result};

/// Which way a value improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smaller is better: losses.
    Down,
    /// Greater is better: accuracies.
    Up,
}

/// A value by name, its best so far and the epochs since.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) name: String,
    pub(super) direction: Direction,
    pub(super) min_delta: f64,
    pub(super) best: Option<(u64, f64)>,
    /// Epochs since the best.
    pub(super) waited: u64,
}

impl Watch {
    /// Values whose names say loss or error improve downwards, others upwards.
    pub(super) fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let down = name.contains("loss") || name.contains("error");
        let direction = if down { Direction::Down } else { Direction::Up };
        Watch { name, direction, min_delta: 0.0, best: None, waited: 0 }
    }

    pub(super) fn reset(&mut self) {
        (self.best, self.waited) = (None, 0);
    }

    /// Takes an epoch's value; whether it is the best so far by more than `min_delta`. NaN never is. Errors when the epoch
    /// has no such value, naming those that it has.
    pub(super) fn improves(&mut self, log: &EpochLog) -> Result<bool> {
        let value = log.get(&self.name).ok_or_else(|| {
            let names: Vec<&str> = log.values.iter().map(|(name, _)| name.as_str()).collect();
            Error::invalid("callback", format!("a value to watch among {}", names.join(", ")), &self.name)
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
