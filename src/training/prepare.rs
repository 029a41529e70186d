//! What is found wrong before the first step, and what is made ready for it.

use super::Fit;
use super::callbacks::{Callback, unknown_value};
use super::epoch::Rows;
use super::labels;
use crate::backend::Backend;
use crate::checkpoint::Saved;
use crate::data::{Batches, ClassWeights, Dataset, Targets};
use crate::error::{Error, Result};
use crate::layers::{Carry, Mode, Spec};
use crate::model::{Batch, Model};
use crate::param::Param;
use std::borrow::Cow;

/// What a training goes through, and where it begins.
pub(super) struct Prepared<'a, B: Backend> {
    pub(super) rows: Rows<'a>,
    pub(super) validation: Option<Validation<'a>>,
    /// The checkpoint that it goes on from.
    pub(super) resumed: Option<Saved<B>>,
}

/// What is validated after each epoch.
pub(super) struct Validation<'a> {
    pub(super) data: Cow<'a, Dataset>,
    /// In place of the data's own.
    pub(super) weights: Option<Vec<f32>>,
}

impl<B: Backend> Model<B> {
    /// Checks data, options and checkpoint; of the model only what steps before this call have left over is dropped. See
    /// [`Model::fit`] for the errors.
    pub(super) fn prepare<'a>(&mut self, data: &'a Dataset, fit: &Fit<'a, B>) -> Result<Prepared<'a, B>> {
        let &Fit { batch_size, shuffle, .. } = fit;
        self.check_data("training data", data)?;
        if !self.params().iter().any(Param::is_trainable) {
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
        self.check_order(fit, count)?;
        self.compiled()?.optimizer.check()?;
        self.compiled()?.optimizer.check_params(self.params())?;
        // Of steps before this call.
        self.settle()?;
        self.forget_accumulated();
        let rehearsed = self.rehearse(data, batch_size).map_err(|e| e.at("training data"))?;
        let validation = fit.validation_data.map(Cow::Borrowed).or(held_out.map(Cow::Owned));
        if let Some(validation) = &validation {
            self.check_data("validation data", validation)?;
            self.check_streams("validation data", validation.len(), batch_size)?;
            self.rehearse(validation, batch_size).map_err(|e| e.at("validation data"))?;
        }
        self.warn_of_labels(data, count, validation.as_deref(), fit.validation_data.is_none());
        self.check_watched(&fit.callbacks, validation.is_some())?;
        let class_weights = fit.class_weights.as_ref();
        let weights = class_weights.map(|weights| self.sample_weights(data, weights)).transpose()?;
        let validation = validation.map(|data| {
            // The same loss as in training. That a class does not occur is no slip here.
            let weights = class_weights.map(|weights| Self::each_weight(&data, weights)).transpose()?;
            Ok(Validation { data, weights })
        });
        let validation = validation.transpose()?;
        let by_length = fit.by_length.map(|padding| Ok((self.lengths(data, padding, count)?, padding))).transpose()?;
        let rows = Rows { shuffle, data, weights, count, batch_size, by_length };
        if let Some(checkpoint) = &fit.checkpoint {
            checkpoint.check()?;
            if checkpoint.is_within_epochs() {
                self.tally()?.state()?;
            }
        }
        let resumed = fit.resume_from.as_ref();
        let resumed = resumed.map(|path| self.read_resumed(path, &rows, &fit.callbacks, &rehearsed)).transpose()?;
        Ok(Prepared { rows, validation, resumed })
    }

    /// Says through the crate `log` which classes training or validation lacks.
    fn warn_of_labels(&self, data: &Dataset, count: usize, validation: Option<&Dataset>, split: bool) {
        let validation = validation.map(|validation| (validation, 0..validation.len()));
        let ignored = self.compiled().ok().and_then(|compiled| compiled.loss.ignored());
        let outputs = self.output().features().ok();
        for warning in labels::warnings((data, 0..count), validation, split, outputs, ignored) {
            log::warn!("{warning}");
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
            if *self.input() != Spec::Indices(None) {
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
        if fit.by_length.is_some() {
            return wrong("batches in the order of the data", "`by_length`");
        }
        if fit.shuffle {
            return wrong("`shuffle(false)`", "batches in another order each epoch");
        }
        self.check_streams("training data", count, fit.batch_size)
    }

    /// One batch through model and loss, so that an epoch of training is not lost to data that does not fit. What it carries is
    /// what one of the model's carries looks like.
    fn rehearse(&self, data: &Dataset, batch_size: usize) -> Result<Carry<B>> {
        let first = data.slice(0..batch_size.min(data.len()))?;
        let mut carry = Carry::new();
        let mut pass = self.pass(Mode::Evaluation).carrying(&mut carry);
        self.check_numbers(&self.outcome(&Batch::new(self.backend(), first)?, &mut pass)?)?;
        pass.commit();
        Ok(carry)
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

    /// Each sample's weight, or each step's, multiplied by its class's. Errors for a weight of a class that does not occur.
    fn sample_weights(&self, data: &Dataset, weights: &ClassWeights) -> Result<Vec<f32>> {
        let ignored = self.compiled()?.loss.ignored();
        let labels = labels_of(data)?.iter().copied().filter(|&label| Some(label) != ignored).collect::<Vec<_>>();
        weights.weights_for(&labels, self.output().features()?.max(2))?;
        Self::each_weight(data, weights)
    }

    /// The same without asking which classes there are.
    fn each_weight(data: &Dataset, weights: &ClassWeights) -> Result<Vec<f32>> {
        let labels = labels_of(data)?;
        let mut each: Vec<f32> = labels.iter().map(|&label| weights.get(label)).collect();
        match data.weights() {
            Some(given) if given.len() == each.len() => {
                each.iter_mut().zip(given).for_each(|(weight, given)| *weight *= given);
            }
            // A weight a sample, for all of its steps.
            Some(given) => {
                for (sample, given) in given.iter().enumerate() {
                    let steps = data.targets().steps(sample).unwrap_or(sample..sample + 1);
                    each[steps].iter_mut().for_each(|weight| *weight *= given);
                }
            }
            None => {}
        }
        Ok(each)
    }
}

/// One class a sample or a step.
fn labels_of(data: &Dataset) -> Result<&[u32]> {
    match data.targets() {
        Targets::Classes { labels, .. } => Ok(labels),
        Targets::RaggedClasses(rows) => Ok(rows.data()),
        other => Err(Error::invalid("class weights", "targets that are classes", other.kind())),
    }
}
