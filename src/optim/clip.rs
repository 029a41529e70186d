//! Clipping of gradients: a cure for those that explode (L20).

use super::from_zero;
use crate::backend::{Backend, Map, Zip};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A bound on gradients, applied on the device without reading anything back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Each element is held within `±c`. Keras' `clipvalue`, PyTorch's `clip_grad_value_`. Changes the direction.
    Value(f64),
    /// Each parameter's gradient is multiplied by `c / max(|g|, c)`. Keras' `clipnorm`.
    Norm(f64),
    /// All gradients are multiplied by `c / max(|g|, c)`, where `|g|` is the norm of all of them together, which keeps
    /// the direction of the step (Pascanu, Mikolov, Bengio, 2013). Keras' `global_clipnorm`; PyTorch's
    /// `clip_grad_norm_` is the same but for an `ε = 1e-6` added to the norm, which shortens a clipped gradient by that
    /// much more.
    GlobalNorm(f64),
}

impl Clip {
    /// Errors when the bound is not a positive, finite number.
    pub fn check(&self) -> Result<()> {
        let (option, bound) = match *self {
            Clip::Value(bound) => ("clip value", bound),
            Clip::Norm(bound) => ("clip norm", bound),
            Clip::GlobalNorm(bound) => ("clip global norm", bound),
        };
        from_zero("optimizer", option, bound)?;
        if bound > 0.0 {
            Ok(())
        } else {
            Err(Error::invalid(format!("optimizer: {option}"), "a positive number", bound))
        }
    }

    /// Clips the gradients of all parameters. A NaN anywhere stays one (with a norm it spreads to all that share the
    /// norm).
    pub fn apply<B: Backend>(&self, b: &B, gradients: &mut [B::Array]) -> Result<()> {
        match *self {
            Clip::Value(bound) => {
                for g in gradients {
                    *g = b.map(Map::Clamp(-bound, bound), g)?;
                }
            }
            Clip::Norm(bound) => {
                for g in gradients {
                    let factor = factor(b, &norm(b, std::slice::from_ref(g))?, bound)?;
                    *g = b.zip(Zip::Mul, g, &factor)?;
                }
            }
            Clip::GlobalNorm(bound) => {
                let factor = factor(b, &norm(b, gradients)?, bound)?;
                for g in gradients {
                    *g = b.zip(Zip::Mul, g, &factor)?;
                }
            }
        }
        Ok(())
    }
}

/// The Euclidean norm of all gradients together, a scalar on the device: for monitors of what explodes or vanishes
/// (L20).
pub fn global_norm<B: Backend>(b: &B, gradients: &[B::Array]) -> Result<Tensor<B>> {
    Ok(Tensor::constant(b, norm(b, gradients)?))
}

fn norm<B: Backend>(b: &B, gradients: &[B::Array]) -> Result<B::Array> {
    let mut total = b.fill([].into(), 0.0)?;
    for g in gradients {
        b.add_assign(&mut total, &b.sum_to(&b.map(Map::Square, g)?, [].into())?)?;
    }
    b.map(Map::Sqrt, &total)
}

/// `bound / max(norm, bound)`: 1, to the bit, for what is short enough.
fn factor<B: Backend>(b: &B, norm: &B::Array, bound: f64) -> Result<B::Array> {
    b.zip(Zip::Div, &b.fill([].into(), bound)?, &b.map(Map::Clamp(bound, f64::INFINITY), norm)?)
}
