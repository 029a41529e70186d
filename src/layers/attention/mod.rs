//! Attention (L26): as functions of queries, keys and values, and as layers of sequences.

mod additive;
mod cross;
mod multi_head;
mod taken;

pub use additive::AdditiveAttention;
pub use cross::CrossAttention;
pub(super) use cross::{CrossModule, Looked, Memory};
pub use multi_head::MultiHeadAttention;

use super::Mask;
use crate::backend::{Attention, Backend, Zip, attention};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `softmax(scale q kᵀ) v`: queries `[batch, queries, d]`, keys `[batch, keys, d]`, values `[batch, keys, width]`; gives
/// `[batch, queries, width]`. Keras' `Attention`, with keys and values exchanged in the order of arguments.
///
/// The mask `[batch, keys]` says which keys and values count; a query that sees none gets 0. With `causal` query `i` sees
/// keys `0..=i`. Vaswani and others take `scale = 1 / √d`, Keras' `Attention` 1 (Luong's).
///
/// ```
/// use elman::Tensor;
/// use elman::layers::{Mask, dot_attention};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let x = Tensor::new(&b, vec![0.0, 3.0, 9.0], &[1, 3, 1])?;
/// let query = Tensor::full(&b, &[1, 1, 1], 0.0)?; // likes all keys alike
/// let mask = Mask::from_lengths(&b, &[2], 3)?;
/// assert_eq!(dot_attention(&query, &x, &x, Some(&mask), 1.0, false)?.to_vec()?, [1.5]);
/// # Ok::<(), elman::Error>(())
/// ```
pub fn dot_attention<B: Backend>(
    query: &Tensor<B>,
    key: &Tensor<B>,
    value: &Tensor<B>,
    mask: Option<&Mask<B>>,
    scale: f64,
    causal: bool,
) -> Result<Tensor<B>> {
    let mask = mask.map(|mask| mask.array().clone());
    query.attention(key, value, Attention { mask, causal, ..Attention::new(scale) })
}

/// Attention by a sum, Keras' `AdditiveAttention` (Bahdanau, Cho, Bengio, 2015): the score of query `q` and key `k` is
/// `Σ scale ⊙ tanh(q + k)`. Queries `[batch, queries, d]`, keys `[batch, keys, d]`, values `[batch, keys, width]`, scale
/// `[d]` (ones for no scale); gives `[batch, queries, width]`. Mask and `causal` are as in [`dot_attention`].
pub fn additive_attention<B: Backend>(
    query: &Tensor<B>,
    key: &Tensor<B>,
    value: &Tensor<B>,
    scale: &Tensor<B>,
    mask: Option<&Mask<B>>,
    causal: bool,
) -> Result<Tensor<B>> {
    let (weights, value) = additive_weights(query, key, value, scale, mask, causal)?;
    weights.matmul(&value)
}

/// The weights `[batch, queries, keys]` of [`additive_attention`], and the values that count, the others being 0.
fn additive_weights<B: Backend>(
    query: &Tensor<B>,
    key: &Tensor<B>,
    value: &Tensor<B>,
    scale: &Tensor<B>,
    mask: Option<&Mask<B>>,
    causal: bool,
) -> Result<(Tensor<B>, Tensor<B>)> {
    let b = query.backend();
    let how = Attention { mask: mask.map(|mask| mask.array().clone()), causal, ..Attention::new(1.0) };
    let x = [query, key, value].map(Tensor::value);
    let attention::AttentionSizes { rank, batch, queries, keys } = attention::AttentionSizes::of(b, x, &how)?;
    let d = query.shape().last();
    if rank != 3 || scale.shape()[..] != [d] {
        let why = "queries are [batch, queries, d] and the scale [d]";
        return Err(Error::shapes("additive_attention", query.shape(), scale.shape(), why));
    }
    let only = |x: &Tensor<B>| mask.map_or(Ok(x.clone()), |mask| mask.clear(x));
    let sums = query.reshape(&[batch, queries, 1, d])?.add(&only(key)?.reshape(&[batch, 1, keys, d])?)?;
    let scores = sums.tanh()?.matmul(&scale.reshape(&[d, 1])?)?.reshape(&[batch, queries, keys])?;
    let over = |mask: &Mask<B>| b.reshape(mask.array(), Shape::new(&[batch, 1, keys])?);
    let earlier = || attention::causal(b, queries, keys);
    let weights = match (mask, causal) {
        (None, false) => scores.softmax()?,
        (None, true) => scores.masked_softmax(&earlier()?)?,
        (Some(mask), false) => scores.masked_softmax(&over(mask)?)?,
        (Some(mask), true) => scores.masked_softmax(&b.zip(Zip::Mul, &over(mask)?, &earlier()?)?)?,
    };
    Ok((weights, only(value)?))
}
