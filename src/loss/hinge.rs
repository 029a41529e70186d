//! Hinge losses, for a linear last layer (L6).

use super::{Loss, Target, mean_of_row};
use crate::backend::{Backend, Zip};
use crate::error::Result;
use crate::tensor::{Axis, Tensor};

/// `max(1 - t y, 0)`, averaged over a row's outputs, for targets -1 and 1; 0 is read as -1.
#[derive(Clone, Debug, Default)]
pub struct Hinge;

/// `max(1 - t y, 0)²`, averaged over a row's outputs, for targets -1 and 1; 0 is read as -1.
#[derive(Clone, Debug, Default)]
pub struct SquaredHinge;

/// `max(1 + max_j (1 - t_j) y_j - Σ_j t_j y_j, 0)` for one-hot targets: the true class' output is to be greater by 1
/// than any other's. As in Keras the true class stands as 0 among its rivals.
#[derive(Clone, Debug, Default)]
pub struct CategoricalHinge;

/// `max(1 - t y, 0)` elementwise.
fn margin<B: Backend>(loss: &'static str, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
    let (b, t) = (prediction.backend(), target.values_for(loss, prediction)?);
    let zero = Tensor::constant(b, b.zip(Zip::Equal, t.value(), &b.fill([].into(), 0.0)?)?);
    let sign = Tensor::full(b, &[], -1.0)?.select(&zero, &t)?;
    prediction.mul(&sign)?.affine(-1.0, 1.0)?.relu()
}

impl<B: Backend> Loss<B> for Hinge {
    fn name(&self) -> &'static str {
        "hinge"
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        mean_of_row(margin("hinge", prediction, target)?)
    }
}

impl<B: Backend> Loss<B> for SquaredHinge {
    fn name(&self) -> &'static str {
        "squared_hinge"
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        mean_of_row(margin("squared_hinge", prediction, target)?.square()?)
    }
}

impl<B: Backend> Loss<B> for CategoricalHinge {
    fn name(&self) -> &'static str {
        "categorical_hinge"
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        let t = target.values_for("categorical_hinge", prediction)?;
        let last = Axis::Drop(prediction.shape().rank().saturating_sub(1));
        let own = prediction.mul(&t)?.sum_along(last)?;
        let rival = prediction.mul(&t.affine(-1.0, 1.0)?)?.max_along(last)?;
        rival.sub(&own)?.affine(1.0, 1.0)?.relu()
    }
}
