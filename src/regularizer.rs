//! Penalties on the size of weights, added to the loss.

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// `l1 Σ|w| + l2 Σw²`: what a parameter adds to the loss (L1 of the lecture has the second, on weights but not on
/// biases).
///
/// As in Keras there is no factor of one half and no mean over the elements, so the gradient is `l1 sign(w) + 2 l2 w`.
/// PyTorch's `weight_decay = d` of SGD adds `d w` to the gradient: that is `Regularizer::l2(d / 2.0)`. It is not what
/// AdamW does, whose decay bypasses the gradient: see [`Adam::weight_decay`](crate::optim::Adam::weight_decay).
///
/// ```
/// use elman::{Tensor, regularizer::Regularizer};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let w = Tensor::variable(&b, vec![3.0, -4.0], &[2])?;
/// let penalty = Regularizer::l1_l2(0.5, 0.1).penalty(&w)?;
/// assert_eq!(penalty.to_scalar()?, 0.5 * 7.0 + 0.1 * 25.0);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regularizer {
    /// Factor of the sum of absolute values: drives weights to exactly 0.
    pub l1: f64,
    /// Factor of the sum of squares: keeps weights small.
    pub l2: f64,
}

impl Regularizer {
    /// `l1 Σ|w|`. Keras' default factor is 0.01.
    pub fn l1(l1: f64) -> Self {
        Regularizer { l1, l2: 0.0 }
    }

    /// `l2 Σw²`. Keras' default factor is 0.01.
    pub fn l2(l2: f64) -> Self {
        Regularizer { l1: 0.0, l2 }
    }

    /// `l1 Σ|w| + l2 Σw²`. Keras' default factors are 0.01 each.
    pub fn l1_l2(l1: f64, l2: f64) -> Self {
        Regularizer { l1, l2 }
    }

    /// Errors when a factor is negative or not finite.
    pub fn check(&self) -> Result<()> {
        for (name, factor) in [("l1", self.l1), ("l2", self.l2)] {
            if !(factor.is_finite() && factor >= 0.0) {
                return Err(Error::invalid(format!("regularizer: {name}"), "a finite number from 0 on", factor));
            }
        }
        Ok(())
    }

    /// The penalty of a weight, a scalar through which gradients flow. Errors when a factor is negative or not finite.
    pub fn penalty<B: Backend>(&self, w: &Tensor<B>) -> Result<Tensor<B>> {
        self.check()?;
        let absolute = (self.l1 > 0.0).then(|| w.abs()?.sum()?.affine(self.l1, 0.0)).transpose()?;
        let squares = (self.l2 > 0.0).then(|| w.square()?.sum()?.affine(self.l2, 0.0)).transpose()?;
        match (absolute, squares) {
            (Some(absolute), Some(squares)) => absolute.add(&squares),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => Tensor::full(w.backend(), &[], 0.0),
        }
    }
}
