//! The one tape: recording operations with their pullbacks, and the backward pass over them (L8).
//!
//! A recorded tensor owns a [`Node`]; a node owns the nodes of the operation's inputs, so the tape lives exactly as long as
//! something can still be differentiated. Node numbers grow, so every node's number is above those of its inputs:
//! backward takes the highest number first and needs neither recursion nor a set of visited nodes. Each pullback is called once
//! and dropped, with the arrays that it kept, as soon as it has been called.

use super::{Gradient, Tensor};
use crate::backend::{Backend, check};
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::collections::HashMap;
use std::collections::btree_map::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Which inputs of an operation want a gradient: `wanted[i]` for input `i`. A pullback may skip the others' work.
pub type Wanted<'a> = &'a [bool];

/// From the gradient for an operation's value to those for its inputs, `None` where none is wanted (or it is zero).
type Pullback<B> = Box<dyn FnOnce(&<B as Backend>::Array, Wanted<'_>) -> Result<Vec<Option<Gradient<B>>>> + Send>;

/// An operation on the tape, or a variable.
pub(super) struct Node<B: Backend> {
    number: u64,
    /// `None` for a variable.
    recorded: Option<Recorded<B>>,
}

struct Recorded<B: Backend> {
    op: &'static str,
    /// `None` for an input that is a constant.
    inputs: Vec<Option<(Arc<Node<B>>, Shape)>>,
    /// `None` once backward has used it. The lock is taken once in a pullback's life.
    pullback: Mutex<Option<Pullback<B>>>,
}

impl<B: Backend> Node<B> {
    pub(super) fn leaf() -> Self {
        Node { number: next_number(), recorded: None }
    }
}

/// Numbers only have to grow along every path of a graph; one counter for all graphs does that.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Dropping a graph must not recurse: a chain of a million operations would overflow the stack.
impl<B: Backend> Drop for Node<B> {
    fn drop(&mut self) {
        let mut orphans = self.take_inputs();
        while let Some(node) = orphans.pop() {
            // Only the last owner takes a node apart; its own drop then finds no inputs left.
            if let Some(mut node) = Arc::into_inner(node) {
                orphans.append(&mut node.take_inputs());
            }
        }
    }
}

impl<B: Backend> Node<B> {
    fn take_inputs(&mut self) -> Vec<Arc<Node<B>>> {
        let recorded = self.recorded.as_mut();
        recorded.map_or(Vec::new(), |r| r.inputs.drain(..).flatten().map(|(node, _)| node).collect())
    }
}

impl<B: Backend> Tensor<B> {
    /// Puts an operation of one's own on the tape: its `value`, computed by any means, its `inputs`, and its `pullback`.
    ///
    /// `pullback(dy, wanted)` is given the gradient for the value and says which inputs' gradients are wanted; it returns
    /// one entry an input, `None` where none is wanted. It multiplies `dy` into the operation's Jacobians without ever
    /// forming them. What it needs of the inputs' values it keeps by itself, as arrays ([`Tensor::value`]), not as tensors. It
    /// is called at most once. When no input is tracked, the value becomes a constant and the pullback is dropped.
    ///
    /// ```
    /// use elman::{Tensor, backend::{Backend, Map, Zip}};
    /// # fn cube<B: Backend>(x: &Tensor<B>) -> elman::Result<Tensor<B>> {
    /// // x³, with gradient 3 x² dy
    /// let (b, kept) = (x.backend().clone(), x.value().clone());
    /// let value = b.map(Map::Pow(3.0), &kept)?;
    /// Ok(Tensor::record("cube", x.backend(), value, &[x], move |dy, _wanted| {
    ///     let slope = b.map(Map::Affine(3.0, 0.0), &b.map(Map::Square, &kept)?)?;
    ///     Ok(vec![Some(b.zip(Zip::Mul, &slope, dy)?)])
    /// }))
    /// # }
    /// # let b = elman_reference::Reference::<f64>::new();
    /// # let x = Tensor::variable(&b, vec![2.0], &[1])?;
    /// # assert_eq!(cube(&x)?.sum()?.backward()?.of(&x).unwrap().to_vec()?, [12.0]);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn record(
        op: &'static str,
        backend: &B,
        value: B::Array,
        inputs: &[&Tensor<B>],
        pullback: impl FnOnce(&B::Array, Wanted<'_>) -> Result<Vec<Option<B::Array>>> + Send + 'static,
    ) -> Tensor<B> {
        let dense = |part: Option<B::Array>| part.map(Gradient::Dense);
        let pullback =
            move |dy: &B::Array, wanted: Wanted<'_>| Ok(pullback(dy, wanted)?.into_iter().map(dense).collect());
        Self::record_gradients(op, backend, value, inputs, pullback)
    }

    /// [`Tensor::record`] with a pullback that may give gradients for rows of a table ([`Gradient::Rows`]) instead of whole
    /// ones. They stay rows as far as a variable; an operation on the way there makes them whole.
    pub fn record_gradients(
        op: &'static str,
        backend: &B,
        value: B::Array,
        inputs: &[&Tensor<B>],
        pullback: impl FnOnce(&B::Array, Wanted<'_>) -> Result<Vec<Option<Gradient<B>>>> + Send + 'static,
    ) -> Tensor<B> {
        let mut output = Tensor::constant(backend, value);
        if inputs.iter().any(|input| input.is_tracked()) {
            let inputs = inputs.iter().map(|input| input.node().map(|node| (node.clone(), input.shape()))).collect();
            let recorded = Recorded { op, inputs, pullback: Mutex::new(Some(Box::new(pullback))) };
            // The number comes after those of the inputs, which exist already.
            output.node = Some(Arc::new(Node { number: next_number(), recorded: Some(recorded) }));
        }
        output
    }

    /// The gradients of this scalar for every variable that took part in computing it. Uses the graph up: a second backward
    /// through any part of it is an error, as are a backward from a constant and one from anything but a scalar.
    pub fn backward(&self) -> Result<Gradients<B>> {
        if self.shape().elements() != 1 {
            return Err(Error::NotScalar { shape: self.shape() });
        }
        self.backward_from(self.backend.fill(self.shape(), 1.0)?)
    }

    /// Backward with a given gradient for this tensor (of its shape), which need not be a scalar.
    pub fn backward_from(&self, gradient: B::Array) -> Result<Gradients<B>> {
        let b = &self.backend;
        check::same_shape("backward_from", self.shape(), b.shape(&gradient))?;
        let start = self.node().ok_or(Error::Constant)?;
        let mut gradients = Gradients { backend: b.clone(), of: HashMap::new() };
        let mut open = BTreeMap::from([(start.number, (start.clone(), Gradient::Dense(gradient)))]);
        let mut wanted = Vec::new();
        while let Some((number, (node, gradient))) = open.pop_last() {
            let Some(recorded) = &node.recorded else {
                gradients.of.insert(number, gradient);
                continue;
            };
            let pullback = recorded.pullback.lock().unwrap_or_else(PoisonError::into_inner).take();
            let pullback = pullback.ok_or(Error::Freed { op: recorded.op })?;
            wanted.clear();
            wanted.extend(recorded.inputs.iter().map(Option::is_some));
            let gradient = gradient.into_dense(b)?;
            let parts = pullback(&gradient, &wanted)?;
            if parts.len() != wanted.len() {
                let expected = format!("{} gradients from the pullback, one an input", wanted.len());
                return Err(Error::invalid(recorded.op, expected, parts.len()));
            }
            // The gradient just used may be one of the parts: without this owner it can be accumulated into in place.
            drop(gradient);
            for (i, (input, part)) in recorded.inputs.iter().zip(parts).enumerate() {
                let (Some((input, shape)), Some(part)) = (input, part) else { continue };
                if part.shape(b) != *shape {
                    let shapes = Box::new([*shape, part.shape(b)]);
                    return Err(Error::Pullback { op: recorded.op, input: i, shapes });
                }
                let sum = match open.remove(&input.number) {
                    Some((_, sum)) => sum.add(b, part)?,
                    None => part,
                };
                open.insert(input.number, (input.clone(), sum));
            }
        }
        Ok(gradients)
    }
}

/// What a backward pass found: a gradient for each variable that the scalar depends on.
pub struct Gradients<B: Backend> {
    backend: B,
    of: HashMap<u64, Gradient<B>>,
}

impl<B: Backend> Gradients<B> {
    /// The gradient for a variable, whole, `None` when the scalar does not depend on it (or it is no variable). `None` also
    /// where the rows of a table could not be made whole, for want of memory on the device; [`Gradients::take_gradient`] with
    /// [`Gradient::into_dense`] tells that error.
    pub fn of(&self, variable: &Tensor<B>) -> Option<Tensor<B>> {
        let gradient = self.of.get(&variable.node()?.number)?.clone();
        Some(Tensor::constant(&self.backend, gradient.into_dense(&self.backend).ok()?))
    }

    /// Takes the gradient for a variable out, whole: its array has no other owner then and can be changed in place. `None` as
    /// in [`Gradients::of`].
    pub fn take(&mut self, variable: &Tensor<B>) -> Option<B::Array> {
        self.take_gradient(variable)?.into_dense(&self.backend).ok()
    }

    /// Takes the gradient for a variable out as it came: whole, or the rows of a table that took part.
    pub fn take_gradient(&mut self, variable: &Tensor<B>) -> Option<Gradient<B>> {
        self.of.remove(&variable.node()?.number)
    }

    /// All of them times a number.
    pub(crate) fn scaled(self, factor: f64) -> Result<Self> {
        let of = self.of.into_iter().map(|(node, gradient)| Ok((node, gradient.scaled(&self.backend, factor)?)));
        Ok(Gradients { of: of.collect::<Result<_>>()?, backend: self.backend })
    }

    /// The number of variables that have a gradient.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether no variable has one.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

impl<B: Backend> std::fmt::Debug for Gradients<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gradients").field("variables", &self.of.len()).finish()
    }
}
