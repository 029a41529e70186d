//! [`Batch`]: a part of a data set on the device.

use crate::backend::Backend;
use crate::data::{Dataset, Targets};
use crate::element::Element;
use crate::error::Result;
use crate::layers::Value;
use crate::loss::Target;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How much each of some samples, or each of their steps, counts: for all outputs, and for single ones.
///
/// ```
/// let weights = elman::model::BatchWeights::from(vec![1.0, 0.5]);
/// assert_eq!(weights.of(None), Some(&[1.0, 0.5][..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct BatchWeights {
    all: Option<Vec<f32>>,
    of: Vec<(String, Vec<f32>)>,
}

impl BatchWeights {
    /// Those of an output by its name, or of the only one; `None` where each counts 1.
    pub fn of(&self, output: Option<&str>) -> Option<&[f32]> {
        let own = self.of.iter().find(|(of, _)| Some(of.as_str()) == output).map(|(_, weights)| weights);
        own.or(self.all.as_ref()).map(Vec::as_slice)
    }
}

/// Those of all outputs.
impl From<Vec<f32>> for BatchWeights {
    fn from(weights: Vec<f32>) -> Self {
        BatchWeights { all: Some(weights), of: Vec::new() }
    }
}

/// Some samples with their targets on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// What goes into the model.
    pub input: Value<B>,
    /// What should come out of it.
    pub target: Target<B>,
    /// How much each sample, or each step of each, counts; `None`: 1 each. The loss is still divided by the number of samples, as in Keras.
    pub weights: Option<BatchWeights>,
    /// The number of samples.
    pub len: usize,
}

impl<B: Backend> Batch<B> {
    /// Brings samples to the device.
    pub fn new(backend: &B, data: Dataset) -> Result<Self> {
        let len = data.len();
        let of = |output: &str| Some((output.to_string(), data.weights_in_block(Some(output))?));
        let of: Vec<_> = data.weighted_outputs().filter_map(of).collect();
        let all = data.weights_in_block(None);
        let weights = (all.is_some() || !of.is_empty()).then_some(BatchWeights { all, of });
        let (inputs, targets, _) = data.into_parts();
        Ok(Batch { input: Value::new(backend, inputs)?, target: target(backend, targets)?, weights, len })
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Brings targets to the device, but for labels.
fn target<B: Backend>(backend: &B, targets: Targets) -> Result<Target<B>> {
    let len = targets.len();
    Ok(match targets {
        Targets::Classes { labels, per_sample } => {
            let shape = if per_sample == 1 { [len].into() } else { [len, per_sample].into() };
            Target::Classes { labels: labels.into(), shape }
        }
        Targets::Values { data, shape } => Target::Values(upload(backend, data, len, &shape)?),
        Targets::RaggedClasses(rows) => {
            Target::Classes { labels: rows.block(0).into(), shape: [len, rows.longest()].into() }
        }
        Targets::RaggedValues(rows) => {
            Target::Values(upload(backend, rows.block(0.0), len, &[rows.longest(), rows.width()])?)
        }
        Targets::Record(parts) => Target::Record(parts.try_map(|_, part| target(backend, part))?),
    })
}

fn upload<B: Backend>(backend: &B, data: Vec<f32>, len: usize, sample: &[usize]) -> Result<Tensor<B>> {
    let data = data.into_iter().map(|x| B::Elem::from_f64(f64::from(x))).collect();
    let shape = Shape::new(&[&[len], sample].concat())?;
    Ok(Tensor::constant(backend, backend.upload(data, shape)?))
}
