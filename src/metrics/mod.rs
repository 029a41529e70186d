//! How good a model's predictions are: metrics gathered batch by batch, reported over the whole set.
//!
//! A [`Metric`] keeps counts, never averages of batches: precision over a set is not the mean of its batches'
//! precisions. What the numbers are (probabilities, logits, one class a row or several labels) the compiled loss tells
//! them: see [`Scores::read_as`]. All of them work on slices of the host and know nothing of a backend. Names are Keras', numbers
//! scikit-learn's; where a metric is undefined its own page says what it gives.
//!
//! ```
//! use elman::metrics::{Accuracy, Average, F1, Metric, Scores, TargetsRef};
//! let mut metrics: Vec<Box<dyn Metric>> = vec![Box::new(Accuracy::new()), Box::new(F1::new(Average::Macro))];
//! // Three samples, three classes; the last is taken for class 1.
//! let predictions = [0.8, 0.1, 0.1, 0.2, 0.7, 0.1, 0.1, 0.5, 0.4];
//! let batch = Scores::new(&predictions, 3, TargetsRef::Classes(&[0, 1, 2]));
//! for metric in &mut metrics {
//!     metric.update(&batch)?;
//! }
//! assert_eq!(metrics[0].value(), 2.0 / 3.0);
//! assert!((metrics[1].value() - (1.0 + 2.0 / 3.0 + 0.0) / 3.0).abs() < 1e-12);
//! # Ok::<(), elman::Error>(())
//! ```

mod accuracy;
mod attachment;
mod auc;
mod by_class;
mod confusion;
mod perplexity;
mod regression;
mod scores;
mod spans;
mod texts;

pub use accuracy::{Accuracy, TopK};
pub use attachment::AttachmentScores;
pub use auc::Auc;
pub use by_class::{Average, F1, Precision, Recall};
pub use confusion::{ConfusionMatrix, Table};
pub use perplexity::{BitsPerCharacter, Perplexity};
pub use regression::{MeanAbsoluteError, MeanSquaredError};
pub use scores::{Decided, Scores, TargetsRef};
pub use spans::{SpanCounts, SpanF1, SpanScores};
pub use texts::{Bleu, ChrF, Distinct};

use crate::description::{Description, describe, undescribed};
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What a metric is told of a batch: [`Metric::needs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The loss alone, by [`Metric::update_loss`].
    Loss,
    /// The class of each row. Where a row has one class, of several outputs, the greatest is found on the device, and two numbers a
    /// row are read back instead of all: those of [`Scores::decided`], which [`Scores::decide`] goes by. Of a single output, of
    /// several labels a row, and where another metric needs them, it is the predictions that are told.
    Classes,
    /// All predictions.
    Predictions,
}

/// A measure of predictions against targets, gathered batch by batch.
pub trait Metric: Debug + Send + Sync {
    /// The name in the history and the log, unique within a model: Keras' name, such as `accuracy`.
    fn name(&self) -> &str;

    /// Forgets all batches: a new epoch begins.
    fn reset(&mut self);

    /// Takes in one batch. Errors: predictions and targets that do not go together, or a prediction that is NaN
    /// (each names the metric and the row); after an error the metric is to be reset.
    fn update(&mut self, batch: &Scores<'_>) -> Result<()>;

    /// What it is told of a batch, and so what has to leave the device: by default the predictions.
    fn needs(&self) -> Needs {
        Needs::Predictions
    }

    /// Takes in the loss of one batch, penalties left out: a mean, and what it is over (rows, steps that count, or the sum of their
    /// weights). Only metrics that need [nothing else](Needs::Loss) are told; unless they say so, nothing happens.
    fn update_loss(&mut self, _mean: f64, _count: f64) {}

    /// The value over all batches since the last reset; 0 before the first one, unless the metric says otherwise.
    fn value(&self) -> f64;

    /// All that it has counted since the last reset, for a checkpoint in the midst of an epoch. `None` (the default): it
    /// cannot be kept, and there are checkpoints between epochs only.
    fn state(&self) -> Option<Vec<f64>> {
        None
    }

    /// Goes on from a state. Errors when it is not one of this metric's.
    fn restore(&mut self, _state: &[f64]) -> Result<()> {
        Err(Error::invalid(self.name(), "a metric that can be restored", "one without a state"))
    }

    /// Whether a greater value is a better one: early stopping and the choice of the best epoch need to know.
    fn higher_is_better(&self) -> bool {
        true
    }

    /// The metric as JSON, without what it has counted, for files that say how a model was compiled: the library's own are described
    /// by kind and options. An error (the default) unless a metric says so.
    fn describe(&self) -> Result<Description> {
        Err(undescribed(self.name()))
    }

    /// A copy of the metric in its present state: what makes `Box<dyn Metric>` cloneable.
    fn boxed_clone(&self) -> Box<dyn Metric>;
}

impl Clone for Box<dyn Metric> {
    fn clone(&self) -> Self {
        self.as_ref().boxed_clone()
    }
}

/// The description of a metric of the library's, which is what is left of it when it is reset.
fn described<M: Metric + Clone + Serialize + DeserializeOwned>(kind: &str, metric: &M) -> Result<Description> {
    let mut fresh = metric.clone();
    fresh.reset();
    describe(kind, &fresh)
}

/// `part / whole`, and 0 where there is nothing to divide by: Keras' and scikit-learn's rule.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The numbers of a state that has so many of them.
fn numbers<const N: usize>(metric: &str, state: &[f64]) -> Result<[f64; N]> {
    state.try_into().map_err(|_| other_state(metric, format!("{N} numbers"), state))
}

/// A state is not one of this metric's.
fn other_state(metric: &str, expected: impl ToString, state: &[f64]) -> Error {
    Error::invalid(format!("state of {metric}"), expected, format!("{} numbers", state.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Box<dyn Metric>> {
        vec![
            Box::new(Accuracy::new()),
            Box::new(TopK::new(2).unwrap()),
            Box::new(Auc::new()),
            Box::new(Precision::new(Average::Macro)),
            Box::new(Recall::new(Average::Class(2))),
            Box::new(F1::new(Average::Micro)),
            Box::new(SpanF1::new(["B-a", "I-a", "B-b"]).unwrap()),
            Box::new(MeanSquaredError::new()),
            Box::new(MeanAbsoluteError::new()),
        ]
    }

    /// Three classes, one-hot where the metric wants numbers.
    fn update(metric: &mut dyn Metric, labels: &[u32]) {
        let key = crate::Key::new(labels.len() as u64);
        let predictions: Vec<f32> = (0..3 * labels.len() as u64).map(|i| key.uniform(i) as f32).collect();
        let one_hot: Vec<f32> = labels.iter().flat_map(|&l| (0..3).map(move |c| f32::from(u8::from(c == l)))).collect();
        let weights: Vec<f32> = (0..labels.len() as u64).map(|i| key.uniform(i + 1000) as f32).collect();
        let targets = match metric.higher_is_better() {
            true => TargetsRef::Classes(labels),
            false => TargetsRef::Values(&one_hot),
        };
        metric.update(&Scores { weights: Some(&weights), ..Scores::new(&predictions, 3, targets) }).unwrap();
    }

    #[test]
    fn a_metric_that_is_restored_counts_on_to_the_bit() {
        for (mut whole, mut restored) in all().into_iter().zip(all()) {
            let name = whole.name().to_string();
            restored.restore(&whole.state().unwrap()).unwrap();
            assert_eq!(restored.value().to_bits(), whole.value().to_bits(), "{name} before the first batch");
            update(&mut *whole, &[0, 1, 2, 2, 1]);
            // Into one that has counted something else.
            update(&mut *restored, &[2, 2]);
            restored.restore(&whole.state().unwrap()).unwrap();
            assert_eq!(restored.state(), whole.state(), "{name}");
            update(&mut *whole, &[1, 0, 0]);
            assert_ne!(restored.state(), whole.state(), "{name}");
            update(&mut *restored, &[1, 0, 0]);
            assert_eq!(restored.value().to_bits(), whole.value().to_bits(), "{name}");
            restored.reset();
            assert_eq!(restored.state(), all().iter().find(|fresh| fresh.name() == name).unwrap().state(), "{name}");
        }
    }

    #[test]
    fn measures_of_the_loss_count_on_to_the_bit() {
        let all = || -> [Box<dyn Metric>; 2] { [Box::new(Perplexity::new()), Box::new(BitsPerCharacter::new())] };
        for (mut whole, mut restored) in all().into_iter().zip(all()) {
            assert!(whole.value().is_nan() && whole.needs() == Needs::Loss && !whole.higher_is_better());
            whole.update_loss(0.7, 3.0);
            restored.update_loss(5.0, 1.0);
            restored.restore(&whole.state().unwrap()).unwrap();
            [&mut whole, &mut restored].into_iter().for_each(|metric| metric.update_loss(0.1, 9.0));
            assert_eq!(restored.value().to_bits(), whole.value().to_bits());
            assert!(restored.restore(&[1.0]).is_err() && restored.restore(&[1.0, -1.0]).is_err());
        }
    }

    #[test]
    fn states_of_other_metrics_are_refused() {
        let nan = f64::NAN;
        let states = [vec![1.0; 7], vec![nan; 4], vec![3.0, f64::INFINITY, 1.0, 1.0], vec![3.0, 1e18, 0.0, 0.0, 0.0]];
        for mut metric in all() {
            for state in &states {
                let before = metric.state();
                let error = metric.restore(state).unwrap_err().to_string();
                assert!(error.starts_with(&format!("state of {}: expected ", metric.name())), "{error}");
                assert_eq!(metric.state(), before);
            }
        }
    }
}
