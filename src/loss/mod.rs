//! Losses (L6): what training makes small.
//!
//! A loss gives one value a row; [`mean`] weighs and averages them. Defaults and names are Keras'. Which one (L14):
//! cross-entropy for classes ([`SparseCategoricalCrossEntropy`] with labels, [`BinaryCrossEntropy`] for two), a hinge
//! with a linear last layer for margins, [`MeanSquaredError`] with a linear last layer for regression.
//!
//! | last layer | targets | losses |
//! | --- | --- | --- |
//! | softmax | labels | [`SparseCategoricalCrossEntropy`] |
//! | softmax | distributions | [`CategoricalCrossEntropy`], [`KlDivergence`] |
//! | log-softmax | labels | [`NegativeLogLikelihood`] |
//! | sigmoid | 0 and 1 | [`BinaryCrossEntropy`] |
//! | linear | labels, -1 and 1 | [`MultiMargin`], [`CategoricalHinge`], [`Hinge`], [`SquaredHinge`] |
//! | linear | numbers | [`MeanSquaredError`], [`MeanAbsoluteError`], [`Huber`], [`LogCosh`], [`CosineSimilarity`] |
//! | linear | numbers, with how sure the model is of each | [`GaussianNll`] |
//! | linear, softplus | counts | [`Poisson`] |
//! | [`Crf`](crate::layers::Crf) | a tag for each step | [`CrfLoss`] |
//!
//! [`WeightedMean`] divides any of them by the sum of the weights.
//!
//! ```
//! use elman::loss::{self, SparseCategoricalCrossEntropy, Target};
//! use elman::Tensor;
//! use elman_reference::Reference;
//!
//! let b = Reference::<f64>::new();
//! let logits = Tensor::variable(&b, vec![2.0, 0.0, 0.0, 0.0, 200.0, 0.0], &[2, 3])?;
//! let loss = SparseCategoricalCrossEntropy::from_logits();
//! let mean = loss::mean(&loss, &logits, &Target::classes(vec![0, 1]), None)?;
//! assert!((mean.to_scalar()? - 0.5 * (1.0 + 2.0 * (-2.0f64).exp()).ln()).abs() < 1e-12);
//! # Ok::<(), elman::Error>(())
//! ```

mod binary;
mod categorical;
mod chain;
mod divergence;
mod hinge;
mod likelihood;
mod margin;
mod mean;
mod outputs;
mod regression;
mod similarity;
mod target;
mod weighted;

pub use binary::BinaryCrossEntropy;
pub use categorical::{CategoricalCrossEntropy, SparseCategoricalCrossEntropy};
pub use chain::{ChainLoss, CrfLoss, Per, counted_mean_of_chains};
pub use divergence::KlDivergence;
pub use hinge::{CategoricalHinge, Hinge, SquaredHinge};
pub use likelihood::{GaussianNll, NegativeLogLikelihood, Poisson};
pub use margin::MultiMargin;
pub use mean::{Count, counted_mean, masked_mean, mean};
pub use outputs::{Outputs, Scale};
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};
pub use similarity::{CosineSimilarity, LogCosh};
pub use target::Target;
pub use weighted::WeightedMean;
pub(crate) use weighted::{WEIGHTED_MEAN, weighted_mean};

use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, undescribed};
use crate::error::{Error, Result};
use crate::tensor::{Axis, Tensor};
use std::fmt::Debug;

/// Keras' smallest probability: those given are held in `[1e-7, 1 - 1e-7]`, so that their logarithm is finite.
const EPSILON: f64 = 1e-7;

/// What the weighted sum of a loss' values is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// The number of rows, or of steps, that count: Keras' `sum_over_batch_size`.
    #[default]
    Rows,
    /// The sum of the weights of those: PyTorch's mean with class weights. See [`WeightedMean`].
    Weights,
}

/// A measure of how wrong predictions are, differentiable in them.
pub trait Loss<B: Backend>: Debug + Send + Sync {
    /// Keras' name in snake case.
    fn name(&self) -> &'static str;

    /// The loss as JSON, its name as the kind, for files that say how a model was trained:
    /// [`describe`](crate::description::describe) makes it. An error unless a loss says so.
    fn describe(&self) -> Result<Description> {
        Err(undescribed(self.name()))
    }

    /// A value for each row of predictions `[.., outputs]`: `[..]`. Errors when predictions and target do not go
    /// together, and for labels out of range.
    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>>;

    /// A class whose rows count nothing.
    fn ignored(&self) -> Option<u32> {
        None
    }

    /// What [`mean`] divides by.
    fn reduction(&self) -> Reduction {
        Reduction::Rows
    }

    /// What it takes the model's numbers for. A model whose last activation is known not to give such numbers is refused
    /// ([`Outputs::check_last`]); metrics decide by it. Not known, unless a loss says so: then nothing is refused.
    fn outputs(&self) -> Outputs {
        Outputs::Unknown
    }

    /// Errors when it cannot be taken of a row of targets that are numbers, saying what to do. `fit` and `evaluate` ask it of
    /// all data before the first batch. All are right, unless a loss says so.
    fn check_row(&self, _targets: &[f32]) -> Result<()> {
        Ok(())
    }

    /// What it makes of the scores of paths, where it is a loss of these: for models that end in a [`Crf`](crate::layers::Crf), which
    /// others are refused behind. None, unless a loss says so.
    fn of_chains(&self) -> Option<&dyn ChainLoss<B>> {
        None
    }

    /// The same loss on what feeds `last`, the model's last activation, where that is the stable form.
    fn before(&self, _last: Activation) -> Option<Box<dyn Loss<B>>> {
        None
    }
}

/// The mean over a row's outputs.
fn mean_of_row<B: Backend>(elementwise: Tensor<B>) -> Result<Tensor<B>> {
    match elementwise.shape().rank() {
        0 | 1 => Ok(elementwise),
        rank => elementwise.mean_along(Axis::Drop(rank - 1)),
    }
}

/// Smoothing is a part: all of the target would be none of it left.
fn check_smoothing(smoothing: f64) -> Result<()> {
    if (0.0..1.0).contains(&smoothing) {
        return Ok(());
    }
    Err(Error::invalid("label smoothing", "a number in [0, 1)", smoothing))
}

/// Of a single output each class would be certain, and the loss 0 whatever the model gives.
fn several_classes<B: Backend>(loss: &str, prediction: &Tensor<B>) -> Result<()> {
    if prediction.shape().rank() == 0 || prediction.shape().last() != 1 {
        return Ok(());
    }
    let expected = "an output for each class, at least 2 (or a single one with sigmoid and binary cross-entropy)";
    Err(Error::invalid(loss, expected, "1 output"))
}

/// A row of targets must share out one class among the classes: none negative, and a sum of 1 within
/// [`TOLERANCE`](outputs::TOLERANCE).
fn check_distribution(loss: &str, targets: &[f32]) -> Result<()> {
    if let Some(negative) = targets.iter().find(|&&t| t < 0.0) {
        return Err(Error::invalid(
            loss,
            "targets that are probabilities, none negative (one-hot rows are 0 and 1)",
            negative,
        ));
    }
    let sum: f64 = targets.iter().copied().map(f64::from).sum();
    if (sum - 1.0).abs() <= outputs::TOLERANCE {
        return Ok(());
    }
    let expected = "targets of a row that sum to 1 (for several labels a row: sigmoid and binary cross-entropy)";
    Err(Error::invalid(loss, expected, format!("a row that sums to {sum}")))
}
