//! Attention by products of queries and keys (L26): what the fused operation takes and gives, and its default bodies.

use super::{AttentionWanted, Backend, Map, Zip, check, norm};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::shape::Shape;

/// How queries attend to keys.
#[derive(Clone, Debug)]
pub struct Attention<B: Backend> {
    /// The keys that count, `[batch, keys]` of 0 and 1; all of them without.
    pub mask: Option<B::Array>,
    /// What the products of queries and keys are multiplied with, such as `1 / √d`.
    pub scale: f64,
    /// Whether query `i` sees keys `0..=i` only.
    pub causal: bool,
    /// Dropout of the weights: its rate and its draws, in the order of the weights `[batch, .., queries, keys]`.
    pub dropout: Option<(f64, Key)>,
}

/// What came out, and what the gradient needs of it.
#[derive(Clone, Debug)]
pub struct Attended<B: Backend> {
    /// The values, weighted and summed: `[batch, .., queries, width]`.
    pub output: B::Array,
    /// Arrays of the backend's own choice.
    pub saved: Vec<B::Array>,
}

/// Sizes of an attention, after a check that all arrays go together. Every implementation begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionSizes {
    /// Number of axes of the operands.
    pub rank: usize,
    /// Sequences.
    pub batch: usize,
    /// Queries a sequence.
    pub queries: usize,
    /// Keys and values a sequence, at least 1.
    pub keys: usize,
}

impl AttentionSizes {
    /// The sizes.
    pub fn of<B: Backend>(b: &B, [query, key, value]: [&B::Array; 3], how: &Attention<B>) -> Result<Self> {
        let [q, k, v] = [b.shape(query), b.shape(key), b.shape(value)];
        let rank = q.rank();
        if rank < 3 || k.rank() != rank || q[..rank - 2] != k[..rank - 2] || q[rank - 1] != k[rank - 1] {
            let why = "queries are [batch, .., queries, d] and keys [batch, .., keys, d]";
            return Err(Error::shapes("attention", q, k, why));
        }
        if v.rank() != rank || v[..rank - 1] != k[..rank - 1] {
            let why = "keys are [batch, .., keys, d] and values [batch, .., keys, width]";
            return Err(Error::shapes("attention", k, v, why));
        }
        let sizes = AttentionSizes { rank, batch: q[0], queries: q[rank - 2], keys: k[rank - 2] };
        if sizes.keys == 0 {
            return Err(Error::invalid("attention", "at least one key", k));
        }
        if let Some(mask) = &how.mask {
            check::same_shape("attention", Shape::new(&[sizes.batch, sizes.keys])?, b.shape(mask))?;
        }
        match how.dropout {
            Some((rate, _)) if !(0.0..1.0).contains(&rate) => {
                Err(Error::invalid("attention", "a rate of dropout in [0, 1)", rate))
            }
            _ => Ok(sizes),
        }
    }

    /// A shape of ones but for the batch and one of the last two axes.
    fn along(self, size: usize, from_the_end: usize) -> Result<Shape> {
        let mut sizes = vec![1; self.rank];
        sizes[0] = self.batch;
        sizes[self.rank - from_the_end] = size;
        Shape::new(&sizes)
    }
}

/// `softmax(scale q kᵀ) v` over the keys that a query sees; a query that sees none gets 0. Keys and values that do not count
/// have no influence, not even as NaN. Queries `[batch, .., queries, d]`, keys `[batch, .., keys, d]`, values
/// `[batch, .., keys, width]`, with any axes between, such as heads.
///
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
pub fn attention<B: Backend>(b: &B, x: [&B::Array; 3], how: &Attention<B>) -> Result<Attended<B>> {
    let sizes = AttentionSizes::of(b, x, how)?;
    let (key, value) = counting(b, x, how, sizes)?;
    let scores = b.map(Map::Affine(how.scale, 0.0), &b.matmul(x[0], false, &key, true)?)?;
    let weights = match seen(b, how, sizes)? {
        Some(seen) => norm::masked_softmax(b, &scores, &seen)?,
        None => b.softmax(&scores)?,
    };
    let output = b.matmul(&dropped(b, &weights, how)?, false, &value, false)?;
    Ok(Attended { output, saved: vec![weights] })
}

/// With the weights `p` (after dropout) and their scores `s`: `dv = pᵀ dy`, `dp = dy vᵀ`, `ds` from it through dropout and
/// softmax, `dq = scale ds k`, `dk = scale dsᵀ q`.
pub fn attention_grad<B: Backend>(
    b: &B,
    x: [&B::Array; 3],
    how: &Attention<B>,
    y: &Attended<B>,
    dy: &B::Array,
    wanted: AttentionWanted,
) -> Result<[Option<B::Array>; 3]> {
    let sizes = AttentionSizes::of(b, x, how)?;
    check::same_shape("attention_grad", b.shape(&y.output), b.shape(dy))?;
    let [weights] = &y.saved[..] else {
        return Err(Error::invalid("attention_grad", "what `attention` saved", format!("{} arrays", y.saved.len())));
    };
    let (key, value) = counting(b, x, how, sizes)?;
    let dv = wanted.value.then(|| b.matmul(&dropped(b, weights, how)?, true, dy, false)).transpose()?;
    if !wanted.query && !wanted.key {
        return Ok([None, None, dv]);
    }
    // Dropout's gradient is dropout.
    let dp = dropped(b, &b.matmul(dy, false, &value, true)?, how)?;
    let ds = b.map(Map::Affine(how.scale, 0.0), &b.softmax_grad(weights, &dp)?)?;
    let dq = wanted.query.then(|| b.matmul(&ds, false, &key, false)).transpose()?;
    let dk = wanted.key.then(|| b.matmul(&ds, true, x[0], false)).transpose()?;
    Ok([dq, dk, dv])
}

/// Keys and values with 0 where they do not count: a weight of 0 does not keep NaN out of a product.
fn counting<B: Backend>(
    b: &B,
    [_, key, value]: [&B::Array; 3],
    how: &Attention<B>,
    sizes: AttentionSizes,
) -> Result<(B::Array, B::Array)> {
    let Some(mask) = &how.mask else { return Ok((key.clone(), value.clone())) };
    let (mask, zero) = (b.reshape(mask, sizes.along(sizes.keys, 2)?)?, b.fill(Shape::SCALAR, 0.0)?);
    Ok((b.select(&mask, key, &zero)?, b.select(&mask, value, &zero)?))
}

/// Which keys each query sees, broadcasting to the scores `[batch, .., queries, keys]`; `None` if it sees all of them.
fn seen<B: Backend>(b: &B, how: &Attention<B>, sizes: AttentionSizes) -> Result<Option<B::Array>> {
    let mask = match &how.mask {
        Some(mask) => Some(b.reshape(mask, sizes.along(sizes.keys, 1)?)?),
        None => None,
    };
    if !how.causal {
        return Ok(mask);
    }
    let earlier = causal(b, sizes.queries, sizes.keys)?;
    Ok(Some(mask.map_or(Ok(earlier.clone()), |mask| b.zip(Zip::Mul, &mask, &earlier))?))
}

/// `[queries, keys]` with a 1 where the key is not after the query.
pub fn causal<B: Backend>(b: &B, queries: usize, keys: usize) -> Result<B::Array> {
    let sees = |query: usize| (0..keys).map(move |key| B::Elem::from_f64(f64::from(u8::from(key <= query))));
    b.upload((0..queries).flat_map(sees).collect(), Shape::new(&[queries, keys])?)
}

fn dropped<B: Backend>(b: &B, weights: &B::Array, how: &Attention<B>) -> Result<B::Array> {
    match how.dropout {
        Some((rate, key)) if rate > 0.0 => b.dropout(weights, rate, key),
        _ => Ok(weights.clone()),
    }
}
