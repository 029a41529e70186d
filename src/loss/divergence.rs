//! [`KlDivergence`]: how far one distribution is from another.

use super::{EPSILON, Loss, Outputs, Scale, Target, check_distribution, several_classes};
use crate::activation::Activation;
use crate::backend::{Backend, Map};
use crate::description::{Description, describe};
use crate::error::Result;
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// The divergence of Kullback and Leibler, `Σ_j t_j ln(t_j / o_j)` over a row, for targets that are distributions over the
/// classes: the cross-entropy less what the targets themselves leave open, so that it is 0 where the model is right. The
/// gradients are those of [`CategoricalCrossEntropy`](super::CategoricalCrossEntropy). Labels are taken too and made one-hot.
///
/// As in Keras both `t` and `o` are held in `[1e-7, 1]`. From log-probabilities `y` it is `Σ t (ln t - y)`, where a target of 0
/// counts 0: PyTorch's `KLDivLoss`, with the mean over the rows that it calls `batchmean` (its default divides by the number
/// of outputs as well). A model that ends in a softmax is trained in that form, by itself.
///
/// Kullback, Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22 (1951).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlDivergence {
    on: Scale,
}

impl KlDivergence {
    /// On probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// On log-probabilities: the model ends in a log-softmax.
    pub fn from_log_probabilities() -> Self {
        KlDivergence { on: Scale::LogProbabilities }
    }
}

impl<B: Backend> Loss<B> for KlDivergence {
    fn name(&self) -> &'static str {
        "kl_divergence"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        several_classes("kl_divergence", prediction)?;
        let t = target.values_for("kl_divergence", prediction)?;
        match self.on {
            Scale::Probabilities => {
                let (t, o) = (t.clamp(EPSILON, 1.0)?, prediction.clamp(EPSILON, 1.0)?);
                t.mul(&t.ln()?.sub(&o.ln()?)?)?.sum_along(Axis::Drop(prediction.shape().rank() - 1))
            }
            Scale::LogProbabilities => of_logarithms(prediction, &t),
            Scale::Logits => of_logarithms(&prediction.log_softmax()?, &t),
        }
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(self.on)
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        check_distribution("kl_divergence", targets)
    }

    fn before(&self, last: Activation) -> Option<Box<dyn Loss<B>>> {
        let stable = self.on == Scale::Probabilities && last == Activation::Softmax;
        stable.then(|| Box::new(KlDivergence { on: Scale::Logits }) as Box<dyn Loss<B>>)
    }
}

/// `Σ t (ln t - y)` over each row.
fn of_logarithms<B: Backend>(y: &Tensor<B>, t: &Tensor<B>) -> Result<Tensor<B>> {
    // Chosen where the target is above 0: elsewhere the logarithms may be -∞, and 0 times that is NaN.
    let b = y.backend();
    let there = Tensor::constant(b, b.map(Map::Step, t.value())?);
    let [zero, one] = [Tensor::full(b, &[], 0.0)?, Tensor::full(b, &[], 1.0)?];
    let ln = t.select(&there, &one)?.ln()?;
    t.mul(&ln.sub(&y.select(&there, &zero)?)?)?.sum_along(Axis::Drop(y.shape().rank() - 1))
}
