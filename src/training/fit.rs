//! [`Fit`]: how a model is trained.

use super::History;
use super::callbacks::Callback;
use super::run::Training;
use crate::backend::Backend;
use crate::checkpoint::Checkpoint;
use crate::data::{ClassWeights, Source};
use crate::error::Result;
use crate::model::Model;
use std::path::PathBuf;

/// How [`Model::fit`] trains. Defaults as in Keras: one epoch, batches of 32, shuffled, no validation; a progress bar
/// where standard error is a terminal, elsewhere a line an epoch.
///
/// ```no_run
/// # type Cpu = elman_reference::Reference<f32>;
/// # fn run(model: &mut elman::Model<Cpu>, data: &elman::data::Dataset) -> elman::Result<()> {
/// use elman::training::{Fit, callbacks::EarlyStopping};
/// let history = model.fit(
///     data,
///     Fit::new().epochs(20).batch_size(64).validation_split(0.1)
///         .callback(EarlyStopping::new("val_loss").patience(3).restore_best()),
/// )?;
/// println!("{history}");
/// # Ok(())
/// # }
/// ```
#[must_use = "it says how to train: give it to `Model::fit`"]
pub struct Fit<'a, B: Backend> {
    pub(super) epochs: u64,
    pub(super) batch_size: Option<usize>,
    pub(super) batch_tokens: Option<usize>,
    pub(super) shuffle: Option<bool>,
    pub(super) by_length: Option<u32>,
    pub(super) validation_split: Option<f64>,
    pub(super) validation_data: Option<&'a dyn Source>,
    pub(super) class_weights: Vec<(Option<String>, ClassWeights)>,
    pub(super) callbacks: Vec<Box<dyn Callback<B> + 'a>>,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) resume_from: Option<PathBuf>,
    pub(super) log_steps: Option<u64>,
    pub(super) quiet: bool,
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
            batch_size: None,
            batch_tokens: None,
            shuffle: None,
            by_length: None,
            validation_split: None,
            validation_data: None,
            class_weights: Vec::new(),
            callbacks: Vec::new(),
            checkpoint: None,
            resume_from: None,
            log_steps: None,
            quiet: false,
        }
    }

    /// How often to go through the training data; with [`Fit::resume_from`] in all, those of the checkpoint's history
    /// included.
    pub fn epochs(self, epochs: u64) -> Self {
        Fit { epochs, ..self }
    }

    /// Samples a mini-batch; the last of an epoch may be smaller. A [`Stream`](crate::data::Stream) has batches of its own.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size: Some(batch_size), ..self }
    }

    /// Cuts batches by steps instead of samples: of sequences of their own lengths as many as have at most so many steps when they
    /// are padded to the longest of them; a longer one is a batch of its own. With [`Fit::by_length`] little of that is padding.
    /// Validation keeps to [`Fit::batch_size`].
    pub fn batch_tokens(self, tokens: usize) -> Self {
        Fit { batch_tokens: Some(tokens), ..self }
    }

    /// Whether each epoch takes the samples in another random order. A [`Stream`](crate::data::Stream) has an order, and cannot. To be
    /// `false` where a layer is [`stateful`](crate::layers::rnn::Rnn::stateful), whose sequences go on from batch to batch.
    pub fn shuffle(self, shuffle: bool) -> Self {
        Fit { shuffle: Some(shuffle), ..self }
    }

    /// Batches of texts of similar length, sequences of indices that is, without the padding at their ends that all texts
    /// of a batch share: little work goes into padding, and none of what is left counts. The model must take any number of
    /// steps ([`Spec::Indices(None)`](crate::Spec::Indices)). It is another order of samples than a plain shuffle: texts of one length
    /// come together.
    pub fn by_length(self, padding: u32) -> Self {
        Fit { by_length: Some(padding), ..self }
    }

    /// Keeps the last part of a data set for validation after each epoch, as it stands, as Keras does. Data that are sorted are to be
    /// split by [`Dataset::split_shuffled`](crate::data::Dataset::split_shuffled) or
    /// [`split_stratified`](crate::data::Dataset::split_stratified) instead.
    /// Classes that one of the parts lacks are told as a warning through the crate `log`.
    pub fn validation_split(self, fraction: f64) -> Self {
        Fit { validation_split: Some(fraction), ..self }
    }

    /// Data for validation after each epoch, a data set or another [`Source`]; takes precedence over a split.
    pub fn validation_data(self, data: &'a dyn Source) -> Self {
        Fit { validation_data: Some(data), ..self }
    }

    /// Lets the samples of a class count more or less, for unbalanced classes (L14).
    pub fn class_weights(self, weights: ClassWeights) -> Self {
        self.weighted(None, weights)
    }

    /// The same for the classes of one output of several.
    pub fn class_weights_of(self, output: impl Into<String>, weights: ClassWeights) -> Self {
        self.weighted(Some(output.into()), weights)
    }

    fn weighted(mut self, output: Option<String>, weights: ClassWeights) -> Self {
        self.class_weights.retain(|(of, _)| *of != output);
        self.class_weights.push((output, weights));
        self
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

    /// Logs the loss of every `updates` updates beside that of the epochs: their mean, in
    /// [`EpochLog::steps`](super::EpochLog::steps) and [`History::steps`]. What is left over at the end of an epoch is an entry of its
    /// own. Nothing is read back for it before the epoch's own loss is. Errors when it is 0.
    ///
    /// ```
    /// # use elman::{Model, Fit, data::Dataset};
    /// # fn run(model: &mut Model<elman_reference::Reference<f32>>, data: &Dataset) -> elman::Result<()> {
    /// for log in model.fit(data, Fit::new().log_steps(100))?.steps() {
    ///     println!("{} {} {}", log.step, log.loss, log.learning_rate);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_steps(self, updates: u64) -> Self {
        Fit { log_steps: Some(updates), ..self }
    }

    /// Nothing on standard error: neither a progress bar nor, where that is no terminal, a line an epoch.
    pub fn quiet(self) -> Self {
        Fit { quiet: true, ..self }
    }
}

impl<B: Backend> Model<B> {
    /// Trains the model on a data set in memory, or on whatever else [batches come from](Source). Errors when it is not compiled, when the data does not fit, when a callback watches a value
    /// that there is not, when a trainable parameter gets no gradient (that of a
    /// penalty counts as one), when a gradient is infinite or not a number; the model is then as it was after its last
    /// complete step.
    ///
    /// A gradient that is not finite is told with its parameters, epoch and batch: on the host at once, on a device (which has held
    /// back that step and all after it) when the loss is read back, at the end of the epoch at the latest.
    /// [`Optimizer::skip_not_finite`](crate::optim::Optimizer::skip_not_finite) leaves such steps out instead, and
    /// [`EpochLog::skipped`](super::EpochLog::skipped) counts them. A loss that is not finite does not end training by itself where the gradients are:
    /// see [`StopOnNan`](super::callbacks::StopOnNan).
    ///
    /// A data set is checked whole before the first step, of another source the first batch, and each of the others as it comes.
    ///
    /// Where a layer is [`stateful`](crate::layers::rnn::Rnn::stateful), sequences begin anew with each epoch and go on from batch to
    /// batch in it; shuffled batches, batches by length and samples that are no multiple of the batch size are errors.
    ///
    /// With 0 epochs nothing is trained and the history is empty, as in Keras.
    pub fn fit(&mut self, data: &dyn Source, fit: Fit<'_, B>) -> Result<History> {
        let mut training = Training::prepare(self, data, fit)?;
        while training.goes_on() {
            training.epoch()?;
        }
        training.close()
    }
}
