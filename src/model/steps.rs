//! Losses by update, a mean of every so many: what an epoch's [`StepLog`](crate::training::StepLog)s are made of.

use crate::exact::Exact;
use serde::{Deserialize, Serialize};

/// The entries of an epoch, and what is summed up towards the next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steps {
    /// Updates before those that no entry is of yet.
    pub(crate) before: u64,
    sum: Exact,
    counted: Exact,
    pub(crate) entries: Vec<StepEntry>,
}

/// Some updates: the number of the last, the mean loss of their batches, the learning rate of the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepEntry {
    pub(crate) step: u64,
    pub(crate) loss: Exact,
    pub(crate) learning_rate: Exact,
}

impl Steps {
    /// None yet, of an epoch that begins after so many updates.
    pub(crate) fn after(before: u64) -> Self {
        Steps { before, ..Steps::default() }
    }

    /// Counts a batch by its loss times what that is a mean over.
    pub(super) fn add(&mut self, sum: f64, over: f64) {
        self.sum.0 += sum;
        self.counted.0 += over;
    }

    /// Makes an entry of what was summed up.
    pub(super) fn log(&mut self, step: u64, learning_rate: f64) {
        let loss = self.sum.0 / self.counted.0;
        self.entries.push(StepEntry { step, loss: Exact(loss), learning_rate: Exact(learning_rate) });
        (self.sum, self.counted) = (Exact(0.0), Exact(0.0));
    }
}
