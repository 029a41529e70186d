//! What [`MultiHeadAttention`](super::MultiHeadAttention) takes: a sequence, or a record of it with a memory, a mask and a bias.

use super::super::{Mask, Pass, Spec, Value};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::tensor::Tensor;

/// The parts of the record that it takes.
const PARTS: [&str; 4] = ["query", "memory", "mask", "bias"];

/// Errors for parts of a record that are not taken, and for a mask or a bias of another rank or number of heads.
pub(super) fn check_parts(parts: &Record<Spec>, all_heads: usize) -> Result<()> {
    if let Some(other) = parts.names().find(|name| !PARTS.contains(name)) {
        let expected = format!("a record of `query` and, where they are, {}", PARTS[1..].join(", "));
        return Err(Error::invalid("input", expected, format!("a part `{other}`")));
    }
    for name in ["mask", "bias"] {
        let fits = |part: &Spec| match part {
            Spec::Dense(sizes) if sizes.len() == 2 => true,
            Spec::Dense(sizes) if sizes.len() == 3 => sizes[0].is_none_or(|heads| heads == all_heads || heads == 1),
            _ => false,
        };
        if let Some(part) = parts.get(name).filter(|part| !fits(part)) {
            let expected = format!("[batch, queries, steps] or [batch, {all_heads}, queries, steps]");
            return Err(Error::invalid(name, expected, part));
        }
    }
    Ok(())
}

/// What the layer takes.
pub(super) struct Taken<B: Backend> {
    pub(super) query: Value<B>,
    pub(super) memory: Option<Value<B>>,
    /// Which pairs of a query and a step count, `[batch, queries, steps]` or `[batch, heads, queries, steps]`.
    pub(super) pairs: Option<Tensor<B>>,
    /// What is added to their scores, of one of these shapes, too.
    pub(super) bias: Option<Tensor<B>>,
}

impl<B: Backend> Taken<B> {
    pub(super) fn of(input: Value<B>, pass: &Pass<'_, B>) -> Result<Self> {
        let Value::Record(parts) = input else {
            return Ok(Taken { query: input, memory: None, pairs: None, bias: None });
        };
        let (mut query, mut memory, mut pairs, mut bias) = (None, None, None, None);
        // Those that there are were checked when the layer was built.
        for (name, part) in parts {
            match &*name {
                "query" => query = Some(part),
                "memory" => memory = Some(part),
                "mask" => pairs = Some(part.split().0.tensor(pass)?),
                _ => bias = Some(part.split().0.tensor(pass)?),
            }
        }
        let query = query.ok_or_else(|| Error::invalid("input", "a part `query`", "none"))?;
        Ok(Taken { query, memory, pairs, bias })
    }
}

/// The pairs that count, of the keys `[batch, steps]` that do.
pub(super) fn both<B: Backend>(b: &B, keys: Option<&Mask<B>>, pairs: Option<Tensor<B>>) -> Result<Option<B::Array>> {
    let keys = keys.map(|mask| mask.tensor(b));
    let mask = match (keys, pairs) {
        (Some(keys), Some(pairs)) => {
            let (batch, steps) = (keys.shape()[0], keys.shape()[1]);
            Some(of_all_heads(pairs.detach())?.mul(&keys.reshape(&[batch, 1, 1, steps])?)?)
        }
        (keys, pairs) => keys.or(pairs),
    };
    Ok(mask.map(|mask| mask.value().clone()))
}

/// Pairs `[batch, queries, steps]` with an axis of heads.
pub(super) fn of_all_heads<B: Backend>(bias: Tensor<B>) -> Result<Tensor<B>> {
    match bias.shape()[..] {
        [batch, queries, steps] => bias.reshape(&[batch, 1, queries, steps]),
        _ => Ok(bias),
    }
}
