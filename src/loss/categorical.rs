//! [`CategoricalCrossEntropy`] and [`SparseCategoricalCrossEntropy`]: one class of several.

use super::{EPSILON, Loss, Outputs, Scale, Target, check_distribution, check_smoothing, several_classes};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::Result;
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// `-Σ_j t_j ln o_j` for targets that are distributions over the classes, such as one-hot rows (L6). Labels are taken
/// too and made one-hot; [`SparseCategoricalCrossEntropy`] does without.
///
/// Probabilities are divided by their sum and held in `[1e-7, 1 - 1e-7]`, as in Keras; a model that ends in a softmax
/// is trained on what feeds it, by log-sum-exp.
#[doc(alias = "CategoricalCrossentropy")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct CategoricalCrossEntropy {
    #[serde(rename = "from_logits")]
    logits: bool,
    #[serde(rename = "label_smoothing")]
    smoothing: f64,
}

/// [`CategoricalCrossEntropy`] for labels: `-ln o_label`.
#[doc(alias = "CrossEntropyLoss")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct SparseCategoricalCrossEntropy {
    #[serde(rename = "from_logits")]
    logits: bool,
    #[serde(rename = "label_smoothing")]
    smoothing: f64,
    #[serde(rename = "ignore_class")]
    ignored: Option<u32>,
}

impl CategoricalCrossEntropy {
    /// On probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// On logits: the model ends in a linear layer.
    pub fn from_logits() -> Self {
        CategoricalCrossEntropy { logits: true, ..Self::default() }
    }

    /// Moves a part of each target to all classes alike: `t (1 - s) + s / classes`.
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        CategoricalCrossEntropy { smoothing, ..self }
    }
}

impl SparseCategoricalCrossEntropy {
    /// On probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// On logits: the model ends in a linear layer.
    pub fn from_logits() -> Self {
        SparseCategoricalCrossEntropy { logits: true, ..Self::default() }
    }

    /// Moves a part of each target to all classes alike: `onehot (1 - s) + s / classes`. From logits those of -∞, which cannot be, get
    /// none of it and are not among the classes.
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        SparseCategoricalCrossEntropy { smoothing, ..self }
    }

    /// Rows of this label, which may lie beyond the classes, do not count: padding.
    pub fn ignore_class(self, class: u32) -> Self {
        SparseCategoricalCrossEntropy { ignored: Some(class), ..self }
    }
}

impl<B: Backend> Loss<B> for CategoricalCrossEntropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        check_smoothing(self.smoothing)?;
        several_classes(Loss::<B>::name(self), prediction)?;
        let t = target.values_for(Loss::<B>::name(self), prediction)?;
        let t = smoothed(t, self.smoothing)?;
        if self.logits { prediction.cross_entropy(&t) } else { of_probabilities(prediction, &t) }
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(if self.logits { Scale::Logits } else { Scale::Probabilities })
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        check_distribution(Loss::<B>::name(self), targets)
    }

    fn before(&self, last: Activation) -> Option<Box<dyn Loss<B>>> {
        let stable = !self.logits && last == Activation::Softmax;
        stable.then(|| Box::new(CategoricalCrossEntropy { logits: true, ..self.clone() }) as Box<dyn Loss<B>>)
    }
}

impl<B: Backend> Loss<B> for SparseCategoricalCrossEntropy {
    fn name(&self) -> &'static str {
        "sparse_categorical_crossentropy"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        check_smoothing(self.smoothing)?;
        several_classes(Loss::<B>::name(self), prediction)?;
        let labels = target.labels_for(Loss::<B>::name(self), prediction, self.ignored)?;
        if self.logits {
            return prediction.sparse_cross_entropy(&labels, self.smoothing);
        }
        let b = prediction.backend();
        let hot = Tensor::constant(b, b.one_hot(&labels, prediction.shape().last())?);
        of_probabilities(prediction, &smoothed(hot, self.smoothing)?)
    }

    fn ignored(&self) -> Option<u32> {
        self.ignored
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(if self.logits { Scale::Logits } else { Scale::Probabilities })
    }

    fn before(&self, last: Activation) -> Option<Box<dyn Loss<B>>> {
        let stable = !self.logits && last == Activation::Softmax;
        stable.then(|| Box::new(SparseCategoricalCrossEntropy { logits: true, ..self.clone() }) as Box<dyn Loss<B>>)
    }
}

fn smoothed<B: Backend>(targets: Tensor<B>, smoothing: f64) -> Result<Tensor<B>> {
    let classes = targets.shape().last() as f64;
    if smoothing == 0.0 { Ok(targets) } else { targets.affine(1.0 - smoothing, smoothing / classes) }
}

fn of_probabilities<B: Backend>(prediction: &Tensor<B>, targets: &Tensor<B>) -> Result<Tensor<B>> {
    let axis = prediction.shape().rank() - 1;
    // A masked step may come as a row of zeros, which has no sum to divide by.
    let sum = prediction.sum_along(Axis::Keep(axis))?.clamp(EPSILON, f64::INFINITY)?;
    let p = prediction.div(&sum)?.clamp(EPSILON, 1.0 - EPSILON)?;
    p.ln()?.mul(targets)?.sum_along(Axis::Drop(axis))?.neg()
}
