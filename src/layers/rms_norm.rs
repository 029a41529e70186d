//! [`RmsNorm`]: every sample, and every step of it, is divided by its size.

use super::layer_norm::check_epsilon;
use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::Result;
use crate::param::ParamId;
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// `y = γ ⊙ x / √(mean x² + ε)` with the mean over the features of each step: numbers of any shape, the same shape out. It is
/// layer normalisation without its shift, in half of the work. What a step gives depends on that step alone, in training as
/// in evaluation; a mask goes through.
///
/// Defaults as in Keras: `ε = 1e-6`, `γ` ones. (PyTorch's `ε`, unless given, is that of the number's type: 1.19e-7 in `f32`,
/// 2.2e-16 in `f64`.) Parameter: `gamma [features]`; to do without it, freeze it: `.gamma(Weight::ones().frozen())`.
///
/// Zhang, Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.
///
/// ```
/// use elman::layers::{Mode, RmsNorm, Sequential};
/// use elman::{Spec, Tensor};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// // The mean of the squares is (9 + 25) / 2, and 8 more make 5².
/// let model = Sequential::new().add(RmsNorm::new().epsilon(8.0)).build(&b, Spec::dense(&[2]), 0)?;
/// let y = model.forward(Tensor::new(&b, vec![3.0, -5.0], &[1, 2])?, Mode::Evaluation)?.to_vec()?;
/// assert!((y[0] - 0.6).abs() < 1e-15 && y[1] == -1.0);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct RmsNorm {
    epsilon: f64,
    gamma: Weight,
}

impl Default for RmsNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl RmsNorm {
    /// With Keras' defaults.
    pub fn new() -> Self {
        RmsNorm { epsilon: 1e-6, gamma: Weight::ones() }
    }

    /// What is added to the mean of the squares, above 0.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RmsNorm { epsilon, ..self }
    }

    /// How `γ` starts and what is asked of it.
    pub fn gamma(self, gamma: Weight) -> Self {
        RmsNorm { gamma, ..self }
    }
}

impl<B: Backend> Layer<B> for RmsNorm {
    fn kind(&self) -> &'static str {
        "rms_norm"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        check_epsilon(self.epsilon)?;
        let gamma = scope.param("gamma", [input.features()?].into(), &self.gamma)?;
        Ok(Built::new(RmsNormModule { epsilon: self.epsilon, gamma }, input.numbers()?))
    }
}

#[derive(Debug)]
struct RmsNormModule {
    epsilon: f64,
    gamma: ParamId,
}

impl<B: Backend> Module<B> for RmsNormModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let gamma = pass.param(self.gamma);
        input.map_clean(pass, |x, _| self.normalised(&x, &gamma))
    }

    // Numbers of any size and either sign.
    fn last_activation(&self, _: Last) -> Last {
        Activation::Linear.into()
    }
}

impl RmsNormModule {
    fn normalised<B: Backend>(&self, x: &Tensor<B>, gamma: &Tensor<B>) -> Result<Tensor<B>> {
        let square = x.square()?.mean_along(Axis::Keep(x.shape().rank() - 1))?;
        x.mul(&square.affine(1.0, self.epsilon)?.sqrt()?.recip()?)?.mul(gamma)
    }
}
