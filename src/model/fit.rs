//! [`Fit`] and the training loop: epochs of shuffled mini-batches (L9).

use super::callbacks::{Callback, Flow, unknown_value};
use super::epoch::{Epoch, Rows};
use super::progress::Progress;
use super::resume::states;
use super::{Batch, EpochLog, Evaluation, History, Model};
use crate::backend::Backend;
use crate::checkpoint::Checkpoint;
use crate::data::{Batches, ClassWeights, Dataset, Targets};
use crate::error::{Error, Result};
use crate::layers::{Pass, Spec};
use crate::param::Param;
use std::path::PathBuf;

/// How [`Model::fit`] trains. Defaults as in Keras: one epoch, batches of 32, shuffled, no validation; a progress bar
/// where standard error is a terminal.
///
/// ```no_run
/// # type Cpu = elman_reference::Reference<f32>;
/// # fn run(model: &mut elman::Model<Cpu>, data: &elman::data::Dataset) -> elman::Result<()> {
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
    by_length: Option<u32>,
    validation_split: Option<f64>,
    validation_data: Option<&'a Dataset>,
    class_weights: Option<ClassWeights>,
    callbacks: Vec<Box<dyn Callback<B> + 'a>>,
    checkpoint: Option<Checkpoint>,
    resume_from: Option<PathBuf>,
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
            by_length: None,
            validation_split: None,
            validation_data: None,
            class_weights: None,
            callbacks: Vec::new(),
            checkpoint: None,
            resume_from: None,
            quiet: false,
        }
    }

    /// How often to go through the training data; with [`Fit::resume_from`] in all, those of the checkpoint's history
    /// included.
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

    /// Batches of texts of similar length, sequences of indices that is, without the padding at their ends that all texts
    /// of a batch share: little work goes into padding, and none of what is left counts. The model must take any number of
    /// steps ([`Spec::Indices(None)`](crate::Spec::Indices)). It is another order of samples than a plain shuffle: texts of one length
    /// come together.
    pub fn by_length(self, padding: u32) -> Self {
        Fit { by_length: Some(padding), ..self }
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

    /// Adds a callback; they are called in the order in which they were added. Pass `&mut callback` to look at it
    /// afterwards.
    pub fn callback(mut self, callback: impl Callback<B> + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Writes checkpoints in the course of training.
    pub fn checkpoint(self, checkpoint: Checkpoint) -> Self {
        Fit { checkpoint: Some(checkpoint), ..self }
    }

    /// Goes on with the `fit` that wrote this checkpoint, as if it had not been interrupted: everything else is said
    /// as it was then, [`Fit::epochs`] too, which counts the epochs that the checkpoint has behind it; with a greater
    /// number it goes on for longer. The history begins with those epochs. Nothing is trained when they are all done or
    /// a callback had stopped training.
    ///
    /// Errors before anything has changed: those of [`Model::load_checkpoint`], callbacks with other states, and, of a
    /// checkpoint within an epoch, other metrics, batches, or numbers of samples.
    pub fn resume_from(self, path: impl Into<PathBuf>) -> Self {
        Fit { resume_from: Some(path.into()), ..self }
    }

    /// No progress bar.
    pub fn quiet(self) -> Self {
        Fit { quiet: true, ..self }
    }
}

impl<B: Backend> Model<B> {
    /// Trains the model. Errors when it is not compiled, when the data does not fit, when a callback watches a value
    /// that there is not, when a trainable parameter gets no gradient (that of a
    /// penalty counts as one); the model is then as it was after its last
    /// complete step.
    ///
    /// With 0 epochs nothing is trained and the history is empty, as in Keras. A loss that is no longer a finite number
    /// does not end training by itself: see [`StopOnNan`](super::callbacks::StopOnNan).
    pub fn fit(&mut self, data: &Dataset, fit: Fit<'_, B>) -> Result<History> {
        let Fit { epochs, batch_size, shuffle, quiet, checkpoint, .. } = fit;
        let mut callbacks = fit.callbacks;
        // All that can be found wrong is found before the first callback opens a file and the first epoch takes its
        // hour.
        self.check_data("training data", data)?;
        if !self.params.iter().any(Param::is_trainable) {
            return Err(Error::invalid("fit", "a parameter to train", "none that is not frozen"));
        }
        // Index arithmetic only; rows are gathered batch by batch.
        let (count, held_out) = match (fit.validation_data, fit.validation_split) {
            (None, Some(fraction)) => {
                let at = data.split_index(fraction)?;
                (at, Some(data.slice(at..data.len())?))
            }
            _ => (data.len(), None),
        };
        Batches::new(count, batch_size, None)?;
        self.compiled()?.optimizer.check()?;
        self.rehearse(data, batch_size).map_err(|e| e.at("training data"))?;
        let validation = fit.validation_data.or(held_out.as_ref());
        if let Some(validation) = validation {
            self.check_data("validation data", validation)?;
            self.rehearse(validation, batch_size).map_err(|e| e.at("validation data"))?;
        }
        self.check_watched(&callbacks, validation.is_some())?;
        let weights = fit.class_weights.map(|weights| self.sample_weights(data, &weights)).transpose()?;
        let by_length = fit.by_length.map(|padding| Ok((self.lengths(data, padding, count)?, padding))).transpose()?;
        let rows = Rows { shuffle, data, weights, count, batch_size, by_length };
        if let Some(checkpoint) = &checkpoint {
            checkpoint.check()?;
            if checkpoint.is_within_epochs() {
                self.tally()?.state()?;
            }
        }
        let resumed = fit.resume_from.map(|path| self.read_resumed(&path, &rows, &callbacks)).transpose()?;

        callbacks.iter_mut().try_for_each(|callback| callback.on_train_begin(self))?;
        let (mut history, mut position) = match resumed {
            Some(saved) => self.resume(saved, &mut callbacks)?,
            None => (History::default(), None),
        };
        // The epochs of the history were done before this call and are of this training.
        let last = self.epochs.saturating_sub(history.epochs.len() as u64).saturating_add(epochs);
        while self.epochs < last && history.stopped.is_none() {
            let epoch = self.epochs + 1;
            if position.is_none() {
                callbacks.iter_mut().try_for_each(|callback| callback.on_epoch_begin(epoch, self))?;
            }
            let mut progress = Progress::start(quiet, epoch, last, count);
            let at = Epoch { epoch, history: &history, checkpoint: checkpoint.as_ref() };
            let (tally, training_time, stopped) =
                self.train_epoch(&rows, position.take(), &at, &mut progress, &mut callbacks)?;
            let samples = tally.samples();
            let mut values = tally.close()?.values;
            if let Some(validation) = validation {
                let scores = self.evaluate(validation, batch_size).map_err(|e| e.at("validation"))?;
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
            let ended = epoch == last || history.stopped.is_some();
            if let Some(checkpoint) = checkpoint.as_ref().filter(|c| ended || c.is_due_after_epoch(epoch)) {
                checkpoint.write(self, &history, &states(&callbacks), None)?;
            }
        }
        callbacks.iter_mut().try_for_each(|callback| callback.on_train_end(&history, self))?;
        Ok(history)
    }

    /// The lengths of the samples that are trained on, for batches of similar length.
    fn lengths(&self, data: &Dataset, padding: u32, count: usize) -> Result<Vec<usize>> {
        let place = "batches by length";
        if let Some(mut lengths) = data.inputs().lengths(padding) {
            if self.input != Spec::Indices(None) {
                return Err(Error::invalid(place, "a model that takes any number of steps", &self.input));
            }
            lengths.truncate(count);
            return Ok(lengths);
        }
        Err(Error::invalid(place, "sequences of indices", "other inputs"))
    }

    /// One batch through model and loss, so that an epoch of training is not lost to data that does not fit.
    fn rehearse(&self, data: &Dataset, batch_size: usize) -> Result<()> {
        let first = data.slice(0..batch_size.min(data.len()))?;
        let pass = Pass::rehearsal(&self.backend, &self.params);
        self.check_numbers(&self.outcome(&Batch::new(&self.backend, first)?, pass)?)
    }

    /// Checks that there will be the values which callbacks watch.
    fn check_watched(&self, callbacks: &[Box<dyn Callback<B> + '_>], validated: bool) -> Result<()> {
        let names: Vec<&str> = self.compiled()?.names().collect();
        let val_names: Vec<String> = names.iter().filter(|_| validated).map(|name| format!("val_{name}")).collect();
        let names: Vec<&str> = names.into_iter().chain(val_names.iter().map(String::as_str)).collect();
        match callbacks.iter().filter_map(|callback| callback.watches()).find(|name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => Err(unknown_value(name, &names)),
        }
    }

    /// Each sample's weight multiplied by its class's.
    fn sample_weights(&self, data: &Dataset, weights: &ClassWeights) -> Result<Vec<f32>> {
        let Targets::Classes { labels, per_sample: 1 } = data.targets() else {
            return Err(Error::invalid("class weights", "targets that are one class a sample", "other targets"));
        };
        let mut each = weights.weights_for(labels, self.output.features()?.max(2))?;
        if let Some(given) = data.weights() {
            each.iter_mut().zip(given).for_each(|(weight, given)| *weight *= given);
        }
        Ok(each)
    }
}
