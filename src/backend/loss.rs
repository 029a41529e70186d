//! Default bodies of the stable cross-entropies, a value a row, and their gradients.

use super::norm::{log_softmax, softmax, sum_last};
use super::{Backend, Map, Zip, check};
use crate::error::Result;
use crate::shape::Shape;

/// `-Σ_j q_j ln softmax(z)_j` of each row of `logits [.., c]`, with `q` one-hot at the label, smoothed:
/// `q = (1 - s) onehot + s / c`. Labels are `[..]`, so is the result.
pub fn sparse_cross_entropy<B: Backend>(
    b: &B,
    logits: &B::Array,
    labels: &B::Indices,
    smoothing: f64,
) -> Result<B::Array> {
    cross_entropy(b, logits, &smoothed(b, logits, labels, smoothing)?)
}

/// `(softmax(z) - q) d`: `d [..]` is the loss' gradient for each row's value.
pub fn sparse_cross_entropy_grad<B: Backend>(
    b: &B,
    logits: &B::Array,
    labels: &B::Indices,
    smoothing: f64,
    d: &B::Array,
) -> Result<B::Array> {
    cross_entropy_grad(b, logits, &smoothed(b, logits, labels, smoothing)?, d)
}

/// `-Σ_j t_j ln softmax(z)_j` of each row of `logits` and `targets [.., c]`, by log-sum-exp.
pub fn cross_entropy<B: Backend>(b: &B, logits: &B::Array, targets: &B::Array) -> Result<B::Array> {
    check::same_shape("cross_entropy", b.shape(logits), b.shape(targets))?;
    let each = sum_last(b, &b.zip(Zip::Mul, targets, &log_softmax(b, logits)?)?)?;
    b.reshape(&b.map(Map::Neg, &each)?, rows_of(b.shape(logits)))
}

/// `(softmax(z) Σ_j t_j - t) d`, where the sum is 1 for a distribution.
pub fn cross_entropy_grad<B: Backend>(b: &B, logits: &B::Array, targets: &B::Array, d: &B::Array) -> Result<B::Array> {
    check::same_shape("cross_entropy", b.shape(logits), b.shape(targets))?;
    let p = b.zip(Zip::Mul, &softmax(b, logits)?, &sum_last(b, targets)?)?;
    let column = b.reshape(d, rows_of(b.shape(logits)).and(1)?)?;
    b.zip(Zip::Mul, &b.zip(Zip::Sub, &p, targets)?, &column)
}

/// `-(t ln σ(z) + (1 - t) ln(1 - σ(z)))` elementwise, as `max(z, 0) - z t + ln(1 + e^-|z|)`: finite for any finite z.
pub fn binary_cross_entropy<B: Backend>(b: &B, logits: &B::Array, targets: &B::Array) -> Result<B::Array> {
    check::same_shape("binary_cross_entropy", b.shape(logits), b.shape(targets))?;
    let positive = b.map(Map::Clamp(0.0, f64::INFINITY), logits)?;
    let tail = b.map(Map::Ln1p, &b.map(Map::Exp, &b.map(Map::Neg, &b.map(Map::Abs, logits)?)?)?)?;
    b.zip(Zip::Add, &b.zip(Zip::Sub, &positive, &b.zip(Zip::Mul, logits, targets)?)?, &tail)
}

/// `(σ(z) - t) d`.
pub fn binary_cross_entropy_grad<B: Backend>(
    b: &B,
    logits: &B::Array,
    targets: &B::Array,
    d: &B::Array,
) -> Result<B::Array> {
    check::same_shape("binary_cross_entropy", b.shape(logits), b.shape(targets))?;
    check::same_shape("binary_cross_entropy", b.shape(logits), b.shape(d))?;
    b.zip(Zip::Mul, &b.zip(Zip::Sub, &b.map(Map::Sigmoid, logits)?, targets)?, d)
}

fn smoothed<B: Backend>(b: &B, logits: &B::Array, labels: &B::Indices, smoothing: f64) -> Result<B::Array> {
    let shape = b.shape(logits);
    check::labels("sparse_cross_entropy", shape, b.indices_shape(labels))?;
    let hot = b.one_hot(labels, shape.last())?;
    if smoothing == 0.0 { Ok(hot) } else { b.map(Map::Affine(1.0 - smoothing, smoothing / shape.last() as f64), &hot) }
}

fn rows_of(logits: Shape) -> Shape {
    logits.without(logits.rank() - 1)
}
