//! [`Init`]: how a parameter's first values are drawn (L21).
//!
//! All values are made on the host in `f64` from a [`Key`], so that the same seed gives the same weights on every
//! backend.

mod orthogonal;

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A way to draw first values.
///
/// The scaled ones depend on a weight's *fans*, the numbers of inputs and outputs of a unit: of `[inputs, outputs]` its
/// two sizes, of a vector twice its length, of more axes the last two times the product of those before (a
/// convolution's receptive field), as in Keras. PyTorch stores kernels as `[outputs, inputs]`; its numbers are the same
/// for the transpose.
///
/// The scaled normal laws follow Keras: *truncated* at two standard deviations, which are corrected so that the
/// variance after truncation is the one named. PyTorch's `xavier_normal_` and `kaiming_normal_` are not truncated;
/// write [`Init::VarianceScaling`] with [`Law::Normal`] for them.
///
/// ```
/// use elman::{Init, Key};
///
/// let kernel = Init::GlorotUniform.values([30, 20].into(), Key::new(1).named("dense.kernel"))?;
/// let limit = (6.0f64 / 50.0).sqrt();
/// assert!(kernel.len() == 600 && kernel.iter().all(|w| w.abs() <= limit));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// 0 throughout: biases.
    Zeros,
    /// 1 throughout: gains of normalisation.
    Ones,
    /// One number throughout.
    Constant(f64),
    /// Uniform in `[low, high)`. Keras' `RandomUniform` has ±0.05, also for embeddings.
    Uniform {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
    /// Normal. Keras' `RandomNormal` has mean 0 and deviation 0.05; PyTorch's embeddings 0 and 1.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Normal, drawn again while it lies more than two `std` from the mean, which makes the actual deviation `0.8796
    /// std`.
    TruncatedNormal {
        /// Mean.
        mean: f64,
        /// Standard deviation before truncation.
        std: f64,
    },
    /// A law with mean 0 and variance `scale / fan`: what all of those below are, save the last two.
    VarianceScaling {
        /// Positive.
        scale: f64,
        /// What the variance is divided by.
        fan: Fan,
        /// The law.
        law: Law,
    },
    /// Uniform with variance `2 / (inputs + outputs)`: the default for kernels (Glorot and Bengio, 2010; Xavier in
    /// PyTorch).
    #[default]
    GlorotUniform,
    /// Truncated normal with variance `2 / (inputs + outputs)`.
    GlorotNormal,
    /// Uniform with variance `2 / inputs`: before ReLU (He et al., 2015; Kaiming in PyTorch).
    HeUniform,
    /// Truncated normal with variance `2 / inputs`.
    HeNormal,
    /// Uniform with variance `1 / inputs` (LeCun et al., 1998).
    LecunUniform,
    /// Truncated normal with variance `1 / inputs` (Klambauer et al., 2017, before SELU).
    LecunNormal,
    /// `gain` times a random matrix with orthonormal columns, or rows if there are fewer of them, every such matrix
    /// being as likely as any other (Saxe et al., 2014): the default for recurrent kernels, whose powers neither grow
    /// nor shrink (L20). More than two axes are read as `[product of the others, last]`.
    Orthogonal {
        /// Factor.
        gain: f64,
    },
    /// `gain` on the diagonal, 0 elsewhere; also for a matrix that is not square (Le et al., 2015, for recurrent ReLU).
    Identity {
        /// Factor.
        gain: f64,
    },
}

/// What [`Init::VarianceScaling`] divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fan {
    /// The inputs of a unit: keeps the variance of what flows forward.
    In,
    /// The outputs: keeps the variance of what flows backward.
    Out,
    /// The mean of both.
    Average,
}

/// The law of [`Init::VarianceScaling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// Uniform in `±sqrt(3 variance)`.
    Uniform,
    /// Normal, not truncated.
    Normal,
    /// Normal, truncated at two standard deviations, with the variance named after truncation.
    TruncatedNormal,
}

/// The standard deviation of the standard normal law truncated at ±2: `sqrt(1 - 4 φ(2) / (2 Φ(2) - 1))`.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// First values for a weight of this shape, in row-major order: a function of the shape and the key alone.
    ///
    /// Errors when numbers are not finite, bounds are in the wrong order, a deviation is negative, or the shape cannot
    /// be had (orthogonal needs two axes at least, the identity exactly two), be it for want of memory, as far as the
    /// system says so.
    pub fn values(&self, shape: Shape, key: Key) -> Result<Vec<f64>> {
        let n = shape.elements();
        // A layer with far too many units is an error: a failed allocation would end the process.
        if Vec::<f64>::new().try_reserve_exact(n).is_err() {
            return Err(Error::invalid("first values", "a shape that memory has room for", shape));
        }
        match *self {
            Init::Zeros => Ok(vec![0.0; n]),
            Init::Ones => Ok(vec![1.0; n]),
            Init::Constant(value) => Ok(vec![finite("constant: value", value)?; n]),
            Init::Uniform { low, high } => uniform(n, key, low, high),
            Init::Normal { mean, std } => normal(n, mean, std, |i| key.normal(i)),
            Init::TruncatedNormal { mean, std } => normal(n, mean, std, |i| truncated(key, i)),
            Init::VarianceScaling { scale, fan, law } => scaled(shape, key, scale, fan, law),
            Init::GlorotUniform => scaled(shape, key, 1.0, Fan::Average, Law::Uniform),
            Init::GlorotNormal => scaled(shape, key, 1.0, Fan::Average, Law::TruncatedNormal),
            Init::HeUniform => scaled(shape, key, 2.0, Fan::In, Law::Uniform),
            Init::HeNormal => scaled(shape, key, 2.0, Fan::In, Law::TruncatedNormal),
            Init::LecunUniform => scaled(shape, key, 1.0, Fan::In, Law::Uniform),
            Init::LecunNormal => scaled(shape, key, 1.0, Fan::In, Law::TruncatedNormal),
            Init::Orthogonal { gain } => orthogonal::orthogonal(shape, key, finite("orthogonal: gain", gain)?),
            Init::Identity { gain } => identity(shape, finite("identity: gain", gain)?),
        }
    }

    /// The values as a constant on a backend, each rounded to its numbers.
    pub fn tensor<B: Backend>(&self, b: &B, shape: Shape, key: Key) -> Result<Tensor<B>> {
        let values = self.values(shape, key)?.into_iter().map(B::Elem::from_f64).collect();
        Ok(Tensor::constant(b, b.upload(values, shape)?))
    }
}

fn uniform(n: usize, key: Key, low: f64, high: f64) -> Result<Vec<f64>> {
    let width = finite("uniform: high", high)? - finite("uniform: low", low)?;
    if !(width.is_finite() && width >= 0.0) {
        return Err(Error::invalid("uniform", "low <= high, not too far apart", format!("{low} and {high}")));
    }
    Ok((0..n as u64).map(|i| low + width * key.uniform(i)).collect())
}

fn normal(n: usize, mean: f64, std: f64, draw: impl Fn(u64) -> f64) -> Result<Vec<f64>> {
    if finite("normal: std", std)? < 0.0 {
        return Err(Error::invalid("normal: std", "a standard deviation from 0 on", std));
    }
    let mean = finite("normal: mean", mean)?;
    Ok((0..n as u64).map(|i| mean + std * draw(i)).collect())
}

/// The first of a stream of standard normal draws for element `i` that lies within ±2: 19 of 20 do.
fn truncated(key: Key, i: u64) -> f64 {
    let mut attempt = 0;
    loop {
        let x = key.fold(attempt).normal(i);
        if x.abs() <= 2.0 {
            return x;
        }
        attempt += 1;
    }
}

fn scaled(shape: Shape, key: Key, scale: f64, fan: Fan, law: Law) -> Result<Vec<f64>> {
    if finite("variance scaling: scale", scale)? <= 0.0 {
        return Err(Error::invalid("variance scaling: scale", "a positive number", scale));
    }
    let (inputs, outputs) = fans(shape);
    let fan = match fan {
        Fan::In => inputs,
        Fan::Out => outputs,
        Fan::Average => (inputs + outputs) / 2.0,
    };
    let (n, variance) = (shape.elements(), scale / fan.max(1.0));
    match law {
        Law::Uniform => uniform(n, key, -(3.0 * variance).sqrt(), (3.0 * variance).sqrt()),
        Law::Normal => normal(n, 0.0, variance.sqrt(), |i| key.normal(i)),
        Law::TruncatedNormal => normal(n, 0.0, variance.sqrt() / TRUNCATED_STD, |i| truncated(key, i)),
    }
}

/// Inputs and outputs of a unit: Keras' `compute_fans`.
fn fans(shape: Shape) -> (f64, f64) {
    match *shape {
        [] => (1.0, 1.0),
        [n] => (n as f64, n as f64),
        [ref field @ .., inputs, outputs] => {
            let field: usize = field.iter().product();
            ((field * inputs) as f64, (field * outputs) as f64)
        }
    }
}

fn identity(shape: Shape, gain: f64) -> Result<Vec<f64>> {
    let [rows, columns] = *shape else {
        return Err(Error::invalid("identity", "a shape of two axes", shape));
    };
    let mut values = vec![0.0; rows * columns];
    values.iter_mut().step_by(columns + 1).take(rows.min(columns)).for_each(|value| *value = gain);
    Ok(values)
}

fn finite(place: &str, x: f64) -> Result<f64> {
    if x.is_finite() { Ok(x) } else { Err(Error::invalid(place, "a finite number", x)) }
}

#[cfg(test)]
mod tests;
