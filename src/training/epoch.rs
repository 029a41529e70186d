//! One epoch of training: its batches, the tally of them, checkpoints within it.

use super::History;
use super::callbacks::{Callback, Flow};
use super::progress::Progress;
use super::resume::states;
use crate::backend::Backend;
use crate::checkpoint::{Checkpoint, Position};
use crate::data::{Batches, Dataset};
use crate::error::{Error, Result};
use crate::layers::Carry;
use crate::model::{Batch, Model, Tally, TallyState};
use crate::random::Key;
use std::time::{Duration, Instant};

/// What an epoch goes through.
pub(super) struct Rows<'a> {
    pub(super) shuffle: bool,
    pub(super) data: &'a Dataset,
    /// A weight for each sample, in place of the data's own.
    pub(super) weights: Option<Vec<f32>>,
    /// How many of the data's first samples are trained on.
    pub(super) count: usize,
    pub(super) batch_size: usize,
    /// The lengths of the samples, and the index that pads them, where batches are to be of similar length.
    pub(super) by_length: Option<(Vec<usize>, u32)>,
}

/// The epoch that is being trained, and what a checkpoint within it needs.
pub(super) struct Epoch<'a> {
    pub(super) epoch: u64,
    pub(super) history: &'a History,
    pub(super) checkpoint: Option<&'a Checkpoint>,
}

impl Rows<'_> {
    /// The place after so many batches, nothing counted yet.
    pub(super) fn position(&self, batch: usize) -> Position {
        let (batch_size, samples, shuffle) = (self.batch_size, self.count, self.shuffle);
        Position { batch, batch_size, samples, shuffle, training_time: Duration::ZERO, tally: TallyState::default() }
    }

    /// The batches of an epoch.
    fn batches(&self, seed: u64, epochs: u64) -> Result<Batches> {
        let key = Key::new(seed).named("shuffle");
        match &self.by_length {
            // Unshuffled, all epochs have the same batches in the same order.
            Some((lengths, _)) => {
                Batches::by_length(lengths, self.batch_size, if self.shuffle { key.fold(epochs) } else { key })
            }
            None => Batches::new(self.count, self.batch_size, self.shuffle.then(|| key.fold(epochs))),
        }
    }

    /// The samples of a batch.
    fn select(&self, rows: &[usize]) -> Result<Dataset> {
        let mut part = self.data.select(rows)?;
        if let Some(weights) = &self.weights {
            part = part.with_weights(self.data.select_weights(weights, rows))?;
        }
        Ok(match self.by_length {
            Some((_, padding)) => part.trimmed(padding),
            None => part,
        })
    }
}

impl<B: Backend> Model<B> {
    /// One epoch, or what is left of it: the tally of its batches, the time that they took, and why a callback stopped
    /// it, if one did.
    pub(super) fn train_epoch(
        &mut self,
        rows: &Rows<'_>,
        from: Option<(Position, Carry<B>)>,
        at: &Epoch<'_>,
        progress: &mut Progress,
        callbacks: &mut [Box<dyn Callback<B> + '_>],
    ) -> Result<(Tally<B>, Duration, Option<String>)> {
        let mut tally = self.tally()?;
        let (mut done, mut before, mut carry) = (0, Duration::ZERO, Carry::new());
        if let Some((position, carried)) = from {
            carry = carried;
            tally.restore(&position.tally)?;
            progress.advance(tally.samples());
            (done, before) = (position.batch, position.training_time);
        }
        let (start, mut stopped) = (Instant::now(), None);
        // Both count on from where they were in the midst of the epoch.
        let skipped_before = self.skipped().saturating_sub(tally.skipped);
        let first = self.steps.saturating_sub(done as u64);
        let batches = rows.batches(self.seed, self.epochs)?;
        for (number, batch) in batches.iter().enumerate().skip(done) {
            let part = rows.select(batch)?;
            let truth = tally.truth(&part);
            let batch_here = Batch::new(self.backend(), part)?;
            let outcome = self.step(&batch_here, &mut carry).map_err(|error| self.in_epoch(error, at.epoch, first))?;
            for callback in callbacks.iter_mut() {
                if let Flow::Stop(reason) = callback.on_batch_end(at.epoch, number, &outcome.loss, self)? {
                    stopped.get_or_insert(reason);
                }
            }
            tally.add(batch.len(), outcome, truth)?;
            if progress.advance(batch.len()) {
                self.settle().map_err(|error| self.in_epoch(error, at.epoch, first))?;
                tally.flush()?;
                progress.show(&tally.values().to_string());
            }
            if stopped.is_some() {
                break;
            }
            // After the last batch the epoch's own checkpoint is near.
            let due = |checkpoint: &&Checkpoint| checkpoint.is_due_after_step(self.steps) && number + 1 < batches.len();
            if let Some(checkpoint) = at.checkpoint.filter(due) {
                self.settle().map_err(|error| self.in_epoch(error, at.epoch, first))?;
                tally.skipped = self.skipped() - skipped_before;
                let (tally, training_time) = (tally.state()?, before + start.elapsed());
                let position = Position { tally, training_time, ..rows.position(number + 1) };
                checkpoint.write(self, at.history, &states(callbacks), Some((&position, &carry)), None)?;
            }
        }
        // What is left of a group of accumulated batches is an update of its own.
        self.finish_update().map_err(|error| self.in_epoch(error, at.epoch, first))?;
        // Only now is the device done.
        self.settle().map_err(|error| self.in_epoch(error, at.epoch, first))?;
        tally.flush()?;
        tally.skipped = self.skipped() - skipped_before;
        Ok((tally, before + start.elapsed(), stopped))
    }

    fn skipped(&self) -> u64 {
        self.optimizer().map_or(0, |optimizer| optimizer.skipped())
    }

    /// Where a gradient was not finite: the batch after the last whole step of an epoch that began after the step `first`.
    fn in_epoch(&self, error: Error, epoch: u64, first: u64) -> Error {
        match error {
            Error::NotFinite { .. } => {
                error.at(format!("epoch {epoch}, batch {}", self.steps.saturating_sub(first) + 1))
            }
            other => other,
        }
    }
}
