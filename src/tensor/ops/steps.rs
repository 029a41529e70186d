//! Taking a sequence apart into its steps, for recurrences of one's own.

use super::super::Tensor;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::sync::{Arc, Mutex, PoisonError};

impl<B: Backend> Tensor<B> {
    /// The parts of this tensor along `axis`, which goes: `[batch, time, features]` along axis 1 gives `time` tensors
    /// `[batch, features]`. Backward costs as much as the whole once, not once a part as [`Tensor::slice`] does.
    #[doc(alias = "unbind")]
    pub fn unstack(&self, axis: usize) -> Result<Vec<Self>> {
        let (b, shape) = (self.backend().clone(), self.shape());
        shape.check_axis("unstack", axis)?;
        let (part, one) = (shape.without(axis), shape.with(axis, 1));
        let parked = Arc::new(Mutex::new(vec![None; shape[axis]]));
        // A number that stands for the whole on the tape. The parts hang on it: their pullbacks, which are called before
        // its own, park what they were given.
        let (kept, gradients) = (b.clone(), parked.clone());
        let whole = Tensor::record("unstack", &b, b.fill(Shape::SCALAR, 0.0)?, &[self], move |_, _| {
            let gradients = std::mem::take(&mut *gradients.lock().unwrap_or_else(PoisonError::into_inner));
            let wide = gradients.into_iter().map(|gradient| match gradient {
                Some(gradient) => kept.reshape(&gradient, one),
                None => kept.fill(one, 0.0),
            });
            let wide = wide.collect::<Result<Vec<B::Array>>>()?;
            Ok(vec![Some(kept.concat(&wide.iter().collect::<Vec<_>>(), axis)?)])
        });
        let of = |i: usize| {
            let value = b.reshape(&b.slice(self.value(), axis, i, 1)?, part)?;
            let (kept, parked) = (b.clone(), parked.clone());
            Ok(Tensor::record("unstack", &b, value, &[&whole], move |dy, _| {
                parked.lock().unwrap_or_else(PoisonError::into_inner)[i] = Some(dy.clone());
                Ok(vec![Some(kept.fill(Shape::SCALAR, 0.0)?)])
            }))
        };
        (0..shape[axis]).map(of).collect()
    }

    /// Tensors of one shape side by side along a new axis: what [`Tensor::unstack`] took apart. Errors: none, or tensors of
    /// different shapes.
    pub fn stack(parts: &[Self], axis: usize) -> Result<Self> {
        let Some(first) = parts.first() else {
            return Err(Error::invalid("stack", "at least one tensor", "none"));
        };
        let shape = first.shape();
        if axis > shape.rank() {
            return Err(Error::invalid("stack", format!("an axis up to {}", shape.rank()), axis));
        }
        if let Some(other) = parts.iter().find(|part| part.shape() != shape) {
            return Err(Error::shapes("stack", shape, other.shape(), "they must be equal"));
        }
        let wide = [&shape[..axis], &[1], &shape[axis..]].concat();
        let wide = parts.iter().map(|part| part.reshape(&wide)).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&wide.iter().collect::<Vec<_>>(), axis)
    }
}
