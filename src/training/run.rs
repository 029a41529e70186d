//! One training, from its preparation over its epochs to its end.

use super::callbacks::Callback;
use super::epoch::{Begun, Current, TrainedOn};
use super::prepare::Validation;
use super::progress::Progress;
use super::resume::states;
use super::{EpochLog, Fit, History};
use crate::backend::Backend;
use crate::checkpoint::Checkpoint;
use crate::data::Source;
use crate::error::Result;
use crate::model::{Evaluation, Model};
use std::ops::ControlFlow;

/// What [`Model::fit`] does.
pub(super) struct Training<'a, B: Backend> {
    model: &'a mut Model<B>,
    data: TrainedOn<'a>,
    validation: Option<Validation<'a>>,
    callbacks: Vec<Box<dyn Callback<B> + 'a>>,
    checkpoint: Option<Checkpoint>,
    quiet: bool,
    log_steps: Option<u64>,
    history: History,
    /// Where the first epoch is taken up, within it, and what is carried to there.
    position: Option<Begun<B>>,
    /// The number of the last epoch.
    last: u64,
}

impl<'a, B: Backend> Training<'a, B> {
    /// Finds all that can be found wrong before the first callback opens a file and the first epoch takes its hour; then begins,
    /// or goes on from a checkpoint.
    pub(super) fn prepare(model: &'a mut Model<B>, data: &'a dyn Source, fit: Fit<'a, B>) -> Result<Self> {
        let prepared = model.prepare(data, &fit)?;
        let Fit { epochs, quiet, log_steps, checkpoint, mut callbacks, .. } = fit;
        let (data, validation) = (prepared.data, prepared.validation);
        callbacks.iter_mut().try_for_each(|callback| callback.on_train_begin(model))?;
        let (history, position) = match prepared.resumed {
            Some(saved) => model.resume(saved, &mut callbacks)?,
            None => (History::default(), None),
        };
        // The epochs of the history were done before this call and are of this training.
        let last = model.epochs.saturating_sub(history.epochs.len() as u64).saturating_add(epochs);
        Ok(Training { model, data, validation, callbacks, checkpoint, quiet, log_steps, history, position, last })
    }

    /// Whether there is another epoch to come.
    pub(super) fn goes_on(&self) -> bool {
        self.model.epochs < self.last && self.history.stopped.is_none()
    }

    /// One epoch with its validation, its callbacks and its checkpoint.
    pub(super) fn epoch(&mut self) -> Result<()> {
        let Training { model, callbacks, history, .. } = self;
        let epoch = model.epochs + 1;
        if self.position.is_none() {
            callbacks.iter_mut().try_for_each(|callback| callback.on_epoch_begin(epoch, model))?;
        }
        let batches = self.data.source.epoch(&self.data.order(model.seed, model.epochs))?;
        let mut progress = Progress::start(self.quiet, epoch, self.last, batches.samples());
        let (log_steps, checkpoint) = (self.log_steps, self.checkpoint.as_ref());
        let at = Current { epoch, batches: &*batches, history, log_steps, checkpoint };
        let (mut tally, training_time, stopped) =
            model.train_epoch(&self.data, self.position.take(), &at, &mut progress, callbacks)?;
        let (samples, skipped) = (tally.samples(), tally.skipped);
        let steps = tally.steps.take().map_or_else(Vec::new, |steps| steps.entries);
        let steps = steps.into_iter().map(Into::into).collect();
        let mut values = tally.close()?.values;
        // The weights of the last step, while others are validated.
        let mut own = None;
        if let Some(validation) = &self.validation {
            let TrainedOn { order, class_weights, .. } = &self.data;
            let (source, size) = validation.with_batch_size(order.batch_size);
            let padding = source.as_dataset().and(order.by_length);
            own = model.put_validated(epoch, callbacks)?;
            let scores = model.evaluate_as("validation data", source, size, class_weights, padding);
            let scores = scores.map_err(|e| e.at("validation"));
            let scores = model.put_back_unless(scores, &mut own)?;
            values.extend(scores.values.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
        }
        model.epochs = epoch;
        history.stopped = stopped;
        let learning_rate = model.compiled()?.optimizer.learning_rate();
        let log = EpochLog { epoch, values, learning_rate, training_time, samples, skipped, steps };
        progress.finish(samples, &Evaluation { values: log.values.clone() }.to_string());
        for callback in callbacks.iter_mut() {
            let flow = callback.on_epoch_end(&log, model);
            if let ControlFlow::Break(reason) = model.put_back_unless(flow, &mut own)? {
                history.stopped.get_or_insert(reason);
            }
        }
        own.map_or(Ok(()), |own| model.restore(own))?;
        history.epochs.push(log);
        let ended = epoch == self.last || history.stopped.is_some();
        if let Some(checkpoint) = self.checkpoint.as_ref().filter(|c| ended || c.is_due_after_epoch(epoch)) {
            checkpoint.write(model, history, &states(callbacks), None, None)?;
        }
        Ok(())
    }

    /// Lets the callbacks end; what the last checkpoint holds is what is in memory then.
    pub(super) fn close(self) -> Result<History> {
        let Training { model, mut callbacks, checkpoint, history, .. } = self;
        let (last, last_states) = (model.snapshot(), states(&callbacks));
        callbacks.iter_mut().try_for_each(|callback| callback.on_train_end(&history, model))?;
        // A callback that has put other weights is rare, and this once they are read back.
        if let Some(checkpoint) = checkpoint.as_ref().filter(|_| !callbacks.is_empty())
            && model.differs(&last)?
        {
            checkpoint.write(model, &history, &last_states, None, Some(&last))?;
        }
        Ok(history)
    }
}

impl<B: Backend> Model<B> {
    /// Puts the weights that a callback wants validated in the place of the model's, which are given back.
    fn put_validated(
        &mut self,
        epoch: u64,
        callbacks: &mut [Box<dyn Callback<B> + '_>],
    ) -> Result<Option<Vec<B::Array>>> {
        let mut first = None;
        // All are asked: they take up what the epoch has come to.
        for callback in callbacks {
            let weights = callback.validated_weights(epoch, self)?;
            first = first.or(weights);
        }
        let Some(weights) = first else { return Ok(None) };
        let own = self.snapshot();
        self.restore(weights)?;
        Ok(Some(own))
    }

    /// Puts the model's own weights back at an error.
    fn put_back_unless<T>(&mut self, result: Result<T>, own: &mut Option<Vec<B::Array>>) -> Result<T> {
        if result.is_err()
            && let Some(own) = own.take()
        {
            self.restore(own)?;
        }
        result
    }
}
