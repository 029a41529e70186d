//! The stable cross-entropies from logits, a value a row.

use super::super::Tensor;
use crate::backend::Backend;
use crate::error::Result;

impl<B: Backend> Tensor<B> {
    /// Cross-entropy of these logits `[.., c]` with class indices `[..]`: a value a row. `smoothing` moves that part of
    /// each target's weight to all classes alike that can be, those whose logit is not -∞.
    pub fn sparse_cross_entropy(&self, labels: &B::Indices, smoothing: f64) -> Result<Self> {
        let (b, z, labels) = (self.backend().clone(), self.value().clone(), labels.clone());
        let y = b.sparse_cross_entropy(&z, &labels, smoothing)?;
        Ok(Tensor::record("sparse_cross_entropy", self.backend(), y, &[self], move |d, _| {
            Ok(vec![Some(b.sparse_cross_entropy_grad(&z, &labels, smoothing, d)?)])
        }))
    }

    /// Cross-entropy of these logits `[.., c]` with distributions `[.., c]`, which are constants: a value a row.
    pub fn cross_entropy(&self, targets: &Self) -> Result<Self> {
        let (b, z, t) = (self.backend().clone(), self.value().clone(), targets.value().clone());
        let y = b.cross_entropy(&z, &t)?;
        Ok(Tensor::record("cross_entropy", self.backend(), y, &[self], move |d, _| {
            Ok(vec![Some(b.cross_entropy_grad(&z, &t, d)?)])
        }))
    }

    /// Binary cross-entropy of these logits with targets of the same shape, which are constants: elementwise.
    pub fn binary_cross_entropy(&self, targets: &Self) -> Result<Self> {
        let (b, z, t) = (self.backend().clone(), self.value().clone(), targets.value().clone());
        let y = b.binary_cross_entropy(&z, &t)?;
        Ok(Tensor::record("binary_cross_entropy", self.backend(), y, &[self], move |d, _| {
            Ok(vec![Some(b.binary_cross_entropy_grad(&z, &t, d)?)])
        }))
    }
}
