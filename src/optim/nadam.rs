//! Nadam: Adam with Nesterov's look-ahead.

use super::{Rule, Step, below_one, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Nadam (Dozat, 2016): `m` and `v` as in [`super::Adam`], with a momentum `u_t = β₁ (1 - 0.96^(ψ t) / 2)` that warms
/// up, and `w -= η (u_{t+1} m / (1 - u_1 ⋯ u_{t+1}) + (1 - u_t) g / (1 - u_1 ⋯ u_t)) / (sqrt(v / (1 - β₂^t)) + ε)`.
///
/// The defaults are Keras': `η = 0.001`, `β₁ = 0.9`, `β₂ = 0.999`, `ε = 1e-7`, `ψ = 1`. PyTorch's `NAdam` is
/// `Nadam::new(0.002).epsilon(1e-8).momentum_decay(0.004)`. Here both add `ε` after the bias correction.
///
/// With [`Nadam::weight_decay`] it is NadamW.
#[doc(alias = "NadamW")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Nadam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    momentum_decay: f64,
    weight_decay: f64,
    /// `u_1 ⋯ u_t` at index `t - 1`, until it no longer differs from 0 when taken from 1: about `37 / (1 - β₁)` numbers
    /// at most. A function of the hyper-parameters, so no checkpoint needs it.
    #[serde(skip)]
    products: Vec<f64>,
}

impl Default for Nadam {
    /// Keras' defaults.
    fn default() -> Self {
        Nadam::new(0.001)
    }
}

impl Nadam {
    /// With Keras' `β₁`, `β₂`, `ε` and `ψ`.
    pub fn new(learning_rate: f64) -> Self {
        Nadam {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            momentum_decay: 1.0,
            weight_decay: 0.0,
            products: Vec::new(),
        }
    }

    /// The memories of the two running means, in `[0, 1)`.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Nadam { beta1, beta2, ..self }
    }

    /// `ε`.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Nadam { epsilon, ..self }
    }

    /// `ψ`: how fast the momentum warms up, from half of `β₁` to all of it.
    pub fn momentum_decay(self, momentum_decay: f64) -> Self {
        Nadam { momentum_decay, ..self }
    }

    /// Takes the part `learning rate * weight_decay` off each weight at each step, apart from the gradient: Keras' `weight_decay`,
    /// PyTorch's with `decoupled_weight_decay`.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Nadam { weight_decay, ..self }
    }

    /// `u_t`.
    fn momentum(&self, t: u64) -> f64 {
        self.beta1 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * self.momentum_decay))
    }

    /// `u_1 ⋯ u_t`, for a `t` that [`Rule::begin`] has been told of.
    fn product(&self, t: u64) -> f64 {
        self.products.get(t as usize - 1).copied().unwrap_or(0.0)
    }
}

impl<B: Backend> Rule<B> for Nadam {
    fn name(&self) -> &'static str {
        "nadam"
    }

    fn boxed_clone(&self) -> Option<Box<dyn Rule<B>>> {
        Some(Box::new(self.clone()))
    }

    fn describe(&self) -> Result<Description> {
        describe(Rule::<B>::name(self), &Nadam { products: Vec::new(), ..self.clone() })
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.weight_decay)
    }

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("momentum", 0.0), ("velocity", 0.0)]
    }

    fn check(&self) -> Result<()> {
        from_zero("nadam", "learning rate", self.learning_rate)?;
        below_one("nadam", "beta1", self.beta1)?;
        below_one("nadam", "beta2", self.beta2)?;
        from_zero("nadam", "epsilon", self.epsilon)?;
        from_zero("nadam", "momentum decay", self.momentum_decay)?;
        from_zero("nadam", "weight decay", self.weight_decay)
    }

    fn begin(&mut self, at: Step) -> Result<()> {
        let mut last = self.products.last().copied().unwrap_or(1.0);
        while last > 1e-17 && (self.products.len() as u64) < at.iteration {
            last *= self.momentum(self.products.len() as u64 + 1);
            self.products.push(last);
        }
        Ok(())
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let t = at.iteration;
        let (now, next, product) = (self.momentum(t), self.momentum(t + 1), self.product(t));
        // Numerator and denominator are multiplied by the root, so that the kernel divides by sqrt(v) + ε sqrt(1 -
        // β₂^t).
        let root = (1.0 - self.beta2.powf(t as f64)).sqrt();
        let of_m = at.learning_rate * root * next / (1.0 - product * next);
        let of_g = at.learning_rate * root * (1.0 - now) / (1.0 - product);
        let (beta1, beta2, epsilon) = (self.beta1, self.beta2, self.epsilon * root);
        Some(Update::Nadam { of_m, of_g, beta1, beta2, epsilon, decay: at.learning_rate * at.weight_decay })
    }
}
