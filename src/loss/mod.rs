//! Losses (L6): what training makes small.
//!
//! A loss gives one value a row; [`mean`] weighs and averages them. Defaults and names are Keras'. Which one (L14):
//! cross-entropy for classes ([`SparseCategoricalCrossEntropy`] with labels, [`BinaryCrossEntropy`] for two), a hinge
//! with a linear last layer for margins, [`MeanSquaredError`] with a linear last layer for regression.
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
mod hinge;
mod regression;
mod target;

pub use binary::BinaryCrossEntropy;
pub use categorical::{CategoricalCrossEntropy, SparseCategoricalCrossEntropy};
pub use hinge::{CategoricalHinge, Hinge, SquaredHinge};
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};
pub use target::Target;

use crate::activation::Activation;
use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::Mask;
use crate::tensor::{Axis, Tensor};
use std::fmt::Debug;

/// Keras' smallest probability: those given are held in `[1e-7, 1 - 1e-7]`, so that their logarithm is finite.
const EPSILON: f64 = 1e-7;

/// A measure of how wrong predictions are, differentiable in them.
pub trait Loss<B: Backend>: Debug + Send + Sync {
    /// Keras' name in snake case.
    fn name(&self) -> &'static str;

    /// A value for each row of predictions `[.., outputs]`: `[..]`. Errors when predictions and target do not go
    /// together, and for labels out of range.
    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>>;

    /// A class whose rows count nothing.
    fn ignored(&self) -> Option<u32> {
        None
    }

    /// The same loss on what feeds `last`, the model's last activation, where that is the stable form. Errors when the
    /// loss and the activation contradict each other.
    fn before(&self, _last: Activation) -> Result<Option<Box<dyn Loss<B>>>> {
        Ok(None)
    }
}

/// `Σ w loss / rows`: the mean over all rows that are not ignored, as Keras' `sum_over_batch_size`: it is divided by
/// their number, not by their weight. Weights are one a sample, for all rows of it, or one a row. A batch whose every
/// row is ignored gives 0 and not NaN. Errors when the number of weights is another.
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
    let weights = upload(&weight)?;
    let zero = Tensor::full(b, &[], 0.0)?;
    // A row of no weight is left out before it is weighed: its value may be infinite.
    let weighed = |each: &Tensor<B>| each.select(&weights, &zero)?.mul(&weights);
    let Some(mask) = mask else {
        return weighed(&each)?.sum()?.div(&Tensor::full(b, &[], counted.max(1) as f64)?);
    };
    mask.check(b, each.shape())?;
    // What is computed of padding may be anything, NaN too; it is left out before it is weighed.
    let there = mask.tensor(b);
    let counted = upload(&|row| f64::from(u8::from(!ignored(row))))?.mul(&there)?.sum()?;
    weighed(&each.select(&there, &zero)?)?.sum()?.div(&counted.clamp(1.0, f64::INFINITY)?)
}

/// The mean over a row's outputs.
fn mean_of_row<B: Backend>(elementwise: Tensor<B>) -> Result<Tensor<B>> {
    match elementwise.shape().rank() {
        0 | 1 => Ok(elementwise),
        rank => elementwise.mean_along(Axis::Drop(rank - 1)),
    }
}

/// The loss wants another kind of numbers than the model's last activation gives.
fn mismatch(name: &str, last: Activation) -> Error {
    let expected = match last {
        Activation::LogSoftmax => "probabilities, so a model that ends in softmax (or the loss from logits)",
        _ => "logits, so a model that ends in a linear layer (or the loss on probabilities)",
    };
    Error::invalid(name, expected, format!("a model that ends in {last}"))
}

/// Smoothing is a part: all of the target would be none of it left.
fn check_smoothing(smoothing: f64) -> Result<()> {
    if (0.0..1.0).contains(&smoothing) {
        return Ok(());
    }
    Err(Error::invalid("label smoothing", "a number in [0, 1)", smoothing))
}
