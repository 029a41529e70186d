//! [`MultiMargin`]: the class' own output is to be greater than all others by a margin.

use super::{Loss, Outputs, Scale, Target, several_classes};
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// `Σ_{j ≠ label} max(0, margin + y_j - y_label)^p / classes`, for a linear last layer: PyTorch's `MultiMarginLoss`. Unlike
/// [`CategoricalHinge`](super::CategoricalHinge) every rival counts that comes too near, not the nearest alone. The margin is 1
/// and `p` is 1 unless they are set.
///
/// Weston, Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", ESANN 1999.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct MultiMargin {
    p: u32,
    margin: f64,
    #[serde(rename = "ignore_class")]
    ignored: Option<u32>,
}

impl Default for MultiMargin {
    fn default() -> Self {
        Self::new()
    }
}

impl MultiMargin {
    /// With a margin of 1, each rival counted as far as it comes too near.
    pub fn new() -> Self {
        MultiMargin { p: 1, margin: 1.0, ignored: None }
    }

    /// What `max(0, ..)` is raised to: 1 or 2.
    pub fn p(self, p: u32) -> Self {
        MultiMargin { p, ..self }
    }

    /// How much greater the own output is to be, a finite number.
    pub fn margin(self, margin: f64) -> Self {
        MultiMargin { margin, ..self }
    }

    /// Rows of this label, which may lie beyond the classes, do not count: padding.
    pub fn ignore_class(self, class: u32) -> Self {
        MultiMargin { ignored: Some(class), ..self }
    }
}

impl<B: Backend> Loss<B> for MultiMargin {
    fn name(&self) -> &'static str {
        "multi_margin"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        if !(self.p == 1 || self.p == 2) {
            return Err(Error::invalid("multi_margin: p", "1 or 2", self.p));
        }
        if !self.margin.is_finite() {
            return Err(Error::invalid("multi_margin: margin", "a finite number", self.margin));
        }
        several_classes("multi_margin", prediction)?;
        let b = prediction.backend();
        let labels = target.labels_for("multi_margin", prediction, self.ignored)?;
        let (axis, classes) = (prediction.shape().rank() - 1, prediction.shape().last());
        let (own, zero) = (Tensor::constant(b, b.one_hot(&labels, classes)?), Tensor::full(b, &[], 0.0)?);
        let of_label = prediction.select(&own, &zero)?.sum_along(Axis::Keep(axis))?;
        let near = prediction.sub(&of_label)?.affine(1.0, self.margin)?.relu()?;
        let near = if self.p == 2 { near.square()? } else { near };
        zero.select(&own, &near)?.sum_along(Axis::Drop(axis))?.affine(1.0 / classes as f64, 0.0)
    }

    fn ignored(&self) -> Option<u32> {
        self.ignored
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(Scale::Logits)
    }
}
