//! [`Registry`]: builds layers, losses, metrics and optimisers from their descriptions.

mod layers;
mod losses;
mod metrics;
mod rules;

use crate::backend::Backend;
use crate::description::{Description, kind_of, read};
use crate::error::{Error, Result};
use crate::layers::Layer;
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::optim::{Optimizer, Rule};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The kinds of layers, losses, metrics and optimisers' rules that a [description](crate::description) may name: the library's, and a
/// program's own once they are added. What reads models from files asks it
/// ([`Registry::load`], [`Model::load`](crate::Model::load)).
///
/// ```
/// use elman::description::{Description, describe};
/// use elman::layers::{Built, Layer, Scope, Sequential};
/// use elman::{Activation, Backend, Registry, Result, Spec};
/// use elman_reference::Reference;
/// use serde::{Deserialize, Serialize};
///
/// /// A layer of one's own: tanh, or nothing at all.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Squash {
///     on: bool,
/// }
///
/// impl<B: Backend> Layer<B> for Squash {
///     fn kind(&self) -> &'static str {
///         "squash"
///     }
///     fn describe(&self) -> Result<Description> {
///         describe(Layer::<B>::kind(self), self)
///     }
///     fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
///         (if self.on { Activation::Tanh } else { Activation::Linear }).build(input, scope)
///     }
/// }
///
/// type B = Reference<f32>;
/// let described = Layer::<B>::describe(&Sequential::<B>::new().add(Squash { on: true }))?;
/// assert_eq!(described.to_string(), r#"{"kind":"sequential","layers":[{"kind":"squash","on":true}]}"#);
/// assert!(Registry::<B>::new().read_layer(&described).is_err(), "the library does not know it");
/// let registry = Registry::<B>::new().with_layer::<Squash>("squash");
/// assert_eq!(registry.read_layer(&described)?.describe()?, described);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Registry<B: Backend> {
    layers: Kinds<B, Arc<dyn Layer<B>>>,
    losses: Kinds<B, Box<dyn Loss<B>>>,
    metrics: Kinds<B, Box<dyn Metric>>,
    rules: Kinds<B, Box<dyn Rule<B>>>,
}

/// What reads a description, by kind.
type Kinds<B, T> = BTreeMap<String, Arc<dyn Fn(&Registry<B>, &Description) -> Result<T> + Send + Sync>>;

impl<B: Backend> Default for Registry<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Backend> Registry<B> {
    /// With all kinds of the library.
    pub fn new() -> Self {
        let (layers, losses, metrics, rules) = (Kinds::new(), Kinds::new(), Kinds::new(), Kinds::new());
        let none = Registry { layers, losses, metrics, rules };
        rules::add(metrics::add(losses::add(layers::add(none))))
    }

    /// With a layer of one's own, in the place of any of this kind.
    pub fn with_layer<L: Layer<B> + DeserializeOwned + 'static>(self, kind: &str) -> Self {
        self.with_layer_from(kind, |_, description| Ok(Arc::new(read::<L>(description)?)))
    }

    /// With a layer that is made of its description by a function: one that holds other layers, which the function reads from
    /// the registry that it is given.
    pub fn with_layer_from(
        mut self,
        kind: &str,
        layer: impl Fn(&Registry<B>, &Description) -> Result<Arc<dyn Layer<B>>> + Send + Sync + 'static,
    ) -> Self {
        self.layers.insert(kind.into(), Arc::new(layer));
        self
    }

    /// With a loss of one's own, in the place of any of this kind.
    pub fn with_loss<L: Loss<B> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.losses.insert(kind.into(), Arc::new(|_, description| Ok(Box::new(read::<L>(description)?))));
        self
    }

    /// With a metric of one's own, in the place of any of this kind.
    pub fn with_metric<M: Metric + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.metrics.insert(kind.into(), Arc::new(|_, description| Ok(Box::new(read::<M>(description)?))));
        self
    }

    /// With a rule of one's own, in the place of any of this kind.
    pub fn with_rule<R: Rule<B> + DeserializeOwned + 'static>(mut self, kind: &str) -> Self {
        self.rules.insert(kind.into(), Arc::new(|_, description| Ok(Box::new(read::<R>(description)?))));
        self
    }

    /// The layer that is described. Errors for a kind that the registry does not know, and for options that the kind does not
    /// have; layers within others are named.
    pub fn read_layer(&self, description: &Description) -> Result<Arc<dyn Layer<B>>> {
        self.read("layer", &self.layers, description)
    }

    /// The loss that is described. Errors as those of [`Registry::read_layer`].
    pub fn read_loss(&self, description: &Description) -> Result<Box<dyn Loss<B>>> {
        self.read("loss", &self.losses, description)
    }

    /// The metric that is described. Errors as those of [`Registry::read_layer`].
    pub fn read_metric(&self, description: &Description) -> Result<Box<dyn Metric>> {
        self.read("metric", &self.metrics, description)
    }

    /// The rule that is described. Errors as those of [`Registry::read_layer`].
    pub fn read_rule(&self, description: &Description) -> Result<Box<dyn Rule<B>>> {
        self.read("rule of an optimiser", &self.rules, description)
    }

    /// The optimiser that [`Optimizer::describe`] has described, before its first step. Errors as those of
    /// [`Registry::read_layer`].
    pub fn read_optimizer(&self, description: &Description) -> Result<Optimizer<B>> {
        Optimizer::described(description, |rule| self.read_rule(rule))
    }

    /// The kinds of layers, in alphabetical order.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.layers.keys().map(String::as_str)
    }

    /// The kinds of losses, in alphabetical order.
    pub fn losses(&self) -> impl Iterator<Item = &str> {
        self.losses.keys().map(String::as_str)
    }

    /// The kinds of metrics, in alphabetical order.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.metrics.keys().map(String::as_str)
    }

    /// The kinds of rules, in alphabetical order.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    fn read<T>(&self, what: &str, kinds: &Kinds<B, T>, description: &Description) -> Result<T> {
        let kind = kind_of(description)?;
        let Some(read) = kinds.get(kind) else {
            let names: Vec<&str> = kinds.keys().map(String::as_str).collect();
            let expected = format!("a kind that the registry knows ({})", names.join(", "));
            let found = format!("`{kind}` (the program's own, or of a newer library)");
            return Err(Error::invalid(what, expected, found));
        };
        read(self, description)
    }
}

impl<B: Backend> fmt::Debug for Registry<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("layers", &self.layers.keys())
            .field("losses", &self.losses.keys())
            .field("metrics", &self.metrics.keys())
            .field("rules", &self.rules.keys())
            .finish()
    }
}
