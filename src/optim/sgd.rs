//! Gradient descent: plain, with momentum, with Nesterov's look-ahead.

use super::{Rule, Step, below_one, from_zero};
use crate::backend::{Backend, Update};
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent (L7), by default plain: `w -= α g`.
///
/// With momentum `γ` (L10; Polyak, 1964): `v = γ v - α g`, `w += v`. The velocity remembers past gradients, which adds
/// up where they agree and cancels where they alternate.
///
/// With Nesterov's look-ahead (1983) the gradient is that at `w + γ v`, where the momentum is about to carry the
/// weights. (The lecture's slide looks ahead by all of `v`; that is a slip.) To need no second set of weights, what is
/// kept and trained is the point looked ahead to; in its terms the step is `v = γ v - α g`, `w += γ v - α g`, as in
/// Keras and PyTorch.
///
/// The defaults are Keras': learning rate 0.01, no momentum. Its velocity contains the learning rate, PyTorch's does
/// not (`v = γ v + g`, `w -= α v`): the same weights as long as the rate does not change.
///
/// With [`Sgd::weight_decay`] the weights shrink by themselves, `w -= α λ w` (SGDW: Loshchilov and Hutter, 2019), as in Keras. For a
/// penalty on the weights, which goes through the momentum and is PyTorch's `weight_decay`, see
/// [`Regularizer::l2`](crate::regularizer::Regularizer::l2).
///
/// ```
/// use elman::optim::{Optimizer, Sgd};
/// use elman::{Param, Tensor};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let mut params = [Param::new("w", Tensor::full(&b, &[], 1.0)?, true)];
/// let mut optimizer = Optimizer::new(Sgd::new(0.25).momentum(0.5));
/// for expected in [0.5, 0.0] {
///     let loss = params[0].tensor().square()?; // gradient 2 w
///     optimizer.step(&mut params, loss.backward()?)?;
///     assert_eq!(params[0].tensor().to_scalar()?, expected);
/// }
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    dampening: f64,
    weight_decay: f64,
}

impl Default for Sgd {
    /// Keras' defaults.
    fn default() -> Self {
        Sgd::new(0.01)
    }
}

impl Sgd {
    /// Plain gradient descent.
    pub fn new(learning_rate: f64) -> Self {
        Sgd { learning_rate, momentum: 0.0, nesterov: false, dampening: 0.0, weight_decay: 0.0 }
    }

    /// With momentum `γ` in `[0, 1)`, often 0.9.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// With Nesterov's look-ahead, which needs a momentum.
    pub fn nesterov(self) -> Self {
        Sgd { nesterov: true, ..self }
    }

    /// With gradients that count `1 - τ` in the velocity, `v = γ v - α (1 - τ) g`, but for a parameter's first, which counts whole:
    /// PyTorch's `dampening`. With `τ = γ` the velocity is a running mean of the gradients. In `[0, 1)`; needs a momentum, and
    /// does not go with Nesterov's look-ahead.
    pub fn dampening(self, dampening: f64) -> Self {
        Sgd { dampening, ..self }
    }

    /// Takes the part `learning rate * weight_decay` off each weight at each step, apart from the gradient.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Sgd { weight_decay, ..self }
    }
}

impl<B: Backend> Rule<B> for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
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
        if self.momentum > 0.0 { vec![("momentum", 0.0)] } else { Vec::new() }
    }

    fn check(&self) -> Result<()> {
        from_zero("sgd", "learning rate", self.learning_rate)?;
        below_one("sgd", "momentum", self.momentum)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::invalid("sgd: nesterov", "a momentum above 0", self.momentum));
        }
        below_one("sgd", "dampening", self.dampening)?;
        if self.dampening > 0.0 && (self.nesterov || self.momentum == 0.0) {
            let found = if self.nesterov { "nesterov".to_string() } else { format!("momentum {}", self.momentum) };
            return Err(Error::invalid("sgd: dampening", "a momentum above 0, without nesterov", found));
        }
        from_zero("sgd", "weight decay", self.weight_decay)
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let (lr, decay) = (at.learning_rate, at.learning_rate * at.weight_decay);
        let counted = if at.iteration > 1 { 1.0 - self.dampening } else { 1.0 };
        Some(match self.momentum > 0.0 {
            true => Update::Momentum { lr: lr * counted, momentum: self.momentum, nesterov: self.nesterov, decay },
            false => Update::Sgd { lr, decay },
        })
    }
}
