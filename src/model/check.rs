//! What is found wrong before the first batch, or by a look at it: data and a last activation that do not go with the loss.

use super::evaluate::no_samples;
use super::outcome::{Scored, StepOutcome};
use super::tally::to_f32;
use super::{Model, Objective};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::data::{Dataset, Inputs, Targets};
use crate::error::{Error, Result};
use crate::layers::{Last, Spec};
use crate::loss::{Loss, Outputs, Scale};

impl<B: Backend> Model<B> {
    /// What the model's numbers are, or those of an output by name, by the loss: probabilities, logits, one class a row or several
    /// labels. Where it is not compiled by the last activation; `None` where that leaves open what they are.
    pub(super) fn read_as(&self, output: Option<&str>) -> Option<Outputs> {
        let objectives = self.compiled.as_ref().map_or(&[][..], |compiled| &compiled.objectives);
        let objective = objectives.iter().find(|objective| objective.output.as_deref() == output);
        match (objective.map(|objective| objective.loss.outputs()), self.last.part(output).known()) {
            // A softmax shares out one class among the outputs, also where the loss looks at each.
            (Some(Outputs::Labels(Scale::Probabilities)) | None, Some(Activation::Softmax)) => {
                Some(Outputs::Class(Scale::Probabilities))
            }
            (None, Some(Activation::LogSoftmax)) => Some(Outputs::Class(Scale::LogProbabilities)),
            (None, Some(last)) if last.is_sigmoid() => Some(Outputs::Labels(Scale::Probabilities)),
            (compiled, _) => compiled,
        }
    }

    /// What the numbers of an output, or of the only one, are whose last activation is not known: by the loss, if it is compiled.
    pub(crate) fn scale(&self, output: Option<&str>) -> Option<Scale> {
        let mut objectives = self.compiled.iter().flat_map(|compiled| &compiled.objectives);
        objectives.find(|objective| objective.output.as_deref() == output)?.loss.outputs().scale()
    }

    /// The last activation of an output, or of the only one, where it is known.
    pub(crate) fn last(&self, output: Option<&str>) -> Option<Activation> {
        self.last.part(output).known()
    }

    /// Errors when numbers of a model whose last activation is not known are not what the loss takes them for: once, on a first
    /// batch, as the numbers are read back for it.
    pub(crate) fn check_numbers(&self, outcome: &StepOutcome<B>) -> Result<()> {
        for (objective, scored) in self.compiled()?.objectives.iter().zip(&outcome.scored) {
            self.check_numbers_of(objective, scored).map_err(|e| objective.at(e))?;
        }
        Ok(())
    }

    fn check_numbers_of(&self, objective: &Objective<B>, scored: &Scored<B>) -> Result<()> {
        let loss = &objective.loss;
        let known = *self.last.part(objective.output.as_deref()) != Last::Unknown;
        if known || matches!(loss.outputs().scale(), None | Some(Scale::Logits)) {
            return Ok(());
        }
        let numbers = to_f32(self.backend.download(scored.predictions.value())?);
        let there = match &scored.mask {
            Some(mask) => to_f32(self.backend.download(mask.array())?),
            None => Vec::new(),
        };
        let shape = scored.predictions.shape();
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
        for objective in &self.compiled()?.objectives {
            let weights = objective.output.as_deref().and_then(|output| data.weights_of(output));
            if weights.is_some_and(|weights| weights.iter().all(|&weight| weight == 0.0)) {
                return Err(objective.at(Error::invalid(place, "a sample weight above 0", "weights that are all 0")));
            }
            let targets = data.targets().part(objective.output.as_deref());
            let labels = targets.and_then(Targets::labels).unwrap_or_default();
            let ignored = objective.loss.ignored();
            if let Some(class) = ignored.filter(|class| !labels.is_empty() && labels.iter().all(|label| label == class))
            {
                let found = format!("class {class}, which is ignored, throughout");
                return Err(objective.at(Error::invalid(place, "a target that counts", found)));
            }
        }
        Ok(())
    }

    /// Checks that the model is compiled, with options in range and a loss that goes with its last activation.
    pub(crate) fn check_ready(&self) -> Result<()> {
        let compiled = self.compiled()?;
        compiled.check()?;
        if compiled.objectives.is_empty() {
            return Err(Error::invalid("model", "an objective to be trained for", "none"));
        }
        for objective in &compiled.objectives {
            let output = objective.output.as_deref();
            if self.output.part(output).is_none() || (output.is_none() && matches!(self.output, Spec::Record(_))) {
                let expected =
                    format!("objectives for outputs of the model, {}, by name (`compile_outputs`)", self.output);
                let found = output.map_or("a single loss".to_string(), |output| format!("one for `{output}`"));
                return Err(Error::invalid("compile", expected, found));
            }
            objective.check_last(self.last.part(output)).map_err(|e| objective.at(e))?;
        }
        Ok(())
    }

    /// Checks that inputs are all parts of the model's input but one.
    pub(crate) fn check_context(&self, but: &str, inputs: &Inputs) -> Result<()> {
        let others = self.input.parts()?.iter().filter(|(name, _)| *name != but);
        Spec::record(others.map(|(name, spec)| (name, spec.clone())))?.check_inputs("context", inputs)?;
        let Inputs::Record(parts) = inputs else { return Ok(()) };
        for (name, rows) in self.indices_below.iter().filter(|(name, _)| *name != but) {
            let part = parts.part(name)?;
            part.check_indices(*rows).map_err(|e| e.at(format!("context, part `{name}`")))?;
        }
        Ok(())
    }

    /// Checks that indices are below what the tables of the model hold.
    pub(super) fn check_indices(&self, place: &str, inputs: &Inputs) -> Result<()> {
        for (part, &rows) in &self.indices_below {
            let found = match inputs {
                Inputs::Record(parts) => {
                    parts.part(part)?.check_indices(rows).map_err(|e| e.at(format!("part `{part}`")))
                }
                whole => whole.check_indices(rows),
            };
            found.map_err(|error| error.at(place))?;
        }
        Ok(())
    }

    /// Checks that samples, all that there are or those of a batch, fit the model and its loss.
    pub(crate) fn check_samples(&self, place: &str, data: &Dataset) -> Result<()> {
        self.input.check_inputs(place, data.inputs())?;
        self.check_indices(place, data.inputs())?;
        let compiled = self.compiled()?;
        if let Targets::Record(parts) = data.targets() {
            let asked = |name: &str| compiled.objectives.iter().any(|of| of.output.as_deref() == Some(name));
            if let Some(name) = parts.names().find(|name| !asked(name)) {
                let expected = "targets of outputs that are trained (`compile_outputs`)";
                return Err(Error::invalid(place, expected, format!("some of `{name}`")));
            }
        }
        compiled.objectives.iter().try_for_each(|objective| {
            self.check_targets(objective, data).map_err(|error| objective.at(error).at(place))
        })
    }

    /// Checks the targets of an objective.
    fn check_targets(&self, objective: &Objective<B>, data: &Dataset) -> Result<()> {
        let output = objective.output.as_deref();
        let Some(targets) = data.targets().part(output).filter(|targets| !matches!(targets, Targets::Record(_))) else {
            let expected =
                if output.is_some() { "targets of this output, by its name" } else { "the targets of one output" };
            return Err(Error::invalid("targets", expected, data.targets().kind()));
        };
        let spec = self.output.part(output);
        let by_steps = match spec {
            Some(Spec::Dense(sizes)) => match sizes[..] {
                [_, None] => true,
                [Some(steps), Some(classes)] => classes % (steps + 1) == 0,
                _ => false,
            },
            _ => false,
        };
        if by_steps {
            self.check_steps_classes(output, targets, objective.loss.ignored())?;
        }
        let Some(Ok(outputs)) = spec.map(Spec::features) else { return Ok(()) };
        match targets.labels() {
            Some(labels) => {
                let ignored = objective.loss.ignored();
                // A single output tells two classes apart.
                let classes = targets.check_classes(outputs.max(2), ignored);
                classes.map_err(|error| hinted(error, outputs, labels, ignored))
            }
            None => check_rows(&*objective.loss, (data, output, targets), outputs),
        }
    }

    /// Checks the classes of steps where how many there are depends, or may depend, on how long the sequence is.
    fn check_steps_classes(&self, output: Option<&str>, targets: &Targets, ignored: Option<u32>) -> Result<()> {
        let rows: Box<dyn Iterator<Item = &[u32]>> = match targets {
            Targets::RaggedClasses(rows) => Box::new(rows.rows()),
            // One a sample is none of a step.
            Targets::Classes { labels, per_sample } if *per_sample > 1 => Box::new(labels.chunks_exact(*per_sample)),
            _ => return Ok(()),
        };
        for (sample, row) in rows.enumerate() {
            for (step, &class) in row.iter().enumerate().filter(|&(_, &class)| Some(class) != ignored) {
                self.root.check_class(output, class, step, row.len()).map_err(|expected| {
                    Error::invalid(format!("targets, sample {sample}, step {step}"), expected, format!("class {class}"))
                })?;
            }
        }
        Ok(())
    }
}

impl<B: Backend> Objective<B> {
    /// Errors when the last activation, where it is known, does not give what the loss takes.
    pub(super) fn check_last(&self, last: &Last) -> Result<()> {
        match (last, self.loss.of_chains()) {
            (Last::Path, Some(_)) | (Last::Unknown | Last::Record(_), _) => Ok(()),
            (Last::Known(last), None) => self.loss.outputs().check_last(self.loss.name(), *last),
            (Last::Path, None) => {
                let expected = "a loss of the scores of paths (`CrfLoss`), as the model ends in a `Crf`";
                Err(Error::invalid("loss", expected, self.loss.name()))
            }
            (Last::Known(last), Some(_)) => {
                let expected = "the scores of paths, so a model that ends in a `Crf`";
                Err(Error::invalid(self.loss.name(), expected, format!("a model that ends in {last}")))
            }
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
fn check_rows<B: Backend>(
    loss: &dyn Loss<B>,
    (data, output, targets): (&Dataset, Option<&str>, &Targets),
    outputs: usize,
) -> Result<()> {
    let (numbers, shape) = match targets {
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
    let weights = data.all_weights(output);
    for (number, row) in numbers.chunks_exact(outputs).enumerate() {
        let Err(error) = loss.check_row(row) else { continue };
        let (sample, step) = (number / steps, number % steps);
        let at = |weights: &[f32]| if weights.len() == data.len() { weights[sample] } else { weights[number] };
        let weightless = weights.as_deref().is_some_and(|weights| at(weights) == 0.0);
        let masked = mask.is_some_and(|mask| !mask[number]);
        let padding = steps > 1 && row.iter().all(|&target| target == 0.0);
        if !(weightless || masked || padding) {
            let step = if steps > 1 { format!(", step {step}") } else { String::new() };
            return Err(error.at(format!("targets, sample {sample}{step}")));
        }
    }
    Ok(())
}
