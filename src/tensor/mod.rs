//! [`Tensor`]: an array with its place on the tape, so that gradients can be taken through what computed it.

mod gradient;
mod ops;
mod tape;

pub use gradient::{Coalesced, Gradient, Rows};
pub use ops::{Axis, Recurrence, States};
pub use tape::{Gradients, Wanted};

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::fmt;
use std::sync::Arc;
use tape::Node;

/// An array on a backend and, if a variable took part in computing it, its place on the tape.
///
/// A tensor is a value: operations give new ones, a clone shares memory. A tensor without a place on the tape is a
/// *constant* and costs nothing extra, so that evaluation needs no second type.
///
/// ```
/// use elman::Tensor;
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let w = Tensor::variable(&b, vec![3.0, 4.0], &[2])?;
/// let loss = w.square()?.sum()?; // |w|²
/// let gradients = loss.backward()?;
/// assert_eq!(loss.to_scalar()?, 25.0);
/// assert_eq!(gradients.of(&w).unwrap().to_vec()?, [6.0, 8.0]); // 2 w
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor<B: Backend> {
    backend: B,
    value: B::Array,
    node: Option<Arc<Node<B>>>,
}

impl<B: Backend> Tensor<B> {
    /// A constant from numbers in row-major order. Errors when their count is not that of the shape.
    pub fn new(backend: &B, data: Vec<B::Elem>, shape: &[usize]) -> Result<Self> {
        Ok(Self::constant(backend, backend.upload(data, Shape::new(shape)?)?))
    }

    /// A variable from numbers in row-major order: gradients can be taken for it.
    pub fn variable(backend: &B, data: Vec<B::Elem>, shape: &[usize]) -> Result<Self> {
        Ok(Self::new(backend, data, shape)?.into_variable())
    }

    /// A constant of one number throughout.
    pub fn full(backend: &B, shape: &[usize], value: f64) -> Result<Self> {
        Ok(Self::constant(backend, backend.fill(Shape::new(shape)?, value)?))
    }

    /// A constant of zeros.
    pub fn zeros(backend: &B, shape: &[usize]) -> Result<Self> {
        Self::full(backend, shape, 0.0)
    }

    /// A constant of ones.
    pub fn ones(backend: &B, shape: &[usize]) -> Result<Self> {
        Self::full(backend, shape, 1.0)
    }

    /// A constant from an array of the backend.
    pub fn constant(backend: &B, value: B::Array) -> Self {
        Tensor { backend: backend.clone(), value, node: None }
    }

    /// The same value as a new variable, cut off from what computed it.
    #[doc(alias = "requires_grad")]
    #[must_use]
    pub fn into_variable(self) -> Self {
        let node = Some(Arc::new(Node::leaf()));
        Tensor { node, ..self }
    }

    /// The same value as a constant: no gradient flows through it.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self::constant(&self.backend, self.value.clone())
    }

    /// Whether a gradient can flow through this tensor: a variable took part in computing it.
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    /// The backend that holds it.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The backend's array.
    pub fn value(&self) -> &B::Array {
        &self.value
    }

    /// The array for an update in place: an optimiser's door. What computed this tensor is not touched, so use it on
    /// variables and constants, between one step's backward and the next step's forward.
    pub fn value_mut(&mut self) -> &mut B::Array {
        &mut self.value
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.backend.shape(&self.value)
    }

    /// The numbers in row-major order. Waits for the device.
    pub fn to_vec(&self) -> Result<Vec<B::Elem>> {
        self.backend.download(&self.value)
    }

    /// The only number of a tensor with one element. Waits for the device. Errors when there are more or none.
    pub fn to_scalar(&self) -> Result<f64> {
        match self.to_vec()?[..] {
            [x] => Ok(x.to_f64()),
            _ => Err(Error::invalid("to_scalar", "a tensor of one element", format!("shape {}", self.shape()))),
        }
    }

    fn node(&self) -> Option<&Arc<Node<B>>> {
        self.node.as_ref()
    }
}

impl<B: Backend> fmt::Debug for Tensor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor")
            .field("shape", &self.shape())
            .field("backend", &self.backend.name())
            .field("tracked", &self.is_tracked())
            .finish()
    }
}
