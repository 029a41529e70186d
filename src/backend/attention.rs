//! Attention by products of queries and keys (L26): what the fused operation takes and gives, and its default bodies.

use super::{AttentionWanted, Backend, Map, Zip, check, norm};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::shape::Shape;

/// How queries attend to keys.
#[derive(Clone, Debug)]
pub struct Attention<B: Backend> {
    /// What counts, of 0 and 1: keys, `[batch, keys]`, or for each query those that it sees: `[batch, queries, keys]`, or as many axes
    /// as the queries have, `[batch, .., queries, keys]`, each of them whole or 1. All of them without.
    pub mask: Option<B::Array>,
    /// What is added to the scaled products, an array that broadcasts to `[batch, .., queries, keys]`, such as `[queries, keys]`
    /// for all sequences alike; nothing without. -∞ shuts a key out as a mask does.
    pub bias: Option<B::Array>,
    /// What the products of queries and keys are multiplied with, such as `1 / √d`.
    pub scale: f64,
    /// Whether query `i` sees keys `0..=i` only.
    pub causal: bool,
    /// Dropout of the weights: its rate and its draws, in the order of the weights `[batch, .., queries, keys]`.
    pub dropout: Option<(f64, Key)>,
}

impl<B: Backend> Attention<B> {
    /// Of all queries to all keys, their products multiplied with `scale`: no mask, no bias, no dropout.
    pub fn new(scale: f64) -> Self {
        Attention { mask: None, bias: None, scale, causal: false, dropout: None }
    }
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
        let scores = q.with(rank - 1, sizes.keys);
        if let Some(mask) = how.mask.as_ref().map(|mask| b.shape(mask)) {
            let fits = match mask.rank() {
                2 => mask[..] == [sizes.batch, sizes.keys],
                of if of == 3 || of == rank => sizes.over(mask)?.broadcasts_to(scores),
                _ => false,
            };
            if !fits {
                let why = "a mask is [batch, keys], [batch, queries, keys] or as the scores";
                return Err(Error::shapes("attention", scores, mask, why));
            }
        }
        if let Some(bias) = how.bias.as_ref().map(|bias| b.shape(bias)).filter(|bias| !bias.broadcasts_to(scores)) {
            return Err(Error::shapes("attention", scores, bias, "a bias broadcasts to the scores"));
        }
        match how.dropout {
            Some((rate, _)) if !(0.0..1.0).contains(&rate) => {
                Err(Error::invalid("attention", "a rate of dropout in [0, 1)", rate))
            }
            _ => Ok(sizes),
        }
    }

    /// A mask's shape with as many axes as the scores: ones between the batch and the last axes.
    fn over(self, mask: Shape) -> Result<Shape> {
        let mut sizes = vec![1; self.rank];
        sizes[0] = mask[0];
        let last = mask.rank() - 1;
        sizes[self.rank - last..].copy_from_slice(&mask[1..]);
        Shape::new(&sizes)
    }
}

/// `softmax(scale q kᵀ + bias) v` over the keys that a query sees; a query that sees none gets 0. Keys and values that no query of
/// their sequence may see by mask and bias have no influence, not even as NaN. Queries `[batch, .., queries, d]`, keys
/// `[batch, .., keys, d]`, values `[batch, .., keys, width]`, with any axes between, such as heads.
///
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
pub fn attention<B: Backend>(b: &B, x: [&B::Array; 3], how: &Attention<B>) -> Result<Attended<B>> {
    let sizes = AttentionSizes::of(b, x, how)?;
    let open = open(b, how, sizes)?;
    let (key, value) = counting(b, x, open.as_ref(), sizes)?;
    let mut scores = b.map(Map::Affine(how.scale, 0.0), &b.matmul(x[0], false, &key, true)?)?;
    if let Some(bias) = &how.bias {
        scores = b.zip(Zip::Add, &scores, bias)?;
    }
    let weights = match seen(b, how, open, sizes)? {
        Some(seen) => norm::masked_softmax(b, &scores, &seen)?,
        None => b.softmax(&scores)?,
    };
    let output = b.matmul(&dropped(b, &weights, how)?, false, &value, false)?;
    Ok(Attended { output, saved: vec![weights] })
}

/// With the weights `p` (after dropout) and their scores `s`: `dv = pᵀ dy`, `dp = dy vᵀ`, `ds` from it through dropout and
/// softmax, `dq = scale ds k`, `dk = scale dsᵀ q`, and `ds` summed to the shape of the bias is the gradient for it. In the order of
/// [`AttentionWanted`].
pub fn attention_grad<B: Backend>(
    b: &B,
    x: [&B::Array; 3],
    how: &Attention<B>,
    y: &Attended<B>,
    dy: &B::Array,
    wanted: AttentionWanted,
) -> Result<[Option<B::Array>; 4]> {
    let sizes = AttentionSizes::of(b, x, how)?;
    check::same_shape("attention_grad", b.shape(&y.output), b.shape(dy))?;
    let [weights] = &y.saved[..] else {
        return Err(Error::invalid("attention_grad", "what `attention` saved", format!("{} arrays", y.saved.len())));
    };
    let (key, value) = counting(b, x, open(b, how, sizes)?.as_ref(), sizes)?;
    let dv = wanted.value.then(|| b.matmul(&dropped(b, weights, how)?, true, dy, false)).transpose()?;
    let bias = how.bias.as_ref().filter(|_| wanted.bias);
    if !wanted.query && !wanted.key && bias.is_none() {
        return Ok([None, None, dv, None]);
    }
    // Dropout's gradient is dropout.
    let dp = dropped(b, &b.matmul(dy, false, &value, true)?, how)?;
    let ds = b.softmax_grad(weights, &dp)?;
    let dbias = bias.map(|bias| b.sum_to(&ds, b.shape(bias))).transpose()?;
    if !wanted.query && !wanted.key {
        return Ok([None, None, dv, dbias]);
    }
    let ds = b.map(Map::Affine(how.scale, 0.0), &ds)?;
    let dq = wanted.query.then(|| b.matmul(&ds, false, &key, false)).transpose()?;
    let dk = wanted.key.then(|| b.matmul(&ds, true, x[0], false)).transpose()?;
    Ok([dq, dk, dv, dbias])
}

/// What mask and bias leave open, with as many axes as the scores, to which it broadcasts; `None` if that is all.
fn open<B: Backend>(b: &B, how: &Attention<B>, sizes: AttentionSizes) -> Result<Option<B::Array>> {
    let mask = how.mask.as_ref().map(|mask| b.reshape(mask, sizes.over(b.shape(mask))?)).transpose()?;
    let Some(bias) = &how.bias else { return Ok(mask) };
    let shape = b.shape(bias);
    let bias = b.reshape(bias, Shape::new(&[&vec![1; sizes.rank - shape.rank()], &shape[..]].concat())?)?;
    let open = b.zip(Zip::Greater, &bias, &b.fill(Shape::SCALAR, f64::NEG_INFINITY)?)?;
    Ok(Some(mask.map_or(Ok(open.clone()), |mask| b.zip(Zip::Mul, &mask, &open))?))
}

/// Keys and values with 0 where no query may see them: a weight of 0 does not keep NaN out of a product.
fn counting<B: Backend>(
    b: &B,
    [_, key, value]: [&B::Array; 3],
    open: Option<&B::Array>,
    sizes: AttentionSizes,
) -> Result<(B::Array, B::Array)> {
    let Some(open) = open else { return Ok((key.clone(), value.clone())) };
    let of_queries = sizes.rank - 2;
    let shape = b.shape(open);
    let open = match shape[of_queries] {
        1 => open.clone(),
        0 => b.fill(shape.with(of_queries, 1), 0.0)?,
        _ => b.max(open, of_queries)?,
    };
    // The axis of the queries has gone: that of the keys takes its place.
    let shape = b.shape(&open);
    let open = b.reshape(&open, shape.with(of_queries, shape.last()).with(of_queries + 1, 1))?;
    let zero = b.fill(Shape::SCALAR, 0.0)?;
    Ok((b.select(&open, key, &zero)?, b.select(&open, value, &zero)?))
}

/// Which keys each query sees, broadcasting to the scores `[batch, .., queries, keys]`; `None` if it sees all of them.
fn seen<B: Backend>(
    b: &B,
    how: &Attention<B>,
    open: Option<B::Array>,
    sizes: AttentionSizes,
) -> Result<Option<B::Array>> {
    if !how.causal {
        return Ok(open);
    }
    let earlier = causal(b, sizes.queries, sizes.keys)?;
    Ok(Some(open.map_or(Ok(earlier.clone()), |open| b.zip(Zip::Mul, &open, &earlier))?))
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
