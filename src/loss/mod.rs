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
mod divergence;
mod hinge;
mod likelihood;
mod margin;
mod outputs;
mod regression;
mod similarity;
mod target;
mod weighted;

pub use binary::BinaryCrossEntropy;
pub use categorical::{CategoricalCrossEntropy, SparseCategoricalCrossEntropy};
pub use divergence::KlDivergence;
pub use hinge::{CategoricalHinge, Hinge, SquaredHinge};
pub use likelihood::{GaussianNll, NegativeLogLikelihood, Poisson};
pub use margin::MultiMargin;
pub use outputs::{Outputs, Scale};
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};
pub use similarity::{CosineSimilarity, LogCosh};
pub use target::Target;
pub use weighted::WeightedMean;
pub(crate) use weighted::{WEIGHTED_MEAN, weighted_mean};

use crate::activation::Activation;
use crate::backend::{Backend, Zip};
use crate::description::{Description, undescribed};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::Mask;
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

    /// The same loss on what feeds `last`, the model's last activation, where that is the stable form.
    fn before(&self, _last: Activation) -> Option<Box<dyn Loss<B>>> {
        None
    }
}

/// `Σ w loss / rows`: the mean over all rows that are not ignored, as Keras' `sum_over_batch_size`: it is divided by
/// their number, not by their weight (unless the loss is a [`WeightedMean`]). Weights are one a sample, for all rows of it, or
/// one a row. A batch whose every row is ignored gives 0 and not NaN. Errors when the number of weights is another.
pub fn mean<B: Backend>(
    loss: &dyn Loss<B>,
    prediction: &Tensor<B>,
    target: &Target<B>,
    weights: Option<&[f32]>,
) -> Result<Tensor<B>> {
    masked_mean(loss, prediction, target, weights, None)
}

/// [`mean`] over the steps that count, of predictions `[batch, time, outputs]` with a mask `[batch, time]`: the sum is
/// divided by the number of steps that count, as in Keras. Errors also when the mask is not that of the predictions.
pub fn masked_mean<B: Backend>(
    loss: &dyn Loss<B>,
    prediction: &Tensor<B>,
    target: &Target<B>,
    weights: Option<&[f32]>,
    mask: Option<&Mask<B>>,
) -> Result<Tensor<B>> {
    // The gradient of what is left out is 0, which would not keep NaN out of products.
    let clear = mask.filter(|mask| mask.check(prediction.backend(), prediction.shape()).is_ok());
    let cleared = clear.map(|mask| mask.clear(prediction)).transpose()?;
    let prediction = cleared.as_ref().unwrap_or(prediction);
    let each = loss.each(prediction, target)?;
    let rows = each.shape().elements();
    let samples = each.shape().first().copied().unwrap_or(1);
    if let Some(weights) = weights.filter(|weights| weights.len() != samples && weights.len() != rows) {
        let by_row = if rows == samples { String::new() } else { format!(" or {rows}, one a row") };
        return Err(Error::invalid(loss.name(), format!("{samples} sample weights{by_row}"), weights.len()));
    }
    let ignored = |row: usize| match (target, loss.ignored()) {
        (Target::Classes { labels, .. }, Some(class)) => labels.get(row) == Some(&class),
        _ => false,
    };
    let counted = (0..rows).filter(|&row| !ignored(row)).count();
    if weights.is_none() && counted == rows && mask.is_none() {
        return each.mean();
    }
    let b = prediction.backend();
    // Rows that share a weight: all of a sample, or one.
    let sharing = weights.map_or(1, |weights| rows / weights.len().max(1));
    let given = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row / sharing]));
    let weight = |row: usize| if ignored(row) { 0.0 } else { given(row) };
    let upload = |weight: &dyn Fn(usize) -> f64| {
        Tensor::new(b, (0..rows).map(|row| B::Elem::from_f64(weight(row))).collect(), &each.shape())
    };
    let by_weight = loss.reduction() == Reduction::Weights;
    let weights = upload(&weight)?;
    let zero = Tensor::full(b, &[], 0.0)?;
    // A row of no weight is left out before it is weighed: its value may be infinite.
    let weighed = |each: &Tensor<B>| each.select(&weights, &zero)?.mul(&weights);
    let Some(mask) = mask else {
        let total = if by_weight { (0..rows).map(weight).sum() } else { counted as f64 };
        // The total of weights that are all 0 is not divided by.
        return weighed(&each)?.sum()?.div(&Tensor::full(b, &[], if total == 0.0 { 1.0 } else { total })?);
    };
    mask.check(b, each.shape())?;
    // What is computed of padding may be anything, NaN too; it is left out before it is weighed.
    let there = mask.tensor(b);
    let sum = weighed(&each.select(&there, &zero)?)?.sum()?;
    if by_weight {
        let total = weights.mul(&there)?.sum()?;
        let none = Tensor::constant(b, b.zip(Zip::Equal, total.value(), zero.value())?);
        return sum.div(&Tensor::full(b, &[], 1.0)?.select(&none, &total)?);
    }
    let counted = upload(&|row| f64::from(u8::from(!ignored(row))))?.mul(&there)?.sum()?;
    sum.div(&counted.clamp(1.0, f64::INFINITY)?)
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
