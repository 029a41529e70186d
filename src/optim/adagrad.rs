//! AdaGrad: each weight's rate falls with the gradients that it has seen.

use super::{Epsilon, Rule, Step, epsilon, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// AdaGrad (L11; Duchi, Hazan, Singer, 2011): `a += g²`, `w -= η g / sqrt(a + ε)`.
///
/// Rare features, such as rare words, keep a large rate; all rates fall for ever, which is what [`super::RmsProp`] and
/// [`super::AdaDelta`] mend.
///
/// The defaults are Keras': `η = 0.001`, `a` starts at 0.1, `ε = 1e-7` inside the root. PyTorch's are
/// `AdaGrad::new(0.01).initial_accumulator(0.0).epsilon(Epsilon::Outside(1e-10))`; the paper's rate is of the order of
/// 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct AdaGrad {
    learning_rate: f64,
    initial_accumulator: f64,
    epsilon: Epsilon,
}

impl Default for AdaGrad {
    /// Keras' defaults.
    fn default() -> Self {
        AdaGrad::new(0.001)
    }
}

impl AdaGrad {
    /// With Keras' initial accumulator and `ε`.
    pub fn new(learning_rate: f64) -> Self {
        AdaGrad { learning_rate, initial_accumulator: 0.1, epsilon: Epsilon::Inside(1e-7) }
    }

    /// What `a` starts at.
    pub fn initial_accumulator(self, initial_accumulator: f64) -> Self {
        AdaGrad { initial_accumulator, ..self }
    }

    /// `ε` and its place.
    pub fn epsilon(self, epsilon: Epsilon) -> Self {
        AdaGrad { epsilon, ..self }
    }
}

impl<B: Backend> Rule<B> for AdaGrad {
    fn name(&self) -> &'static str {
        "adagrad"
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
        vec![("accumulator", self.initial_accumulator)]
    }

    fn check(&self) -> Result<()> {
        from_zero("adagrad", "learning rate", self.learning_rate)?;
        from_zero("adagrad", "initial accumulator", self.initial_accumulator)?;
        epsilon("adagrad", self.epsilon)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        Some(Update::AdaGrad { lr: at.learning_rate, epsilon: self.epsilon })
    }
}
