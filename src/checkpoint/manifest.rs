//! What a checkpoint's metadata says: everything about a training that is not an array.

use super::history::{EpochLog, History};
use super::layout::{FORMAT, VERSION, WITHOUT_CHECKSUMS, WRITTEN_BY};
use super::reader::TensorFile;
use crate::error::Result;
use crate::exact::Exact;
use crate::model::{StepEntry, TallyState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Key of the [`Manifest`]: a file without it holds weights alone.
pub(super) const TRAINING: &str = "elman.training";
/// What the keys of extras begin with.
pub(super) const EXTRA: &str = "elman.extra.";
/// What the names of a checkpoint's arrays begin with that are not weights.
pub(super) const STATE: char = '@';

/// Above this no counter can have come in earnest, and adding to one cannot overflow.
const MOST: u64 = 1 << 53;

/// The state of a training without its arrays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// `f32` or `f64`.
    pub(super) precision: String,
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) epochs: u64,
    /// Names of the parameters that are not trained.
    pub(super) frozen: Vec<String>,
    /// `None` where the model was not compiled.
    pub(super) optimizer: Option<OptimizerEntry>,
    pub(super) epoch_logs: Vec<LogEntry>,
    pub(super) stopped: Option<String>,
    pub(super) callbacks: Vec<CallbackEntry>,
    /// `None` between two epochs.
    pub(super) position: Option<Position>,
    /// The state that goes on from batch to batch, of a place within an epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) carry: Vec<CarryEntry>,
    /// Whether the weights of the last step are in the file besides, at `@going_on/parameter`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) going_on: bool,
}

/// A place of a [`Carry`](crate::layers::Carry); its arrays are at `@carry/number`, numbered through all places.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CarryEntry {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) within: Vec<u32>,
    pub(super) slot: u32,
    pub(super) turn: u32,
    pub(super) arrays: usize,
}

/// The optimiser; its arrays are at `@optimizer/parameter/array`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptimizerEntry {
    pub(super) rule: String,
    pub(super) calls: u64,
    pub(super) iteration: u64,
    pub(super) learning_rate: Exact,
    pub(super) accumulated: usize,
    /// In the file only in the midst of an accumulation; before it was there each call counted 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counted: Option<Exact>,
    /// In the file only where there are any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) skipped: u64,
    pub(super) params: Vec<ParamEntry>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParamEntry {
    pub(super) name: String,
    pub(super) updates: u64,
    pub(super) arrays: Vec<String>,
}

/// A callback's state; its arrays are at `@callback/number/array`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackEntry {
    pub(super) name: String,
    pub(super) value: serde_json::Value,
    pub(super) arrays: Vec<String>,
}

/// A place within an epoch, and what decides which batches follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Batches done.
    pub(crate) batch: usize,
    pub(crate) batch_size: usize,
    /// The most tokens of a batch, where that is what it is cut by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch_tokens: Option<usize>,
    /// The index that pads sequences, where batches are of similar length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_length: Option<u32>,
    /// Samples of the whole epoch.
    pub(crate) samples: usize,
    pub(crate) shuffle: bool,
    /// What else than a data set in memory the batches come from, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    pub(crate) training_time: Duration,
    pub(crate) tally: TallyState,
}

/// An [`EpochLog`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogEntry {
    epoch: u64,
    values: Vec<(String, Exact)>,
    learning_rate: Exact,
    training_time: Duration,
    samples: usize,
    #[serde(default, skip_serializing_if = "is_zero")]
    skipped: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepEntry>,
}

impl From<&EpochLog> for LogEntry {
    fn from(log: &EpochLog) -> Self {
        LogEntry {
            epoch: log.epoch,
            values: log.values.iter().map(|(name, value)| (name.clone(), Exact(*value))).collect(),
            learning_rate: Exact(log.learning_rate),
            training_time: log.training_time,
            samples: log.samples,
            skipped: log.skipped,
            steps: log.steps.iter().map(Into::into).collect(),
        }
    }
}

impl From<LogEntry> for EpochLog {
    fn from(log: LogEntry) -> Self {
        EpochLog {
            epoch: log.epoch,
            values: log.values.into_iter().map(|(name, value)| (name, value.0)).collect(),
            learning_rate: log.learning_rate.0,
            training_time: log.training_time,
            samples: log.samples,
            skipped: log.skipped,
            steps: log.steps.into_iter().map(Into::into).collect(),
        }
    }
}

impl Manifest {
    /// That of a file. Errors when it holds weights alone, or what it says cannot be.
    pub(super) fn read(file: &TensorFile) -> Result<Self> {
        check_version(file)?;
        let text = file
            .metadata(TRAINING)
            .ok_or_else(|| file.invalid("weights alone and not a checkpoint: `load_weights` takes them"))?;
        let manifest: Manifest =
            serde_json::from_str(text).map_err(|e| file.not_as_written("the state of a training", e))?;
        if let Some(name) = manifest.twice() {
            return Err(file.invalid(format!("`{name}` twice in the state of a training")));
        }
        match manifest.counters().into_iter().find(|&(_, count)| count > MOST) {
            None => Ok(manifest),
            Some((name, count)) => Err(file.invalid(format!("{count} {name}, more than can be counted"))),
        }
    }

    /// All that is counted on.
    fn counters(&self) -> Vec<(&str, u64)> {
        let mut counters = vec![("steps", self.steps), ("epochs", self.epochs)];
        if let Some(optimizer) = &self.optimizer {
            let (calls, accumulated) = (optimizer.calls, optimizer.accumulated as u64);
            counters.extend([("calls", calls), ("updates", optimizer.iteration), ("gradients", accumulated)]);
            counters.push(("skipped updates", optimizer.skipped));
            counters.extend(optimizer.params.iter().map(|param| ("updates", param.updates)));
        }
        if let Some(position) = &self.position {
            counters.extend([("batches", position.batch as u64), ("samples", position.tally.samples as u64)]);
            counters.push(("seconds", position.training_time.as_secs()));
        }
        counters
    }

    /// What is named a second time: a parameter of the optimiser's, an array of one of its or of a callback's.
    fn twice(&self) -> Option<String> {
        let params = self.optimizer.iter().flat_map(|optimizer| &optimizer.params);
        let callbacks = self.callbacks.iter().enumerate();
        let mut names = params
            .flat_map(|param| {
                let arrays = param.arrays.iter().map(|array| format!("{}/{array}", param.name));
                std::iter::once(param.name.clone()).chain(arrays)
            })
            .chain(callbacks.flat_map(|(number, callback)| {
                callback.arrays.iter().map(move |array| format!("{number}/{}/{array}", callback.name))
            }));
        let mut seen = BTreeSet::new();
        names.find(|name| !seen.insert(name.clone()))
    }

    /// The epochs so far.
    pub(super) fn history(&mut self) -> History {
        let logs = std::mem::take(&mut self.epoch_logs);
        History { epochs: logs.into_iter().map(EpochLog::from).collect(), stopped: self.stopped.take() }
    }
}

/// What the metadata of every file says.
pub(super) fn own() -> BTreeMap<String, String> {
    [FORMAT, (WRITTEN_BY, VERSION)].map(|(key, text)| (key.to_string(), text.to_string())).into()
}

/// Errors when a file says that it is in another version of the layout.
pub(super) fn check_version(file: &TensorFile) -> Result<()> {
    match file.metadata(FORMAT.0).filter(|version| ![WITHOUT_CHECKSUMS, FORMAT.1].contains(version)) {
        None => Ok(()),
        Some(version) => {
            let known = format!("{WITHOUT_CHECKSUMS} and {}", FORMAT.1);
            Err(file.invalid(format!("version {version} of the layout, this library reads {known}")))
        }
    }
}
