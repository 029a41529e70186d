//! A batch through the model: its value, its loss, a step of training.

use super::compile::not_compiled;
use super::outcome::StepOutcome;
use super::update_counts::UpdateCounts;
use super::{Batch, Model, Objective};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::{Carry, Mode, NewStates, Pass, Value};
use crate::loss::Count;
use crate::optim::Verdict;
use crate::param::ParamId;
use crate::random::Key;
use crate::record::Record;
use crate::tensor::Tensor;

/// What [`Model::loss`] gives. In a training loop of one's own:
///
/// ```no_run
/// # use elman::{Key, Model, layers::Mode, model::{Batch, BatchLoss}, optim::Optimizer};
/// # type B = elman_reference::Reference<f32>;
/// # fn step(model: &mut Model<B>, batch: &Batch<B>, optimizer: &mut Optimizer<B>, step: u64) -> elman::Result<()> {
/// let BatchLoss { loss, states, .. } = model.loss(batch, Mode::Training(Key::new(0).fold(step)))?;
/// optimizer.step(model.params_mut(), loss.backward()?)?;
/// model.keep(states)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "`loss` is to take `backward` of, `states` is for `Model::keep`"]
pub struct BatchLoss<B: Backend> {
    /// The loss with the weights' penalties, a scalar to take `backward` of.
    pub loss: Tensor<B>,
    /// The model's predictions, cut off from the tape.
    pub predictions: Value<B>,
    /// What the loss is a mean over, of several outputs that of the first: for [`Optimizer::step_of`](crate::optim::Optimizer::step_of), where gradients are accumulated.
    pub count: Count<B>,
    /// In training what layers made of their own state: for [`Model::keep`].
    pub states: NewStates<B>,
}

impl<B: Backend> Model<B> {
    /// A pass through the model, for [`Model::run`] and [`Model::run_loss`].
    pub fn pass(&self, mode: Mode) -> Pass<'_, B> {
        Pass::new(&self.backend, &self.params, mode)
    }

    /// The model's value for a batch, with its mask where it has one. What layers make of their own state stays in the pass.
    /// Errors when the input is not of the model's kind and shape.
    ///
    /// A step of training with a loss of one's own; running statistics are kept:
    ///
    /// ```
    /// use elman::layers::{BatchNorm, Mode, Sequential};
    /// use elman::optim::{Optimizer, Sgd};
    /// use elman::{Key, Spec, Tensor};
    /// use elman_reference::Reference;
    ///
    /// let backend = Reference::<f32>::new();
    /// let mut model = Sequential::new().add(BatchNorm::new()).build(&backend, Spec::dense(&[1]), 0)?;
    /// let mut optimizer = Optimizer::new(Sgd::new(0.1));
    /// let mut pass = model.pass(Mode::Training(Key::new(0)));
    /// let y = model.run(Tensor::new(&backend, vec![1.0, 2.0], &[2, 1])?, &mut pass)?.tensor(&pass)?;
    /// let states = pass.into_states();
    /// let gradients = y.square()?.mean()?.backward()?;
    /// optimizer.step(model.params_mut(), gradients)?;
    /// model.keep(states)?;
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn run(&self, input: impl Into<Value<B>>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let input = input.into();
        // What is computed once a sequence needs its parts of the input only at the beginning.
        self.input.check_value_of("model input", &input, &self.backend, !pass.goes_on())?;
        let y = self.root.forward(input, pass)?;
        pass.commit();
        Ok(y)
    }

    /// The model's value in evaluation for sequences that go on where those before ended, which `carry` holds, and that leave there
    /// where they end: sequence `i` goes on sequence `i`. With [`Carry::new`] stateful layers go on, with [`Carry::stepping`] all.
    /// Errors, and the carry is as it was then, when the input does not fit, or is of another number of sequences.
    pub fn forward_carried(&self, input: impl Into<Value<B>>, carry: &mut Carry<B>) -> Result<Tensor<B>> {
        let mut pass = self.pass(Mode::Evaluation).carrying(carry);
        self.run(input, &mut pass)?.split().0.tensor(&pass)
    }

    /// [`Model::forward_carried`] of one output before its last activation, with that activation where the last layer hands it over, else
    /// with the one that the numbers came out of, and whether it is still to be taken. `None` where it is not known.
    pub(crate) fn logits_carried(
        &self,
        input: Value<B>,
        output: Option<&str>,
        carry: &mut Carry<B>,
    ) -> Result<(Tensor<B>, Option<Activation>, bool)> {
        let mut pass = self.pass(Mode::Evaluation).carrying(carry);
        self.input.check_value_of("model input", &input, &self.backend, !pass.goes_on())?;
        let (z, last) = self.root.forward_linear(input, &mut pass)?;
        let z = z.part(output).cloned().ok_or_else(|| Error::invalid("model", "the output by its name", "none"))?;
        let z = z.split().0.tensor(&pass)?;
        pass.commit();
        match last.part(output).known() {
            None | Some(Activation::Linear) => Ok((z, self.last(output), false)),
            last => Ok((z, last, true)),
        }
    }

    /// The model's value for a batch, without a mask. Errors when the input is not of the model's kind and shape; in training, when
    /// layers have made something of their own state, which would be lost here: [`Model::run`] gives it.
    pub fn forward(&self, input: impl Into<Value<B>>, mode: Mode) -> Result<Tensor<B>> {
        let mut pass = self.pass(mode);
        let y = self.run(input, &mut pass)?.split().0.tensor(&pass)?;
        if !pass.into_states().is_empty() {
            let expected = "a pass whose new running statistics are kept (`Model::run`, then `Model::keep`)";
            return Err(Error::invalid("forward", expected, "one in training that drops them"));
        }
        Ok(y)
    }

    /// The loss of a batch with the weights' penalties, and the model's predictions; in training also what layers made of their
    /// own state. Where the loss has a stable form on what feeds the last activation, that form is used.
    pub fn loss(&self, batch: &Batch<B>, mode: Mode) -> Result<BatchLoss<B>> {
        let mut pass = self.pass(mode);
        let outcome = self.outcome(batch, &mut pass)?;
        let (count, predictions) = (outcome.scored[0].count.clone(), self.predicted(&outcome)?);
        Ok(BatchLoss { loss: outcome.loss, predictions, count, states: pass.into_states() })
    }

    /// [`Model::loss`] in a pass of the caller's: the loss, a scalar to take `backward` of, and the predictions, cut off from the
    /// tape. What layers make of their own state stays in the pass.
    pub fn run_loss(&self, batch: &Batch<B>, pass: &mut Pass<'_, B>) -> Result<(Tensor<B>, Value<B>)> {
        let outcome = self.outcome(batch, pass)?;
        pass.commit();
        let predictions = self.predicted(&outcome)?;
        Ok((outcome.loss, predictions))
    }

    /// The predictions of a batch, of several objectives a record.
    fn predicted(&self, outcome: &StepOutcome<B>) -> Result<Value<B>> {
        let objectives = &self.compiled()?.objectives;
        let each = objectives.iter().zip(&outcome.scored);
        match &objectives[..] {
            [Objective { output: None, .. }] => Ok(outcome.scored[0].predictions.clone().into()),
            _ => {
                let named = each.map(|(of, scored)| {
                    (of.output.clone().unwrap_or_default(), Value::from(scored.predictions.clone()))
                });
                Record::new(named).map(Value::Record)
            }
        }
    }

    /// One training step on a batch: forward, backward, update. Returns the loss before the update and the predictions,
    /// both still on the device: reading them waits for it. Every sequence begins anew; see [`Model::train_step_carried`]. After an
    /// error the model is as it was; see
    /// [`Optimizer::step`](crate::optim::Optimizer::step) for gradients that are not finite, of which a device tells later.
    pub fn train_step(&mut self, batch: &Batch<B>) -> Result<(Tensor<B>, Value<B>)> {
        self.train_step_carried(batch, &mut Carry::new())
    }

    /// The same, on sequences that go on where those before ended, which `carry` holds, and that leave there where they end. After an
    /// error it is as it was, as it is where gradients are not finite and the step is skipped.
    pub fn train_step_carried(&mut self, batch: &Batch<B>, carry: &mut Carry<B>) -> Result<(Tensor<B>, Value<B>)> {
        let outcome = self.step(batch, None, carry)?;
        let predictions = self.predicted(&outcome)?;
        Ok((outcome.loss, predictions))
    }

    /// A step on a batch, of an update of several where `update` is given.
    pub(crate) fn step(
        &mut self,
        batch: &Batch<B>,
        update: Option<&UpdateCounts<B>>,
        carry: &mut Carry<B>,
    ) -> Result<StepOutcome<B>> {
        let calls = self.calls();
        let result = self.try_step(batch, update, carry);
        if result.is_err() {
            self.go_back(calls);
        }
        result
    }

    fn try_step(
        &mut self,
        batch: &Batch<B>,
        update: Option<&UpdateCounts<B>>,
        carry: &mut Carry<B>,
    ) -> Result<StepOutcome<B>> {
        let key = Key::new(self.seed).named("dropout").fold(self.steps);
        let mut pass = self.pass(Mode::Training(key)).carrying(carry);
        let outcome = self.outcome_in(batch, update, &mut pass)?;
        let (states, left) = pass.into_parts();
        // Of several batches that make one update the sums are added up, and divided by the count of all.
        let accumulates = self.compiled()?.optimizer.accumulates();
        let (sum, count) = match (&outcome.share, accumulates) {
            // Counted before: each batch has its share in the mean already, and they are divided by their number.
            (Some(share), _) => (Some(share.clone()), Count::Known(1.0)),
            (None, true) => {
                let count = outcome.count()?;
                (Some(count.sum_of(&outcome.loss)?), count)
            }
            // A single batch is its own mean, whatever it is over.
            (None, false) => (None, outcome.scored[0].count.clone()),
        };
        let gradients = sum.as_ref().unwrap_or(&outcome.loss).backward().map_err(|error| match error {
            // Nothing that is trained took part at all.
            Error::Constant => Error::MissingGradient {
                names: self.params.iter().filter(|p| p.is_trainable()).map(|p| p.name().to_string()).collect(),
            },
            other => other,
        })?;
        let compiled = self.compiled.as_mut().ok_or_else(not_compiled)?;
        let call = compiled.optimizer.call(&mut self.params, gradients, count)?;
        self.keep_unless(states, &call.verdict)?;
        match &call.verdict {
            Verdict::Finite => carry.put(left),
            Verdict::NotFinite => {}
            Verdict::Unread(when) => carry.put(left.when(&self.backend, when, carry)?),
        }
        self.steps += 1;
        Ok(StepOutcome { loss: outcome.loss.detach(), verdict: call.verdict, share: None, ..outcome })
    }

    /// Makes an update of the batches that [`Model::train_step`] has accumulated, if there are any, though they are fewer than
    /// [`Optimizer::accumulate`](crate::optim::Optimizer::accumulate) says: at the end of an epoch of a loop of one's own, as `fit` does.
    /// `false` where there was nothing, or the update was skipped. Errors as [`Model::train_step`].
    pub fn finish_update(&mut self) -> Result<bool> {
        let compiled = self.compiled.as_mut().ok_or_else(not_compiled)?;
        compiled.optimizer.finish(&mut self.params)
    }

    /// Drops gradients that were accumulated and made no update.
    pub(crate) fn forget_accumulated(&mut self) {
        if let Some(compiled) = &mut self.compiled {
            compiled.optimizer.forget_accumulated();
        }
    }

    /// Keeps the layers' own state, unless gradients were not finite: a NaN in a batch is one in its running statistics too.
    fn keep_unless(&mut self, states: NewStates<B>, verdict: &Verdict<B>) -> Result<()> {
        match verdict {
            Verdict::Finite => self.keep(states),
            Verdict::NotFinite => Ok(()),
            Verdict::Unread(when) => {
                let old = |id: ParamId| self.params[id.index()].tensor().value();
                let states = states.try_map(|id, new| self.backend.select(when, &new, old(id)))?;
                self.keep(states)
            }
        }
    }

    /// Calls of the optimiser so far.
    fn calls(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.optimizer.calls())
    }

    /// After an error, where there were so many calls before: forgets the steps that a device has held back.
    fn go_back(&mut self, calls: u64) {
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
