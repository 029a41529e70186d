//! Clipping of gradients: a cure for those that explode (L20).

use super::from_zero;
use crate::backend::{Backend, Map, Zip};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A bound on gradients, applied on the device without reading anything back. Norms are right at any size of the gradients: no
/// square overflows or vanishes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
                gradients.iter_mut().try_for_each(|g| shorten(b, std::slice::from_mut(g), bound))?;
            }
            Clip::GlobalNorm(bound) => shorten(b, gradients, bound)?,
        }
        Ok(())
    }
}

/// The Euclidean norm of all gradients together, a scalar on the device: for monitors of what explodes or vanishes
/// (L20). Squares neither overflow nor vanish on the way.
pub fn global_norm<B: Backend>(b: &B, gradients: &[B::Array]) -> Result<Tensor<B>> {
    let Norm { scale, ratio } = norm(b, gradients)?;
    Ok(Tensor::constant(b, b.zip(Zip::Mul, &ratio, &scale)?))
}

/// A norm as `scale ratio`: the product may be beyond the greatest number, its factors are not. Both are scalars.
struct Norm<A> {
    /// What gradients are divided by before they are squared: 1 where that is not needed.
    scale: A,
    ratio: A,
}

/// Greatest absolute values between these can be squared as they are: in `f32` no square overflows, and what vanishes of smaller
/// ones is less than the last bit, be they a billion.
const SQUARED: [f64; 2] = [1e-10, 1e14];

fn norm<B: Backend>(b: &B, gradients: &[B::Array]) -> Result<Norm<B::Array>> {
    let one = b.fill([].into(), 1.0)?;
    if b.is_on_host() {
        let squares = sum_of_squares(b, gradients, None)?;
        let [least, most] = SQUARED.map(|x| x * x);
        if number(b, &squares)?.is_some_and(|squares| (least..most).contains(&squares)) {
            return Ok(Norm { scale: one, ratio: b.map(Map::Sqrt, &squares)? });
        }
    }
    let mut greatest = b.fill([].into(), 0.0)?;
    for g in gradients {
        let count = b.shape(g).elements();
        if count > 0 {
            let sizes = b.reshape(&b.map(Map::Abs, g)?, [count].into())?;
            greatest = b.zip(Zip::Max, &greatest, &b.reshape(&b.max(&sizes, 0)?, [].into())?)?;
        }
    }
    // Between the bounds, or 0, which cannot be divided by.
    let [least, most] = SQUARED.map(|x| b.fill([].into(), x));
    let within = b.zip(Zip::Mul, &b.zip(Zip::Greater, &greatest, &least?)?, &b.zip(Zip::Less, &greatest, &most?)?)?;
    let as_they_are = b.zip(Zip::Max, &within, &b.zip(Zip::Equal, &greatest, &b.fill([].into(), 0.0)?)?)?;
    let scale = b.select(&as_they_are, &one, &greatest)?;
    let squares = sum_of_squares(b, gradients, Some(&scale))?;
    Ok(Norm { scale, ratio: b.map(Map::Sqrt, &squares)? })
}

fn sum_of_squares<B: Backend>(b: &B, gradients: &[B::Array], scale: Option<&B::Array>) -> Result<B::Array> {
    let mut total = b.fill([].into(), 0.0)?;
    for g in gradients {
        let square = match scale {
            Some(scale) => b.map(Map::Square, &b.zip(Zip::Div, g, scale)?)?,
            None => b.map(Map::Square, g)?,
        };
        b.add_assign(&mut total, &b.sum_to(&square, [].into())?)?;
    }
    Ok(total)
}

/// Shortens gradients together to a norm. What is short enough stays as it is, to the bit.
fn shorten<B: Backend>(b: &B, gradients: &mut [B::Array], bound: f64) -> Result<()> {
    let Norm { scale, ratio } = norm(b, gradients)?;
    let norm = b.zip(Zip::Mul, &ratio, &scale)?;
    if b.is_on_host() && number(b, &norm)?.is_some_and(|norm| norm <= bound) {
        return Ok(());
    }
    let bound = b.fill([].into(), bound)?;
    // A NaN is not greater than the bound, and yet is to spread.
    let fits = b.zip(Zip::Max, &b.zip(Zip::Less, &norm, &bound)?, &b.zip(Zip::Equal, &norm, &bound)?)?;
    let factor = b.zip(Zip::Div, &bound, &ratio)?;
    for g in gradients {
        let shortened = b.zip(Zip::Mul, &b.zip(Zip::Div, g, &scale)?, &factor)?;
        *g = b.select(&fits, g, &shortened)?;
    }
    Ok(())
}

/// A scalar's number.
fn number<B: Backend>(b: &B, scalar: &B::Array) -> Result<Option<f64>> {
    Ok(b.download(scalar)?.first().map(|x| x.to_f64()))
}
