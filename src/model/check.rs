//! What is found wrong before the first batch, or by a look at it: data and a last activation that do not go with the loss.

use super::Model;
use super::evaluate::no_samples;
use super::step::StepOutcome;
use super::tally::to_f32;
use crate::activation::Activation;
use crate::backend::Backend;
use crate::data::{Dataset, Inputs, Targets};
use crate::error::{Error, Result};
use crate::loss::{Loss, Outputs, Scale};

impl<B: Backend> Model<B> {
    /// What the model's numbers are, by the loss: probabilities, logits, one class a row or several labels. Of a model that is
    /// not compiled by its last activation; `None` where that leaves open what they are.
    pub(super) fn read_as(&self) -> Option<Outputs> {
        let compiled = self.compiled.as_ref().map(|compiled| compiled.loss.outputs());
        match (compiled, self.last) {
            // A softmax shares out one class among the outputs, also where the loss looks at each.
            (Some(Outputs::Labels(Scale::Probabilities)) | None, Some(Activation::Softmax)) => {
                Some(Outputs::Class(Scale::Probabilities))
            }
            (None, Some(Activation::LogSoftmax)) => Some(Outputs::Class(Scale::LogProbabilities)),
            (None, Some(last)) if last.is_sigmoid() => Some(Outputs::Labels(Scale::Probabilities)),
            (compiled, _) => compiled,
        }
    }

    /// What the numbers of a model are whose last activation is not known: by the loss, if it is compiled.
    pub(crate) fn scale(&self) -> Option<Scale> {
        self.compiled.as_ref().and_then(|compiled| compiled.loss.outputs().scale())
    }

    /// The last activation, where it is known.
    pub(crate) fn last(&self) -> Option<Activation> {
        self.last
    }

    /// Errors when the model's last activation, where it is known, does not give what the loss takes.
    pub(super) fn check_last(&self, last: Option<Activation>) -> Result<()> {
        let loss = &self.compiled()?.loss;
        last.map_or(Ok(()), |last| loss.outputs().check_last(loss.name(), last))
    }

    /// Errors when numbers of a model whose last activation is not known are not what the loss takes them for: once, on a first
    /// batch, as the numbers are read back for it.
    pub(crate) fn check_numbers(&self, outcome: &StepOutcome<B>) -> Result<()> {
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

    /// The path of a layer that carries state from batch to batch, where there is one.
    pub(crate) fn stateful(&self) -> Option<&str> {
        self.stateful.as_deref()
    }

    /// Errors when a layer carries state from batch to batch and the batches are not all of one size.
    pub(crate) fn check_streams(&self, place: &str, samples: usize, batch_size: usize) -> Result<()> {
        match self.stateful() {
            Some(path) if batch_size > 0 && samples > batch_size && !samples.is_multiple_of(batch_size) => {
                let expected = format!(
                    "batches of one size, as sequences go on from batch to batch (layer `{path}` is stateful): \
                     a multiple of {batch_size} samples"
                );
                Err(Error::invalid(place, expected, samples))
            }
            _ => Ok(()),
        }
    }

    /// Checks that a whole data set fits the model and its loss before any work is done.
    pub(crate) fn check_data(&self, place: &str, data: &Dataset) -> Result<()> {
        self.check_ready()?;
        if data.is_empty() {
            return Err(no_samples(place));
        }
        if data.weights().is_some_and(|weights| weights.iter().all(|&weight| weight == 0.0)) {
            return Err(Error::invalid(place, "a sample weight above 0", "weights that are all 0"));
        }
        self.check_samples(place, data)?;
        let ignored = self.compiled()?.loss.ignored();
        let labels = data.targets().labels().unwrap_or_default();
        match ignored.filter(|class| !labels.is_empty() && labels.iter().all(|label| label == class)) {
            None => Ok(()),
            Some(class) => {
                let found = format!("class {class}, which is ignored, throughout");
                Err(Error::invalid(place, "a target that counts", found))
            }
        }
    }

    /// Checks that the model is compiled, with options in range and a loss that goes with its last activation.
    pub(crate) fn check_ready(&self) -> Result<()> {
        self.compiled()?.check()?;
        self.check_last(self.last)
    }

    /// Checks that samples, all that there are or those of a batch, fit the model and its loss.
    pub(crate) fn check_samples(&self, place: &str, data: &Dataset) -> Result<()> {
        self.input.check_inputs(place, data.inputs())?;
        if let Some(rows) = self.indices_below {
            data.inputs().check_indices(rows).map_err(|error| error.at(place))?;
        }
        let compiled = self.compiled()?;
        let Ok(outputs) = self.output.features() else { return Ok(()) };
        match data.targets().labels() {
            Some(labels) => {
                let ignored = compiled.loss.ignored();
                // A single output tells two classes apart.
                let classes = data.targets().check_classes(outputs.max(2), ignored);
                classes.map_err(|error| hinted(error, outputs, labels, ignored).at(place))
            }
            None => check_rows(&*compiled.loss, data, outputs).map_err(|error| error.at(place)),
        }
    }
}

/// Says what to do about a label out of range, where the labels show what was meant.
fn hinted(error: Error, outputs: usize, labels: &[u32], ignored: Option<u32>) -> Error {
    let counting = || labels.iter().filter(|&&label| Some(label) != ignored);
    let from_one = counting().all(|&label| 1 <= label && label as usize <= outputs.max(2));
    match error {
        Error::Invalid { place, expected, found } if from_one => {
            let expected = format!("{expected} (classes are numbered from 0: subtract 1)");
            Error::Invalid { place, expected, found }
        }
        Error::Invalid { place, expected, found } if outputs == 1 => {
            let expected = format!("{expected}, as there is a single output (map the two classes to 0 and 1)");
            Error::Invalid { place, expected, found }
        }
        other => other,
    }
}

/// Checks every row of targets that are numbers. Samples of weight 0, steps that the inputs' own mask leaves out and steps
/// whose targets are all 0 (padding) are passed over.
fn check_rows<B: Backend>(loss: &dyn Loss<B>, data: &Dataset, outputs: usize) -> Result<()> {
    let (numbers, shape) = match data.targets() {
        Targets::Values { data, shape } => (data, shape),
        Targets::RaggedValues(rows) if rows.width() == outputs => {
            for (sample, own) in rows.rows().enumerate() {
                for (step, row) in own.chunks_exact(outputs).enumerate() {
                    loss.check_row(row).map_err(|error| error.at(format!("targets, sample {sample}, step {step}")))?;
                }
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    // Other shapes are told, or stretched, by the loss itself.
    if outputs > 1 && shape.last() != Some(&outputs) {
        return Ok(());
    }
    let steps = shape.iter().product::<usize>() / outputs;
    let mask = match data.inputs() {
        Inputs::Masked { mask, .. } if steps > 1 && mask.len() == data.len() * steps => Some(mask),
        _ => None,
    };
    for (number, row) in numbers.chunks_exact(outputs).enumerate() {
        let Err(error) = loss.check_row(row) else { continue };
        let (sample, step) = (number / steps, number % steps);
        let at = |weights: &[f32]| if weights.len() == data.len() { weights[sample] } else { weights[number] };
        let weightless = data.weights().is_some_and(|weights| at(weights) == 0.0);
        let masked = mask.is_some_and(|mask| !mask[number]);
        let padding = steps > 1 && row.iter().all(|&target| target == 0.0);
        if !(weightless || masked || padding) {
            let step = if steps > 1 { format!(", step {step}") } else { String::new() };
            return Err(error.at(format!("targets, sample {sample}{step}")));
        }
    }
    Ok(())
}
