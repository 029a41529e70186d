//! The mean of a loss over the rows that count, and how much counted.

use super::{Loss, Reduction, Target};
use crate::backend::{Backend, Zip};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::Mask;
use crate::tensor::Tensor;

/// What a mean was divided by: rows, steps under the mask, or the sum of their weights ([`Reduction`]).
#[derive(Clone, Debug)]
pub enum Count<B: Backend> {
    /// The host knows it, where no mask has a say.
    Known(f64),
    /// A scalar on the device.
    OnDevice(Tensor<B>),
}

impl<B: Backend> Count<B> {
    /// The number on the host; waits for the device.
    pub fn read(&self) -> Result<f64> {
        match self {
            Count::Known(count) => Ok(*count),
            Count::OnDevice(count) => Ok(count.to_scalar()?.to_f64()),
        }
    }

    /// The sum of two.
    pub(crate) fn add(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Count::Known(one), Count::Known(other)) => Count::Known(one + other),
            (Count::OnDevice(one), Count::OnDevice(other)) => Count::OnDevice(one.add(&other)?),
            (Count::OnDevice(one), Count::Known(other)) | (Count::Known(other), Count::OnDevice(one)) => {
                Count::OnDevice(one.affine(1.0, other)?)
            }
        })
    }

    /// A mean times its count, with gradients: the sum that it is the mean of.
    pub(crate) fn sum_of(&self, mean: &Tensor<B>) -> Result<Tensor<B>> {
        match self {
            Count::Known(count) => mean.affine(*count, 0.0),
            Count::OnDevice(count) => mean.mul(count),
        }
    }
}

/// `Σ w loss / rows`: the mean over all rows that are not ignored, as Keras' `sum_over_batch_size`: it is divided by
/// their number, not by their weight (unless the loss is a [`WeightedMean`](super::WeightedMean)). Weights are one a sample, for all rows of it, or
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
    counted_mean(loss, prediction, target, weights, mask).map(|(mean, _)| mean)
}

/// [`masked_mean`], and what its sum was divided by: means of several batches, each times its count, added up and divided by the
/// sum of the counts, are the mean over all their rows. A batch in which nothing counts has a mean of 0 and a count of 0.
pub fn counted_mean<B: Backend>(
    loss: &dyn Loss<B>,
    prediction: &Tensor<B>,
    target: &Target<B>,
    weights: Option<&[f32]>,
    mask: Option<&Mask<B>>,
) -> Result<(Tensor<B>, Count<B>)> {
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
        return Ok((each.mean()?, Count::Known(rows as f64)));
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
        let mean = weighed(&each)?.sum()?.div(&Tensor::full(b, &[], if total == 0.0 { 1.0 } else { total })?)?;
        return Ok((mean, Count::Known(total)));
    };
    mask.check(b, each.shape())?;
    // What is computed of padding may be anything, NaN too; it is left out before it is weighed.
    let there = mask.tensor(b);
    let sum = weighed(&each.select(&there, &zero)?)?.sum()?;
    if by_weight {
        let total = weights.mul(&there)?.sum()?;
        let none = Tensor::constant(b, b.zip(Zip::Equal, total.value(), zero.value())?);
        let mean = sum.div(&Tensor::full(b, &[], 1.0)?.select(&none, &total)?)?;
        return Ok((mean, Count::OnDevice(total.detach())));
    }
    let counted = upload(&|row| f64::from(u8::from(!ignored(row))))?.mul(&there)?.sum()?;
    let mean = sum.div(&counted.clamp(1.0, f64::INFINITY)?)?;
    Ok((mean, Count::OnDevice(counted)))
}
