//! Sets that weights are projected back onto after every update.

use crate::backend::{Backend, Map, Zip};
use crate::error::{Error, Result};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// What a parameter must satisfy. The optimiser moves it as if it were free and then projects it (Keras' order).
///
/// Norms are Euclidean and taken over all axes but the last: of a kernel `[inputs, outputs]` each column, the weights
/// that lead to one unit, has its own. Keras' default is axis 0, which is the same for kernels; of a vector both take
/// one norm over the whole. PyTorch has no counterpart (`torch.renorm` comes nearest).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Constraint {
    /// Columns longer than the given norm are shortened to it: `w · min(|w|, max) / (ε + |w|)` with `ε = 1e-7`
    /// (Srivastava et al., "Dropout", 2014; Keras' default is 2).
    MaxNorm(f64),
    /// Negative weights become 0.
    NonNegative,
    /// Every column has norm 1: `w / (ε + |w|)` with `ε = 1e-7`.
    UnitNorm,
}

/// Keras' `backend.epsilon()`: keeps a column of zeros what it is.
const EPSILON: f64 = 1e-7;

impl Constraint {
    /// Errors when the greatest norm allowed is negative or NaN.
    pub fn check(&self) -> Result<()> {
        match *self {
            Constraint::MaxNorm(max) if max.is_nan() || max < 0.0 => {
                Err(Error::invalid("constraint: max norm", "a number from 0 on", max))
            }
            _ => Ok(()),
        }
    }

    /// The nearest weight (for the norms: the one in the same direction) that satisfies the constraint. On the device
    /// throughout. Errors when the greatest norm allowed is negative or NaN.
    pub fn project<B: Backend>(&self, b: &B, w: &B::Array) -> Result<B::Array> {
        self.check()?;
        match *self {
            Constraint::NonNegative => b.map(Map::Clamp(0.0, f64::INFINITY), w),
            Constraint::MaxNorm(max) => {
                let norm = norms(b, w)?;
                let shorter = b.map(Map::Clamp(0.0, max), &norm)?;
                b.zip(Zip::Mul, w, &b.zip(Zip::Div, &shorter, &b.map(Map::Affine(1.0, EPSILON), &norm)?)?)
            }
            Constraint::UnitNorm => b.zip(Zip::Div, w, &b.map(Map::Affine(1.0, EPSILON), &norms(b, w)?)?),
        }
    }
}

/// The norm of each column, in a shape that broadcasts to the weight's.
fn norms<B: Backend>(b: &B, w: &B::Array) -> Result<B::Array> {
    let shape = b.shape(w);
    let columns = if shape.rank() < 2 { Shape::SCALAR } else { [shape.last()].into() };
    b.map(Map::Sqrt, &b.sum_to(&b.map(Map::Square, w)?, columns)?)
}
