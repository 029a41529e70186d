//! Adamax: Adam with the greatest gradient in the place of the root of a mean square.

use super::{Epsilon, Rule, Step, below_one, epsilon, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Adamax (Kingma and Ba, 2015, section 7.1): `m = β₁ m + (1-β₁) g`, corrected for its start at 0, `u = max(β₂ u, |g|)`, and
/// `w -= η m / ((1 - β₁^t) (u + ε))`.
///
/// `u` is the greatest recent gradient of a weight, which it forgets slowly: a step is never much longer than `η`, and after a
/// great gradient steps are short for a while. Keras' documentation recommends it for models with embeddings.
///
/// The defaults are Keras': `η = 0.001`, `β₁ = 0.9`, `β₂ = 0.999`, `ε = 1e-7` outside of the maximum. PyTorch has it inside,
/// `max(β₂ u, |g| + ε)`: `Adamax::new(0.002).epsilon(Epsilon::Inside(1e-8))`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Adamax {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: Epsilon,
    weight_decay: f64,
}

impl Default for Adamax {
    /// Keras' defaults.
    fn default() -> Self {
        Adamax::new(0.001)
    }
}

impl Adamax {
    /// With Keras' `β₁`, `β₂` and `ε`.
    pub fn new(learning_rate: f64) -> Self {
        Adamax { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: Epsilon::Outside(1e-7), weight_decay: 0.0 }
    }

    /// The memories of the running mean and of the maximum, in `[0, 1)`.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Adamax { beta1, beta2, ..self }
    }

    /// `ε` and its place.
    pub fn epsilon(self, epsilon: Epsilon) -> Self {
        Adamax { epsilon, ..self }
    }

    /// Takes the part `learning rate * weight_decay` off each weight at each step, apart from the gradient, as in Keras.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Adamax { weight_decay, ..self }
    }
}

impl<B: Backend> Rule<B> for Adamax {
    fn name(&self) -> &'static str {
        "adamax"
    }

    fn boxed_clone(&self) -> Option<Box<dyn Rule<B>>> {
        Some(Box::new(*self))
    }

    fn describe(&self) -> Result<Description> {
        describe(Rule::<B>::name(self), self)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.weight_decay)
    }

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("momentum", 0.0), ("maximum", 0.0)]
    }

    fn check(&self) -> Result<()> {
        from_zero("adamax", "learning rate", self.learning_rate)?;
        below_one("adamax", "beta1", self.beta1)?;
        below_one("adamax", "beta2", self.beta2)?;
        epsilon("adamax", self.epsilon)?;
        from_zero("adamax", "weight decay", self.weight_decay)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let lr = at.learning_rate / (1.0 - self.beta1.powf(at.iteration as f64));
        let (beta1, beta2, epsilon) = (self.beta1, self.beta2, self.epsilon);
        Some(Update::Adamax { lr, beta1, beta2, epsilon, decay: at.learning_rate * at.weight_decay })
    }
}
