//! [`Target`]: what predictions are compared with.

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::sync::Arc;

/// What predictions are compared with.
#[derive(Clone, Debug)]
pub enum Target<B: Backend> {
    /// A class a row, on the host, where labels are checked and rows left out.
    Classes {
        /// The labels in row-major order.
        labels: Arc<[u32]>,
        /// Their shape: that of the predictions without the last axis.
        shape: Shape,
    },
    /// Numbers of the predictions' shape: distributions over classes, 0 and 1, ±1, a regression's.
    Values(Tensor<B>),
    /// Those of several outputs, by their names: each loss gets its own.
    Record(Record<Target<B>>),
}

impl<B: Backend> Target<B> {
    /// One class a sample.
    pub fn classes(labels: Vec<u32>) -> Self {
        let shape = [labels.len()].into();
        Target::Classes { labels: labels.into(), shape }
    }

    /// The labels on the device. Errors for values, which are no labels.
    pub fn indices(&self, backend: &B) -> Result<B::Indices> {
        match self {
            Target::Classes { labels, shape } => backend.upload_indices(labels.to_vec(), *shape),
            Target::Values(values) => {
                Err(Error::invalid("target", "class labels", format!("numbers of shape {}", values.shape())))
            }
            Target::Record(_) => Err(Error::invalid("target", "class labels", "a record")),
        }
    }

    /// The labels on the device, after a check that each is a class of the predictions `[.., classes]`; an ignored one
    /// is replaced by class 0.
    pub(super) fn labels_for(
        &self,
        loss: &'static str,
        prediction: &Tensor<B>,
        ignored: Option<u32>,
    ) -> Result<B::Indices> {
        let Target::Classes { labels, shape } = self else {
            return Err(Error::invalid(loss, "class labels as targets", "numbers"));
        };
        check_labels(loss, prediction.shape(), *shape)?;
        let classes = prediction.shape().last();
        if let Some(at) = labels.iter().position(|&l| l as usize >= classes && Some(l) != ignored) {
            return Err(Error::invalid(loss, format!("labels below {classes}"), found(labels, *shape, at)));
        }
        let label = |&label: &u32| if Some(label) == ignored { 0 } else { label };
        let rows = prediction.shape().without(prediction.shape().rank() - 1);
        prediction.backend().upload_indices(labels.iter().map(label).collect(), rows)
    }

    /// The target as numbers of the predictions' shape. Errors for labels, which are no numbers.
    pub(super) fn numbers_for(&self, loss: &'static str, prediction: &Tensor<B>) -> Result<Tensor<B>> {
        match self {
            Target::Values(_) => self.values_for(loss, prediction),
            Target::Classes { .. } => Err(Error::invalid(loss, "numbers as targets", "class labels")),
            Target::Record(_) => Err(Error::invalid(loss, "numbers as targets", "a record")),
        }
    }

    /// The target of an output by name, or the whole where none is named; `None` where there is none of that name.
    pub(crate) fn part(&self, name: Option<&str>) -> Option<&Target<B>> {
        match (self, name) {
            (Target::Record(parts), Some(name)) => parts.get(name),
            (whole, None) => Some(whole),
            (_, Some(_)) => None,
        }
    }

    /// The target as numbers of the predictions' shape: values as they are; labels one-hot, or as 0 and 1 where there
    /// is a single output.
    pub(super) fn values_for(&self, loss: &'static str, prediction: &Tensor<B>) -> Result<Tensor<B>> {
        let (b, shape) = (prediction.backend(), prediction.shape());
        if shape.rank() == 0 {
            return Err(Error::invalid(loss, "predictions of a batch, [batch, ..]", "a single number"));
        }
        match self {
            Target::Values(values) if values.shape() == shape => Ok(values.detach()),
            // One number a row, where there is one output a row.
            Target::Values(values) if shape.last() == 1 && values.shape()[..] == shape[..shape.rank().max(1) - 1] => {
                values.detach().reshape(&shape)
            }
            Target::Values(values) => {
                check_steps(loss, shape, values.shape(), 0)?;
                Err(Error::invalid(loss, format!("targets of the predictions' shape {shape}"), values.shape()))
            }
            Target::Classes { labels, shape: rows } if shape.elements() == labels.len() && shape.last() == 1 => {
                check_labels(loss, shape, *rows)?;
                if let Some(at) = labels.iter().position(|&label| label > 1) {
                    return Err(Error::invalid(loss, "labels 0 and 1 for a single output", found(labels, *rows, at)));
                }
                let values = labels.iter().map(|&label| B::Elem::from_f64(f64::from(label))).collect();
                Tensor::new(b, values, &shape)
            }
            Target::Classes { .. } => {
                let labels = self.labels_for(loss, prediction, None)?;
                Ok(Tensor::constant(b, b.one_hot(&labels, shape.last())?))
            }
            Target::Record(_) => Err(Error::invalid(loss, "the targets of one output", "a record")),
        }
    }
}

/// A label and where it stands.
fn found(labels: &[u32], shape: Shape, at: usize) -> String {
    match *shape {
        [_, steps] => format!("{} in row {}, step {}", labels[at], at / steps, at % steps),
        _ => format!("{} in row {at}", labels[at]),
    }
}

/// Errors, with what to do, where only one of predictions and targets has steps. `missing` axes of the predictions are none of the
/// targets'.
fn check_steps(loss: &'static str, prediction: Shape, target: Shape, missing: usize) -> Result<()> {
    let (outputs, targets) = (prediction.rank().saturating_sub(missing), target.rank());
    if prediction.first() != target.first() || outputs == targets {
        return Ok(());
    }
    let (expected, found) = if outputs < targets {
        let expected = "one target a sample, as the model has outputs for the whole sample and none for its steps (a target for every \
                        step needs an output at every step: `return_sequences`, no pooling)";
        (expected, format!("targets for every step, {target} for outputs {prediction}"))
    } else {
        let expected = "a target for every step, as the model has outputs at every step (for one target a sample pool the \
                        steps, or take the last)";
        (expected, format!("targets {target} for outputs {prediction}"))
    };
    Err(Error::invalid(loss, expected, found))
}

/// Predictions `[.., classes]` and labels `[..]`, where axes of size 1 do not count: the labels `[batch]` of samples of
/// a single step go with `[batch, 1, classes]`.
fn check_labels(loss: &'static str, prediction: Shape, labels: Shape) -> Result<()> {
    let counting = |sizes: &[usize]| sizes.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    if prediction.rank() > 0 && counting(&prediction[..prediction.rank() - 1]) == counting(&labels) {
        return Ok(());
    }
    check_steps(loss, prediction, labels, 1)?;
    Err(Error::shapes(loss, prediction, labels, "predictions are [.., classes] and labels [..]"))
}
