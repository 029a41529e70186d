//! [`StopOnNan`]: ends training that has gone astray.

use super::Callback;
use crate::backend::Backend;
use crate::error::Result;
use crate::model::Model;
use crate::tensor::Tensor;
use crate::training::EpochLog;
use std::ops::ControlFlow;

/// Stops when the loss is infinite or not a number: after each epoch, and within it after every so many batches (each
/// look waits for the device).
///
/// Where the gradients are not finite either, `fit` ends with an error by itself
/// ([`Error::NotFinite`](crate::Error::NotFinite)). With an optimiser that skips such steps
/// ([`skip_not_finite`](crate::optim::Optimizer::skip_not_finite)), this callback stops training at the first of them that it looks
/// at, with the weights from before it and the history so far.
#[derive(Clone, Debug)]
pub struct StopOnNan {
    every: usize,
}

impl StopOnNan {
    /// Looks after every hundredth batch and after each epoch.
    pub fn new() -> Self {
        StopOnNan { every: 100 }
    }

    /// Looks after every `batches`-th batch and after each epoch; 0: after each epoch only.
    pub fn every(batches: usize) -> Self {
        StopOnNan { every: batches }
    }
}

impl Default for StopOnNan {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Backend> Callback<B> for StopOnNan {
    fn on_batch_end(
        &mut self,
        epoch: u64,
        batch: usize,
        loss: &Tensor<B>,
        _: &mut Model<B>,
    ) -> Result<ControlFlow<String>> {
        if !(batch + 1).is_multiple_of(self.every) {
            return Ok(ControlFlow::Continue(()));
        }
        let loss = loss.to_scalar()?;
        Ok(verdict(loss, || format!("the loss is {loss} after batch {} of epoch {epoch}", batch + 1)))
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> Result<ControlFlow<String>> {
        let loss = log.get("loss").unwrap_or(f64::NAN);
        Ok(verdict(loss, || format!("the loss is {loss} after epoch {}", log.epoch)))
    }
}

fn verdict(loss: f64, reason: impl FnOnce() -> String) -> ControlFlow<String> {
    if loss.is_finite() { ControlFlow::Continue(()) } else { ControlFlow::Break(reason()) }
}
