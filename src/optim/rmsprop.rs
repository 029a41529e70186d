//! RMSProp: each weight's step is divided by the recent size of its gradients.

use super::{Epsilon, Rule, Step, below_one, epsilon, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// RMSProp (L11; Tieleman and Hinton, 2012): `a = ρ a + (1-ρ) g²`, `w -= η g / sqrt(a + ε)`.
///
/// Optionally with momentum, `m = γ m + η g / sqrt(a + ε)`, `w -= m`, and centred, where the root is of the gradients'
/// running *variance* `a - c² + ε` with `c = ρ c + (1-ρ) g` (Graves, 2013).
///
/// The defaults are the lecture's and Keras': `ρ = 0.9`, `ε = 1e-7` inside the root; Keras' rate is 0.001. PyTorch has
/// `ρ = 0.99` and `ε = 1e-8` outside: `RmsProp::new(0.01).rho(0.99).epsilon(Epsilon::Outside(1e-8))`. Its momentum does
/// not contain the learning rate, which is the same as long as the rate does not change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct RmsProp {
    learning_rate: f64,
    rho: f64,
    momentum: f64,
    epsilon: Epsilon,
    centered: bool,
}

impl Default for RmsProp {
    /// Keras' defaults.
    fn default() -> Self {
        RmsProp::new(0.001)
    }
}

impl RmsProp {
    /// With Keras' `ρ` and `ε`, neither momentum nor centring.
    pub fn new(learning_rate: f64) -> Self {
        RmsProp { learning_rate, rho: 0.9, momentum: 0.0, epsilon: Epsilon::Inside(1e-7), centered: false }
    }

    /// The running means' memory, in `[0, 1)`.
    pub fn rho(self, rho: f64) -> Self {
        RmsProp { rho, ..self }
    }

    /// With momentum `γ` in `[0, 1)`.
    pub fn momentum(self, momentum: f64) -> Self {
        RmsProp { momentum, ..self }
    }

    /// `ε` and its place.
    pub fn epsilon(self, epsilon: Epsilon) -> Self {
        RmsProp { epsilon, ..self }
    }

    /// Divided by the running standard deviation instead of the root mean square.
    pub fn centered(self) -> Self {
        RmsProp { centered: true, ..self }
    }
}

impl<B: Backend> Rule<B> for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
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
        let momentum = (self.momentum > 0.0).then_some(("momentum", 0.0));
        let center = self.centered.then_some(("average_gradient", 0.0));
        [Some(("velocity", 0.0)), momentum, center].into_iter().flatten().collect()
    }

    fn check(&self) -> Result<()> {
        from_zero("rmsprop", "learning rate", self.learning_rate)?;
        below_one("rmsprop", "rho", self.rho)?;
        below_one("rmsprop", "momentum", self.momentum)?;
        epsilon("rmsprop", self.epsilon)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let RmsProp { rho, momentum, epsilon, centered, .. } = *self;
        Some(Update::RmsProp { lr: at.learning_rate, rho, epsilon, momentum, centered })
    }
}
