//! `evaluate` and `predict`: in mini-batches, nothing recorded, dropout off (L9).

use super::counted::Counted;
use super::gathered::Gathered;
use super::tally::Tally;
use super::{Batch, Model, Objective, Predictions};
use crate::backend::Backend;
use crate::data::{
    BATCH_SIZE, Batches, ClassWeights, Epoch, HostBatch, Inputs, Order, SampleBatches, Source, each_batch,
};
use crate::error::{Error, Result};
use crate::layers::{Carry, Mode, Spec, Value};
use crate::random::Key;
use crate::record::Record;
use std::fmt;
use std::ops::ControlFlow;

/// Loss and metrics of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub(crate) values: Vec<(String, f64)>,
}

impl Evaluation {
    /// A value by name: `loss`, `accuracy`, ...
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// The loss, penalties included.
    pub fn loss(&self) -> f64 {
        self.get("loss").unwrap_or(f64::NAN)
    }

    /// All names and values, the loss first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} {value:.4}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl<B: Backend> Model<B> {
    /// Loss and metrics over a data set, the same whatever the batches, or over another [`Source`], its epoch 0, not shuffled. Sequences that are
    /// kept at their own lengths are taken by length, so that each batch costs what its sequences do. Where a layer is stateful,
    /// sequences go on from batch to batch within this call. `batch_size` is a number, or `None`: 32, or what the source has of its
    /// own. Errors when the model is not compiled or the data does not fit.
    pub fn evaluate(&self, data: &dyn Source, batch_size: impl Into<Option<usize>>) -> Result<Evaluation> {
        match data.as_dataset() {
            Some(data) => self.check_data("evaluation data", data)?,
            None => self.check_ready()?,
        }
        self.evaluate_as("evaluation data", data, batch_size.into(), &[], None)
    }

    /// [`Model::evaluate`] of data that has been checked, where it is a data set; the classes weighted, of blocks without the
    /// `padding` that all sequences of a batch share.
    pub(crate) fn evaluate_as(
        &self,
        place: &str,
        source: &dyn Source,
        batch_size: Option<usize>,
        weights: &[(Option<String>, ClassWeights)],
        padding: Option<u32>,
    ) -> Result<Evaluation> {
        let epoch: Box<dyn Epoch + '_> = match source.as_dataset() {
            Some(data) => {
                let size = batch_size.unwrap_or(BATCH_SIZE);
                self.check_streams(place, data.len(), size)?;
                let (batches, continues) = (self.batches(data.inputs(), size)?, self.stateful.is_some());
                Box::new(SampleBatches { data, batches, padding, continues })
            }
            None => {
                let order = Order::new(Key::new(self.seed).named("evaluation"), 0);
                source.epoch(&Order { batch_size, shuffle: Some(false), ..order })?
            }
        };
        let mut carry = Carry::new();
        let mut tally = self.tally()?;
        each_batch(&*epoch, 0, !source.is_quick(), |number, HostBatch { mut data, continues }| {
            if source.as_dataset().is_none() {
                self.check_batch(source, &*epoch, number, &data)?;
            }
            for (output, weights) in weights {
                data = weights.weigh(data, output.as_deref())?;
            }
            if !continues {
                carry.clear();
            }
            let (samples, truth) = (data.len(), tally.truth(&data));
            let mut pass = self.pass(Mode::Evaluation).carrying(&mut carry);
            let outcome = self.outcome(&Batch::new(&self.backend, data)?, &mut pass)?;
            pass.commit();
            if tally.samples() == 0 {
                self.check_numbers(&outcome)?;
            }
            tally.add(samples, outcome, truth)?;
            Ok(ControlFlow::Continue(()))
        })?;
        tally.close()
    }

    /// The model's values for inputs. Sequences that are kept at their own lengths are taken by length; where every step has an
    /// output, those behind the end of a sequence are 0. Every sequence begins anew, in a stateful
    /// layer too; see [`Model::forward_carried`] for those that go on. Errors when they do not fit.
    pub fn predict(&self, inputs: &Inputs, batch_size: usize) -> Result<Predictions> {
        let place = "inputs to predict";
        if inputs.is_empty() {
            return Err(no_samples(place));
        }
        if let Spec::Record(_) = &self.output {
            let expected = "a model of one output (`predict_outputs` gives those of several)";
            return Err(Error::invalid("predict", expected, &self.output));
        }
        let [(_, predictions)] = self
            .predicted_outputs(inputs, batch_size, &[(None, &self.output)])?
            .try_into()
            .map_err(|_| Error::invalid("predict", "one output", "several"))?;
        Ok(predictions)
    }

    /// [`Model::predict`] of a model that gives a record: the values of all outputs, by name.
    pub fn predict_outputs(&self, inputs: &Inputs, batch_size: usize) -> Result<Record<Predictions>> {
        let outputs: Vec<(Option<&str>, &Spec)> =
            self.output.parts()?.iter().map(|(name, spec)| (Some(name), spec)).collect();
        let predicted = self.predicted_outputs(inputs, batch_size, &outputs)?;
        Record::new(predicted.into_iter().map(|(name, predictions)| (name.unwrap_or_default(), predictions)))
    }

    /// The values of outputs by name, or of the only one.
    fn predicted_outputs<'a>(
        &self,
        inputs: &Inputs,
        batch_size: usize,
        outputs: &[(Option<&'a str>, &Spec)],
    ) -> Result<Vec<(Option<&'a str>, Predictions)>> {
        let place = "inputs to predict";
        self.input.check_inputs(place, inputs)?;
        self.check_indices(place, inputs)?;
        let batches = by_length(inputs, batch_size)?;
        let mut gathered: Vec<Gathered<'_, B>> = outputs
            .iter()
            .map(|(_, spec)| {
                // As long as the longest of the inputs, where that is what decides.
                let by_step = matches!(spec, Spec::Dense(sizes) if sizes.len() > 1 && sizes[0].is_none());
                let longest = longest(inputs).filter(|_| by_step);
                Gathered::new(&self.backend, inputs.len(), longest)
            })
            .collect();
        for rows in &batches {
            let mut pass = self.pass(Mode::Evaluation);
            let y = self.run(Value::new(&self.backend, inputs.select(rows)?)?, &mut pass)?;
            for ((output, _), gathered) in outputs.iter().zip(&mut gathered) {
                let part = y.part(*output).cloned();
                let part = part.ok_or_else(|| Error::invalid("predict", "the outputs that the model has", "others"))?;
                gathered.add(rows, &part.split().0.tensor(&pass)?)?;
            }
        }
        let close = |((output, _), gathered): (&(Option<&'a str>, &Spec), Gathered<'_, B>)| {
            let (data, shape) = gathered.close()?;
            Ok((*output, Predictions::new(data, shape, self.read_as(*output))))
        };
        outputs.iter().zip(gathered).map(close).collect()
    }

    /// The samples by length, unless each batch goes on with the one before.
    fn batches(&self, inputs: &Inputs, batch_size: usize) -> Result<Batches> {
        match self.stateful {
            Some(_) => Batches::new(inputs.len(), batch_size, None),
            None => by_length(inputs, batch_size),
        }
    }

    /// A tally with the model's metrics.
    pub(crate) fn tally(&self) -> Result<Tally<B>> {
        let compiled = self.compiled()?;
        let of = |objective: &Objective<B>| {
            Counted::new(objective, self.read_as(objective.output.as_deref()).unwrap_or_default())
        };
        Ok(Tally::new(&self.backend, compiled.objectives.iter().map(of).collect()))
    }
}

/// The steps of the longest sequence, where they are kept at their own lengths.
fn longest(inputs: &Inputs) -> Option<usize> {
    match inputs {
        Inputs::RaggedIndices(rows) => Some(rows.longest()),
        Inputs::RaggedDense(rows) => Some(rows.longest()),
        Inputs::Distinct { places, .. } => Some(places.longest()),
        Inputs::Record(parts) => parts.iter().filter_map(|(_, part)| longest(part)).max(),
        _ => None,
    }
}

/// Samples in the order in which they stand, or, of sequences of their own lengths, from the shortest to the longest.
pub(super) fn by_length(inputs: &Inputs, batch_size: usize) -> Result<Batches> {
    if longest(inputs).is_none() {
        return Batches::new(inputs.len(), batch_size, None);
    }
    Batches::apart(&inputs.lengths(0).unwrap_or_default(), batch_size)
}

pub(super) fn no_samples(place: &str) -> Error {
    Error::invalid(place, "at least one sample", "none")
}
