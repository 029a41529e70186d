//! [`CrfLoss`]: how improbable the given path of tags is; and the mean of losses of whole sequences.

use super::{Count, Loss, Outputs, Reduction, Scale, Target};
use crate::backend::{Backend, Zip};
use crate::description::{Description, describe};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::{Chain, Mask};
use crate::shape::Shape;
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// What a mean of losses of whole sequences is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// The steps that count, of all sequences together.
    #[default]
    Step,
    /// The sequences of at least one step.
    Sequence,
}

/// A loss of the scores of paths ([`Chain`]), a value for each whole sequence: what [`Loss::of_chains`] gives.
pub trait ChainLoss<B: Backend> {
    /// A value for each sequence, `[batch]`, 0 where no step counts. Errors when scores and target do not go together.
    fn each_sequence(&self, chain: &Chain<B>, target: &Target<B>, mask: Option<&Mask<B>>) -> Result<Tensor<B>>;

    /// What the mean is over.
    fn per(&self) -> Per {
        Per::Step
    }
}

/// The negative log-likelihood of the given tags in a conditional random field, `-ln p(tags)`, for a model that ends in a
/// [`Crf`](crate::layers::Crf). Targets are a tag for each step; those at steps that the mask leaves out do not count.
///
/// The sum over a batch is divided by the number of *steps* that count, so that it is as large as a cross-entropy at each step (which
/// it is while all transitions score 0) and learning rates, clipping and the weights of several outputs carry over: pytorch-crf's
/// `token_mean`. [`per_sequence`](CrfLoss::per_sequence) divides by the number of sequences: its `mean`. Weights are one a sample.
///
/// Given tags that the field forbids are an error, which names the sequence and the step: their probability is 0 whatever is
/// learnt. Metrics and predictions are of the best path.
#[doc(alias = "NegativeLogLikelihood")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct CrfLoss {
    per_sequence: bool,
}

impl CrfLoss {
    /// The mean over steps.
    pub fn new() -> Self {
        CrfLoss::default()
    }

    /// The mean over sequences.
    pub fn per_sequence(self) -> Self {
        CrfLoss { per_sequence: true }
    }
}

impl<B: Backend> Loss<B> for CrfLoss {
    fn name(&self) -> &'static str {
        "crf"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, _: &Tensor<B>, _: &Target<B>) -> Result<Tensor<B>> {
        Err(not_a_chain("crf", "numbers at each step"))
    }

    fn outputs(&self) -> Outputs {
        Outputs::Class(Scale::Probabilities)
    }

    fn of_chains(&self) -> Option<&dyn ChainLoss<B>> {
        Some(self)
    }
}

impl<B: Backend> ChainLoss<B> for CrfLoss {
    fn each_sequence(&self, chain: &Chain<B>, target: &Target<B>, mask: Option<&Mask<B>>) -> Result<Tensor<B>> {
        let tags = target.labels_for("crf", &chain.scores, None)?;
        if let Target::Classes { labels, .. } = target {
            check_allowed(chain, labels, mask)?;
        }
        chain.loss(&tags, mask)
    }

    fn per(&self) -> Per {
        if self.per_sequence { Per::Sequence } else { Per::Step }
    }
}

/// Errors where given tags are forbidden. The mask lies on the device; it is read back only where tags look forbidden without it.
fn check_allowed<B: Backend>(chain: &Chain<B>, labels: &[u32], mask: Option<&Mask<B>>) -> Result<()> {
    let steps = chain.scores.shape()[1];
    let suspect = |row: &[u32]| chain.forbidden.broken(row, 0..steps).is_some();
    if !labels.chunks_exact(steps).any(suspect) {
        return Ok(());
    }
    let there = mask.map(|mask| chain.scores.backend().download(mask.array())).transpose()?;
    for (number, row) in labels.chunks_exact(steps).enumerate() {
        let counts = |step: &usize| there.as_ref().is_none_or(|mask| mask[number * steps + step] != B::Elem::ZERO);
        if let Some((step, how)) = chain.forbidden.broken(row, (0..steps).filter(counts)) {
            let expected = "given tags that the field allows (what `Crf` forbids, or its tag scheme)";
            return Err(Error::invalid(format!("crf, sequence {number}, step {step}"), expected, how));
        }
    }
    Ok(())
}

pub(super) fn not_a_chain(loss: &str, found: &str) -> Error {
    Error::invalid(loss, "the scores of paths, so a model that ends in a `Crf`", found)
}

/// [`counted_mean`](super::counted_mean) of the scores of paths: the weighted sum over sequences, divided by the number of steps or
/// sequences that count, or by the sum of their weights, and that count. Errors for a loss that takes none, and unless weights are one a
/// sequence.
pub fn counted_mean_of_chains<B: Backend>(
    loss: &dyn Loss<B>,
    chain: &Chain<B>,
    target: &Target<B>,
    weights: Option<&[f32]>,
    mask: Option<&Mask<B>>,
) -> Result<(Tensor<B>, Count<B>)> {
    let Some(of_chains) = loss.of_chains() else {
        let expected = "a loss of the scores of paths (`CrfLoss`), as the model ends in a `Crf`";
        return Err(Error::invalid(loss.name(), expected, "one of numbers at each step"));
    };
    let (b, shape) = (chain.scores.backend(), chain.scores.shape());
    let (batch, time) = (shape[0], shape[1]);
    mask.map_or(Ok(()), |mask| mask.check(b, shape))?;
    if let Some(weights) = weights.filter(|weights| weights.len() != batch) {
        let expected =
            format!("{batch} sample weights, one a sequence (no class weights, none of steps: a path is one whole)");
        return Err(Error::invalid(loss.name(), expected, weights.len()));
    }
    let each = of_chains.each_sequence(chain, target, mask)?;
    let by_weight = loss.reduction() == Reduction::Weights;
    let given = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row]));
    let weighed = match weights {
        None => each,
        Some(_) => {
            let weights = Tensor::new(b, (0..batch).map(|row| B::Elem::from_f64(given(row))).collect(), &[batch])?;
            // A sequence of no weight is left out before it is weighed: its value may be infinite.
            each.select(&weights, &Tensor::full(b, &[], 0.0)?)?.mul(&weights)?
        }
    };
    let sum = weighed.sum()?;
    let Some(mask) = mask else {
        let of_each = if of_chains.per() == Per::Step { time as f64 } else { 1.0 };
        let rows: f64 = if by_weight { (0..batch).map(given).sum() } else { batch as f64 };
        let total = rows * of_each;
        // The total of weights that are all 0 is not divided by.
        return Ok((sum.affine(1.0 / if total == 0.0 { 1.0 } else { total }, 0.0)?, Count::Known(total)));
    };
    let of_each = match of_chains.per() {
        Per::Step => mask.tensor(b).sum_along(Axis::Drop(1))?,
        Per::Sequence => Tensor::constant(b, b.reshape(&b.max(mask.array(), 1)?, Shape::new(&[batch])?)?),
    };
    let of_each = match weights.filter(|_| by_weight) {
        None => of_each,
        Some(_) => {
            let weights = (0..batch).map(|row| B::Elem::from_f64(given(row))).collect();
            of_each.mul(&Tensor::new(b, weights, &[batch])?)?
        }
    };
    let total = of_each.sum()?.detach();
    let none = Tensor::constant(b, b.zip(Zip::Equal, total.value(), Tensor::zeros(b, &[])?.value())?);
    let mean = sum.div(&Tensor::full(b, &[], 1.0)?.select(&none, &total)?)?;
    Ok((mean, Count::OnDevice(total)))
}
