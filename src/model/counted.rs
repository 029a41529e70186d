//! [`Counted`]: what an epoch has counted of one objective, its loss and its metrics.

use super::Objective;
use super::tally::Truth;
use crate::backend::Backend;
use crate::error::Result;
use crate::loss::Outputs;
use crate::metrics::{Metric, Scores};
use crate::shape::Shape;

/// The running loss and metrics of an objective.
pub(crate) struct Counted {
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
    /// The losses times what they are means over, and the sum of that.
    pub(super) sum: f64,
    pub(super) over: f64,
}

impl Counted {
    /// Nothing yet, with metrics of its own; `read_as` is what the loss takes the predictions for.
    pub(super) fn new<B: Backend>(objective: &Objective<B>, read_as: Outputs) -> Self {
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

    /// Whether a metric asks for predictions.
    pub(super) fn needs_predictions(&self) -> bool {
        self.metrics.iter().any(|metric| metric.needs_predictions())
    }

    /// Whether a metric counts rows by their weights.
    pub(super) fn needs_weights(&self) -> bool {
        self.weighted.contains(&true)
    }

    /// Whether a metric asks for the loss alone.
    pub(super) fn needs_loss(&self) -> bool {
        self.metrics.iter().any(|metric| !metric.needs_predictions())
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
        let of_loss = self.metrics.iter_mut().filter(|metric| !metric.needs_predictions());
        of_loss.for_each(|metric| metric.update_loss(mean, over));
    }

    /// Adds the predictions of a batch, with the mask of its rows.
    pub(super) fn add_predictions(
        &mut self,
        (predictions, shape): (&[f32], Shape),
        truth: &Truth,
        mask: Option<&[f32]>,
    ) -> Result<()> {
        // Sample and class weights weigh the loss and the metrics that ask for them; masked steps count in neither.
        // `[batch]`: a single output a sample.
        let outputs = if shape.rank() < 2 { 1 } else { shape.last() };
        let (ignore, read_as) = (self.ignored, self.read_as);
        let scores = Scores { ignore, read_as, weights: mask, ..Scores::new(predictions, outputs, truth.targets()) };
        let weights = truth.weights(scores.rows(), mask);
        let weighted = Scores { weights: weights.as_deref().or(mask), ..scores };
        let metrics = self.metrics.iter_mut().zip(&self.weighted);
        for (metric, by_weight) in metrics.filter(|(metric, _)| metric.needs_predictions()) {
            metric.update(if *by_weight { &weighted } else { &scores })?;
        }
        Ok(())
    }
}
