//! [`Target`]: what predictions are compared with.

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
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

/// Predictions `[.., classes]` and labels `[..]`, where axes of size 1 do not count: the labels `[batch]` of samples of
/// a single step go with `[batch, 1, classes]`.
fn check_labels(loss: &'static str, prediction: Shape, labels: Shape) -> Result<()> {
    let counting = |sizes: &[usize]| sizes.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    if prediction.rank() > 0 && counting(&prediction[..prediction.rank() - 1]) == counting(&labels) {
        return Ok(());
    }
    Err(Error::shapes(loss, prediction, labels, "predictions are [.., classes] and labels [..]"))
}
