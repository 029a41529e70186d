//! Losses of regression, for a linear last layer (L6).

use super::{Loss, Target, mean_of_row};
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// `(y - t)²`, averaged over a row's outputs.
#[doc(alias = "MSELoss")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MeanSquaredError;

/// `|y - t|`, averaged over a row's outputs.
#[doc(alias = "L1Loss")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MeanAbsoluteError;

/// `e² / 2` where `e = |y - t|` is at most `δ`, `δ e - δ² / 2` beyond: squared near 0, absolute far away. Averaged over
/// a row's outputs. Huber, "Robust Estimation of a Location Parameter", Annals of Statistics 53 (1964).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// With this `δ`, above 0; Keras' and PyTorch's is 1.
    pub fn new(delta: f64) -> Self {
        Huber { delta }
    }
}

impl Default for Huber {
    fn default() -> Self {
        Huber::new(1.0)
    }
}

/// `y - t`
fn error<B: Backend>(loss: &'static str, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
    prediction.sub(&target.numbers_for(loss, prediction)?)
}

impl<B: Backend> Loss<B> for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean_squared_error"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        mean_of_row(error("mean_squared_error", prediction, target)?.square()?)
    }
}

impl<B: Backend> Loss<B> for MeanAbsoluteError {
    fn name(&self) -> &'static str {
        "mean_absolute_error"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        mean_of_row(error("mean_absolute_error", prediction, target)?.abs()?)
    }
}

impl<B: Backend> Loss<B> for Huber {
    fn name(&self) -> &'static str {
        "huber"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        if !(self.delta > 0.0 && self.delta.is_finite()) {
            return Err(Error::invalid("huber", "a finite delta above 0", self.delta));
        }
        let e = error("huber", prediction, target)?.abs()?;
        // The part of the error below δ counts squared, the rest straight.
        let near = e.clamp(0.0, self.delta)?;
        mean_of_row(near.square()?.affine(0.5, 0.0)?.add(&e.sub(&near)?.affine(self.delta, 0.0)?)?)
    }
}
