//! Default bodies of softmax, its logarithm, layer normalisation, and dropout.

use super::{Backend, LayerNormWanted, Map, Zip, check};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::shape::Shape;

/// `softmax(x)_i = e^{x_i} / Σ e^{x_j}` along the last axis, safe for any finite input: the row's maximum is
/// subtracted first, so that no exponent is positive (L4). An element of -∞ gets 0; a row of nothing else is NaN.
pub fn softmax<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let axis = last_axis("softmax", b.shape(x))?;
    let e = b.map(Map::Exp, &b.zip(Zip::Sub, x, &b.max(x, axis)?)?)?;
    b.zip(Zip::Div, &e, &sum_last(b, &e)?)
}

/// `dx = y ⊙ (dy - Σ dy ⊙ y)`: the product with softmax's Jacobian `diag(y) - y yᵀ`, which is never formed.
pub fn softmax_grad<B: Backend>(b: &B, y: &B::Array, dy: &B::Array) -> Result<B::Array> {
    check::same_shape("softmax_grad", b.shape(y), b.shape(dy))?;
    let inner = sum_last(b, &b.zip(Zip::Mul, dy, y)?)?;
    b.zip(Zip::Mul, y, &b.zip(Zip::Sub, dy, &inner)?)
}

/// Softmax along the last axis over the elements where `mask`, which broadcasts to `x`, is not 0; the others are 0 and have
/// no influence, not even as NaN. A row without any is 0 throughout. Its gradient is [`softmax_grad`].
pub fn masked_softmax<B: Backend>(b: &B, x: &B::Array, mask: &B::Array) -> Result<B::Array> {
    check::sum_to(b.shape(x), b.shape(mask))?;
    let left_out = b.fill(Shape::SCALAR, f64::NEG_INFINITY)?;
    let y = b.softmax(&b.select(mask, x, &left_out)?)?;
    b.select(mask, &y, &b.fill(Shape::SCALAR, 0.0)?)
}

/// `x - max - ln Σ e^{x - max}` along the last axis.
pub fn log_softmax<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let axis = last_axis("log_softmax", b.shape(x))?;
    let shifted = b.zip(Zip::Sub, x, &b.max(x, axis)?)?;
    let total = sum_last(b, &b.map(Map::Exp, &shifted)?)?;
    b.zip(Zip::Sub, &shifted, &b.map(Map::Ln, &total)?)
}

/// `dx = dy - e^y Σ dy`.
pub fn log_softmax_grad<B: Backend>(b: &B, y: &B::Array, dy: &B::Array) -> Result<B::Array> {
    check::same_shape("log_softmax_grad", b.shape(y), b.shape(dy))?;
    let spread = b.zip(Zip::Mul, &b.map(Map::Exp, y)?, &sum_last(b, dy)?)?;
    b.zip(Zip::Sub, dy, &spread)
}

/// `y = γ ⊙ (x - μ) / √(σ² + ε) + β` along the last axis, with each row's mean `μ` and variance `σ²` (of all its elements,
/// not one less): `x [.., d]`, `γ` and `β` `[d]` (L26; Ba, Kiros, Hinton, 2016). The variance is the mean of the squares of
/// `x - μ`, so that rows far from 0 do not lose it, and `μ` is found from the differences to the row's first element, so that
/// a row of one number throughout gives `β` to the last bit. Squares of the differences must be finite.
pub fn layer_norm<B: Backend>(
    b: &B,
    x: &B::Array,
    gamma: &B::Array,
    beta: &B::Array,
    epsilon: f64,
) -> Result<B::Array> {
    check::layer_norm(b.shape(x), b.shape(gamma), b.shape(beta))?;
    let (normalised, _) = normalise(b, x, epsilon)?;
    b.zip(Zip::Add, &b.zip(Zip::Mul, &normalised, gamma)?, beta)
}

/// With `n = (x - μ) / √(σ² + ε)` and `g = γ ⊙ dy`: `dx = (g - mean g - n ⊙ mean (g ⊙ n)) / √(σ² + ε)`, `dγ = Σ dy ⊙ n`,
/// `dβ = Σ dy` over all rows; those that are wanted.
pub fn layer_norm_grad<B: Backend>(
    b: &B,
    x: &B::Array,
    gamma: &B::Array,
    epsilon: f64,
    dy: &B::Array,
    wanted: LayerNormWanted,
) -> Result<[Option<B::Array>; 3]> {
    check::layer_norm(b.shape(x), b.shape(gamma), b.shape(gamma))?;
    check::same_shape("layer_norm_grad", b.shape(x), b.shape(dy))?;
    let (n, factor) = normalise(b, x, epsilon)?;
    let dx = || {
        let g = b.zip(Zip::Mul, dy, gamma)?;
        let along = b.zip(Zip::Mul, &n, &mean_last(b, &b.zip(Zip::Mul, &g, &n)?)?)?;
        let g = b.zip(Zip::Sub, &b.zip(Zip::Sub, &g, &mean_last(b, &g)?)?, &along)?;
        b.zip(Zip::Mul, &g, &factor)
    };
    let dgamma = || b.sum_to(&b.zip(Zip::Mul, dy, &n)?, b.shape(gamma));
    let dbeta = || b.sum_to(dy, b.shape(gamma));
    Ok([wanted.x.then(dx).transpose()?, wanted.gamma.then(dgamma).transpose()?, wanted.beta.then(dbeta).transpose()?])
}

/// `(x - μ) / √(σ² + ε)` and `1 / √(σ² + ε)` of each row.
///
/// The mean is taken in two passes: that of the differences to the first element is 0 to the last bit where all are alike, and
/// what rounding left of it is taken off after it.
fn normalise<B: Backend>(b: &B, x: &B::Array, epsilon: f64) -> Result<(B::Array, B::Array)> {
    let axis = last_axis("layer_norm", b.shape(x))?;
    let first = match b.shape(x).last() {
        0 => b.fill(b.shape(x).with(axis, 1), 0.0)?,
        _ => b.slice(x, axis, 0, 1)?,
    };
    let mean = b.zip(Zip::Add, &first, &mean_last(b, &b.zip(Zip::Sub, x, &first)?)?)?;
    let centred = b.zip(Zip::Sub, x, &mean)?;
    let centred = b.zip(Zip::Sub, &centred, &mean_last(b, &centred)?)?;
    let variance = mean_last(b, &b.map(Map::Square, &centred)?)?;
    let factor = b.map(Map::Recip, &b.map(Map::Sqrt, &b.map(Map::Affine(1.0, epsilon), &variance)?)?)?;
    Ok((b.zip(Zip::Mul, &centred, &factor)?, factor))
}

/// Means along the last axis, which stays with size 1.
fn mean_last<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    // Divided: a product with the rounded reciprocal is not the mean where there is an exact one.
    b.zip(Zip::Div, &sum_last(b, x)?, &b.fill(Shape::SCALAR, b.shape(x).last().max(1) as f64)?)
}

/// Zeroes each element with probability `rate` and multiplies the others by `1 / (1 - rate)`, so that the expectation
/// is kept (L12). Element `i` is dropped where draw `i` of the key is below the rate's threshold; hence the gradient
/// is the same function on `dy`, and no mask is kept. What is dropped is 0, even if it was infinite or NaN.
pub fn dropout<B: Backend>(b: &B, x: &B::Array, rate: f64, key: Key) -> Result<B::Array> {
    let shape = b.shape(x);
    let mask = b.upload(keep_mask(shape.elements(), rate, key), shape)?;
    b.select(&mask, &b.zip(Zip::Mul, x, &mask)?, &b.fill(Shape::SCALAR, 0.0)?)
}

/// What dropout multiplies with: 0 with probability `rate`, else `1 / (1 - rate)`.
pub fn keep_mask<E: Element>(count: usize, rate: f64, key: Key) -> Vec<E> {
    let (threshold, scale) = (Key::drop_threshold(rate), E::from_f64(1.0 / (1.0 - rate)));
    let blocks = (0..count.div_ceil(4) as u64).flat_map(|block| key.block(block));
    blocks.take(count).map(|bits| if bits < threshold { E::ZERO } else { scale }).collect()
}

/// What whole rows of a table are multiplied with, a number for each index: 0 with probability `rate`, else
/// `1 / (1 - rate)`. Draw `i` of the key decides about row `i`, so that a row fares alike wherever it occurs.
pub fn row_keep_mask<B: Backend>(b: &B, rows: &B::Indices, rate: f64, key: Key) -> Result<B::Array> {
    let (threshold, scale) = (Key::drop_threshold(rate), B::Elem::from_f64(1.0 / (1.0 - rate)));
    let keep = |row: u32| if key.bits(u64::from(row)) < threshold { B::Elem::ZERO } else { scale };
    b.upload(b.download_indices(rows)?.into_iter().map(keep).collect(), b.indices_shape(rows))
}

/// Sums along the last axis, which stays with size 1.
pub fn sum_last<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let shape = b.shape(x);
    b.sum_to(x, shape.with(last_axis("sum", shape)?, 1))
}

fn last_axis(op: &'static str, shape: Shape) -> Result<usize> {
    shape.rank().checked_sub(1).ok_or_else(|| Error::invalid(op, "an axis to work along", "a scalar"))
}
