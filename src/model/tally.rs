//! Collects losses and predictions of batches without waiting for the device at each of them.

use super::{Batch, Evaluation};
use crate::backend::Backend;
use crate::element::Element;
use crate::error::Result;
use crate::loss::Target;
use crate::metrics::{Metric, Scores, TargetsRef};
use crate::tensor::Tensor;

/// Predictions are read back and scored when this many numbers have piled up: often enough to keep memory small, seldom
/// enough that a GPU does not wait.
const PENDING: usize = 1 << 18;

/// The running loss and metrics of an epoch.
pub(super) struct Tally<B: Backend> {
    losses: Vec<(Tensor<B>, usize)>,
    predictions: Vec<(Tensor<B>, Target<B>)>,
    pending: usize,
    loss_sum: f64,
    samples: usize,
    ignored: Option<u32>,
}

impl<B: Backend> Tally<B> {
    /// A new tally; resets the metrics. `ignored` is the class that the loss leaves out.
    pub(super) fn new(metrics: &mut [Box<dyn Metric>], ignored: Option<u32>) -> Self {
        metrics.iter_mut().for_each(|metric| metric.reset());
        Tally { losses: Vec::new(), predictions: Vec::new(), pending: 0, loss_sum: 0.0, samples: 0, ignored }
    }

    /// The number of samples added.
    pub(super) fn samples(&self) -> usize {
        self.samples + self.losses.iter().map(|(_, samples)| samples).sum::<usize>()
    }

    /// Adds a batch; reads back only when much has piled up.
    pub(super) fn add(
        &mut self,
        batch: Batch<B>,
        loss: Tensor<B>,
        predictions: Tensor<B>,
        metrics: &mut [Box<dyn Metric>],
    ) -> Result<()> {
        self.losses.push((loss, batch.len));
        if !metrics.is_empty() {
            self.pending += predictions.shape().elements();
            self.predictions.push((predictions, batch.target));
        }
        if self.pending > PENDING { self.flush(metrics) } else { Ok(()) }
    }

    /// Reads everything back that is still on the device.
    pub(super) fn flush(&mut self, metrics: &mut [Box<dyn Metric>]) -> Result<()> {
        for (loss, samples) in self.losses.drain(..) {
            self.loss_sum += loss.to_scalar()? * samples as f64;
            self.samples += samples;
        }
        for (predictions, target) in self.predictions.drain(..) {
            let outputs = predictions.shape().last();
            let predictions = to_f32(predictions.to_vec()?);
            let values;
            let targets = match &target {
                Target::Classes { labels, .. } => TargetsRef::Classes(labels),
                Target::Values(tensor) => {
                    values = to_f32(tensor.to_vec()?);
                    TargetsRef::Values(&values)
                }
            };
            // As in Keras, sample and class weights weigh the loss and not the metrics.
            let scores = Scores { ignore: self.ignored, ..Scores::new(&predictions, outputs, targets) };
            metrics.iter_mut().try_for_each(|metric| metric.update(&scores))?;
        }
        self.pending = 0;
        Ok(())
    }

    /// Loss and metrics of the samples read back so far.
    pub(super) fn values(&self, metrics: &[Box<dyn Metric>]) -> Evaluation {
        let mut values = vec![("loss".to_string(), self.loss_sum / self.samples.max(1) as f64)];
        values.extend(metrics.iter().map(|metric| (metric.name().to_string(), metric.value())));
        Evaluation { values }
    }
}

pub(super) fn to_f32<E: Element>(data: Vec<E>) -> Vec<f32> {
    data.into_iter().map(|x| x.to_f64() as f32).collect()
}
