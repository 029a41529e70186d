//! The fused operations that layers are made of: the affine map, dropout.

use super::super::Tensor;
use crate::backend::{Backend, LinearWanted};
use crate::data::Bags;
use crate::error::{Error, Result};
use crate::random::Key;
use std::sync::Arc;

impl<B: Backend> Tensor<B> {
    /// `x w + bias` over the last axis: `x [.., inputs]`, `w [inputs, outputs]`, `bias [outputs]`.
    pub fn linear(&self, w: &Self, bias: Option<&Self>) -> Result<Self> {
        let (b, x, kept) = (self.backend().clone(), self.value().clone(), w.value().clone());
        let y = b.linear(&x, &kept, bias.map(Tensor::value))?;
        let pullback = move |dy: &B::Array, wanted: &[bool]| {
            let with_bias = wanted.get(2).copied().unwrap_or(false);
            let of = LinearWanted { x: wanted[0], kernel: wanted[1], bias: with_bias };
            let [dx, dw, dbias] = b.linear_grad(&x, &kept, dy, of)?;
            Ok([dx, dw, dbias].into_iter().take(wanted.len()).collect())
        };
        Ok(match bias {
            Some(bias) => Tensor::record("linear", self.backend(), y, &[self, w, bias], pullback),
            None => Tensor::record("linear", self.backend(), y, &[self, w], pullback),
        })
    }

    /// `bags w + bias` for sparse bags of words `[n, width]`, with `w [width, outputs]` and `bias [outputs]`: the work is
    /// that of the words that occur.
    pub fn bag_linear(bags: &Arc<Bags>, w: &Self, bias: Option<&Self>) -> Result<Self> {
        let (b, x, outputs) = (w.backend().clone(), bags.clone(), w.shape().last());
        let y = b.bag_linear(&x, w.value(), bias.map(Tensor::value))?;
        let pullback = move |dy: &B::Array, wanted: &[bool]| {
            let dw = wanted[0].then(|| b.bag_linear_grad(&x, dy)).transpose()?;
            let dbias = wanted.get(1).is_some_and(|&w| w).then(|| b.sum_to(dy, [outputs].into())).transpose()?;
            Ok([dw, dbias].into_iter().take(wanted.len()).collect())
        };
        Ok(match bias {
            Some(bias) => Tensor::record("bag_linear", w.backend(), y, &[w, bias], pullback),
            None => Tensor::record("bag_linear", w.backend(), y, &[w], pullback),
        })
    }

    /// Zeroes each element with probability `rate`, scales the others by `1 / (1 - rate)` (L12). Which ones is decided by
    /// `key` alone. Errors when the rate is not in `[0, 1)`.
    pub fn dropout(&self, rate: f64, key: Key) -> Result<Self> {
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::invalid("dropout", "a rate in [0, 1)", rate));
        }
        if rate == 0.0 {
            return Ok(self.clone());
        }
        let b = self.backend().clone();
        let y = b.dropout(self.value(), rate, key)?;
        Ok(Tensor::record("dropout", self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(b.dropout(dy, rate, key)?)])
        }))
    }
}
