//! One epoch of training: its batches, the tally of them, checkpoints within it.

use super::History;
use super::callbacks::Callback;
use super::progress::Progress;
use super::resume::states;
use crate::backend::Backend;
use crate::checkpoint::{Checkpoint, Position};
use crate::data::{BATCH_SIZE, ClassWeights, Dataset, Epoch, HostBatch, Order, Source, each_batch};
use crate::error::{Error, Result};
use crate::layers::Carry;
use crate::model::{Batch, Model, Steps, Tally, TallyState, UpdateCounts};
use crate::random::Key;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A place within an epoch, and what is carried to there.
pub(super) type Begun<B> = (Position, Carry<B>);

/// What is trained on, epoch after epoch.
pub(super) struct TrainedOn<'a> {
    pub(super) source: Box<dyn Source + 'a>,
    /// How to go through it, in the first epoch of the model.
    pub(super) order: Order,
    pub(super) class_weights: Vec<(Option<String>, ClassWeights)>,
}

impl TrainedOn<'_> {
    /// A batch with the weights of its classes.
    fn weighed(&self, mut part: Dataset) -> Result<Dataset> {
        for (output, weights) in &self.class_weights {
            part = weights.weigh(part, output.as_deref())?;
        }
        Ok(part)
    }

    /// How an epoch goes through it, of a training with this seed.
    pub(super) fn order(&self, seed: u64, epoch: u64) -> Order {
        Order { key: Key::new(seed).named("shuffle"), epoch, ..self.order.clone() }
    }

    /// The place after so many batches of an epoch, nothing counted yet.
    pub(super) fn position(&self, batches: &dyn Epoch, batch: usize) -> Position {
        let whole = self.source.as_dataset().is_some();
        let (batch_size, shuffle) = (self.order.batch_size, self.order.shuffle);
        Position {
            batch,
            batch_size: batch_size.unwrap_or(if whole { BATCH_SIZE } else { 0 }),
            batch_tokens: self.order.batch_tokens,
            by_length: self.order.by_length,
            samples: batches.samples().unwrap_or(0),
            shuffle: shuffle.unwrap_or(whole),
            source: (!whole).then(|| self.source.describe()),
            training_time: Duration::ZERO,
            tally: TallyState::default(),
        }
    }
}

/// The epoch that is being trained, and what a checkpoint within it needs.
pub(super) struct Current<'a> {
    pub(super) epoch: u64,
    pub(super) batches: &'a dyn Epoch,
    pub(super) history: &'a History,
    /// After how many updates losses are logged.
    pub(super) log_steps: Option<u64>,
    pub(super) checkpoint: Option<&'a Checkpoint>,
}

impl<B: Backend> Model<B> {
    /// One epoch, or what is left of it: the tally of its batches, the time that they took, and why a callback stopped
    /// it, if one did.
    pub(super) fn train_epoch(
        &mut self,
        data: &TrainedOn<'_>,
        from: Option<Begun<B>>,
        at: &Current<'_>,
        progress: &mut Progress,
        callbacks: &mut [Box<dyn Callback<B> + '_>],
    ) -> Result<(Tally<B>, Duration, Option<String>)> {
        let mut tally = self.tally()?;
        tally.steps = at.log_steps.map(|_| Steps::after(self.updates()));
        let (mut done, mut before, mut carry) = (0, Duration::ZERO, Carry::new());
        let mut last_rate = self.learning_rate();
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
        let whole = data.source.as_dataset().is_some();
        let (counts_first, mut update) = (self.counts_first()?, None::<UpdateCounts<B>>);
        each_batch(at.batches, done, !data.source.is_quick(), |number, HostBatch { data: mut part, continues }| {
            if !whole {
                self.check_batch(&*data.source, at.batches, number, &part)?;
            }
            part = data.weighed(part)?;
            if counts_first && (update.is_none() || self.begins_update()?) {
                // Batches are made at any place, so that those to come are looked at here, and once more in their turn.
                let numbers = self.update_of(number, at.batches.batches())?;
                let each = numbers.map(|number| {
                    let part = at.batches.batch(number)?.data;
                    if !whole {
                        self.check_batch(&*data.source, at.batches, number, &part)?;
                    }
                    Batch::new(self.backend(), data.weighed(part)?)
                });
                update = Some(self.update_counts(each)?);
            }
            if !continues {
                carry.clear();
            }
            let (samples, truth) = (part.len(), tally.truth(&part));
            let batch = Batch::new(self.backend(), part)?;
            let learning_rate = self.learning_rate();
            let outcome = self
                .step(&batch, update.as_ref(), &mut carry)
                .map_err(|error| self.in_epoch(error, at.epoch, first))?;
            for callback in callbacks.iter_mut() {
                if let ControlFlow::Break(reason) = callback.on_batch_end(at.epoch, number, &outcome.loss, self)? {
                    stopped.get_or_insert(reason);
                }
            }
            tally.add(samples, outcome, truth)?;
            if at.log_steps.is_some_and(|every| tally.updates_logged(self.updates()) >= every) {
                tally.log_step(self.updates(), learning_rate);
            }
            last_rate = learning_rate;
            if progress.advance(samples) {
                self.settle().map_err(|error| self.in_epoch(error, at.epoch, first))?;
                tally.flush()?;
                progress.show(&tally.values().to_string());
            }
            if stopped.is_some() {
                return Ok(ControlFlow::Break(()));
            }
            // After the last batch the epoch's own checkpoint is near.
            let due = |checkpoint: &&Checkpoint| {
                checkpoint.is_due_after_step(self.steps) && number + 1 < at.batches.batches()
            };
            if let Some(checkpoint) = at.checkpoint.filter(due) {
                self.settle().map_err(|error| self.in_epoch(error, at.epoch, first))?;
                tally.skipped = self.skipped() - skipped_before;
                let (tally, training_time) = (tally.state()?, before + start.elapsed());
                let position = Position { tally, training_time, ..data.position(at.batches, number + 1) };
                checkpoint.write(self, at.history, &states(callbacks), Some((&position, &carry)), None)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        // What is left of a group of accumulated batches is an update of its own.
        self.finish_update().map_err(|error| self.in_epoch(error, at.epoch, first))?;
        // Only now is the device done.
        self.settle().map_err(|error| self.in_epoch(error, at.epoch, first))?;
        if at.log_steps.is_some() && tally.updates_logged(self.updates()) > 0 {
            tally.log_step(self.updates(), last_rate);
        }
        tally.flush()?;
        tally.skipped = self.skipped() - skipped_before;
        Ok((tally, before + start.elapsed(), stopped))
    }

    fn updates(&self) -> u64 {
        self.optimizer().map_or(0, |optimizer| optimizer.iteration())
    }

    fn learning_rate(&self) -> f64 {
        self.optimizer().map_or(0.0, |optimizer| optimizer.learning_rate())
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
