//! AdaDelta: steps in the units of the weights.

use super::{Rule, Step, below_one, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// AdaDelta (L11; Zeiler, 2012): `a = ρ a + (1-ρ) g²`, `Δ = g sqrt(d + ε) / sqrt(a + ε)`, `d = ρ d + (1-ρ) Δ²`, `w -= η
/// Δ`.
///
/// The ratio of the two running means has the units of a weight, so that the paper needs no learning rate: its `η` is
/// 1. As `d` starts at 0, the first steps are about `sqrt(ε)` long, which is why `ε` matters here.
///
/// The defaults are Keras': `η = 0.001` (slow: give it 1), `ρ = 0.95`, `ε = 1e-7`. PyTorch's are
/// `AdaDelta::new(1.0).rho(0.9).epsilon(1e-6)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct AdaDelta {
    learning_rate: f64,
    rho: f64,
    epsilon: f64,
}

impl Default for AdaDelta {
    /// Keras' defaults.
    fn default() -> Self {
        AdaDelta::new(0.001)
    }
}

impl AdaDelta {
    /// With Keras' `ρ` and `ε`.
    pub fn new(learning_rate: f64) -> Self {
        AdaDelta { learning_rate, rho: 0.95, epsilon: 1e-7 }
    }

    /// The running means' memory, in `[0, 1)`.
    pub fn rho(self, rho: f64) -> Self {
        AdaDelta { rho, ..self }
    }

    /// `ε`, inside both roots in every library.
    pub fn epsilon(self, epsilon: f64) -> Self {
        AdaDelta { epsilon, ..self }
    }
}

impl<B: Backend> Rule<B> for AdaDelta {
    fn name(&self) -> &'static str {
        "adadelta"
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

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("accumulated_grad", 0.0), ("accumulated_delta", 0.0)]
    }

    fn check(&self) -> Result<()> {
        from_zero("adadelta", "learning rate", self.learning_rate)?;
        below_one("adadelta", "rho", self.rho)?;
        from_zero("adadelta", "epsilon", self.epsilon)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        Some(Update::AdaDelta { lr: at.learning_rate, rho: self.rho, epsilon: self.epsilon })
    }
}
