//! Adam, with AMSGrad and the decoupled weight decay of AdamW.

use super::{Rule, Step, below_one, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Adam (L11; Kingma and Ba, 2015): running means `m = β₁ m + (1-β₁) g` and `v = β₂ v + (1-β₂) g²`, both corrected for
/// their start at 0, and `w -= η_t m / (sqrt(v) + ε̂)` with `η_t = η sqrt(1 - β₂^t) / (1 - β₁^t)`.
///
/// The defaults are Keras': `η = 0.001`, `β₁ = 0.9`, `β₂ = 0.999`, `ε̂ = 1e-7`. This `ε̂` is added before the
/// correction (the paper's remark above its section 2.1). The paper's Algorithm 1 and PyTorch correct first, `w -= η m̂
/// / (sqrt(v̂) + ε)` with `m̂ = m / (1 - β₁^t)` and `v̂ = v / (1 - β₂^t)`, which is the same with `ε̂ = ε sqrt(1 -
/// β₂^t)`: [`Adam::epsilon_hat`] sets the one, [`Adam::epsilon`] the other. PyTorch is `Adam::new(1e-3).epsilon(1e-8)`.
///
/// With [`Adam::weight_decay`] it is AdamW (Loshchilov and Hutter, 2019).
#[doc(alias = "AdamW")]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Adam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    /// Whether `epsilon` is that of Algorithm 1, added after the correction.
    corrected: bool,
    amsgrad: bool,
    weight_decay: f64,
}

impl Default for Adam {
    /// Keras' defaults.
    fn default() -> Self {
        Adam::new(0.001)
    }
}

impl Adam {
    /// With Keras' `β₁`, `β₂` and `ε̂`.
    pub fn new(learning_rate: f64) -> Self {
        Adam {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            corrected: false,
            amsgrad: false,
            weight_decay: 0.0,
        }
    }

    /// The memories of the two running means, in `[0, 1)`.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Adam { beta1, beta2, ..self }
    }

    /// `ε̂`, added to the root before its bias correction: Keras' (1e-7).
    pub fn epsilon_hat(self, epsilon: f64) -> Self {
        Adam { epsilon, corrected: false, ..self }
    }

    /// `ε`, added to the root after its bias correction: the paper's Algorithm 1 and PyTorch's (1e-8).
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adam { epsilon, corrected: true, ..self }
    }

    /// AMSGrad (Reddi, Kale, Kumar, 2018): the greatest `v` so far stands in the root, before its correction as in
    /// Keras and PyTorch, so that rates never rise again.
    pub fn amsgrad(self) -> Self {
        Adam { amsgrad: true, ..self }
    }

    /// Decoupled weight decay, which makes it AdamW: `w -= η decay w` before each update, with the schedule in `η` and
    /// past the running means. Keras' default is 0.004, PyTorch's 0.01. It is applied to every parameter, as by default
    /// in both.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Adam { weight_decay, ..self }
    }
}

impl<B: Backend> Rule<B> for Adam {
    fn name(&self) -> &'static str {
        "adam"
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
        let mut slots = vec![("momentum", 0.0), ("velocity", 0.0)];
        slots.extend(self.amsgrad.then_some(("velocity_hat", 0.0)));
        slots
    }

    fn check(&self) -> Result<()> {
        from_zero("adam", "learning rate", self.learning_rate)?;
        below_one("adam", "beta1", self.beta1)?;
        below_one("adam", "beta2", self.beta2)?;
        from_zero("adam", "epsilon", self.epsilon)?;
        from_zero("adam", "weight decay", self.weight_decay)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let Adam { beta1, beta2, amsgrad, .. } = *self;
        let t = at.iteration as f64;
        let root = (1.0 - beta2.powf(t)).sqrt();
        let lr = at.learning_rate * root / (1.0 - beta1.powf(t));
        let epsilon = if self.corrected { self.epsilon * root } else { self.epsilon };
        let decay = at.learning_rate * at.weight_decay;
        Some(Update::Adam { lr, beta1, beta2, epsilon, decay, amsgrad })
    }
}
