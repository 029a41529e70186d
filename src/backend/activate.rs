//! Activations over arrays: the default bodies of [`Backend::activate`] and [`Backend::activate_grad`].

use super::{Backend, Map, Zip, check};
use crate::activation::{Activation, GELU_CUBIC, GELU_FAR, SELU_ALPHA, SELU_SCALE, SOFTSIGN_FAR, SQRT_2_OVER_PI};
use crate::error::Result;
use crate::shape::Shape;

/// The value of `f`, composed of a backend's required operations.
pub fn activate<B: Backend>(b: &B, f: Activation, x: &B::Array) -> Result<B::Array> {
    let positive = || b.map(Map::Clamp(0.0, f64::INFINITY), x);
    let hard = |slope| b.map(Map::Clamp(0.0, 1.0), &b.map(Map::Affine(slope, 0.5), x)?);
    match f {
        Activation::Linear => Ok(x.clone()),
        Activation::Sigmoid => b.map(Map::Sigmoid, x),
        Activation::HardSigmoid => hard(1.0 / 6.0),
        Activation::HardSigmoidKeras1 => hard(0.2),
        Activation::Tanh => b.map(Map::Tanh, x),
        Activation::Relu => positive(),
        Activation::LeakyRelu(slope) => b.select(&b.map(Map::Step, x)?, x, &b.map(Map::Affine(slope, 0.0), x)?),
        Activation::Elu(alpha) => {
            let below = b.map(Map::Affine(alpha, 0.0), &b.map(Map::ExpM1, x)?)?;
            b.select(&b.map(Map::Step, x)?, x, &below)
        }
        Activation::Gelu => part_of(b, x, &normal_cdf_array(b, x)?),
        Activation::GeluTanh => part_of(b, x, &b.map(Map::Affine(0.5, 0.5), &gelu_tanh(b, x)?)?),
        Activation::Silu => part_of(b, x, &b.map(Map::Sigmoid, x)?),
        Activation::Softplus => {
            let tail = b.map(Map::Ln1p, &b.map(Map::Exp, &b.map(Map::Neg, &b.map(Map::Abs, x)?)?)?)?;
            b.zip(Zip::Add, &positive()?, &tail)
        }
        Activation::Selu => {
            let below = b.map(Map::Affine(SELU_SCALE * SELU_ALPHA, 0.0), &b.map(Map::ExpM1, x)?)?;
            b.select(&b.map(Map::Step, x)?, &b.map(Map::Affine(SELU_SCALE, 0.0), x)?, &below)
        }
        Activation::Celu(alpha) => {
            let below = b.map(Map::ExpM1, &b.map(Map::Affine(1.0 / alpha, 0.0), x)?)?;
            b.select(&b.map(Map::Step, x)?, x, &b.map(Map::Affine(alpha, 0.0), &below)?)
        }
        Activation::Mish => part_of(b, x, &tanh_of_softplus_array(b, x)?[0]),
        Activation::HardSwish => part_of(b, x, &hard(1.0 / 6.0)?),
        Activation::Softsign => {
            let x = b.map(Map::Clamp(-SOFTSIGN_FAR, SOFTSIGN_FAR), x)?;
            b.zip(Zip::Div, &x, &b.map(Map::Affine(1.0, 1.0), &b.map(Map::Abs, &x)?)?)
        }
        Activation::Relu6 => b.map(Map::Clamp(0.0, 6.0), x),
        Activation::LogSigmoid => {
            let tail = b.map(Map::Ln1p, &b.map(Map::Exp, &b.map(Map::Neg, &b.map(Map::Abs, x)?)?)?)?;
            b.zip(Zip::Sub, &b.map(Map::Clamp(f64::NEG_INFINITY, 0.0), x)?, &tail)
        }
        Activation::Softmax => b.softmax(x),
        Activation::LogSoftmax => b.log_softmax(x),
    }
}

/// `dx = f'(x) ⊙ dy` (for the softmaxes the product with their Jacobian), from the input `x` and the value `y`.
pub fn activate_grad<B: Backend>(b: &B, f: Activation, x: &B::Array, y: &B::Array, dy: &B::Array) -> Result<B::Array> {
    check::same_shape("activate_grad", b.shape(x), b.shape(dy))?;
    check::same_shape("activate_grad", b.shape(x), b.shape(y))?;
    let one_minus = |a: &B::Array| b.map(Map::Affine(-1.0, 1.0), a);
    let step = || b.map(Map::Step, x);
    let hard = |slope| {
        let inside = b.zip(Zip::Mul, &b.map(Map::Step, y)?, &b.map(Map::Step, &one_minus(y)?)?)?;
        b.map(Map::Affine(slope, 0.0), &inside)
    };
    let slope = match f {
        Activation::Linear => return Ok(dy.clone()),
        Activation::Softmax => return b.softmax_grad(y, dy),
        Activation::LogSoftmax => return b.log_softmax_grad(y, dy),
        Activation::Sigmoid => b.zip(Zip::Mul, y, &one_minus(y)?)?,
        Activation::HardSigmoid => hard(1.0 / 6.0)?,
        Activation::HardSigmoidKeras1 => hard(0.2)?,
        Activation::Tanh => one_minus(&b.map(Map::Square, y)?)?,
        Activation::Relu => step()?,
        Activation::LeakyRelu(slope) => b.map(Map::Affine(1.0 - slope, slope), &step()?)?,
        Activation::Elu(alpha) => {
            let one = b.fill(b.shape(x), 1.0)?;
            b.select(&step()?, &one, &b.map(Map::Affine(alpha, 0.0), &b.map(Map::Exp, x)?)?)?
        }
        Activation::Gelu => {
            let density = b.map(Map::Exp, &b.map(Map::Affine(-0.5, 0.0), &b.map(Map::Square, x)?)?)?;
            let spread = part_of(b, x, &b.map(Map::Affine(0.398_942_280_401_432_7, 0.0), &density)?)?;
            b.zip(Zip::Add, &normal_cdf_array(b, x)?, &spread)?
        }
        Activation::GeluTanh => {
            let x = &b.map(Map::Clamp(-GELU_FAR, GELU_FAR), x)?;
            let t = gelu_tanh(b, x)?;
            let rise = b.map(Map::Affine(-0.5, 0.5), &b.map(Map::Square, &t)?)?;
            let bend = Map::Affine(3.0 * GELU_CUBIC * SQRT_2_OVER_PI, SQRT_2_OVER_PI);
            let inner = b.map(bend, &b.map(Map::Square, x)?)?;
            let second = b.zip(Zip::Mul, &b.zip(Zip::Mul, x, &rise)?, &inner)?;
            b.zip(Zip::Add, &b.map(Map::Affine(0.5, 0.5), &t)?, &second)?
        }
        Activation::Silu => {
            let s = b.map(Map::Sigmoid, x)?;
            b.zip(Zip::Add, &s, &part_of(b, y, &one_minus(&s)?)?)?
        }
        Activation::Softplus => b.map(Map::Sigmoid, x)?,
        Activation::Selu => {
            let below = b.map(Map::Affine(SELU_SCALE * SELU_ALPHA, 0.0), &b.map(Map::Exp, x)?)?;
            b.select(&step()?, &b.fill(Shape::SCALAR, SELU_SCALE)?, &below)?
        }
        Activation::Celu(alpha) => {
            let below = b.map(Map::Exp, &b.map(Map::Affine(1.0 / alpha, 0.0), x)?)?;
            b.select(&step()?, &b.fill(Shape::SCALAR, 1.0)?, &below)?
        }
        Activation::Mish => {
            let [t, rest] = tanh_of_softplus_array(b, x)?;
            let bend = b.zip(Zip::Mul, &rest, &b.map(Map::Affine(1.0, 1.0), &t)?)?;
            b.zip(Zip::Add, &t, &part_of(b, x, &b.zip(Zip::Mul, &bend, &b.map(Map::Sigmoid, x)?)?)?)?
        }
        Activation::HardSwish => {
            let h = b.map(Map::Clamp(0.0, 1.0), &b.map(Map::Affine(1.0 / 6.0, 0.5), x)?)?;
            let inside = b.zip(Zip::Mul, &b.map(Map::Step, &h)?, &b.map(Map::Step, &one_minus(&h)?)?)?;
            let bend = part_of(b, x, &b.map(Map::Affine(1.0 / 6.0, 0.0), &inside)?)?;
            b.zip(Zip::Add, &h, &bend)?
        }
        Activation::Softsign => {
            b.map(Map::Square, &b.map(Map::Recip, &b.map(Map::Affine(1.0, 1.0), &b.map(Map::Abs, x)?)?)?)?
        }
        Activation::Relu6 => b.zip(Zip::Mul, &step()?, &b.map(Map::Step, &b.map(Map::Affine(-1.0, 6.0), x)?)?)?,
        Activation::LogSigmoid => b.map(Map::Sigmoid, &b.map(Map::Neg, x)?)?,
    };
    b.zip(Zip::Mul, &slope, dy)
}

/// [`part`] of arrays.
fn part_of<B: Backend>(b: &B, x: &B::Array, w: &B::Array) -> Result<B::Array> {
    b.select(w, &b.zip(Zip::Mul, x, w)?, &b.fill([].into(), 0.0)?)
}

fn normal_cdf_array<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let scaled = b.map(Map::Affine(std::f64::consts::FRAC_1_SQRT_2, 0.0), x)?;
    b.map(Map::Affine(0.5, 0.5), &b.map(Map::Erf, &scaled)?)
}

fn gelu_tanh<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let bend = b.map(Map::Affine(GELU_CUBIC, 1.0), &b.map(Map::Square, x)?)?;
    b.map(Map::Tanh, &b.map(Map::Affine(SQRT_2_OVER_PI, 0.0), &b.zip(Zip::Mul, x, &bend)?)?)
}

/// [`tanh_of_softplus`] of each element.
fn tanh_of_softplus_array<B: Backend>(b: &B, x: &B::Array) -> Result<[B::Array; 2]> {
    let (s, r) = (b.map(Map::Sigmoid, x)?, b.map(Map::Sigmoid, &b.map(Map::Neg, x)?)?);
    let square = b.map(Map::Square, &r)?;
    let whole = b.map(Map::Affine(1.0, 1.0), &square)?;
    let t = b.zip(Zip::Div, &b.zip(Zip::Mul, &s, &b.map(Map::Affine(1.0, 1.0), &r)?)?, &whole)?;
    Ok([t, b.zip(Zip::Div, &b.map(Map::Affine(2.0, 0.0), &square)?, &whole)?])
}
