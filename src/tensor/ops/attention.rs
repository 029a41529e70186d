//! Attention by products of queries and keys, as one operation on the tape.

use super::super::Tensor;
use crate::backend::{Attention, AttentionWanted, Backend};
use crate::error::Result;

impl<B: Backend> Tensor<B> {
    /// `softmax(scale q kᵀ) v` of these queries `[batch, .., queries, d]`, keys `[batch, .., keys, d]` and values
    /// `[batch, .., keys, width]`: `[batch, .., queries, width]`. See [`attention`](crate::backend::attention::attention),
    /// and [`dot_attention`](crate::layers::dot_attention) for the same with a mask of the layers.
    pub fn attention(&self, key: &Self, value: &Self, how: Attention<B>) -> Result<Self> {
        let b = self.backend().clone();
        let x = [self, key, value].map(|x| x.value().clone());
        let y = b.attention(x.each_ref(), &how)?;
        let output = y.output.clone();
        Ok(Tensor::record("attention", self.backend(), output, &[self, key, value], move |dy, wanted| {
            let of = AttentionWanted { query: wanted[0], key: wanted[1], value: wanted[2] };
            Ok(b.attention_grad(x.each_ref(), &how, &y, dy, of)?.into())
        }))
    }
}
