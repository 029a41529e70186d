//! Gradient descent: plain, with momentum, with Nesterov's look-ahead.

use super::{Rule, Step, below_one, from_zero};
use crate::backend::{Backend, Update};
use crate::error::{Error, Result};

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
/// For a penalty on the weights see [`Regularizer::l2`](crate::regularizer::Regularizer::l2).
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
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
        Sgd { learning_rate, momentum: 0.0, nesterov: false }
    }

    /// With momentum `γ` in `[0, 1)`, often 0.9.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// With Nesterov's look-ahead, which needs a momentum.
    pub fn nesterov(self) -> Self {
        Sgd { nesterov: true, ..self }
    }
}

impl<B: Backend> Rule<B> for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
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
        Ok(())
    }

    fn fused(&self, at: Step) -> Option<Update> {
        let lr = at.learning_rate;
        Some(match self.momentum > 0.0 {
            true => Update::Momentum { lr, momentum: self.momentum, nesterov: self.nesterov },
            false => Update::Sgd { lr },
        })
    }
}
