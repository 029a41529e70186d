//! [`LayerNorm`]: every sample, and every step of it, is normalised by itself.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::param::ParamId;
use serde::{Deserialize, Serialize};

/// `y = γ ⊙ (x - μ) / √(σ² + ε) + β` with mean and variance over the features of each step (L26): numbers of any shape, the
/// same shape out. What a step gives depends on that step alone, in training as in evaluation; a mask goes through.
///
/// Defaults as in Keras: `ε = 1e-3`, `γ` ones, `β` zeros. Parameters: `gamma [features]`, `beta [features]`. To do without
/// one of them, freeze it: `.beta(Weight::zeros().frozen())`.
///
/// Ba, Kiros, Hinton, "Layer Normalization", 2016.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct LayerNorm {
    epsilon: f64,
    gamma: Weight,
    beta: Weight,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerNorm {
    /// With Keras' defaults.
    pub fn new() -> Self {
        LayerNorm { epsilon: 1e-3, gamma: Weight::ones(), beta: Weight::zeros() }
    }

    /// What is added to the variance, above 0: 1e-3 in Keras, 1e-5 in PyTorch.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNorm { epsilon, ..self }
    }

    /// How `γ` starts and what is asked of it.
    pub fn gamma(self, gamma: Weight) -> Self {
        LayerNorm { gamma, ..self }
    }

    /// How `β` starts and what is asked of it.
    pub fn beta(self, beta: Weight) -> Self {
        LayerNorm { beta, ..self }
    }
}

/// Errors unless a variance plus `epsilon` is above 0.
pub(in crate::layers) fn check_epsilon(epsilon: f64) -> Result<()> {
    if epsilon > 0.0 && epsilon.is_finite() {
        return Ok(());
    }
    Err(Error::invalid("epsilon", "a finite number above 0", epsilon))
}

impl<B: Backend> Layer<B> for LayerNorm {
    fn kind(&self) -> &'static str {
        "layer_norm"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        check_epsilon(self.epsilon)?;
        let shape = [input.features()?].into();
        let gamma = scope.param("gamma", shape, &self.gamma)?;
        let beta = scope.param("beta", shape, &self.beta)?;
        Ok(Built::new(LayerNormModule { epsilon: self.epsilon, gamma, beta }, input.numbers()?))
    }
}

#[derive(Debug)]
struct LayerNormModule {
    epsilon: f64,
    gamma: ParamId,
    beta: ParamId,
}

impl<B: Backend> Module<B> for LayerNormModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (gamma, beta) = (pass.param(self.gamma), pass.param(self.beta));
        input.map_clean(pass, |x, _| x.layer_norm(&gamma, &beta, self.epsilon))
    }

    // Numbers of any size and either sign.
    fn last_activation(&self, _: Last) -> Last {
        Activation::Linear.into()
    }
}
