//! Attention by products of queries and keys, as one operation on the tape.

use super::super::Tensor;
use crate::backend::{Attention, AttentionWanted, Backend};
use crate::error::Result;

impl<B: Backend> Tensor<B> {
    /// `softmax(scale q kᵀ) v` of these queries `[batch, .., queries, d]`, keys `[batch, .., keys, d]` and values
    /// `[batch, .., keys, width]`: `[batch, .., queries, width]`. See [`attention`](crate::backend::attention::attention),
    /// and [`dot_attention`](crate::layers::dot_attention) for the same with a mask of the layers.
    #[doc(alias = "scaled_dot_product_attention")]
    pub fn attention(&self, key: &Self, value: &Self, how: Attention<B>) -> Result<Self> {
        self.attend([key, value], None, how)
    }

    /// `softmax(scale q kᵀ + bias) v`: [`Tensor::attention`] with a bias that may be computed and trained, such as one by the distance of
    /// query and key; it takes the place of `how.bias` and broadcasts to the scores `[batch, .., queries, keys]`.
    pub fn biased_attention(&self, key: &Self, value: &Self, bias: &Self, how: Attention<B>) -> Result<Self> {
        let how = Attention { bias: Some(bias.value().clone()), ..how };
        self.attend([key, value], Some(bias), how)
    }

    fn attend(&self, [key, value]: [&Self; 2], bias: Option<&Self>, how: Attention<B>) -> Result<Self> {
        let b = self.backend().clone();
        let x = [self, key, value].map(|x| x.value().clone());
        let y = b.attention(x.each_ref(), &how)?;
        let output = y.output.clone();
        let biased = bias.is_some();
        let inputs: Vec<&Self> = [self, key, value].into_iter().chain(bias).collect();
        Ok(Tensor::record("attention", self.backend(), output, &inputs, move |dy, wanted| {
            let bias = biased && wanted[3];
            let of = AttentionWanted { query: wanted[0], key: wanted[1], value: wanted[2], bias };
            let gradients = b.attention_grad(x.each_ref(), &how, &y, dy, of)?;
            Ok(gradients.into_iter().take(if biased { 4 } else { 3 }).collect())
        }))
    }
}
