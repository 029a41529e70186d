//! [`WeightAverage`]: running averages of the weights in the course of training, and a model that ends with them.

use super::Callback;
use crate::backend::{Backend, Update, WeightStep, Zip};
use crate::checkpoint::CallbackState;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::tensor::Tensor;
use crate::training::{EpochLog, History};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ops::ControlFlow;

/// Averages the weights while they are trained, on the device, and puts the averages into the model when training ends. Training
/// itself goes on from its own weights and sees nothing of them.
///
/// * [`WeightAverage::ema`]: an exponential moving average, taken after each update (Polyak, Juditsky, "Acceleration of Stochastic
///   Approximation by Averaging", 1992): `a ← a + (1 - decay) (w - a)`. The first update's weights are the first average, as in
///   PyTorch's `AveragedModel` and Keras' `use_ema`.
/// * [`WeightAverage::swa`]: the mean of the weights at the ends of epochs (Izmailov and others, "Averaging Weights Leads to Wider
///   Optima and Better Generalization", UAI 2018).
///
/// Running statistics (of [`BatchNorm`](crate::layers::BatchNorm)) are averaged with the weights, as in timm and with PyTorch's
/// `use_buffers`. After an exponential average they fit well; those of an SWA model may not, which needs new ones: PyTorch's
/// `update_bn` is some dozens of passes in training mode (as many as the layers' momentum remembers) that keep nothing but them:
///
/// ```
/// # use elman::layers::{BatchNorm, Mode, Sequential};
/// # use elman::{Backend, Key, Model, Result, Spec, Tensor};
/// fn update_bn<B: Backend>(model: &mut Model<B>, inputs: &[Tensor<B>]) -> Result<()> {
///     for (i, input) in inputs.iter().enumerate() {
///         let mut pass = model.pass(Mode::Training(Key::new(0).fold(i as u64)));
///         model.run(input.clone(), &mut pass)?;
///         let states = pass.into_states();
///         model.keep(states)?;
///     }
///     Ok(())
/// }
/// # let b = elman_reference::Reference::<f32>::new();
/// # let mut model = Sequential::new().add(BatchNorm::new().momentum(0.0)).build(&b, Spec::dense(&[1]), 0)?;
/// # update_bn(&mut model, &[Tensor::new(&b, vec![1.0, 3.0], &[2, 1])?])?;
/// # assert_eq!(model.params()[2].tensor().to_vec()?, [2.0]);
/// # Ok::<(), elman::Error>(())
/// ```
///
/// Calls that only accumulate gradients or are skipped on the host count for nothing; updates that a device holds back
/// ([`Optimizer::skip_not_finite`](crate::optim::Optimizer::skip_not_finite)) average the same weights once more. Frozen
/// parameters cost nothing. The averages take the memory of another set of weights.
///
/// In checkpoints the averages are part of the training's state: resumed, it ends in the same bits. The last checkpoint, once `fit`
/// has returned, holds them as the model's weights, and what training would go on from besides; see
/// [`Checkpoint`](crate::checkpoint::Checkpoint). A new `fit` begins new averages.
///
/// Callbacks end in the order in which they were added, and the last one that puts weights into the model has the last word: add this one
/// before [`EarlyStopping::restore_best`](super::EarlyStopping::restore_best).
///
/// ```
/// use elman::data::{Dataset, Inputs, Targets};
/// use elman::layers::{Dense, Sequential};
/// use elman::loss::MeanSquaredError;
/// use elman::training::callbacks::{EarlyStopping, WeightAverage};
/// use elman::{Fit, Spec, optim::Sgd};
/// use elman_reference::Reference;
///
/// let xs = vec![1.0, 2.0, 3.0, 4.0];
/// let data = Dataset::new(Inputs::dense(xs.clone(), &[1])?, Targets::values(xs, &[1])?)?;
/// let mut model = Sequential::new().add(Dense::new(1)).build(&Reference::<f32>::new(), Spec::dense(&[1]), 0)?;
/// model.compile(Sgd::new(0.02), MeanSquaredError);
/// let fit = Fit::new()
///     .epochs(20)
///     .batch_size(1)
///     .validation_data(&data)
///     // `val_loss` is that of the averages, and so are the best weights.
///     .callback(WeightAverage::ema(0.9).warm_up().validate())
///     .callback(EarlyStopping::new("val_loss").patience(5).restore_best());
/// let history = model.fit(&data, fit.quiet())?;
/// assert!(history.epochs.iter().any(|log| log.get("val_loss") == Some(model.evaluate(&data, 1).unwrap().loss())));
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias("EMA", "SWA", "Polyak", "AveragedModel", "ExponentialMovingAverage"))]
#[derive(Clone, Debug)]
#[must_use = "give it to `Fit::callback`"]
pub struct WeightAverage<B: Backend> {
    kind: Kind,
    validate: bool,
    /// One a parameter; none before there is something to average.
    averages: Vec<B::Array>,
    seen: Seen,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Ema { decay: f64, warm_up: bool },
    Swa { start: u64 },
}

/// What has been averaged.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// How many sets of weights.
    averaged: u64,
    /// The optimiser's updates by then.
    updates: u64,
    /// The last epoch whose end was averaged.
    epoch: u64,
}

impl<B: Backend> WeightAverage<B> {
    /// An exponential moving average with a decay in `[0, 1)`, often 0.999 or more: the average of about the last `1 / (1 - decay)`
    /// updates.
    pub fn ema(decay: f64) -> Self {
        Self::of(Kind::Ema { decay, warm_up: false })
    }

    /// The mean of the weights at the end of this epoch (by the numbers of the history, from 1) and of all that follow. Where training
    /// ends before, the weights stay.
    pub fn swa(start_epoch: u64) -> Self {
        Self::of(Kind::Swa { start: start_epoch })
    }

    fn of(kind: Kind) -> Self {
        WeightAverage { kind, validate: false, averages: Vec::new(), seen: Seen::default() }
    }

    /// An exponential average whose decay is `min(decay, (1 + n) / (10 + n))` after `n` updates, as TensorFlow's `num_updates` makes it:
    /// the first weights, which are far from the last, are forgotten sooner. Nothing to a mean.
    pub fn warm_up(mut self) -> Self {
        if let Kind::Ema { warm_up, .. } = &mut self.kind {
            *warm_up = true;
        }
        self
    }

    /// Validation after each epoch is of the averages, once there are some; the callbacks' `on_epoch_end` finds them in the model too, so that
    /// the best weights are those that were validated. Of several callbacks the first that says so counts.
    pub fn validate(self) -> Self {
        WeightAverage { validate: true, ..self }
    }

    /// The averages so far, one a parameter in the model's order; none before there is something to average.
    pub fn averages(&self) -> &[B::Array] {
        &self.averages
    }

    fn updates(model: &Model<B>) -> u64 {
        model.optimizer().map_or(0, |optimizer| optimizer.iteration())
    }

    /// Takes up the weights of an update, if there was one since the last time.
    fn after_update(&mut self, model: &Model<B>) -> Result<()> {
        let Kind::Ema { decay, warm_up } = self.kind else { return Ok(()) };
        let updates = Self::updates(model);
        if updates == self.seen.updates {
            return Ok(());
        }
        self.seen.updates = updates;
        let n = self.seen.averaged as f64;
        let decay = if warm_up { decay.min((1.0 + n) / (10.0 + n)) } else { decay };
        self.take(model, 1.0 - decay)
    }

    /// Takes up the weights of an epoch's end, unless it has.
    fn after_epoch(&mut self, epoch: u64, model: &Model<B>) -> Result<()> {
        // Of batches that were left over from an accumulation.
        self.after_update(model)?;
        match self.kind {
            Kind::Swa { start } if epoch >= start && epoch > self.seen.epoch => {
                self.seen.epoch = epoch;
                self.take(model, 1.0 / (self.seen.averaged + 1) as f64)
            }
            _ => Ok(()),
        }
    }

    /// `a += part (w - a)`, in this form because an average of equal weights is then equal to the bit.
    fn take(&mut self, model: &Model<B>, part: f64) -> Result<()> {
        self.seen.averaged += 1;
        if self.averages.is_empty() {
            self.averages = model.snapshot();
            return Ok(());
        }
        let b = model.backend();
        let (mut moving, mut differences) = (Vec::new(), Vec::new());
        for (param, average) in model.params().iter().zip(&mut self.averages) {
            if param.is_trainable() || param.is_state() {
                differences.push(b.zip(Zip::Sub, average, param.tensor().value())?);
                moving.push(average);
            } else {
                *average = param.tensor().value().clone();
            }
        }
        // The backends' way to move many arrays at once, in place.
        let rule = Update::Sgd { lr: part, decay: 0.0 };
        let step = |(w, g)| WeightStep { rule, w, g, state: &mut [][..] };
        b.update_all(&mut moving.into_iter().zip(&differences).map(step).collect::<Vec<_>>(), None)
    }
}

impl<B: Backend> Callback<B> for WeightAverage<B> {
    fn on_train_begin(&mut self, model: &mut Model<B>) -> Result<()> {
        match self.kind {
            Kind::Ema { decay, .. } if !(0.0..1.0).contains(&decay) => {
                Err(Error::invalid("weight average: decay", "a number in [0, 1)", decay))
            }
            _ => {
                self.averages.clear();
                self.seen = Seen { updates: Self::updates(model), ..Seen::default() };
                Ok(())
            }
        }
    }

    fn on_batch_end(&mut self, _: u64, _: usize, _: &Tensor<B>, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.after_update(model)?;
        Ok(ControlFlow::Continue(()))
    }

    fn validated_weights(&mut self, epoch: u64, model: &Model<B>) -> Result<Option<Vec<B::Array>>> {
        self.after_epoch(epoch, model)?;
        Ok((self.validate && !self.averages.is_empty()).then(|| self.averages.clone()))
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.after_epoch(log.epoch, model)?;
        Ok(ControlFlow::Continue(()))
    }

    fn on_train_end(&mut self, _: &History, model: &mut Model<B>) -> Result<()> {
        match self.averages.is_empty() {
            true => Ok(()),
            false => model.restore(self.averages.clone()),
        }
    }

    fn state(&self) -> Option<CallbackState<B>> {
        let arrays = self.averages.iter().enumerate().map(|(i, array)| (i.to_string(), array.clone()));
        let kind = match self.kind {
            Kind::Ema { .. } => "ema",
            Kind::Swa { .. } => "swa",
        };
        let name = format!("weight_average({kind})");
        Some(CallbackState { name, value: json!(self.seen), arrays: arrays.collect() })
    }

    fn resume(&mut self, state: Option<CallbackState<B>>, _: &History, model: &Model<B>) -> Result<()> {
        let Some(state) = state else { return Ok(()) };
        let seen: Seen = state.parse()?;
        let averages: Vec<B::Array> = state.arrays.into_iter().map(|(_, array)| array).collect();
        if seen.averaged > 0 || !averages.is_empty() {
            model.check_snapshot(&averages).map_err(|e| e.at("checkpoint: weight average"))?;
        }
        (self.seen, self.averages) = (seen, averages);
        Ok(())
    }
}
