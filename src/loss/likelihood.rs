//! Negative logarithms of likelihoods: of classes from log-probabilities, of counts, of numbers with a variance.

use super::{Loss, Outputs, Scale, Target, mean_of_row, several_classes};
use crate::backend::{Backend, Map, Zip};
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// `-y_label`, for a model that gives log-probabilities of the classes ([`Activation::LogSoftmax`](crate::Activation) last):
/// PyTorch's `NLLLoss`. Behind a log-softmax it is [`SparseCategoricalCrossEntropy`](super::SparseCategoricalCrossEntropy)
/// behind a softmax.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct NegativeLogLikelihood {
    #[serde(rename = "ignore_class")]
    ignored: Option<u32>,
}

impl NegativeLogLikelihood {
    /// Of all rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows of this label, which may lie beyond the classes, do not count: padding.
    pub fn ignore_class(self, class: u32) -> Self {
        NegativeLogLikelihood { ignored: Some(class) }
    }
}

impl<B: Backend> Loss<B> for NegativeLogLikelihood {
    fn name(&self) -> &'static str {
        "nll"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        several_classes("nll", prediction)?;
        let b = prediction.backend();
        let labels = target.labels_for("nll", prediction, self.ignored)?;
        let own = Tensor::constant(b, b.one_hot(&labels, prediction.shape().last())?);
        // Chosen and not multiplied: other classes may be impossible, and 0 times -∞ is NaN.
        let chosen = prediction.select(&own, &Tensor::full(b, &[], 0.0)?)?;
        chosen.sum_along(Axis::Drop(prediction.shape().rank() - 1))?.neg()
    }

    fn ignored(&self) -> Option<u32> {
        self.ignored
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(Scale::LogProbabilities)
    }
}

/// `y - t ln(y + ε)` with `ε = 1e-7`, averaged over a row's outputs, for a model that gives the rates `y` at which counts `t` are
/// expected, above 0 (softplus last): Keras' `Poisson`. From the logarithms of rates, so for a linear last layer, it is
/// `e^y - t y`: PyTorch's `PoissonNLLLoss` as it is by default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Poisson {
    log: bool,
    full: bool,
    epsilon: f64,
}

impl Default for Poisson {
    fn default() -> Self {
        Self::new()
    }
}

impl Poisson {
    /// On rates.
    pub fn new() -> Self {
        Poisson { log: false, full: false, epsilon: 1e-7 }
    }

    /// On logarithms of rates: the model ends in a linear layer.
    pub fn from_log_rates() -> Self {
        Poisson { log: true, ..Self::new() }
    }

    /// Adds what does not depend on the model, `ln t!` by Stirling's formula `t ln t - t + ln(2 π t) / 2` for counts above 1:
    /// nothing for training, but the numbers are then likelihoods that compare with those of other models.
    pub fn full(self) -> Self {
        Poisson { full: true, ..self }
    }

    /// What is added to a rate before its logarithm is taken: 1e-7 as in Keras, in PyTorch 1e-8. A finite number from 0 on.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Poisson { epsilon, ..self }
    }
}

/// `t ln t - t + ln(2 π t) / 2` where `t` is above 1, else 0.
fn stirling<B: Backend>(t: &Tensor<B>) -> Result<Tensor<B>> {
    let b = t.backend();
    let above = b.zip(Zip::Greater, t.value(), &b.fill([].into(), 1.0)?)?;
    let t = t.clamp(1.0, f64::INFINITY)?;
    let whole = t.affine(1.0, 0.5)?.mul(&t.ln()?)?.sub(&t)?.affine(1.0, 0.5 * std::f64::consts::TAU.ln())?;
    whole.select(&Tensor::constant(b, above), &Tensor::full(b, &[], 0.0)?)
}

impl<B: Backend> Loss<B> for Poisson {
    fn name(&self) -> &'static str {
        "poisson"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        if !(self.epsilon.is_finite() && self.epsilon >= 0.0) {
            return Err(Error::invalid("poisson: epsilon", "a finite number from 0 on", self.epsilon));
        }
        let t = target.numbers_for("poisson", prediction)?;
        let each = match self.log {
            true => prediction.exp()?.sub(&prediction.mul(&t)?)?,
            false => prediction.sub(&prediction.affine(1.0, self.epsilon)?.ln()?.mul(&t)?)?,
        };
        mean_of_row(if self.full { each.add(&stirling(&t)?)? } else { each })
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        match targets.iter().find(|&&t| t < 0.0) {
            None => Ok(()),
            Some(negative) => Err(Error::invalid("poisson", "targets that are counts, none negative", negative)),
        }
    }
}

/// `(ln v + (m - t)² / v) / 2` for a model that says of each number how sure it is of it, averaged over a row's numbers: with
/// the targets `t [.., d]` the predictions are `[.., 2 d]`, first the means `m`, then as many variances `v`. PyTorch's
/// `GaussianNLLLoss`, which takes the two apart.
///
/// Variances are held at `ε = 1e-6` or above; as in PyTorch the gradient goes on below, so that what has come there comes
/// out again. From the logarithms of variances, `s`, it is `(s + (m - t)² e^-s) / 2`: for a linear last layer, of which half
/// then is any number.
///
/// Nix, Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994.
///
/// ```
/// use elman::loss::{self, GaussianNll, Target};
/// use elman::Tensor;
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// // The mean 3 with the variance 4, and the target 5.
/// let (y, t) = (Tensor::new(&b, vec![3.0, 4.0], &[1, 2])?, Tensor::new(&b, vec![5.0], &[1, 1])?);
/// let loss = loss::mean(&GaussianNll::new(), &y, &Target::Values(t), None)?.to_scalar()?;
/// assert!((loss - 0.5 * (4.0f64.ln() + 1.0)).abs() < 1e-15);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct GaussianNll {
    log: bool,
    full: bool,
    epsilon: f64,
}

impl Default for GaussianNll {
    fn default() -> Self {
        Self::new()
    }
}

impl GaussianNll {
    /// On means and variances.
    pub fn new() -> Self {
        GaussianNll { log: false, full: false, epsilon: 1e-6 }
    }

    /// On means and logarithms of variances: the model ends in a linear layer.
    pub fn from_log_variances() -> Self {
        GaussianNll { log: true, ..Self::new() }
    }

    /// Adds the constant `ln(2 π) / 2`: nothing for training, but the number is then a likelihood that compares with those of
    /// other models.
    pub fn full(self) -> Self {
        GaussianNll { full: true, ..self }
    }

    /// What a variance is at least, a finite number above 0.
    pub fn epsilon(self, epsilon: f64) -> Self {
        GaussianNll { epsilon, ..self }
    }
}

impl<B: Backend> Loss<B> for GaussianNll {
    fn name(&self) -> &'static str {
        "gaussian_nll"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(Error::invalid("gaussian_nll: epsilon", "a finite number above 0", self.epsilon));
        }
        let shape = prediction.shape();
        if shape.rank() == 0 || shape.last() == 0 || !shape.last().is_multiple_of(2) {
            let expected = "predictions [.., 2 d]: d means and as many variances";
            return Err(Error::invalid("gaussian_nll", expected, format!("shape {shape}")));
        }
        let (axis, d) = (shape.rank() - 1, shape.last() / 2);
        let (mean, spread) = (prediction.slice(axis, 0, d)?, prediction.slice(axis, d, d)?);
        let off = mean.sub(&target.numbers_for("gaussian_nll", &mean)?)?.square()?;
        let each = match self.log {
            true => spread.add(&off.mul(&spread.neg()?.exp()?)?)?,
            false => {
                let variance = at_least(&spread, self.epsilon)?;
                variance.ln()?.add(&off.div(&variance)?)?
            }
        };
        let constant = if self.full { 0.5 * std::f64::consts::TAU.ln() } else { 0.0 };
        mean_of_row(each.affine(0.5, constant)?)
    }
}

/// `max(x, least)`, with the gradient of `x` everywhere.
fn at_least<B: Backend>(x: &Tensor<B>, least: f64) -> Result<Tensor<B>> {
    let value = x.backend().map(Map::Clamp(least, f64::INFINITY), x.value())?;
    Ok(Tensor::record("at_least", x.backend(), value, &[x], |dy, _| Ok(vec![Some(dy.clone())])))
}
