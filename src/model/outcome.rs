//! [`StepOutcome`]: what a batch gives, the losses of all objectives and what they were taken of.

use super::update_counts::UpdateCounts;
use super::{Batch, Model, Objective};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::{Last, Mask, Pass, Value};
use crate::loss::{self, Count, Loss};
use crate::optim::Verdict;
use crate::param::ParamId;
use crate::tensor::Tensor;

/// What a batch gave, all of it on the device.
pub(crate) struct StepOutcome<B: Backend> {
    /// The losses of all objectives by their weights, and the penalties.
    pub(crate) loss: Tensor<B>,
    /// What each objective gave, in their order; there is at least one.
    pub(super) scored: Vec<Scored<B>>,
    /// Whether the gradients were finite, so that it counts.
    pub(super) verdict: Verdict<B>,
    /// What backward starts from, where it is not the loss: the batch's share in an update of several, times their number.
    pub(super) share: Option<Tensor<B>>,
}

/// What an objective gave.
pub(super) struct Scored<B: Backend> {
    /// Its mean loss.
    pub(super) loss: Tensor<B>,
    /// What the mean is over.
    pub(super) count: Count<B>,
    pub(super) predictions: Tensor<B>,
    /// The steps that count, where there is an output at every step.
    pub(super) mask: Option<Mask<B>>,
}

impl<B: Backend> StepOutcome<B> {
    /// What the loss is a mean over, where several batches make one update. Errors where several objectives are means over different
    /// numbers of rows, so that none of them stands for all.
    pub(super) fn count(&self) -> Result<Count<B>> {
        let first = &self.scored[0].count;
        for other in &self.scored[1..] {
            match (first, &other.count) {
                (Count::Known(one), Count::Known(other)) if one == other => {}
                _ => {
                    let expected = "outputs whose losses are means over as many rows each where batches are accumulated one by one \
                                    (`fit` counts them before)";
                    return Err(Error::invalid(
                        "accumulate",
                        expected,
                        "a class that is ignored, a mask, or steps in one of them",
                    ));
                }
            }
        }
        Ok(first.clone())
    }
}

impl<B: Backend> Model<B> {
    /// What a batch gives in a pass.
    pub(crate) fn outcome(&self, batch: &Batch<B>, pass: &mut Pass<'_, B>) -> Result<StepOutcome<B>> {
        self.outcome_in(batch, None, pass)
    }

    /// The same of a batch within an update of several, where its losses are divided by what that counts in all.
    pub(super) fn outcome_in(
        &self,
        batch: &Batch<B>,
        update: Option<&UpdateCounts<B>>,
        pass: &mut Pass<'_, B>,
    ) -> Result<StepOutcome<B>> {
        let compiled = self.compiled()?;
        self.input.check_value("model input", &batch.input, &self.backend)?;
        let (z, last) = self.root.forward_linear(batch.input.clone(), pass)?;
        let mut scored = Vec::with_capacity(compiled.objectives.len());
        let (mut sum, mut share) = (None, None);
        let add = |to: &mut Option<Tensor<B>>, weighed: Tensor<B>| -> Result<()> {
            *to = Some(match to.take() {
                Some(sum) => weighed.add(&sum)?,
                None => weighed,
            });
            Ok(())
        };
        for (number, objective) in compiled.objectives.iter().enumerate() {
            let of = self.scored(objective, (&z, &last), batch, pass).map_err(|e| objective.at(e))?;
            let weighed =
                if objective.weight == 1.0 { of.loss.clone() } else { of.loss.affine(objective.weight, 0.0)? };
            if let Some(update) = update {
                add(&mut share, update.share_of(number, &weighed, &of.count)?)?;
            }
            add(&mut sum, weighed)?;
            scored.push(Scored { loss: of.loss.detach(), ..of });
        }
        let sum = sum.ok_or_else(|| Error::invalid("model", "an objective to be trained for", "none"))?;
        let share = share.map(|share| self.with_penalties(share, pass)).transpose()?;
        Ok(StepOutcome { loss: self.with_penalties(sum, pass)?, scored, verdict: Verdict::Finite, share })
    }

    /// The loss of one objective, in whatever form is stable, and what it was taken of.
    fn scored(
        &self,
        objective: &Objective<B>,
        (z, last): (&Value<B>, &Last),
        batch: &Batch<B>,
        pass: &Pass<'_, B>,
    ) -> Result<Scored<B>> {
        let output = objective.output.as_deref();
        let (Some(z), Some(target)) = (z.part(output), batch.target.part(output)) else {
            let expected = "an output and targets of this name (`compile_outputs` names those of a record)";
            return Err(Error::invalid("objective", expected, format!("the output {}", self.output)));
        };
        let weights = batch.weights.as_ref().and_then(|weights| weights.of(objective.output.as_deref()));
        let (z, mask) = z.clone().split();
        if let Value::Chain(chain) = z {
            let (loss, count) = loss::counted_mean_of_chains(&*objective.loss, &chain, target, weights, mask.as_ref())?;
            return Ok(Scored { loss, count, predictions: chain.path(mask.as_ref())?, mask });
        }
        let last = last.part(output).known();
        let known = last.filter(|&last| last != Activation::Linear).map_or(self.last.part(output).clone(), Last::Known);
        objective.check_last(&known)?;
        let last = last.unwrap_or_default();
        let z = z.tensor(pass)?;
        let mean = |loss: &dyn Loss<B>, y| loss::counted_mean(loss, y, target, weights, mask.as_ref());
        let ((loss, count), predictions) = match objective.loss.before(last) {
            Some(stable) => (mean(&*stable, &z)?, z.detach().activate(last)?),
            None => {
                let y = z.activate(last)?;
                (mean(&*objective.loss, &y)?, y.detach())
            }
        };
        Ok(Scored { loss, count, predictions, mask })
    }

    /// Adds the penalties of the weights that are trained: those of frozen ones do not count, as in Keras.
    fn with_penalties(&self, mut loss: Tensor<B>, pass: &Pass<'_, B>) -> Result<Tensor<B>> {
        for (i, param) in self.params.iter().enumerate().filter(|(_, param)| param.is_trainable()) {
            if let Some(regularizer) = param.regularizer() {
                loss = loss.add(&regularizer.penalty(&pass.param(ParamId::new(i)))?)?;
            }
        }
        Ok(loss)
    }
}
