//! What is found wrong before the first step, and what is made ready for it.

use super::Fit;
use super::callbacks::{Callback, unknown_value};
use super::epoch::TrainedOn;
use super::labels;
use crate::backend::Backend;
use crate::checkpoint::Saved;
use crate::data::{BATCH_SIZE, Batches, ClassWeights, Dataset, Order, Samples, Source, labels_of};
use crate::error::{Error, Result};
use crate::layers::{Carry, Mode, Spec};
use crate::model::{Batch, Model};
use crate::param::Param;
use crate::random::Key;

/// What a training goes through, and where it begins.
pub(super) struct Prepared<'a, B: Backend> {
    pub(super) data: TrainedOn<'a>,
    pub(super) validation: Option<Validation<'a>>,
    /// The checkpoint that it goes on from.
    pub(super) resumed: Option<Saved<B>>,
}

/// What is validated after each epoch.
pub(super) enum Validation<'a> {
    Given(&'a dyn Source),
    HeldOut(Box<Dataset>),
}

impl Validation<'_> {
    pub(super) fn source(&self) -> &dyn Source {
        match self {
            Validation::Given(source) => *source,
            Validation::HeldOut(data) => &**data,
        }
    }

    /// The source and the size of its batches, where so many are trained on at a time: a source that is not a data set in memory
    /// says itself.
    pub(super) fn with_batch_size(&self, size: Option<usize>) -> (&dyn Source, Option<usize>) {
        let source = self.source();
        (source, size.filter(|_| source.as_dataset().is_some()))
    }
}

impl<B: Backend> Model<B> {
    /// Checks data, options and checkpoint; of the model only what steps before this call have left over is dropped. See
    /// [`Model::fit`] for the errors.
    pub(super) fn prepare<'a>(&mut self, data: &'a dyn Source, fit: &Fit<'a, B>) -> Result<Prepared<'a, B>> {
        let whole = data.as_dataset();
        match whole {
            Some(data) => self.check_data("training data", data)?,
            None => self.check_ready()?,
        }
        if !self.params().iter().any(Param::is_trainable) {
            return Err(Error::invalid("fit", "a parameter to train", "none that is not frozen"));
        }
        // Index arithmetic only; rows are gathered batch by batch.
        let (count, held_out) = match (fit.validation_data, fit.validation_split, whole) {
            (None, Some(fraction), Some(data)) => {
                let at = data.split_index(fraction)?;
                (at, Some(data.slice(at..data.len())?))
            }
            (None, Some(_), None) => {
                let expected = "a data set in memory (`validation_data` takes any source)";
                return Err(Error::invalid("validation split", expected, data.describe()));
            }
            _ => (whole.map_or(0, Dataset::len), None),
        };
        if whole.is_some() {
            Batches::new(count, fit.batch_size.unwrap_or(BATCH_SIZE), None)?;
            self.check_order(fit, count)?;
        }
        if fit.log_steps == Some(0) {
            return Err(Error::invalid("fit: log_steps", "at least 1 update", 0));
        }
        self.compiled()?.optimizer.check()?;
        self.compiled()?.optimizer.check_params(self.params())?;
        // Of steps before this call.
        self.settle()?;
        self.forget_accumulated();
        let order = Order {
            batch_size: fit.batch_size,
            batch_tokens: fit.batch_tokens,
            shuffle: fit.shuffle,
            by_length: fit.by_length,
            ..Order::new(Key::new(self.seed), 0)
        };
        let rehearsed = self.rehearse(data, &order).map_err(|e| e.at("training data"))?;
        let validation = fit.validation_data.map(Validation::Given).or(held_out.map(Box::new).map(Validation::HeldOut));
        if let Some(validation) = &validation {
            let (source, batch_size) = validation.with_batch_size(fit.batch_size);
            if let Some(data) = source.as_dataset() {
                self.check_data("validation data", data)?;
                self.check_streams("validation data", data.len(), batch_size.unwrap_or(BATCH_SIZE))?;
            }
            let order = Order { batch_size, ..Order::new(Key::new(self.seed), 0) };
            self.rehearse(source, &order).map_err(|e| e.at("validation data"))?;
        }
        let validated = validation.as_ref().map(Validation::source);
        if let Some(data) = whole {
            let validation = validated.and_then(|source| source.as_dataset());
            self.warn_of_labels(data, count, validation, fit.validation_data.is_none());
        }
        self.check_watched(&fit.callbacks, validation.is_some())?;
        for (output, weights) in &fit.class_weights {
            let output = output.as_deref();
            if let Some(data) = whole {
                self.check_class_weights(data, output, weights)?;
            }
            // That a class does not occur there is no slip.
            validated.and_then(|source| source.as_dataset()).map(|data| labels_of(data, output)).transpose()?;
        }
        let source: Box<dyn Source + 'a> = match whole {
            Some(data) => {
                let lengths = fit.by_length.map(|padding| self.lengths(data, padding, count)).transpose()?;
                Box::new(Samples { data, count, lengths })
            }
            None => Box::new(data),
        };
        let data = TrainedOn { source, order, class_weights: fit.class_weights.clone() };
        if let Some(checkpoint) = &fit.checkpoint {
            checkpoint.check()?;
            if checkpoint.is_within_epochs() {
                self.tally()?.state()?;
            }
        }
        let resumed = fit.resume_from.as_ref();
        let resumed = resumed.map(|path| self.read_resumed(path, &data, &fit.callbacks, &rehearsed)).transpose()?;
        Ok(Prepared { data, validation, resumed })
    }

    /// Says through the crate `log` which classes training or validation lacks.
    fn warn_of_labels(&self, data: &Dataset, count: usize, validation: Option<&Dataset>, split: bool) {
        for objective in self.compiled().iter().flat_map(|compiled| &compiled.objectives) {
            let output = objective.output.as_deref();
            let validation = validation.and_then(|data| Some((data.targets().part(output)?, 0..data.len())));
            let Some(training) = data.targets().part(output) else { continue };
            let outputs = self.output().part(output).and_then(|spec| spec.features().ok());
            let ignored = objective.loss.ignored();
            for warning in labels::warnings((training, 0..count), validation, split, outputs, ignored) {
                let of = output.map(|output| format!("output `{output}`: ")).unwrap_or_default();
                log::warn!("{of}{warning}");
            }
        }
    }

    /// Whether any number of the parameters is another than in a snapshot, or a NaN.
    pub(super) fn differs(&self, snapshot: &[B::Array]) -> Result<bool> {
        for (param, before) in self.params().iter().zip(snapshot) {
            if self.backend().download(param.tensor().value())? != self.backend().download(before)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The lengths of the samples that are trained on, for batches of similar length.
    fn lengths(&self, data: &Dataset, padding: u32, count: usize) -> Result<Vec<usize>> {
        let place = "batches by length";
        if let Some(mut lengths) = data.inputs().lengths(padding) {
            if !is_open(self.input()) {
                return Err(Error::invalid(place, "a model that takes any number of steps", self.input()));
            }
            lengths.truncate(count);
            return Ok(lengths);
        }
        Err(Error::invalid(place, "sequences of indices", data.inputs().kind()))
    }

    /// Errors when a layer carries state from batch to batch and the batches do not follow one another.
    fn check_order(&self, fit: &Fit<'_, B>, count: usize) -> Result<()> {
        let Some(path) = self.stateful() else { return Ok(()) };
        let wrong = |expected: &str, found: &str| {
            let expected = format!("{expected}: sequences go on from batch to batch, layer `{path}` is stateful");
            Err(Error::invalid("fit", expected, found))
        };
        if fit.batch_tokens.is_some() {
            return wrong("batches of one size", "`batch_tokens`");
        }
        if fit.by_length.is_some() {
            return wrong("batches in the order of the data", "`by_length`");
        }
        if fit.shuffle != Some(false) {
            return wrong("`shuffle(false)`", "batches in another order each epoch");
        }
        self.check_streams("training data", count, fit.batch_size.unwrap_or(BATCH_SIZE))
    }

    /// One batch through model and loss, so that an epoch of training is not lost to data that does not fit. What it carries is
    /// what one of the model's carries looks like.
    fn rehearse(&self, source: &dyn Source, order: &Order) -> Result<Carry<B>> {
        let first = match source.as_dataset() {
            Some(data) => data.slice(0..order.batch_size.unwrap_or(BATCH_SIZE).min(data.len()))?,
            None => {
                let epoch = source.epoch(order)?;
                let first = epoch.batch(0)?.data;
                self.check_batch(source, &*epoch, 0, &first)?;
                first
            }
        };
        let mut carry = Carry::new();
        let mut pass = self.pass(Mode::Evaluation).carrying(&mut carry);
        self.check_numbers(&self.outcome(&Batch::new(self.backend(), first)?, &mut pass)?)?;
        pass.commit();
        Ok(carry)
    }

    /// Checks that there will be the values which callbacks watch.
    fn check_watched(&self, callbacks: &[Box<dyn Callback<B> + '_>], validated: bool) -> Result<()> {
        let names = self.compiled()?.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let val_names: Vec<String> = names.iter().filter(|_| validated).map(|name| format!("val_{name}")).collect();
        let names: Vec<&str> = names.into_iter().chain(val_names.iter().map(String::as_str)).collect();
        match callbacks.iter().filter_map(|callback| callback.watches()).find(|name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => Err(unknown_value(name, &names)),
        }
    }

    /// Errors for a weight of a class that does not occur.
    fn check_class_weights(&self, data: &Dataset, output: Option<&str>, weights: &ClassWeights) -> Result<()> {
        let objectives = &self.compiled()?.objectives;
        let Some(objective) = objectives.iter().find(|objective| objective.output.as_deref() == output) else {
            let names: Vec<&str> = objectives.iter().filter_map(|objective| objective.output.as_deref()).collect();
            let expected = match &names[..] {
                [] => "no name, as the model has a single output (`class_weights`)".to_string(),
                names => format!("the name of an output that is trained: {} (`class_weights_of`)", names.join(", ")),
            };
            let found = output.map_or_else(|| "none".to_string(), |output| format!("`{output}`"));
            return Err(Error::invalid("class weights", expected, found));
        };
        let ignored = objective.loss.ignored();
        let labels = labels_of(data, output)?.iter().copied();
        let labels: Vec<u32> = labels.filter(|&label| Some(label) != ignored).collect();
        let classes = self.output().part(output).unwrap_or(self.output()).features()?.max(2);
        weights.weights_for(&labels, classes).map(drop)
    }
}

/// Whether inputs may have any number of steps, in all parts that are sequences of indices and in one part at least.
fn is_open(input: &Spec) -> bool {
    match input {
        Spec::Indices(steps) => steps.is_none(),
        Spec::Dense(sizes) => sizes.first().is_some_and(Option::is_none),
        Spec::Bags(_) => false,
        Spec::Record(parts) => {
            let fixed = parts.iter().any(|(_, part)| matches!(part, Spec::Indices(Some(_))));
            !fixed && parts.iter().any(|(_, part)| is_open(part))
        }
    }
}
