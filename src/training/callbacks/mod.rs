//! Callbacks: what happens beside training, ours and one's own.

mod best_weights;
#[cfg(feature = "csv")]
mod csv_log;
mod early_stopping;
mod plateau;
mod stop_on_nan;
mod watch;
mod weight_average;

pub use best_weights::BestWeights;
#[cfg(feature = "csv")]
pub use csv_log::CsvLog;
pub use early_stopping::EarlyStopping;
pub use plateau::ReduceOnPlateau;
pub use stop_on_nan::StopOnNan;
pub use watch::Direction;
pub use weight_average::WeightAverage;

pub(super) use watch::unknown_value;

use super::{EpochLog, History};
use crate::backend::Backend;
use crate::checkpoint::CallbackState;
use crate::error::Result;
use crate::model::Model;
use crate::tensor::Tensor;
use std::ops::ControlFlow;

/// What is called in the course of `fit`. Every method has a default that does nothing. An error ends training; so does a
/// [`ControlFlow::Break`], without an error and for the reason that it holds ([`History::stopped`]).
///
/// ```
/// use elman::training::{EpochLog, callbacks::Callback};
/// use elman::{Backend, Model, Result};
/// use std::ops::ControlFlow;
///
/// /// Stops once the accuracy is good enough.
/// struct GoodEnough(f64);
///
/// impl<B: Backend> Callback<B> for GoodEnough {
///     fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> Result<ControlFlow<String>> {
///         Ok(match log.get("val_accuracy") {
///             Some(accuracy) if accuracy >= self.0 => ControlFlow::Break(format!("accuracy {accuracy:.3}")),
///             _ => ControlFlow::Continue(()),
///         })
///     }
/// }
/// ```
pub trait Callback<B: Backend> {
    /// The value of the epochs that it needs, such as `val_loss`: training does not begin where there is none of this
    /// name.
    fn watches(&self) -> Option<&str> {
        None
    }

    /// Before the first epoch.
    fn on_train_begin(&mut self, _model: &mut Model<B>) -> Result<()> {
        Ok(())
    }

    /// Before an epoch, counted from 1.
    fn on_epoch_begin(&mut self, _epoch: u64, _model: &mut Model<B>) -> Result<()> {
        Ok(())
    }

    /// After a training step; `batch` counts from 0 in each epoch. The loss is still on the device: reading it waits.
    fn on_batch_end(
        &mut self,
        _epoch: u64,
        _batch: usize,
        _loss: &Tensor<B>,
        _model: &mut Model<B>,
    ) -> Result<ControlFlow<String>> {
        Ok(ControlFlow::Continue(()))
    }

    /// After the last update of an epoch, before its validation (not called where there is none): the weights that are to be validated, as
    /// [`Model::snapshot`] gives them, where those are others than the model's. They stay in the model while
    /// [`Callback::on_epoch_end`] is called, and then the model has its own again. Of several callbacks the first that gives some counts.
    fn validated_weights(&mut self, _epoch: u64, _model: &Model<B>) -> Result<Option<Vec<B::Array>>> {
        Ok(None)
    }

    /// After an epoch and its validation.
    fn on_epoch_end(&mut self, _log: &EpochLog, _model: &mut Model<B>) -> Result<ControlFlow<String>> {
        Ok(ControlFlow::Continue(()))
    }

    /// After the last epoch, not after an error.
    fn on_train_end(&mut self, _history: &History, _model: &mut Model<B>) -> Result<()> {
        Ok(())
    }

    /// What it keeps in a checkpoint; `None` (the default) where it has no state.
    fn state(&self) -> Option<CallbackState<B>> {
        None
    }

    /// Training goes on from a checkpoint with these epochs behind it: called once, after
    /// [`Callback::on_train_begin`], with the state that [`Callback::state`] gave for the checkpoint. The model is not
    /// yet the checkpoint's: what `on_train_begin` has done to it is overwritten. Within an epoch that is taken up
    /// again, [`Callback::on_epoch_begin`] is not called a second time.
    fn resume(&mut self, _state: Option<CallbackState<B>>, _history: &History, _model: &Model<B>) -> Result<()> {
        Ok(())
    }
}

impl<B: Backend, C: Callback<B> + ?Sized> Callback<B> for &mut C {
    fn watches(&self) -> Option<&str> {
        (**self).watches()
    }

    fn on_train_begin(&mut self, model: &mut Model<B>) -> Result<()> {
        (**self).on_train_begin(model)
    }

    fn on_epoch_begin(&mut self, epoch: u64, model: &mut Model<B>) -> Result<()> {
        (**self).on_epoch_begin(epoch, model)
    }

    fn on_batch_end(
        &mut self,
        epoch: u64,
        batch: usize,
        loss: &Tensor<B>,
        model: &mut Model<B>,
    ) -> Result<ControlFlow<String>> {
        (**self).on_batch_end(epoch, batch, loss, model)
    }

    fn validated_weights(&mut self, epoch: u64, model: &Model<B>) -> Result<Option<Vec<B::Array>>> {
        (**self).validated_weights(epoch, model)
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        (**self).on_epoch_end(log, model)
    }

    fn on_train_end(&mut self, history: &History, model: &mut Model<B>) -> Result<()> {
        (**self).on_train_end(history, model)
    }

    fn state(&self) -> Option<CallbackState<B>> {
        (**self).state()
    }

    fn resume(&mut self, state: Option<CallbackState<B>>, history: &History, model: &Model<B>) -> Result<()> {
        (**self).resume(state, history, model)
    }
}
