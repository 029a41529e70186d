//! What an update moves, and calls of which several make one update.

use super::Optimizer;
use super::finite::{Call, Verdict};
use crate::backend::{Backend, Map};
use crate::error::Result;
use crate::param::Param;
use crate::tensor::{Coalesced, Gradient};

/// The parameters that an update moves, and by what.
pub(super) struct Moved<B: Backend> {
    /// Their places among all, rising.
    pub(super) params: Vec<usize>,
    /// The numbers to clip and to move by: whole gradients, or those of some rows.
    pub(super) numbers: Vec<B::Array>,
    /// Which rows these are.
    pub(super) rows: Vec<Option<B::Indices>>,
}

impl<B: Backend> Moved<B> {
    /// As many gradients as places.
    pub(super) fn new(b: &B, params: Vec<usize>, gradients: Vec<Gradient<B>>) -> Result<Self> {
        let each = gradients.into_iter().map(|gradient| match gradient {
            Gradient::Dense(array) => Ok((array, None)),
            Gradient::Rows(gradient) => {
                let Coalesced { rows, values } = gradient.coalesce(b)?;
                Ok((values, Some(rows)))
            }
        });
        let (numbers, rows) = each.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Moved { params, numbers, rows })
    }
}

impl<B: Backend> Optimizer<B> {
    /// A call among several that make one update.
    pub(super) fn accumulate_call(
        &mut self,
        b: &B,
        params: &mut [Param<B>],
        (places, gradients): (Vec<usize>, Vec<Gradient<B>>),
        learning_rate: f64,
    ) -> Result<Call<B>> {
        // Rows that are summed over calls would be summed in another order than whole gradients are; and a sum that
        // is interrupted and restored must be the same sum.
        let gradients = gradients.into_iter().map(|gradient| gradient.into_dense(b)).collect::<Result<Vec<_>>>()?;
        let call = self.calls + 1;
        let verdict = self.watch.look(b, &self.entries, (&places, &gradients), (call, false))?;
        // Frozen in the midst of an accumulation.
        let frozen = (0..self.entries.len()).filter(|i| places.binary_search(i).is_err());
        frozen.for_each(|i| self.entries[i].sum = None);
        for (&i, gradient) in places.iter().zip(gradients) {
            let entry = &mut self.entries[i];
            entry.sum = Some(match entry.sum.take() {
                // What is not finite goes into the sum where such updates are skipped, and so costs the whole update.
                Some(sum) => sum.add(b, Gradient::Dense(gradient))?,
                None => Gradient::Dense(gradient),
            });
        }
        self.accumulated += 1;
        if self.accumulated < self.every {
            self.calls = call;
            return Ok(Call { updated: false, verdict });
        }
        self.accumulated = 0;
        let sums = places.iter().filter_map(|&i| self.entries[i].sum.take()).collect();
        let mut moved = Moved::new(b, places, sums)?;
        for sum in &mut moved.numbers {
            *sum = b.map(Map::Affine(1.0 / self.every as f64, 0.0), sum)?;
        }
        let of_update = self.watch.look(b, &self.entries, (&moved.params, &moved.numbers), (call, true))?;
        self.calls = call;
        let updated = !matches!(of_update, Verdict::NotFinite);
        if updated {
            self.update(b, params, moved, learning_rate, of_update.when())?;
        }
        Ok(Call { updated, verdict })
    }
}
