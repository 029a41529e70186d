//! Matrix products.

use super::super::Tensor;
use crate::backend::{Backend, linear};
use crate::error::Result;

impl<B: Backend> Tensor<B> {
    /// The matrix product over the last two axes; leading axes must be equal, or one operand has none.
    ///
    /// `dx = dy wᵀ`, `dw = xᵀ dy`, summed over the products that an operand served for.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        let (b, x, w) = (self.backend().clone(), self.value().clone(), other.value().clone());
        let y = b.matmul(&x, false, &w, false)?;
        Ok(Tensor::record("matmul", self.backend(), y, &[self, other], move |dy, wanted| {
            let dx = wanted[0].then(|| b.sum_to(&b.matmul(dy, false, &w, true)?, b.shape(&x)));
            let dw = wanted[1].then(|| match b.shape(&w).rank() {
                // One matrix for all products: one product over all rows sums the parts.
                2 => b.matmul(&linear::rows(&b, &x)?, true, &linear::rows(&b, dy)?, false),
                _ => b.matmul(&x, true, dy, false),
            });
            Ok(vec![dx.transpose()?, dw.transpose()?])
        }))
    }
}
