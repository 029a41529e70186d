//! `evaluate` and `predict`: in mini-batches, nothing recorded, dropout off (L9).

use super::tally::{NUMBERS, Tally, to_f32, together};
use super::{Batch, Model, Outcome, batch};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::data::{Batches, Dataset, Inputs};
use crate::error::{Error, Result};
use crate::layers::{Mode, Pass};
use crate::loss::Scale;
use std::fmt;

/// Loss and metrics of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub(super) values: Vec<(String, f64)>,
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

/// A model's values for inputs, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    data: Vec<f32>,
    shape: Vec<usize>,
}

impl Predictions {
    /// All numbers in row-major order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The shape: samples first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers of one sample after another.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let row = self.shape[1..].iter().product::<usize>().max(1);
        self.data.chunks_exact(row)
    }

    /// The class of each row of outputs, so of each sample or, where there is an output at every step, of each step:
    /// the greatest output (the first of equals), or, of a single one, whether it is above 1/2.
    pub fn classes(&self) -> Vec<usize> {
        let class = |row: &[f32]| match *row {
            [p] => usize::from(p > 0.5),
            _ => (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }),
        };
        let outputs = self.shape[1..].last().copied().unwrap_or(1).max(1);
        self.data.chunks_exact(outputs).map(class).collect()
    }
}

impl<B: Backend> Model<B> {
    /// Loss and metrics over a data set. Errors when the model is not compiled or the data does not fit.
    pub fn evaluate(&self, data: &Dataset, batch_size: usize) -> Result<Evaluation> {
        self.check_data("evaluation data", data)?;
        let mut tally = self.tally()?;
        for rows in &Batches::new(data.len(), batch_size, None)? {
            let part = data.select(rows)?;
            let targets = tally.targets(part.targets());
            let pass = Pass::new(&self.backend, &self.params, Mode::Evaluation);
            let outcome = self.outcome(&Batch::new(&self.backend, part)?, pass)?;
            if tally.samples() == 0 {
                self.check_numbers(&outcome)?;
            }
            tally.add(rows.len(), outcome, targets)?;
        }
        tally.close()
    }

    /// The model's values for inputs. Errors when they do not fit.
    pub fn predict(&self, inputs: &Inputs, batch_size: usize) -> Result<Predictions> {
        let place = "inputs to predict";
        if inputs.is_empty() {
            return Err(no_samples(place));
        }
        self.input.check_inputs(place, inputs)?;
        let (mut data, mut sample, mut pending) = (Vec::new(), None, Vec::new());
        let mut numbers = 0;
        for rows in &Batches::new(inputs.len(), batch_size, None)? {
            let y = self.forward(batch::input(&self.backend, inputs.select(rows)?)?, Mode::Evaluation)?;
            let shape = y.shape();
            let sizes = sample.get_or_insert_with(|| shape.get(1..).unwrap_or_default().to_vec());
            if shape.first() != Some(&rows.len()) || shape[1..] != sizes[..] {
                let expected = format!("outputs of {} samples of shape {sizes:?}", rows.len());
                return Err(Error::invalid("predict", expected, format!("shape {shape}")));
            }
            numbers += shape.elements();
            pending.push(y.value().clone());
            if numbers > NUMBERS {
                data.extend(to_f32(together(&self.backend, pending.iter())?));
                pending.clear();
                numbers = 0;
            }
        }
        data.extend(to_f32(together(&self.backend, pending.iter())?));
        let shape = std::iter::once(inputs.len()).chain(sample.unwrap_or_default()).collect();
        Ok(Predictions { data, shape })
    }

    /// A tally with the model's metrics.
    pub(super) fn tally(&self) -> Result<Tally<B>> {
        let compiled = self.compiled()?;
        Ok(Tally::new(&self.backend, compiled.metrics.clone(), compiled.loss.ignored()))
    }

    /// Errors when the model's last activation, where it is known, does not give what the loss takes.
    pub(super) fn check_last(&self, last: Option<Activation>) -> Result<()> {
        let loss = &self.compiled()?.loss;
        last.map_or(Ok(()), |last| loss.outputs().check_last(loss.name(), last))
    }

    /// Errors when numbers of a model whose last activation is not known are not what the loss takes them for: once, on a first
    /// batch, as the numbers are read back for it.
    pub(super) fn check_numbers(&self, outcome: &Outcome<B>) -> Result<()> {
        let loss = &self.compiled()?.loss;
        if self.last.is_some() || matches!(loss.outputs().scale(), None | Some(Scale::Logits)) {
            return Ok(());
        }
        let numbers = to_f32(self.backend.download(outcome.predictions.value())?);
        let there = match &outcome.mask {
            Some(mask) => to_f32(self.backend.download(mask.array())?),
            None => Vec::new(),
        };
        let shape = outcome.predictions.shape();
        let outputs = if shape.rank() < 2 { 1 } else { shape.last().max(1) };
        let rows = numbers.chunks_exact(outputs).enumerate().filter(|(row, _)| there.get(*row) != Some(&0.0));
        loss.outputs().check_numbers(loss.name(), rows.map(|(_, row)| row))
    }

    /// Checks that data fits the model and its loss before any work is done.
    pub(super) fn check_data(&self, place: &str, data: &Dataset) -> Result<()> {
        let compiled = self.compiled()?;
        compiled.check()?;
        self.check_last(self.last)?;
        if data.is_empty() {
            return Err(no_samples(place));
        }
        self.input.check_inputs(place, data.inputs())?;
        if let Ok(outputs) = self.output.features() {
            // A single output tells two classes apart.
            let classes = data.targets().check_classes(outputs.max(2), compiled.loss.ignored());
            classes.map_err(|e| e.at(place))?;
        }
        Ok(())
    }
}

fn no_samples(place: &str) -> Error {
    Error::invalid(place, "at least one sample", "none")
}
