//! Default bodies of the stable cross-entropies, a value a row, and their gradients.
//!
//! Logits may be any finite number or -∞, which is a class that cannot be. What has a weight of 0 is *chosen* away and not
//! multiplied away, for 0 times ∞ is no number: a class that is no part of the target has no part in the value, and a row without
//! a gradient has none, whatever its logits are.

use super::norm::{log_softmax, softmax, sum_last};
use super::{Backend, Map, Zip, check};
use crate::error::Result;
use crate::shape::Shape;

/// `-Σ_j q_j ln softmax(z)_j` of each row of `logits [.., c]`, with `q` one-hot at the label, smoothed:
/// `q = (1 - s) onehot + s / n` for the `n` classes that can be, and 0 for those whose logit is -∞. Labels are `[..]`, so is the result.
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

/// `-Σ_j t_j ln softmax(z)_j` of each row of `logits` and `targets [.., c]`, by log-sum-exp, over the classes with `t_j ≠ 0`.
pub fn cross_entropy<B: Backend>(b: &B, logits: &B::Array, targets: &B::Array) -> Result<B::Array> {
    check::same_shape("cross_entropy", b.shape(logits), b.shape(targets))?;
    let each = sum_last(b, &times(b, targets, &log_softmax(b, logits)?)?)?;
    b.reshape(&b.map(Map::Neg, &each)?, rows_of(b.shape(logits)))
}

/// `(softmax(z) Σ_j t_j - t) d`, where the sum is 1 for a distribution.
pub fn cross_entropy_grad<B: Backend>(b: &B, logits: &B::Array, targets: &B::Array, d: &B::Array) -> Result<B::Array> {
    check::same_shape("cross_entropy", b.shape(logits), b.shape(targets))?;
    let p = b.zip(Zip::Mul, &softmax(b, logits)?, &sum_last(b, targets)?)?;
    let column = b.reshape(d, rows_of(b.shape(logits)).and(1)?)?;
    times(b, &column, &b.zip(Zip::Sub, &p, targets)?)
}

/// `-(t ln σ(z) + (1 - t) ln(1 - σ(z)))` elementwise, as `|z| w + ln(1 + e^-|z|)` with `w = 1 - t` for `z > 0` and `t` elsewhere,
/// which is how wrong the target says that the sign is: finite for any finite z, and 0 for an infinite one of the right sign.
pub fn binary_cross_entropy<B: Backend>(b: &B, logits: &B::Array, targets: &B::Array) -> Result<B::Array> {
    check::same_shape("binary_cross_entropy", b.shape(logits), b.shape(targets))?;
    let size = b.map(Map::Abs, logits)?;
    let tail = b.map(Map::Ln1p, &b.map(Map::Exp, &b.map(Map::Neg, &size)?)?)?;
    let wrong = b.select(&b.map(Map::Step, logits)?, &b.map(Map::Affine(-1.0, 1.0), targets)?, targets)?;
    b.zip(Zip::Add, &times(b, &wrong, &size)?, &tail)
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
    times(b, d, &b.zip(Zip::Sub, &b.map(Map::Sigmoid, logits)?, targets)?)
}

/// `w x` where `w`, which broadcasts to `x`, is not 0, and 0 elsewhere, whatever `x` is.
fn times<B: Backend>(b: &B, w: &B::Array, x: &B::Array) -> Result<B::Array> {
    b.select(w, &b.zip(Zip::Mul, w, x)?, &b.fill(Shape::SCALAR, 0.0)?)
}

fn smoothed<B: Backend>(b: &B, logits: &B::Array, labels: &B::Indices, smoothing: f64) -> Result<B::Array> {
    let shape = b.shape(logits);
    check::labels("sparse_cross_entropy", shape, b.indices_shape(labels))?;
    let hot = b.one_hot(labels, shape.last())?;
    if smoothing == 0.0 {
        return Ok(hot);
    }
    let possible = b.zip(Zip::Greater, logits, &b.fill(Shape::SCALAR, f64::NEG_INFINITY)?)?;
    // Where none can be nothing is divided by 0.
    let count = b.map(Map::Clamp(1.0, f64::INFINITY), &sum_last(b, &possible)?)?;
    let share = b.zip(Zip::Div, &b.map(Map::Affine(smoothing, 0.0), &possible)?, &count)?;
    b.zip(Zip::Add, &b.map(Map::Affine(1.0 - smoothing, 0.0), &hot)?, &share)
}

fn rows_of(logits: Shape) -> Shape {
    logits.without(logits.rank() - 1)
}
