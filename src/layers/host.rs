//! Inputs on the host as a [`Value`] on the device.

use super::spec::{ENTRIES, PLACES};
use super::{Mask, Value};
use crate::backend::Backend;
use crate::data::{Inputs, Ragged};
use crate::element::Element;
use crate::error::Result;
use crate::record::Record;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::sync::Arc;

impl<B: Backend> Value<B> {
    /// Inputs on the device: what a batch of them is. Sequences of their own lengths are padded at their ends, and masked.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// use elman::layers::Value;
    /// use elman_reference::Reference;
    /// let words = Value::new(&Reference::<f32>::new(), Inputs::indices(&[vec![4, 7, 9], vec![5]])?)?;
    /// assert!(matches!(words, Value::Masked(..)));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn new(backend: &B, inputs: Inputs) -> Result<Self> {
        let len = inputs.len();
        Ok(match inputs {
            Inputs::Dense { data, shape } => upload(backend, data, len, &shape)?.into(),
            Inputs::Indices { data, steps } => Value::Indices(backend.upload_indices(data, [len, steps].into())?),
            Inputs::RaggedIndices(rows) => {
                let block = backend.upload_indices(rows.block(0), [len, rows.longest()].into())?;
                masked(backend, Value::Indices(block), &rows)?
            }
            Inputs::RaggedDense(rows) => {
                let block = upload(backend, rows.block(0.0), len, &[rows.longest(), rows.width()])?;
                masked(backend, block.into(), &rows)?
            }
            Inputs::Distinct { places, entries } => {
                let of = |rows| Value::new(backend, Inputs::RaggedIndices(rows));
                Value::Record(Record::new([(PLACES, of(places)?), (ENTRIES, of(entries)?)])?)
            }
            Inputs::Bags(bags) => Value::Bags(Arc::new(bags)),
            Inputs::Record(parts) => Value::Record(parts.try_map(|_, part| Value::new(backend, part))?),
            Inputs::Masked { inputs, mask } => {
                let steps = inputs.sample_shape().first().copied().unwrap_or(0);
                Value::new(backend, *inputs)?.with_mask(Mask::new(backend, &mask, steps)?)
            }
        })
    }
}

/// A block of sequences with the mask of their steps, where not all are there.
fn masked<B: Backend, T: Copy>(backend: &B, block: Value<B>, rows: &Ragged<T>) -> Result<Value<B>> {
    match rows.mask() {
        Some(mask) => Ok(block.with_mask(Mask::new(backend, &mask, rows.longest())?)),
        None => Ok(block),
    }
}

fn upload<B: Backend>(backend: &B, data: Vec<f32>, len: usize, sample: &[usize]) -> Result<Tensor<B>> {
    let data = data.into_iter().map(|x| B::Elem::from_f64(f64::from(x))).collect();
    let shape = Shape::new(&[&[len], sample].concat())?;
    Ok(Tensor::constant(backend, backend.upload(data, shape)?))
}
