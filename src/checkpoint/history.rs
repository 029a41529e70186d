//! [`History`]: what `fit` saw, epoch by epoch.

use crate::exact::Exact;
use crate::model::StepEntry;
use std::fmt;
use std::time::Duration;

/// Some updates of an epoch, of which [`Fit::log_steps`](crate::Fit::log_steps) has asked for the mean loss.
#[derive(Clone, Debug, PartialEq)]
pub struct StepLog {
    /// The number of the last of these updates, from 1, counted over all calls of `fit`.
    pub step: u64,
    /// The mean loss of their batches, each before its update, as that of an epoch is over all batches. NaN where none of them
    /// counts.
    pub loss: f64,
    /// The learning rate of the last of them.
    pub learning_rate: f64,
}

/// One epoch of training.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochLog {
    /// Number of the epoch, from 1, counted over all calls of `fit`.
    pub epoch: u64,
    /// Loss and metrics by name; those of the validation data begin with `val_`.
    pub values: Vec<(String, f64)>,
    /// The learning rate after the epoch.
    pub learning_rate: f64,
    /// Time spent on training, without validation.
    pub training_time: Duration,
    /// Number of samples trained on.
    pub samples: usize,
    /// Updates that were skipped because a gradient was not finite
    /// ([`Optimizer::skip_not_finite`](crate::optim::Optimizer::skip_not_finite)); their batches count neither in the values nor
    /// among the samples.
    pub skipped: u64,
    /// Loss and learning rate by update, where [`Fit::log_steps`](crate::Fit::log_steps) asks for them.
    pub steps: Vec<StepLog>,
}

impl From<StepEntry> for StepLog {
    fn from(entry: StepEntry) -> Self {
        StepLog { step: entry.step, loss: entry.loss.0, learning_rate: entry.learning_rate.0 }
    }
}

impl From<&StepLog> for StepEntry {
    fn from(log: &StepLog) -> Self {
        StepEntry { step: log.step, loss: Exact(log.loss), learning_rate: Exact(log.learning_rate) }
    }
}

impl EpochLog {
    /// A value by name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// Samples per second of training.
    pub fn samples_per_second(&self) -> f64 {
        self.samples as f64 / self.training_time.as_secs_f64().max(1e-9)
    }
}

/// What `fit` saw. Prints as a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The epochs in order.
    pub epochs: Vec<EpochLog>,
    /// Why a callback stopped training, if one did.
    pub stopped: Option<String>,
}

impl History {
    /// The last epoch, `None` before the first.
    pub fn last(&self) -> Option<&EpochLog> {
        self.epochs.last()
    }

    /// A value over the epochs that have it.
    pub fn series(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// Loss and learning rate by update, over all epochs; none unless [`Fit::log_steps`](crate::Fit::log_steps) asks for them.
    pub fn steps(&self) -> impl Iterator<Item = &StepLog> {
        self.epochs.iter().flat_map(|epoch| &epoch.steps)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.epochs.first() else {
            return f.write_str("no epochs");
        };
        let names: Vec<&str> = first.values.iter().map(|(name, _)| name.as_str()).collect();
        let widths: Vec<usize> = names.iter().map(|name| name.len().max(8)).collect();
        write!(f, "epoch")?;
        for (name, &width) in names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        write!(f, "  {:>10}  {:>7}  {:>9}", "rate", "seconds", "samples/s")?;
        let skipped = self.epochs.iter().any(|epoch| epoch.skipped > 0);
        if skipped {
            write!(f, "  {:>7}", "skipped")?;
        }
        for epoch in &self.epochs {
            write!(f, "\n{:>5}", epoch.epoch)?;
            for (name, &width) in names.iter().zip(&widths) {
                match epoch.get(name) {
                    Some(value) => write!(f, "  {value:>width$.4}")?,
                    None => write!(f, "  {:>width$}", "-")?,
                }
            }
            let seconds = epoch.training_time.as_secs_f64();
            write!(f, "  {:>10.3e}  {seconds:>7.2}  {:>9.0}", epoch.learning_rate, epoch.samples_per_second())?;
            if skipped {
                write!(f, "  {:>7}", epoch.skipped)?;
            }
        }
        match &self.stopped {
            Some(reason) => write!(f, "\nstopped: {reason}"),
            None => Ok(()),
        }
    }
}
