//! `evaluate` and `predict`: in mini-batches, nothing recorded, dropout off (L9).

use super::tally::{NUMBERS, Tally, to_f32, together};
use super::{Batch, Model, Predictions, batch};
use crate::backend::Backend;
use crate::data::{Batches, Dataset, Inputs};
use crate::error::{Error, Result};
use crate::layers::{Carry, Mode};
use std::fmt;

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
    /// Loss and metrics over a data set. Where a layer is stateful, sequences go on from batch to batch within this call. Errors when
    /// the model is not compiled or the data does not fit.
    pub fn evaluate(&self, data: &Dataset, batch_size: usize) -> Result<Evaluation> {
        self.check_data("evaluation data", data)?;
        self.check_streams("evaluation data", data.len(), batch_size)?;
        let mut carry = Carry::new();
        let mut tally = self.tally()?;
        for rows in &Batches::new(data.len(), batch_size, None)? {
            let part = data.select(rows)?;
            let targets = tally.targets(part.targets());
            let mut pass = self.pass(Mode::Evaluation).carrying(&mut carry);
            let outcome = self.outcome(&Batch::new(&self.backend, part)?, &mut pass)?;
            pass.commit();
            if tally.samples() == 0 {
                self.check_numbers(&outcome)?;
            }
            tally.add(rows.len(), outcome, targets)?;
        }
        tally.close()
    }

    /// The model's values for inputs. Every sequence begins anew, in a stateful layer too; see [`Model::forward_carried`] for those
    /// that go on. Errors when they do not fit.
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
        Ok(Predictions::new(data, shape, self.read_as()))
    }

    /// A tally with the model's metrics.
    pub(crate) fn tally(&self) -> Result<Tally<B>> {
        let compiled = self.compiled()?;
        Ok(Tally::new(
            &self.backend,
            compiled.metrics.clone(),
            compiled.loss.ignored(),
            self.read_as().unwrap_or_default(),
        ))
    }
}

pub(super) fn no_samples(place: &str) -> Error {
    Error::invalid(place, "at least one sample", "none")
}
