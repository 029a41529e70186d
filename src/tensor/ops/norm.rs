//! Normalisation along the last axis: layer normalisation, and the softmax over what a mask leaves.

use super::super::Tensor;
use crate::backend::{Backend, LayerNormWanted, norm};
use crate::error::Result;
use crate::shape::Shape;

impl<B: Backend> Tensor<B> {
    /// `γ ⊙ (x - μ) / √(σ² + ε) + β` along the last axis: `x [.., d]`, `gamma [d]`, `beta [d]`; see
    /// [`layer_norm`](norm::layer_norm).
    pub fn layer_norm(&self, gamma: &Self, beta: &Self, epsilon: f64) -> Result<Self> {
        let (b, x, g) = (self.backend().clone(), self.value().clone(), gamma.value().clone());
        let y = b.layer_norm(&x, &g, beta.value(), epsilon)?;
        Ok(Tensor::record("layer_norm", self.backend(), y, &[self, gamma, beta], move |dy, wanted| {
            let of = LayerNormWanted { x: wanted[0], gamma: wanted[1], beta: wanted[2] };
            Ok(b.layer_norm_grad(&x, &g, epsilon, dy, of)?.into())
        }))
    }

    /// Softmax along the last axis over the elements where `mask`, which broadcasts to this tensor, is not 0; the others
    /// are 0 and have no influence. A row without any is 0 throughout.
    pub fn masked_softmax(&self, mask: &B::Array) -> Result<Self> {
        let (b, mask) = (self.backend().clone(), mask.clone());
        let y = norm::masked_softmax(&b, self.value(), &mask)?;
        let kept = y.clone();
        Ok(Tensor::record("masked_softmax", self.backend(), y, &[self], move |dy, _| {
            // What comes back for elements that were left out counts for nothing, not even as NaN.
            let dy = b.select(&mask, dy, &b.fill(Shape::SCALAR, 0.0)?)?;
            Ok(vec![Some(b.softmax_grad(&kept, &dy)?)])
        }))
    }
}
