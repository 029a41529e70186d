//! Hinge losses, for a linear last layer (L6).

use super::{Loss, Outputs, Scale, Target, mean_of_row, several_classes};
use crate::backend::{Backend, Zip};
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// `max(1 - t y, 0)`, averaged over a row's outputs, for targets -1 and 1; 0 is read as -1.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Hinge;

/// `max(1 - t y, 0)²`, averaged over a row's outputs, for targets -1 and 1; 0 is read as -1.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SquaredHinge;

/// `max(1 + max_j (1 - t_j) y_j - Σ_j t_j y_j, 0)` for one-hot targets: the true class' output is to be greater by 1
/// than any other's. As in Keras the true class stands as 0 among its rivals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CategoricalHinge;

/// `max(1 - t y, 0)` elementwise.
fn margin<B: Backend>(loss: &'static str, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
    let (b, t) = (prediction.backend(), target.values_for(loss, prediction)?);
    let zero = Tensor::constant(b, b.zip(Zip::Equal, t.value(), &b.fill([].into(), 0.0)?)?);
    let sign = Tensor::full(b, &[], -1.0)?.select(&zero, &t)?;
    prediction.mul(&sign)?.affine(-1.0, 1.0)?.relu()
}

/// Targets of a margin are signs.
fn check_signs(loss: &str, targets: &[f32]) -> Result<()> {
    match targets.iter().find(|&&t| !(t == -1.0 || t == 0.0 || t == 1.0)) {
        None => Ok(()),
        Some(wrong) => Err(Error::invalid(loss, "targets -1 and 1, or 0 and 1 (map the two classes to them)", wrong)),
    }
}

impl<B: Backend> Loss<B> for Hinge {
    fn name(&self) -> &'static str {
        "hinge"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        mean_of_row(margin("hinge", prediction, target)?)
    }

    fn outputs(&self) -> Outputs {
        Outputs::Labels(Scale::Logits)
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        check_signs("hinge", targets)
    }
}

impl<B: Backend> Loss<B> for SquaredHinge {
    fn name(&self) -> &'static str {
        "squared_hinge"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        mean_of_row(margin("squared_hinge", prediction, target)?.square()?)
    }

    fn outputs(&self) -> Outputs {
        Outputs::Labels(Scale::Logits)
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        check_signs("squared_hinge", targets)
    }
}

impl<B: Backend> Loss<B> for CategoricalHinge {
    fn name(&self) -> &'static str {
        "categorical_hinge"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        several_classes("categorical_hinge", prediction)?;
        let t = target.values_for("categorical_hinge", prediction)?;
        let last = Axis::Drop(prediction.shape().rank().saturating_sub(1));
        let own = prediction.mul(&t)?.sum_along(last)?;
        let rival = prediction.mul(&t.affine(-1.0, 1.0)?)?.max_along(last)?;
        rival.sub(&own)?.affine(1.0, 1.0)?.relu()
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(Scale::Logits)
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        let one_hot =
            targets.iter().all(|&t| t == 0.0 || t == 1.0) && targets.iter().filter(|&&t| t == 1.0).count() == 1;
        if one_hot {
            return Ok(());
        }
        let expected = "one-hot targets: 1 for the class of the row, 0 for the others";
        Err(Error::invalid("categorical_hinge", expected, format!("{targets:?}")))
    }
}
