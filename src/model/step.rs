//! A batch through the model: its value, its loss, a step of training.

use super::compile::not_compiled;
use super::{Batch, Model};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::{Mask, Mode, Pass, Value};
use crate::loss::{self, Count, Loss};
use crate::optim::Verdict;
use crate::param::ParamId;
use crate::random::Key;
use crate::tensor::Tensor;
use std::sync::PoisonError;

/// What a batch gave, all of it on the device.
pub(crate) struct Outcome<B: Backend> {
    pub(crate) loss: Tensor<B>,
    /// What its mean is over.
    pub(super) count: Count<B>,
    pub(super) predictions: Tensor<B>,
    /// The steps that count, where there is an output at every step.
    pub(super) mask: Option<Mask<B>>,
    /// Whether the gradients were finite, so that it counts.
    pub(super) verdict: Verdict<B>,
}

impl<B: Backend> Model<B> {
    /// The model's value for a batch. Errors when the input is not of the model's kind and shape.
    pub fn forward(&self, input: impl Into<Value<B>>, mode: Mode) -> Result<Tensor<B>> {
        let input = input.into();
        self.input.check_value("model input", &input, &self.backend)?;
        let mut pass = Pass::new(&self.backend, &self.params, mode);
        let y = self.root.forward(input, &mut pass)?.split().0.tensor(&pass)?;
        self.keep(pass);
        Ok(y)
    }

    /// Keeps what a pass made of the layers' own state until the parameters can be changed.
    fn keep(&self, pass: Pass<'_, B>) {
        let states = pass.into_states();
        if !states.is_empty() {
            *self.states.lock().unwrap_or_else(PoisonError::into_inner) = states;
        }
    }

    /// Forgets what stateful layers carry from batch to batch: the next sequences begin anew.
    pub fn reset_states(&mut self) {
        self.root.reset_state();
    }

    /// The loss of a batch with the weights' penalties (a scalar to take `backward` of), and the model's predictions,
    /// cut off from the tape. Where the loss has a stable form on what feeds the last activation, that form is used.
    pub fn loss(&self, batch: &Batch<B>, mode: Mode) -> Result<(Tensor<B>, Tensor<B>)> {
        let outcome = self.outcome(batch, Pass::new(&self.backend, &self.params, mode))?;
        Ok((outcome.loss, outcome.predictions))
    }

    pub(crate) fn outcome(&self, batch: &Batch<B>, mut pass: Pass<'_, B>) -> Result<Outcome<B>> {
        let compiled = self.compiled()?;
        self.input.check_value("model input", &batch.input, &self.backend)?;
        let (z, last) = self.root.forward_linear(batch.input.clone(), &mut pass)?;
        self.check_last(Some(last).filter(|&last| last != Activation::Linear).or(self.last))?;
        let (z, mask) = z.split();
        let z = z.tensor(&pass)?;
        let weights = batch.weights.as_deref();
        let mean = |loss: &dyn Loss<B>, y| loss::counted_mean(loss, y, &batch.target, weights, mask.as_ref());
        let ((loss, count), predictions) = match compiled.loss.before(last) {
            Some(stable) => (mean(&*stable, &z)?, z.detach().activate(last)?),
            None => {
                let y = z.activate(last)?;
                (mean(&*compiled.loss, &y)?, y.detach())
            }
        };
        let loss = self.with_penalties(loss, &pass)?;
        self.keep(pass);
        Ok(Outcome { loss, count, predictions, mask, verdict: Verdict::Finite })
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

    /// One training step on a batch: forward, backward, update. Returns the loss before the update and the predictions,
    /// both still on the device: reading them waits for it. After an error the model is as it was; see
    /// [`Optimizer::step`] for gradients that are not finite, of which a device tells later.
    pub fn train_step(&mut self, batch: &Batch<B>) -> Result<(Tensor<B>, Tensor<B>)> {
        self.step(batch).map(|outcome| (outcome.loss, outcome.predictions))
    }

    pub(crate) fn step(&mut self, batch: &Batch<B>) -> Result<Outcome<B>> {
        let calls = self.calls();
        let result = self.try_step(batch);
        if result.is_err() {
            self.go_back(calls);
        }
        result
    }

    fn try_step(&mut self, batch: &Batch<B>) -> Result<Outcome<B>> {
        let key = Key::new(self.seed).named("dropout").fold(self.steps);
        let outcome = self.outcome(batch, Pass::new(&self.backend, &self.params, Mode::Training(key)))?;
        // Of several batches that make one update the sums are added up, and divided by the count of all.
        let accumulates = self.compiled()?.optimizer.accumulates();
        let sum = accumulates.then(|| outcome.count.sum_of(&outcome.loss)).transpose()?;
        let gradients = sum.as_ref().unwrap_or(&outcome.loss).backward().map_err(|error| match error {
            // Nothing that is trained took part at all.
            Error::Constant => Error::MissingGradient {
                names: self.params.iter().filter(|p| p.is_trainable()).map(|p| p.name().to_string()).collect(),
            },
            other => other,
        })?;
        let compiled = self.compiled.as_mut().ok_or_else(not_compiled)?;
        let call = compiled.optimizer.call(&mut self.params, gradients, outcome.count.clone())?;
        self.put_states_of(&call.verdict)?;
        self.steps += 1;
        Ok(Outcome { loss: outcome.loss.detach(), verdict: call.verdict, ..outcome })
    }

    /// [`Optimizer::finish`] with the model's parameters: an update from the batches of an accumulation that is not complete.
    pub(crate) fn finish_update(&mut self) -> Result<()> {
        let compiled = self.compiled.as_mut().ok_or_else(not_compiled)?;
        compiled.optimizer.finish(&mut self.params).map(drop)
    }

    /// Drops gradients that were accumulated and made no update.
    pub(crate) fn forget_accumulated(&mut self) {
        if let Some(compiled) = &mut self.compiled {
            compiled.optimizer.forget_accumulated();
        }
    }

    /// Puts the layers' own state, unless gradients were not finite: a NaN in a batch is one in its running statistics too.
    fn put_states_of(&mut self, verdict: &Verdict<B>) -> Result<()> {
        let states = self.states.get_mut().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Verdict::Finite => {}
            Verdict::NotFinite => states.clear(),
            Verdict::Unread(when) => {
                for (id, new) in states.iter_mut() {
                    *new = self.backend.select(when, new, self.params[id.index()].tensor().value())?;
                }
            }
        }
        self.put_states();
        Ok(())
    }

    /// Calls of the optimiser so far.
    fn calls(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.optimizer.calls())
    }

    /// After an error, where there were so many calls before: forgets what the step made of the layers' own state, and the steps
    /// that a device has held back.
    fn go_back(&mut self, calls: u64) {
        self.states.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        self.steps = self.steps.saturating_sub(calls.saturating_sub(self.calls()));
    }

    /// [`Optimizer::settle`] of a model's optimiser.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let calls = self.calls();
        let Some(compiled) = &mut self.compiled else { return Ok(()) };
        let result = compiled.optimizer.settle();
        if result.is_err() {
            self.go_back(calls);
        }
        result
    }
}
