//! [`Scope`]: where a layer's parameters come from when it is built.

use super::{Built, Last, Layer, Module, Pass, Slot, Spec, Value, Weight};
use crate::backend::Backend;
use crate::constraint::Constraint;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::{Param, ParamId};
use crate::random::Key;
use crate::regularizer::Regularizer;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::collections::{BTreeMap, HashSet};

/// A layer's line in a model's summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Path of the layer.
    pub path: String,
    /// Kind of the layer.
    pub kind: &'static str,
    /// What comes out of it.
    pub output: Spec,
    /// The parameters of the layer and those within it, as a range of the model's.
    pub params: std::ops::Range<usize>,
    /// How deep it lies: 0 for the model's own layers.
    pub depth: usize,
}

/// What building collects: the parameters in build order and the summary.
#[derive(Debug)]
pub(crate) struct Builder<B: Backend> {
    pub(crate) params: Vec<Param<B>>,
    pub(crate) rows: Vec<Row>,
    /// What every index must be below, by part of the model's input; under the empty name that of the whole.
    pub(crate) indices_below: BTreeMap<String, usize>,
    /// Where nothing is drawn: the parameters' arrays by name, each until it is taken.
    pub(crate) given: Option<BTreeMap<String, B::Array>>,
    /// The path of the first layer that carries state from batch to batch.
    pub(crate) stateful: Option<String>,
    slots: u32,
    key: Key,
}

impl<B: Backend> Builder<B> {
    pub(crate) fn new(seed: u64) -> Self {
        Builder {
            params: Vec::new(),
            rows: Vec::new(),
            indices_below: BTreeMap::new(),
            given: None,
            stateful: None,
            slots: 0,
            key: Key::new(seed).named("init"),
        }
    }

    /// One that draws nothing and asks no initialiser, which costs seconds for orthogonal kernels of thousands of units.
    pub(crate) fn given(seed: u64, arrays: BTreeMap<String, B::Array>) -> Self {
        Builder { given: Some(arrays), ..Builder::new(seed) }
    }

    pub(crate) fn root<'a>(&'a mut self, backend: &'a B, input: &Spec) -> Scope<'a, B> {
        let single = !matches!(input, Spec::Record(_)) || *input == Spec::distinct();
        let reads = single.then(String::new);
        let (path, names) = (String::new(), HashSet::new());
        Scope { backend, builder: self, path, params_of: None, names, depth: 0, apart: false, reads }
    }
}

/// A layer's place in the model while it is built: names its parameters and keeps them.
#[derive(Debug)]
pub struct Scope<'a, B: Backend> {
    backend: &'a B,
    builder: &'a mut Builder<B>,
    path: String,
    /// The path of the layer whose parameters are used again, where this is that layer once more.
    params_of: Option<String>,
    names: HashSet<String>,
    depth: usize,
    apart: bool,
    /// The part of the model's input that goes into the layer, the empty name for the whole, where it is known.
    reads: Option<String>,
}

impl<B: Backend> Scope<'_, B> {
    /// The backend that the parameters live on.
    pub fn backend(&self) -> &B {
        self.backend
    }

    /// The path of the layer being built: `encoder.dense_1`; empty for the model itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Says that the indices that go into the layer must be below this number, where they are the model's input or a part of it:
    /// whatever is in memory is checked before the first batch, not when its batch comes. Of several layers that say so the smallest
    /// number counts.
    pub fn indices_below(&mut self, rows: usize) {
        if let Some(part) = &self.reads {
            let before = self.builder.indices_below.entry(part.clone()).or_insert(rows);
            *before = rows.min(*before);
        }
    }

    /// Says which part of the model's input goes into the layers that are built from here on; `None` where it is none of them.
    pub fn reading(&mut self, part: Option<&str>) {
        self.reads = part.map(String::from);
    }

    /// The part of the model's input that goes into the layer, the empty name for the whole.
    pub(super) fn reads(&self) -> Option<&str> {
        self.reads.as_deref()
    }

    /// A place within this one under `name`, for a part of a layer that is built by hand, such as a
    /// [`RnnModule`](super::rnn::RnnModule): two of them do not clash. Errors: a name that is taken.
    pub fn scope(&mut self, name: &str) -> Result<Scope<'_, B>> {
        let name = self.take_name(Some(name), "")?;
        let params_of = self.params_of.as_ref().map(|of| join(of, &name));
        Ok(self.inner(&name, params_of))
    }

    /// A parameter of another layer, by its path in the model, `words.embeddings`, which is used here too: gradients of both uses
    /// add up. Gives its shape too. Errors: no such parameter so far.
    pub fn shared(&self, path: &str) -> Result<(ParamId, Shape)> {
        let params = &self.builder.params;
        let Some(number) = params.iter().position(|param| param.name() == path) else {
            let names: Vec<&str> = params.iter().map(Param::name).collect();
            let expected = format!("the path of a parameter that was made before ({})", names.join(", "));
            return Err(Error::invalid("shared parameter", expected, format!("`{path}`")));
        };
        Ok((ParamId::new(number), params[number].shape()))
    }

    /// Makes a parameter of the layer. Its initial draws depend on the model's seed and on its full path alone.
    pub fn param(&mut self, name: &str, shape: Shape, weight: &Weight) -> Result<ParamId> {
        self.param_from(name, shape, weight, |key| weight.init.values(shape, key))
    }

    /// Makes a parameter with first values of the layer's own making, in row-major order, given the parameter's stream of
    /// random numbers. Of `weight` all but its initial law counts.
    pub fn param_from(
        &mut self,
        name: &str,
        shape: Shape,
        weight: &Weight,
        values: impl FnOnce(Key) -> Result<Vec<f64>>,
    ) -> Result<ParamId> {
        if let Some(of) = &self.params_of {
            let path = join(of, name);
            let (id, found) = self.shared(&path)?;
            return match found == shape {
                true => Ok(id),
                false => Err(Error::invalid(format!("shared parameter `{path}`"), format!("the shape {shape}"), found)),
            };
        }
        let path = self.join(name);
        if self.builder.params.iter().any(|param| param.name() == path) {
            return Err(Error::invalid("parameter", "a name that is not taken", path));
        }
        weight.regularizer.as_ref().map_or(Ok(()), Regularizer::check)?;
        weight.constraint.as_ref().map_or(Ok(()), Constraint::check)?;
        let array = match &mut self.builder.given {
            Some(given) => take(self.backend, given, &path, shape)?,
            None => {
                let values = values(self.builder.key.named(&path))?.into_iter().map(B::Elem::from_f64).collect();
                self.backend.upload(values, shape)?
            }
        };
        let tensor = Tensor::constant(self.backend, array);
        let mut param = Param::new(path, tensor, weight.trainable);
        if let Some(regularizer) = weight.regularizer {
            param = param.with_regularizer(regularizer);
        }
        if let Some(constraint) = weight.constraint {
            param = param.with_constraint(constraint);
        }
        self.builder.params.push(param);
        Ok(ParamId::new(self.builder.params.len() - 1))
    }

    /// Makes an array that the layer keeps for itself, such as running statistics: saved with the parameters, never trained,
    /// changed by [`Pass::set_state`].
    pub fn state(&mut self, name: &str, shape: Shape, init: Init) -> Result<ParamId> {
        let id = self.param(name, shape, &Weight::new(init).frozen())?;
        if self.params_of.is_none() {
            self.builder.params[id.index()].keep_for_layer();
        }
        Ok(id)
    }

    /// A place for state that the layer goes on with where sequences are taken in pieces ([`Pass::place`]).
    pub fn slot(&mut self) -> Slot {
        let number = self.builder.slots;
        self.builder.slots += 1;
        Slot { number, stateful: false }
    }

    /// A place for state that goes on from batch to batch too. The model then wants batches of one size in their order. Errors where
    /// no sequence goes on, below [`Scope::apart`].
    pub fn stateful_slot(&mut self) -> Result<Slot> {
        if self.apart {
            let expected = "a place where sequences go on from batch to batch";
            return Err(Error::invalid("stateful layer", expected, "a layer that is applied to single steps"));
        }
        self.builder.stateful.get_or_insert_with(|| self.path.clone());
        Ok(Slot { stateful: true, ..self.slot() })
    }

    /// Says that the layers built from here on see sequences of their own, which begin and end within one pass
    /// ([`Pass::apart`]): a stateful layer among them is an error.
    pub fn apart(&mut self) {
        self.apart = true;
    }

    /// Builds a layer within this one, under `name`, or under its kind, with the first number behind it that is free
    /// where the kind itself is taken (`dense`, `dense_1`, ... as in Keras). Errors: a `name` that is taken; those of
    /// the layer, with its path.
    pub fn layer(&mut self, name: Option<&str>, layer: &dyn Layer<B>, input: &Spec) -> Result<Built<B>> {
        let name = self.take_name(name, layer.kind())?;
        let params_of = self.params_of.as_ref().map(|of| join(of, &name));
        self.build(name, params_of, layer, input)
    }

    /// Builds a layer once more under a name of its own, with the parameters of `of`, a layer within this one: Keras' shared layer.
    /// State that is carried is its own. Errors: those of [`Scope::layer`]; an input that would want other parameters.
    pub fn layer_again(&mut self, name: &str, of: &str, layer: &dyn Layer<B>, input: &Spec) -> Result<Built<B>> {
        let name = self.take_name(Some(name), layer.kind())?;
        let params_of = join(self.params_of.as_deref().unwrap_or(&self.path), of);
        self.build(name, Some(params_of), layer, input)
    }

    /// The name, or the kind with the first number that is free. Errors for a name that is none, or is taken.
    fn take_name(&mut self, name: Option<&str>, kind: &str) -> Result<String> {
        let name = match name {
            Some(name) if name.is_empty() || name.contains('.') => {
                return Err(Error::invalid("layer", "a name that is not empty and holds no dot", format!("`{name}`")));
            }
            Some(name) if self.names.contains(name) => {
                return Err(Error::invalid("layer", "a name that is not taken", format!("`{name}`")));
            }
            Some(name) => name.to_string(),
            None => free_name(kind, &self.names),
        };
        self.names.insert(name.clone());
        Ok(name)
    }

    fn inner(&mut self, name: &str, params_of: Option<String>) -> Scope<'_, B> {
        Scope {
            backend: self.backend,
            path: self.join(name),
            builder: &mut *self.builder,
            params_of,
            names: HashSet::new(),
            depth: self.depth + 1,
            apart: self.apart,
            reads: self.reads.clone(),
        }
    }

    fn build(
        &mut self,
        name: String,
        params_of: Option<String>,
        layer: &dyn Layer<B>,
        input: &Spec,
    ) -> Result<Built<B>> {
        let (path, first, row) = (self.join(&name), self.builder.params.len(), self.builder.rows.len());
        let built = layer.build(input, &mut self.inner(&name, params_of)).map_err(|e| e.in_layer(&name))?;
        let params = first..self.builder.params.len();
        // A layer stands before the layers within it.
        let of_layer = Row { path, kind: layer.kind(), output: built.output.clone(), params, depth: self.depth };
        self.builder.rows.insert(row, of_layer);
        Ok(Built::new(Named { name, module: built.module }, built.output))
    }

    fn join(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// A parameter's array from those that are there. Errors when there is none, or one of another shape.
fn take<B: Backend>(b: &B, given: &mut BTreeMap<String, B::Array>, path: &str, shape: Shape) -> Result<B::Array> {
    let (missing, mismatched) = match given.remove(path) {
        Some(array) if b.shape(&array) == shape => return Ok(array),
        Some(array) => (Vec::new(), vec![format!("{path} ({} for {shape})", b.shape(&array))]),
        None => (vec![path.to_string()], Vec::new()),
    };
    Err(Error::Weights { network: Vec::new(), missing, superfluous: Vec::new(), mismatched })
}

/// A kind as a name, with the first number behind it that is free where the kind itself is taken.
pub(crate) fn free_name(kind: &str, taken: &HashSet<String>) -> String {
    let mut numbered = std::iter::once(kind.to_string()).chain((1..).map(|number| format!("{kind}_{number}")));
    numbered.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// A module whose errors bear its layer's name.
#[derive(Debug)]
struct Named<B: Backend> {
    name: String,
    module: Box<dyn Module<B>>,
}

impl<B: Backend> Module<B> for Named<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        self.module.forward(input, pass).map_err(|e| e.in_layer(&self.name))
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        self.module.forward_linear(input, pass).map_err(|e| e.in_layer(&self.name))
    }

    fn last_activation(&self, input: Last) -> Last {
        self.module.last_activation(input)
    }

    fn check_class(&self, output: Option<&str>, class: u32, step: usize, steps: usize) -> Result<(), String> {
        self.module.check_class(output, class, step, steps)
    }
}
