//! What the backend's arrays are: numbers and indices in shared, contiguous, row-major vectors.

use crate::memory;
use elman::backend::check;
use elman::{Element, Result, Shape};
use std::sync::Arc;

/// An array of numbers: always contiguous and in row-major order, so that every kernel sees a plain slice.
///
/// A clone and a reshape share the numbers; an operation in place copies them first when they are shared.
#[derive(Clone, Debug)]
pub struct Array<E: Element> {
    data: Arc<Vec<E>>,
    shape: Shape,
}

impl<E: Element> Array<E> {
    /// Numbers in row-major order; the caller vouches for their count.
    pub(crate) fn new(data: Vec<E>, shape: Shape) -> Self {
        debug_assert_eq!(data.len(), shape.elements());
        Array { data: Arc::new(data), shape }
    }

    /// The numbers in row-major order.
    pub fn data(&self) -> &[E] {
        &self.data
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether another array or tape holds the same numbers.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.data) > 1
    }

    /// The numbers for a change in place; copies them first when they are shared.
    pub(crate) fn data_mut(&mut self) -> &mut [E] {
        Arc::make_mut(&mut self.data).as_mut_slice()
    }

    /// The numbers for a change in place, if no one else holds them.
    pub(crate) fn own_data_mut(&mut self) -> Option<&mut [E]> {
        Arc::get_mut(&mut self.data).map(Vec::as_mut_slice)
    }

    /// The same numbers, shared, in another shape of as many elements.
    pub(crate) fn reshape(&self, shape: Shape) -> Result<Self> {
        check::reshape(self.shape, shape)?;
        Ok(Array { data: self.data.clone(), shape })
    }
}

/// The memory goes to where the next arrays take theirs from.
impl<E: Element> Drop for Array<E> {
    fn drop(&mut self) {
        if let Some(data) = Arc::get_mut(&mut self.data) {
            memory::give(std::mem::take(data));
        }
    }
}

/// An array of indices: words, labels, rows.
#[derive(Clone, Debug)]
pub struct Indices {
    data: Arc<Vec<u32>>,
    shape: Shape,
}

impl Indices {
    /// Indices in row-major order; the caller vouches for their count.
    pub(crate) fn new(data: Vec<u32>, shape: Shape) -> Self {
        debug_assert_eq!(data.len(), shape.elements());
        Indices { data: Arc::new(data), shape }
    }

    /// The indices in row-major order.
    pub fn data(&self) -> &[u32] {
        &self.data
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}
