//! [`Sequential`]: layers one after another.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, free_name};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Layers one after another, each fed with the value of the one before: Keras' `Sequential`. It is a layer itself, so it can
/// stand within another.
///
/// ```
/// use elman::layers::{Dense, Dropout, Sequential};
/// use elman::{Activation, Spec};
/// use elman_reference::Reference;
///
/// let mlp = Sequential::new()
///     .add(Dense::new(512).activation(Activation::Relu))
///     .add(Dropout::new(0.5))
///     .add(Dense::new(46).activation(Activation::Softmax));
/// let model = mlp.build(&Reference::<f32>::new(), Spec::bags(1000), 0)?;
/// assert_eq!(model.count_params(), 1000 * 512 + 512 + 512 * 46 + 46);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Sequential<B: Backend> {
    layers: Vec<(Option<String>, Arc<dyn Layer<B>>)>,
}

impl<B: Backend> Default for Sequential<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Backend> Sequential<B> {
    /// No layers yet.
    pub fn new() -> Self {
        Sequential { layers: Vec::new() }
    }

    /// Adds a layer; its name is its kind, numbered where there are several.
    // Keras' word; nobody takes it for `+`.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, layer: impl Layer<B> + 'static) -> Self {
        self.layers.push((None, Arc::new(layer)));
        self
    }

    /// Adds a layer under a name of its own.
    pub fn add_named(mut self, name: impl Into<String>, layer: impl Layer<B> + 'static) -> Self {
        self.layers.push((Some(name.into()), Arc::new(layer)));
        self
    }
}

impl<B: Backend> Layer<B> for Sequential<B> {
    fn kind(&self) -> &'static str {
        "sequential"
    }

    // A layer with a name of its own is an object of the name and the layer, so that no option's name is taken.
    fn describe(&self) -> Result<Description> {
        let mut taken = HashSet::new();
        let described = self.layers.iter().map(|(name, layer)| {
            let path = name.clone().unwrap_or_else(|| free_name(layer.kind(), &taken));
            let description = layer.describe().map_err(|e| e.in_layer(&path))?;
            taken.insert(path);
            Ok(match name {
                Some(name) => json!({ "name": name, "layer": description }),
                None => description,
            })
        });
        Ok(json!({ "kind": self.kind(), "layers": described.collect::<Result<Vec<_>>>()? }))
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let mut spec = input.clone();
        let mut modules = Vec::with_capacity(self.layers.len());
        for (name, layer) in &self.layers {
            let built = scope.layer(name.as_deref(), layer.as_ref(), &spec)?;
            spec = built.output;
            modules.push(built.module);
        }
        let last = modules.pop().ok_or_else(|| Error::invalid("sequential", "at least one layer", "none"))?;
        Ok(Built::new(SequentialModule { front: modules, last }, spec))
    }
}

#[derive(Debug)]
struct SequentialModule<B: Backend> {
    front: Vec<Box<dyn Module<B>>>,
    last: Box<dyn Module<B>>,
}

impl<B: Backend> SequentialModule<B> {
    fn through_front(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        self.front.iter().try_fold(input, |x, module| module.forward(x, pass))
    }
}

impl<B: Backend> Module<B> for SequentialModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let x = self.through_front(input, pass)?;
        self.last.forward(x, pass)
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        let x = self.through_front(input, pass)?;
        self.last.forward_linear(x, pass)
    }

    fn last_activation(&self, input: Last) -> Last {
        self.front.iter().chain([&self.last]).fold(input, |known, module| module.last_activation(known))
    }

    fn check_class(&self, output: Option<&str>, class: u32, step: usize, steps: usize) -> Result<(), String> {
        self.last.check_class(output, class, step, steps)
    }
}
