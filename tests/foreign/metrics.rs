//! What metrics are fed. They work on slices of the host and know nothing of backends.

use anyhow::Result;
use elman::loss::{Outputs, Scale};
use elman::metrics::{Metric, Scores, TargetsRef};

/// The library's predictions are `f32`, so are weights; counts and quotients are `f64`.
pub(crate) const COUNTED: f64 = 1e-12;
pub(crate) const ROUNDED: f64 = 1e-6;

/// What one batch gives a metric.
pub(crate) struct Fed {
    pub(crate) predictions: Vec<f32>,
    pub(crate) outputs: usize,
    pub(crate) targets: Aims,
    pub(crate) weights: Option<Vec<f32>>,
    /// Whether each output is a yes or no of its own, a probability.
    pub(crate) several: bool,
}

pub(crate) enum Aims {
    Classes(Vec<u32>),
    Values(Vec<f32>),
}

impl Fed {
    pub(crate) fn to(&self, metric: &mut dyn Metric) -> Result<()> {
        let targets = match &self.targets {
            Aims::Classes(labels) => TargetsRef::Classes(labels),
            Aims::Values(values) => TargetsRef::Values(values),
        };
        let read_as = if self.several { Outputs::Labels(Scale::Probabilities) } else { Outputs::Unknown };
        let scores = Scores {
            weights: self.weights.as_deref(),
            read_as,
            ..Scores::new(&self.predictions, self.outputs, targets)
        };
        Ok(metric.update(&scores)?)
    }

    pub(crate) fn value(&self, mut metric: impl Metric) -> Result<f64> {
        self.to(&mut metric)?;
        Ok(metric.value())
    }
}

pub(crate) fn narrow(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&x| x as f32).collect()
}

/// Predicted classes as scores whose greatest is theirs.
pub(crate) fn hot(classes: &[i64], of: usize) -> Vec<f32> {
    classes.iter().flat_map(|&class| (0..of as i64).map(move |each| if each == class { 1.0 } else { 0.0 })).collect()
}
