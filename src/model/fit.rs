//! [`Fit`] and the training loop: epochs of shuffled mini-batches (L9).

use super::callbacks::{Callback, Flow};
use super::progress::Progress;
use super::tally::Tally;
use super::{Batch, EpochLog, Evaluation, History, Model};
use crate::backend::Backend;
use crate::data::{Batches, ClassWeights, Dataset, Targets};
use crate::error::{Error, Result};
use crate::random::Key;
use std::time::Instant;

/// How [`Model::fit`] trains. Defaults as in Keras: one epoch, batches of 32, shuffled, no validation; a progress bar
/// where standard error is a terminal.
///
/// ```no_run
/// # fn run(model: &mut elman::Model<elman_reference::Reference<f32>>, data: &elman::data::Dataset) -> elman::Result<()> {
/// use elman::model::{Fit, callbacks::EarlyStopping};
/// let history = model.fit(
///     data,
///     Fit::new().epochs(20).batch_size(64).validation_split(0.1)
///         .callback(EarlyStopping::new("val_loss").patience(3).restore_best()),
/// )?;
/// println!("{history}");
/// # Ok(())
/// # }
/// ```
pub struct Fit<'a, B: Backend> {
    epochs: u64,
    batch_size: usize,
    shuffle: bool,
    validation_split: Option<f64>,
    validation_data: Option<&'a Dataset>,
    class_weights: Option<ClassWeights>,
    callbacks: Vec<Box<dyn Callback<B> + 'a>>,
    quiet: bool,
}

impl<B: Backend> Default for Fit<'_, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, B: Backend> Fit<'a, B> {
    /// The defaults.
    pub fn new() -> Self {
        Fit {
            epochs: 1,
            batch_size: 32,
            shuffle: true,
            validation_split: None,
            validation_data: None,
            class_weights: None,
            callbacks: Vec::new(),
            quiet: false,
        }
    }

    /// How often to go through the training data.
    pub fn epochs(self, epochs: u64) -> Self {
        Fit { epochs, ..self }
    }

    /// Samples a mini-batch; the last of an epoch may be smaller.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size, ..self }
    }

    /// Whether each epoch takes the samples in another random order.
    pub fn shuffle(self, shuffle: bool) -> Self {
        Fit { shuffle, ..self }
    }

    /// Keeps the last part of the data for validation after each epoch.
    pub fn validation_split(self, fraction: f64) -> Self {
        Fit { validation_split: Some(fraction), ..self }
    }

    /// Data for validation after each epoch; takes precedence over a split.
    pub fn validation_data(self, data: &'a Dataset) -> Self {
        Fit { validation_data: Some(data), ..self }
    }

    /// Lets the samples of a class count more or less, for unbalanced classes (L14).
    pub fn class_weights(self, weights: ClassWeights) -> Self {
        Fit { class_weights: Some(weights), ..self }
    }

    /// Adds a callback; they are called in the order in which they were added. Pass `&mut callback` to look at it afterwards.
    pub fn callback(mut self, callback: impl Callback<B> + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// No progress bar.
    pub fn quiet(self) -> Self {
        Fit { quiet: true, ..self }
    }
}

impl<B: Backend> Model<B> {
    /// Trains the model. Errors when it is not compiled, when the data does not fit, when a trainable parameter gets no
    /// gradient; the model is then as it was after its last complete step.
    pub fn fit(&mut self, data: &Dataset, fit: Fit<'_, B>) -> Result<History> {
        let Fit { epochs, batch_size, shuffle, quiet, .. } = fit;
        let mut callbacks = fit.callbacks;
        self.check_data("fit", data)?;
        // Index arithmetic only; rows are gathered batch by batch.
        let (count, held_out) = match (fit.validation_data, fit.validation_split) {
            (None, Some(fraction)) => {
                let at = data.split_index(fraction)?;
                (at, Some(data.slice(at..data.len())?))
            }
            _ => (data.len(), None),
        };
        let validation = fit.validation_data.or(held_out.as_ref());
        if let Some(validation) = validation {
            self.check_data("validation", validation)?;
        }
        let weighted = fit.class_weights.map(|weights| self.with_class_weights(data, &weights)).transpose()?;
        let data = weighted.as_ref().unwrap_or(data);

        let mut history = History::default();
        let last = self.epochs + epochs;
        callbacks.iter_mut().try_for_each(|callback| callback.on_train_begin(self))?;
        while self.epochs < last && history.stopped.is_none() {
            let epoch = self.epochs + 1;
            callbacks.iter_mut().try_for_each(|callback| callback.on_epoch_begin(epoch, self))?;
            let key = shuffle.then(|| Key::new(self.seed).named("shuffle").fold(self.epochs));
            let batches = Batches::new(count, batch_size, key)?;
            let mut progress = Progress::start(quiet, epoch, last, count);
            let start = Instant::now();
            let (tally, stopped) = self.train_epoch(data, &batches, &mut progress, &mut callbacks, epoch)?;
            let samples = tally.samples();
            let mut values = self.close(tally)?.values;
            let training_time = start.elapsed();
            if let Some(validation) = validation {
                let scores = self.evaluate(validation, batch_size)?;
                values.extend(scores.values.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
            }
            self.epochs = epoch;
            history.stopped = stopped;
            let learning_rate = self.compiled()?.optimizer.learning_rate();
            let log = EpochLog { epoch, values, learning_rate, training_time, samples };
            progress.finish(&Evaluation { values: log.values.clone() }.to_string());
            for callback in &mut callbacks {
                if let Flow::Stop(reason) = callback.on_epoch_end(&log, self)? {
                    history.stopped.get_or_insert(reason);
                }
            }
            history.epochs.push(log);
        }
        callbacks.iter_mut().try_for_each(|callback| callback.on_train_end(&history, self))?;
        Ok(history)
    }

    /// One epoch: the tally of its batches, and why a callback stopped it, if one did.
    fn train_epoch(
        &mut self,
        data: &Dataset,
        batches: &Batches,
        progress: &mut Progress,
        callbacks: &mut [Box<dyn Callback<B> + '_>],
        epoch: u64,
    ) -> Result<(Tally<B>, Option<String>)> {
        let ignored = self.compiled()?.loss.ignored();
        let mut tally = Tally::new(&mut self.compiled_mut()?.metrics, ignored);
        let mut stopped = None;
        for (number, rows) in batches.iter().enumerate() {
            let batch = Batch::new(&self.backend, data.select(rows)?)?;
            let (samples, (loss, predictions)) = (batch.len, self.train_step(&batch)?);
            for callback in callbacks.iter_mut() {
                if let Flow::Stop(reason) = callback.on_batch_end(epoch, number, &loss, self)? {
                    stopped.get_or_insert(reason);
                }
            }
            let metrics = &mut self.compiled_mut()?.metrics;
            tally.add(batch, loss, predictions, metrics)?;
            if progress.advance(samples) {
                tally.flush(metrics)?;
                progress.show(&tally.values(metrics).to_string());
            }
            if stopped.is_some() {
                break;
            }
        }
        Ok((tally, stopped))
    }

    /// The data with each sample's weight multiplied by its class's.
    fn with_class_weights(&self, data: &Dataset, weights: &ClassWeights) -> Result<Dataset> {
        let Targets::Classes { labels, per_sample: 1 } = data.targets() else {
            return Err(Error::invalid("class weights", "targets that are one class a sample", "other targets"));
        };
        let classes = self.output.features()?.max(2);
        let mut each = weights.weights_for(labels, classes)?;
        if let Some(given) = data.weights() {
            each.iter_mut().zip(given).for_each(|(weight, given)| *weight *= given);
        }
        data.clone().with_weights(each)
    }
}
