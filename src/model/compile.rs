//! [`Model::compile`]: what a model is trained with, an optimiser, a loss and metrics; for several outputs an objective each.

use super::Model;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::optim::Optimizer;
use std::sync::Arc;

/// What one output of several is trained for: a loss, how much it counts, and metrics. For [`Model::compile_outputs`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Objective<B: Backend> {
    /// The name of the output, `None` where there is but one.
    pub(crate) output: Option<String>,
    pub(crate) loss: Arc<dyn Loss<B>>,
    pub(crate) weight: f64,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
    /// Which of them count rows by their weights.
    pub(crate) weighted: Vec<bool>,
}

impl<B: Backend> Objective<B> {
    /// The loss of the output of this name, which counts once.
    pub fn new(output: impl Into<String>, loss: impl Loss<B> + 'static) -> Self {
        Objective { output: Some(output.into()), ..Objective::of_all(Arc::new(loss)) }
    }

    /// That of a file.
    pub(crate) fn described(output: Option<String>, loss: Box<dyn Loss<B>>, weight: f64) -> Self {
        Objective { output, weight, ..Objective::of_all(loss.into()) }
    }

    fn of_all(loss: Arc<dyn Loss<B>>) -> Self {
        Objective { output: None, loss, weight: 1.0, metrics: Vec::new(), weighted: Vec::new() }
    }

    /// By what the loss is multiplied before all of them are added up, 1 unless said otherwise (Keras' `loss_weights`).
    pub fn weight(self, weight: f64) -> Self {
        Objective { weight, ..self }
    }

    /// Adds a metric of this output; it is reported as `output_metric`, `tags_accuracy`.
    pub fn metric(mut self, metric: impl Metric + 'static) -> Self {
        self.add(Box::new(metric), false);
        self
    }

    /// Adds a metric whose rows count by the weights of samples, as they do in the loss.
    pub fn weighted_metric(mut self, metric: impl Metric + 'static) -> Self {
        self.add(Box::new(metric), true);
        self
    }

    pub(crate) fn add(&mut self, metric: Box<dyn Metric>, weighted: bool) {
        self.metrics.push(metric);
        self.weighted.push(weighted);
    }

    /// The name under which one of its figures is reported.
    pub(super) fn named(&self, figure: &str) -> String {
        self.output.as_ref().map_or_else(|| figure.to_string(), |output| format!("{output}_{figure}"))
    }

    /// Where it is, for messages: after ` of `, or nothing.
    pub(super) fn at(&self, error: Error) -> Error {
        match &self.output {
            Some(output) => error.at(format!("output `{output}`")),
            None => error,
        }
    }
}

/// What a model is trained with: what [`Model::compile`] gives, to add metrics to.
#[derive(Debug)]
pub struct Compiled<B: Backend> {
    pub(crate) optimizer: Optimizer<B>,
    pub(crate) objectives: Vec<Objective<B>>,
}

impl<B: Backend> Compiled<B> {
    /// Adds a metric that `fit` and `evaluate` report. Names must differ:
    /// [`Accuracy::named`](crate::metrics::Accuracy::named) and its like tell two of a kind apart. Of several outputs it is one of
    /// the first: see [`Objective::metric`].
    pub fn metric(&mut self, metric: impl Metric + 'static) -> &mut Self {
        self.add(Box::new(metric), false)
    }

    /// Adds a metric whose rows count by the weights of samples, steps and classes, as they do in the loss (Keras'
    /// `weighted_metrics`); in others each counts 1.
    pub fn weighted_metric(&mut self, metric: impl Metric + 'static) -> &mut Self {
        self.add(Box::new(metric), true)
    }

    fn add(&mut self, metric: Box<dyn Metric>, weighted: bool) -> &mut Self {
        if let Some(objective) = self.objectives.first_mut() {
            objective.add(metric, weighted);
        }
        self
    }

    /// The names of what is reported, the loss first; of several outputs then the loss and the metrics of each.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec!["loss".to_string()];
        for objective in &self.objectives {
            names.extend(objective.output.as_ref().map(|_| objective.named("loss")));
            names.extend(objective.metrics.iter().map(|metric| objective.named(metric.name())));
        }
        names
    }

    pub(super) fn check(&self) -> Result<()> {
        let names = self.names();
        if let Some((_, twice)) = names.iter().enumerate().find(|&(i, name)| names[..i].contains(name)) {
            return Err(Error::invalid("metrics", "names that differ", format!("`{twice}` twice")));
        }
        match self.objectives.iter().find(|objective| !(objective.weight.is_finite() && objective.weight >= 0.0)) {
            None => Ok(()),
            Some(of) => Err(of.at(Error::invalid("weight of the loss", "a finite number of at least 0", of.weight))),
        }
    }
}

impl<B: Backend> Model<B> {
    /// Says what the model is trained with: an optimiser and a loss; [`Compiled::metric`] adds metrics. Compiling again
    /// starts with a fresh optimiser and no metrics, and keeps the parameters. For several outputs see [`Model::compile_outputs`].
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<B>>, loss: impl Loss<B> + 'static) -> &mut Compiled<B> {
        self.compile_as(optimizer.into(), vec![Objective::of_all(Arc::new(loss))])
    }

    /// Says what a model that gives a record is trained with: an optimiser and an objective for each output that is trained. The loss
    /// is the sum of theirs, each times its weight; reported are `loss`, and `output_loss` and the metrics of each. An output
    /// without an objective is predicted, and neither trained nor looked at; layers that nothing else trains are to be
    /// [frozen](Model::freeze).
    ///
    /// The outputs' names are checked with the first data.
    pub fn compile_outputs(
        &mut self,
        optimizer: impl Into<Optimizer<B>>,
        objectives: impl IntoIterator<Item = Objective<B>>,
    ) -> &mut Compiled<B> {
        self.compile_as(optimizer.into(), objectives.into_iter().collect())
    }

    pub(crate) fn compile_as(&mut self, optimizer: Optimizer<B>, objectives: Vec<Objective<B>>) -> &mut Compiled<B> {
        self.compiled.insert(Compiled { optimizer, objectives })
    }

    /// What the model is trained with, once compiled; to add metrics, say, to what a file has told.
    pub fn compiled_mut(&mut self) -> Option<&mut Compiled<B>> {
        self.compiled.as_mut()
    }

    /// The loss, once compiled; of several outputs the first's.
    pub fn loss_function(&self) -> Option<&dyn Loss<B>> {
        self.compiled.as_ref()?.objectives.first().map(|objective| &*objective.loss)
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
        let compiled = self.compiled.as_ref()?;
        let of_metric = |objective: &Objective<B>| {
            let metric = objective.metrics.iter().find(|metric| objective.named(metric.name()) == name);
            metric.map(|metric| metric.higher_is_better())
        };
        let is_loss = |objective: &Objective<B>| objective.output.is_some() && objective.named("loss") == name;
        if name == "loss" || compiled.objectives.iter().any(is_loss) {
            return Some(false);
        }
        compiled.objectives.iter().find_map(of_metric)
    }
}

pub(super) fn not_compiled() -> Error {
    Error::invalid("model", "a call of `compile` before training and evaluation", "a model without optimiser and loss")
}
