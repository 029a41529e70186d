//! `evaluate` and `predict`: in mini-batches, nothing recorded, dropout off (L9).

use super::tally::{Tally, to_f32};
use super::{Batch, Model, batch};
use crate::backend::Backend;
use crate::data::{Batches, Dataset, Inputs};
use crate::error::Result;
use crate::layers::Mode;
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

    /// The class of each sample: the greatest output (the first of equals), or, of a single output, whether it is above 1/2.
    pub fn classes(&self) -> Vec<usize> {
        let class = |row: &[f32]| match *row {
            [p] => usize::from(p > 0.5),
            _ => (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }),
        };
        self.rows().map(class).collect()
    }
}

impl<B: Backend> Model<B> {
    /// Loss and metrics over a data set. Errors when the model is not compiled or the data does not fit.
    pub fn evaluate(&mut self, data: &Dataset, batch_size: usize) -> Result<Evaluation> {
        self.check_data("evaluate", data)?;
        let ignored = self.compiled()?.loss.ignored();
        let mut tally = Tally::new(&mut self.compiled_mut()?.metrics, ignored);
        for rows in &Batches::new(data.len(), batch_size, None)? {
            let batch = Batch::new(&self.backend, data.select(rows)?)?;
            let (loss, predictions) = self.loss(&batch, Mode::Evaluation)?;
            tally.add(batch, loss, predictions, &mut self.compiled_mut()?.metrics)?;
        }
        self.close(tally)
    }

    /// The model's values for inputs. Errors when they do not fit.
    pub fn predict(&self, inputs: &Inputs, batch_size: usize) -> Result<Predictions> {
        self.input.check_inputs("predict", inputs)?;
        let (mut data, mut shape) = (Vec::new(), vec![0]);
        for rows in &Batches::new(inputs.len(), batch_size, None)? {
            let y = self.forward(batch::input(&self.backend, inputs.select(rows)?)?, Mode::Evaluation)?;
            shape.truncate(1);
            shape[0] += rows.len();
            shape.extend_from_slice(&y.shape()[1..]);
            data.extend(to_f32(y.to_vec()?));
        }
        Ok(Predictions { data, shape })
    }

    /// What a tally holds, by name.
    pub(super) fn close(&mut self, mut tally: Tally<B>) -> Result<Evaluation> {
        let metrics = &mut self.compiled_mut()?.metrics;
        tally.flush(metrics)?;
        Ok(tally.values(metrics))
    }

    /// Checks that data fits the model and its loss before any work is done.
    pub(super) fn check_data(&self, place: &str, data: &Dataset) -> Result<()> {
        self.input.check_inputs(place, data.inputs())?;
        let ignored = self.compiled()?.loss.ignored();
        if let Ok(outputs) = self.output.features() {
            // A single output tells two classes apart.
            data.targets().check_classes(outputs.max(2), ignored)?;
        }
        Ok(())
    }
}
