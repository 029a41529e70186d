//! RAdam: Adam that does not divide before it knows by what.

use super::{Rule, Step, below_one, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Rectified Adam (Liu and others, "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020): Adam's running means
/// `m` and `v`, corrected for their start at 0. How many gradients `v` is a mean of by now is `ρ_t = ρ - 2 t β₂^t / (1 - β₂^t)`, with
/// `ρ = 2 / (1 - β₂) - 1` in the end. While that is at most 5 (five steps by default) the step is `w -= η m̂`, which has no
/// division; from then on it is Adam's `w -= η r_t m̂ sqrt(1 - β₂^t) / (sqrt(v) + ε)` with
/// `r_t = sqrt((ρ_t - 4) (ρ_t - 2) ρ / ((ρ - 4) (ρ - 2) ρ_t))`, which rises to 1: a warm-up that needs no setting.
///
/// The defaults are PyTorch's: `η = 0.001`, `β₁ = 0.9`, `β₂ = 0.999`, `ε = 1e-8`. Keras has none.
///
/// ```
/// use elman::optim::{Optimizer, RAdam};
/// use elman::{Param, Tensor};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let mut params = [Param::new("w", Tensor::full(&b, &[], 1.0)?, true)];
/// let mut optimizer: Optimizer<_> = RAdam::new(0.25).into();
/// let loss = params[0].tensor().square()?; // gradient 2 w
/// optimizer.step(&mut params, loss.backward()?)?;
/// // The first step is along the gradient itself, not of the length of the rate as Adam's is.
/// assert!((params[0].tensor().to_scalar()? - 0.5).abs() < 1e-12);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct RAdam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Default for RAdam {
    /// PyTorch's defaults.
    fn default() -> Self {
        RAdam::new(0.001)
    }
}

impl RAdam {
    /// With PyTorch's `β₁`, `β₂` and `ε`.
    pub fn new(learning_rate: f64) -> Self {
        RAdam { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }

    /// The memories of the two running means, in `[0, 1)`. With a `β₂` of 2/3 or less `v` never is a mean of more than five.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        RAdam { beta1, beta2, ..self }
    }

    /// `ε`.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RAdam { epsilon, ..self }
    }

    /// Takes the part `learning rate * weight_decay` off each weight at each step, apart from the gradient: PyTorch's with
    /// `decoupled_weight_decay`.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        RAdam { weight_decay, ..self }
    }

    /// `r_t`, once `ρ_t` is above 5.
    fn rectification(&self, t: f64) -> Option<f64> {
        let (whole, forgotten) = (2.0 / (1.0 - self.beta2) - 1.0, self.beta2.powf(t));
        let now = whole - 2.0 * t * forgotten / (1.0 - forgotten);
        let part = (now - 4.0) * (now - 2.0) * whole / ((whole - 4.0) * (whole - 2.0) * now);
        (now > 5.0).then(|| part.sqrt())
    }
}

impl<B: Backend> Rule<B> for RAdam {
    fn name(&self) -> &'static str {
        "radam"
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
        vec![("momentum", 0.0), ("velocity", 0.0)]
    }

    fn check(&self) -> Result<()> {
        from_zero("radam", "learning rate", self.learning_rate)?;
        below_one("radam", "beta1", self.beta1)?;
        below_one("radam", "beta2", self.beta2)?;
        from_zero("radam", "epsilon", self.epsilon)?;
        from_zero("radam", "weight decay", self.weight_decay)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let t = at.iteration as f64;
        let (beta1, beta2, epsilon) = (self.beta1, self.beta2, self.epsilon);
        let (lr, decay) = (at.learning_rate / (1.0 - beta1.powf(t)), at.learning_rate * at.weight_decay);
        Some(match self.rectification(t) {
            Some(part) => {
                let lr = lr * part * (1.0 - beta2.powf(t)).sqrt();
                Update::Adam { lr, beta1, beta2, epsilon, decay, amsgrad: false }
            }
            None => Update::AdamMean { lr, beta1, beta2, decay },
        })
    }
}
