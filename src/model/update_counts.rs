//! [`UpdateCounts`]: what the losses of several outputs are means over in an update of several batches, counted before they run.
//!
//! Means over different rows cannot be added up batch by batch and divided once: each loss is divided by what it counts in the whole
//! update, which must be known before its first batch. Masks are made by layers, so that a pass without tape counts.

use super::{Batch, Model, Objective};
use crate::backend::{Backend, Zip};
use crate::error::Result;
use crate::layers::{Mode, Spec};
use crate::loss::{Count, Reduction};
use crate::tensor::Tensor;

/// The counts of all objectives in an update.
pub(crate) struct UpdateCounts<B: Backend> {
    /// Of each objective.
    each: Vec<Count<B>>,
    batches: usize,
}

impl<B: Backend> UpdateCounts<B> {
    /// What an objective's mean loss in a batch, over `count`, adds to the update, times the number of batches.
    pub(super) fn share_of(&self, objective: usize, loss: &Tensor<B>, count: &Count<B>) -> Result<Tensor<B>> {
        let batches = self.batches as f64;
        let share = match (count, &self.each[objective]) {
            // What counts nowhere has a loss of 0.
            (Count::Known(count), Count::Known(all)) => {
                return loss.affine(count * batches / if *all == 0.0 { 1.0 } else { *all }, 0.0);
            }
            (Count::OnDevice(count), Count::Known(all)) => {
                count.affine(batches / if *all == 0.0 { 1.0 } else { *all }, 0.0)?
            }
            (count, Count::OnDevice(all)) => {
                let b = all.backend();
                let none = b.zip(Zip::Equal, all.value(), &b.fill([].into(), 0.0)?)?;
                let all = all.add(&Tensor::constant(b, none))?;
                let count = match count {
                    Count::Known(count) => Tensor::full(b, &[], *count)?,
                    Count::OnDevice(count) => count.clone(),
                };
                count.affine(batches, 0.0)?.div(&all)?
            }
        };
        loss.mul(&share)
    }
}

impl<B: Backend> Model<B> {
    /// Whether several batches make an update and several outputs may count differently in it, so that it is to be counted first.
    pub(crate) fn counts_first(&self) -> Result<bool> {
        let compiled = self.compiled()?;
        let samples = |objective: &Objective<B>| {
            let of_samples =
                matches!(self.output().part(objective.output.as_deref()), Some(Spec::Dense(sizes)) if sizes.len() == 1);
            of_samples && objective.loss.ignored().is_none() && objective.loss.reduction() == Reduction::Rows
        };
        let several = compiled.objectives.len() > 1 && compiled.optimizer.accumulates();
        Ok(several && !compiled.objectives.iter().all(samples))
    }

    /// The numbers of the batches of an update to which batch `number` belongs, of so many in an epoch.
    pub(crate) fn update_of(&self, number: usize, batches: usize) -> Result<std::ops::Range<usize>> {
        let (done, every) = self.compiled()?.optimizer.accumulated();
        let first = number - done.min(number);
        Ok(first..(first + every).min(batches))
    }

    /// Whether the next batch begins an update.
    pub(crate) fn begins_update(&self) -> Result<bool> {
        Ok(self.compiled()?.optimizer.accumulated().0 == 0)
    }

    /// Counts the batches of an update.
    pub(crate) fn update_counts(&self, batches: impl Iterator<Item = Result<Batch<B>>>) -> Result<UpdateCounts<B>> {
        let none = || Count::Known(0.0);
        let mut counts =
            UpdateCounts { each: self.compiled()?.objectives.iter().map(|_| none()).collect(), batches: 0 };
        for batch in batches {
            // Masks do not depend on what was read before: sequences may begin anew here.
            let outcome = self.outcome(&batch?, &mut self.pass(Mode::Evaluation))?;
            for (sum, scored) in counts.each.iter_mut().zip(outcome.scored) {
                *sum = std::mem::replace(sum, none()).add(scored.count)?;
            }
            counts.batches += 1;
        }
        Ok(counts)
    }
}
