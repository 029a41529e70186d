//! [`Counted`]: what an epoch has counted of one objective, its loss and its metrics.

use super::Objective;
use super::tally::Truth;
use super::told::{Counting, Told};
use crate::backend::Backend;
use crate::data::Targets;
use crate::error::Result;
use crate::loss::Outputs;
use crate::metrics::{Metric, Needs, Scores};

/// The running loss and metrics of an objective.
pub(crate) struct Counted<B: Backend> {
    /// The output, `None` where there is but one.
    pub(super) output: Option<String>,
    weight: f64,
    metrics: Vec<Box<dyn Metric>>,
    /// Under what they are reported.
    names: Vec<String>,
    /// Which of them count rows by their weights.
    weighted: Vec<bool>,
    /// The class that the loss leaves out.
    ignored: Option<u32>,
    /// What the loss takes the predictions for.
    read_as: Outputs,
    counting: Counting<B>,
    /// The losses times what they are means over, and the sum of that.
    pub(super) sum: f64,
    pub(super) over: f64,
}

impl<B: Backend> Counted<B> {
    /// Nothing yet, with metrics of its own; `read_as` is what the loss takes the predictions for.
    pub(super) fn new(objective: &Objective<B>, read_as: Outputs) -> Self {
        let mut metrics = objective.metrics.clone();
        metrics.iter_mut().for_each(|metric| metric.reset());
        Counted {
            output: objective.output.clone(),
            weight: objective.weight,
            names: metrics.iter().map(|metric| objective.named(metric.name())).collect(),
            metrics,
            weighted: objective.weighted.clone(),
            ignored: objective.loss.ignored(),
            read_as,
            counting: Counting::default(),
            sum: 0.0,
            over: 0.0,
        }
    }

    /// The metrics by the names under which they are reported.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (&str, &dyn Metric)> {
        self.names.iter().map(String::as_str).zip(self.metrics.iter().map(|metric| &**metric))
    }

    pub(super) fn metrics_mut(&mut self) -> impl Iterator<Item = &mut Box<dyn Metric>> {
        self.metrics.iter_mut()
    }

    /// Whether a metric asks for more than the loss.
    pub(super) fn needs_rows(&self) -> bool {
        self.metrics.iter().any(|metric| metric.needs() != Needs::Loss)
    }

    /// What is to be read back of predictions.
    pub(super) fn told(&mut self, b: &B, predictions: &B::Array, truth: &Truth) -> Result<Told<B>> {
        let all = self.metrics.iter().any(|metric| metric.needs() == Needs::Predictions);
        self.counting.told(b, predictions, !(all || truth.is_multilabel(self.read_as)))
    }

    /// Whether a metric counts rows by their weights.
    pub(super) fn needs_weights(&self) -> bool {
        self.weighted.contains(&true)
    }

    /// Whether a metric asks for the loss alone.
    pub(super) fn needs_loss(&self) -> bool {
        self.metrics.iter().any(|metric| metric.needs() == Needs::Loss)
    }

    /// The mean loss so far; NaN where nothing counts.
    pub(super) fn loss(&self) -> f64 {
        self.sum / self.over
    }

    /// What it adds to the loss of all.
    pub(super) fn weighed_loss(&self) -> f64 {
        self.weight * self.loss()
    }

    /// What a batch's mean adds to the loss of all.
    pub(super) fn weigh(&self, mean: f64) -> f64 {
        self.weight * mean
    }

    /// Adds the mean loss of a batch, without penalties, for the metrics that ask for it.
    pub(super) fn add_loss(&mut self, mean: f64, over: f64) {
        let of_loss = self.metrics.iter_mut().filter(|metric| metric.needs() == Needs::Loss);
        of_loss.for_each(|metric| metric.update_loss(mean, over));
    }

    /// Adds what was read back of a batch, with the mask of its rows.
    pub(super) fn add_rows(
        &mut self,
        (told, numbers): (&Told<B>, &[f32]),
        truth: &Truth,
        mask: Option<&[f32]>,
    ) -> Result<()> {
        // Sample and class weights weigh the loss and the metrics that ask for them; masked steps count in neither.
        let classes = told.classes(numbers);
        let scores = Scores::new(numbers, told.outputs, truth.targets());
        let scores = match &classes {
            Some(classes) => Scores { predictions: &[], decided: Some(classes.decided()), ..scores },
            None => scores,
        };
        let steps = match truth.targets() {
            Targets::Classes { per_sample, .. } => *per_sample,
            _ => 1,
        };
        let scores = Scores { ignore: self.ignored, read_as: self.read_as, weights: mask, steps, ..scores };
        let weights = truth.weights(scores.rows(), mask);
        let weighted = Scores { weights: weights.as_deref().or(mask), ..scores };
        let metrics = self.metrics.iter_mut().zip(&self.weighted);
        for (metric, by_weight) in metrics.filter(|(metric, _)| metric.needs() != Needs::Loss) {
            metric.update(if *by_weight { &weighted } else { &scores })?;
        }
        Ok(())
    }
}
