//! Operations that move elements without changing them.

use super::super::{Gradient, Rows, Tensor};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::shape::Shape;

impl<B: Backend> Tensor<B> {
    /// The same elements in another shape of as many elements.
    #[doc(alias = "view")]
    #[doc(alias = "unsqueeze")]
    #[doc(alias = "squeeze")]
    #[doc(alias = "flatten")]
    #[doc(alias = "expand_dims")]
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        self.reshape_to(Shape::new(shape)?)
    }

    pub(in crate::tensor) fn reshape_to(&self, shape: Shape) -> Result<Self> {
        let (b, from) = (self.backend().clone(), self.shape());
        let y = b.reshape(self.value(), shape)?;
        Ok(Tensor::record("reshape", self.backend(), y, &[self], move |dy, _| Ok(vec![Some(b.reshape(dy, from)?)])))
    }

    /// Axes in another order: axis `i` of the result is axis `axes[i]` of this tensor.
    pub fn permute(&self, axes: &[usize]) -> Result<Self> {
        let b = self.backend().clone();
        let y = b.permute(self.value(), axes)?;
        let mut back = vec![0; axes.len()];
        for (to, &from) in axes.iter().enumerate() {
            back[from] = to;
        }
        Ok(Tensor::record("permute", self.backend(), y, &[self], move |dy, _| Ok(vec![Some(b.permute(dy, &back)?)])))
    }

    /// The last two axes exchanged.
    pub fn transpose(&self) -> Result<Self> {
        let rank = self.shape().rank();
        if rank < 2 {
            return Err(Error::invalid("transpose", "two axes at least", format!("shape {}", self.shape())));
        }
        let mut axes: Vec<usize> = (0..rank).collect();
        axes.swap(rank - 2, rank - 1);
        self.permute(&axes)
    }

    /// `length` positions of `axis` from `start` on. Its gradient fills the rest with zeros and costs as much as the whole: to
    /// take a sequence apart step by step, use an operation over whole sequences instead.
    #[doc(alias = "narrow")]
    pub fn slice(&self, axis: usize, start: usize, length: usize) -> Result<Self> {
        let (b, from) = (self.backend().clone(), self.shape());
        let y = b.slice(self.value(), axis, start, length)?;
        Ok(Tensor::record("slice", self.backend(), y, &[self], move |dy, _| {
            let before = b.fill(from.with(axis, start), 0.0)?;
            let after = b.fill(from.with(axis, from[axis] - start - length), 0.0)?;
            Ok(vec![Some(b.concat(&[&before, dy, &after], axis)?)])
        }))
    }

    /// Tensors one after another along `axis`; at least one.
    #[doc(alias = "cat")]
    #[doc(alias = "concatenate")]
    pub fn concat(parts: &[&Self], axis: usize) -> Result<Self> {
        let Some(first) = parts.first() else {
            return Err(Error::invalid("concat", "at least one tensor", "none"));
        };
        let b = first.backend().clone();
        let arrays: Vec<&B::Array> = parts.iter().map(|part| part.value()).collect();
        let y = b.concat(&arrays, axis)?;
        let lengths: Vec<usize> = parts.iter().map(|part| part.shape()[axis]).collect();
        Ok(Tensor::record("concat", first.backend(), y, parts, move |dy, wanted| {
            let mut start = 0;
            let part = |(&length, &wanted): (&usize, &bool)| {
                start += length;
                wanted.then(|| b.slice(dy, axis, start - length, length)).transpose()
            };
            lengths.iter().zip(wanted).map(part).collect()
        }))
    }

    /// Rows of this table `[n, d]` by index: the shape of `rows`, then `d`. Errors for an index that is not below `n`.
    ///
    /// Its gradient holds the rows that were taken and no others ([`Gradient::Rows`]).
    #[doc(alias = "index_select")]
    #[doc(alias = "take")]
    pub fn gather(&self, rows: &B::Indices) -> Result<Self> {
        let (b, rows, table) = (self.backend().clone(), rows.clone(), self.shape());
        let y = b.gather(self.value(), &rows)?;
        Ok(Tensor::record_gradients("gather", self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(Gradient::Rows(Rows::new(&b, table, rows, dy.clone())?))])
        }))
    }
}
