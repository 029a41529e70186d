//! [`Param`]: a weight of a model, with its name, whether it is trained, its penalty and its constraint.

use crate::backend::{Backend, check};
use crate::constraint::Constraint;
use crate::error::Result;
use crate::regularizer::Regularizer;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A model's parameter. The model owns all of them in one vector in the order of building; saving, freezing, counting
/// and the optimiser's walk are loops over it.
///
/// The tensor is a *variable* while the parameter is trainable and a *constant* while it is frozen, so that no gradient
/// is ever computed for a frozen one.
///
/// ```
/// use elman::{Tensor, param::Param, regularizer::Regularizer};
/// use elman_reference::Reference;
///
/// let b = Reference::<f32>::new();
/// let kernel = Tensor::full(&b, &[3, 2], 0.1)?;
/// let mut kernel = Param::new("dense.kernel", kernel, true).with_regularizer(Regularizer::l2(1e-4));
/// assert!(kernel.tensor().is_tracked());
/// kernel.set_trainable(false);
/// assert!(!kernel.tensor().is_tracked());
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Param<B: Backend> {
    name: String,
    tensor: Tensor<B>,
    trainable: bool,
    /// Whether it is a layer's own state, which no optimiser ever moves.
    of_layer: bool,
    regularizer: Option<Regularizer>,
    constraint: Option<Constraint>,
}

impl<B: Backend> Param<B> {
    /// A parameter from its path in the model (`lstm.recurrent_kernel`) and its first value, cut off from what computed
    /// it.
    pub fn new(name: impl Into<String>, tensor: Tensor<B>, trainable: bool) -> Self {
        let tensor = if trainable { tensor.into_variable() } else { tensor.detach() };
        Param { name: name.into(), tensor, trainable, of_layer: false, regularizer: None, constraint: None }
    }

    /// The same parameter with a penalty that the model adds to its loss.
    #[must_use]
    pub fn with_regularizer(self, regularizer: impl Into<Option<Regularizer>>) -> Self {
        Param { regularizer: regularizer.into(), ..self }
    }

    /// The same parameter with a constraint that it is projected onto after every update. The first value is not.
    #[must_use]
    pub fn with_constraint(self, constraint: impl Into<Option<Constraint>>) -> Self {
        Param { constraint: constraint.into(), ..self }
    }

    /// The path in the model, unique there.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is at or below a path: `dense_1.kernel` is below `dense_1` and at `dense_1.kernel`, and not below `dense`.
    pub fn is_at_or_below(&self, path: &str) -> bool {
        self.name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The value: a variable if trainable, else a constant.
    pub fn tensor(&self) -> &Tensor<B> {
        &self.tensor
    }

    /// The shape, which never changes.
    pub fn shape(&self) -> Shape {
        self.tensor.shape()
    }

    /// Whether the optimiser moves it.
    pub fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// Whether it is a layer's own state (running statistics), which no optimiser ever moves.
    pub fn is_state(&self) -> bool {
        self.of_layer
    }

    /// The penalty on its size.
    pub fn regularizer(&self) -> Option<Regularizer> {
        self.regularizer
    }

    /// What it is projected onto after every update.
    pub fn constraint(&self) -> Option<Constraint> {
        self.constraint
    }

    /// Makes it a layer's own state.
    pub(crate) fn keep_for_layer(&mut self) {
        self.set_trainable(false);
        self.of_layer = true;
    }

    /// Freezes or thaws it; between two steps, as gradients that are under way no longer find it. A layer's own state
    /// (running statistics) stays frozen.
    pub fn set_trainable(&mut self, trainable: bool) {
        let trainable = trainable && !self.of_layer;
        if trainable != self.trainable {
            self.trainable = trainable;
            let constant = self.tensor.detach();
            self.tensor = if trainable { constant.into_variable() } else { constant };
        }
    }

    /// Replaces the value. Errors when the shape differs.
    pub fn set_value(&mut self, value: B::Array) -> Result<()> {
        check::same_shape("set_value", self.shape(), self.tensor.backend().shape(&value))?;
        *self.tensor.value_mut() = value;
        Ok(())
    }

    /// The array for an update in place; see [`Tensor::value_mut`]. It must keep its shape.
    pub fn value_mut(&mut self) -> &mut B::Array {
        self.tensor.value_mut()
    }
}

/// The place of a [`Param`] in its model's vector: what a built layer holds instead of the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(usize);

impl ParamId {
    /// The parameter at `index`. Only a scope gives ids out, so that each one is of a parameter that exists.
    pub(crate) fn new(index: usize) -> Self {
        ParamId(index)
    }

    /// The index.
    pub fn index(self) -> usize {
        self.0
    }
}
