//! [`Model::compile`]: what a model is trained with, an optimiser, a loss and metrics.

use super::Model;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::optim::Optimizer;
use std::sync::Arc;

/// What a model is trained with: what [`Model::compile`] gives, to add metrics to.
#[derive(Debug)]
pub struct Compiled<B: Backend> {
    pub(crate) optimizer: Optimizer<B>,
    pub(crate) loss: Arc<dyn Loss<B>>,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
    /// Which of them count rows by their weights.
    pub(crate) weighted: Vec<bool>,
}

impl<B: Backend> Compiled<B> {
    /// Adds a metric that `fit` and `evaluate` report. Names must differ:
    /// [`Accuracy::named`](crate::metrics::Accuracy::named) and its like tell two of a kind apart.
    pub fn metric(&mut self, metric: impl Metric + 'static) -> &mut Self {
        self.metrics.push(Box::new(metric));
        self.weighted.push(false);
        self
    }

    /// Adds a metric whose rows count by the weights of samples, steps and classes, as they do in the loss (Keras'
    /// `weighted_metrics`); in others each counts 1.
    pub fn weighted_metric(&mut self, metric: impl Metric + 'static) -> &mut Self {
        self.metrics.push(Box::new(metric));
        self.weighted.push(true);
        self
    }

    /// The names of what is reported, the loss first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("loss").chain(self.metrics.iter().map(|metric| metric.name()))
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.names().enumerate().find(|&(i, name)| self.names().take(i).any(|before| before == name)) {
            None => Ok(()),
            Some((_, twice)) => Err(Error::invalid("metrics", "names that differ", format!("`{twice}` twice"))),
        }
    }
}

impl<B: Backend> Model<B> {
    /// Says what the model is trained with: an optimiser and a loss; [`Compiled::metric`] adds metrics. Compiling again
    /// starts with a fresh optimiser and no metrics, and keeps the parameters.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<B>>, loss: impl Loss<B> + 'static) -> &mut Compiled<B> {
        self.compile_boxed(optimizer.into(), Box::new(loss))
    }

    pub(crate) fn compile_boxed(&mut self, optimizer: Optimizer<B>, loss: Box<dyn Loss<B>>) -> &mut Compiled<B> {
        self.compiled.insert(Compiled { optimizer, loss: loss.into(), metrics: Vec::new(), weighted: Vec::new() })
    }

    /// What the model is trained with, once compiled; to add metrics, say, to what a file has told.
    pub fn compiled_mut(&mut self) -> Option<&mut Compiled<B>> {
        self.compiled.as_mut()
    }

    /// The loss, once compiled.
    pub fn loss_function(&self) -> Option<&dyn Loss<B>> {
        self.compiled.as_ref().map(|compiled| &*compiled.loss)
    }

    /// The optimiser, once compiled.
    pub fn optimizer(&self) -> Option<&Optimizer<B>> {
        self.compiled.as_ref().map(|compiled| &compiled.optimizer)
    }

    /// The optimiser, once compiled; to change its learning rate, say.
    pub fn optimizer_mut(&mut self) -> Option<&mut Optimizer<B>> {
        self.compiled.as_mut().map(|compiled| &mut compiled.optimizer)
    }

    pub(crate) fn compiled(&self) -> Result<&Compiled<B>> {
        self.compiled.as_ref().ok_or_else(not_compiled)
    }

    /// Whether a greater value of this name is a better one: less loss is, and each metric knows for itself.
    pub(crate) fn higher_is_better(&self, name: &str) -> Option<bool> {
        let name = name.strip_prefix("val_").unwrap_or(name);
        let metric = || self.compiled.as_ref()?.metrics.iter().find(|metric| metric.name() == name);
        if name == "loss" { Some(false) } else { metric().map(|metric| metric.higher_is_better()) }
    }
}

pub(super) fn not_compiled() -> Error {
    Error::invalid("model", "a call of `compile` before training and evaluation", "a model without optimiser and loss")
}
