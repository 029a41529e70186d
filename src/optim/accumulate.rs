//! What an update moves, and calls of which several make one update.

use super::Optimizer;
use super::finite::{Call, Verdict};
use crate::backend::{Backend, Map, Zip};
use crate::error::Result;
use crate::loss::Count;
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
    /// Whether several calls make one update.
    pub(crate) fn accumulates(&self) -> bool {
        self.every > 1
    }

    /// How many calls were made towards an update, and how many make one.
    pub(crate) fn accumulated(&self) -> (usize, usize) {
        (self.accumulated, self.every)
    }

    /// A call among several that make one update.
    pub(super) fn accumulate_call(
        &mut self,
        b: &B,
        params: &mut [Param<B>],
        (places, gradients): (Vec<usize>, Vec<Gradient<B>>),
        count: Count<B>,
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
        let count = if b.is_on_host() { Count::Known(count.read()?) } else { count };
        self.counted = std::mem::replace(&mut self.counted, Count::Known(0.0)).add(count)?;
        self.accumulated += 1;
        self.calls = call;
        if self.accumulated < self.every {
            return Ok(Call { updated: false, verdict });
        }
        let result = self.update_accumulated(b, params, places, learning_rate);
        if result.is_err() {
            // As before the call, but for what was accumulated.
            self.calls = call - 1;
        }
        Ok(Call { updated: result?, verdict })
    }

    /// The update from what was accumulated, of which nothing is left.
    fn update_accumulated(
        &mut self,
        b: &B,
        params: &mut [Param<B>],
        places: Vec<usize>,
        learning_rate: f64,
    ) -> Result<bool> {
        let counted = std::mem::replace(&mut self.counted, Count::Known(0.0));
        self.accumulated = 0;
        let sums = places.iter().filter_map(|&i| self.entries[i].sum.take()).collect();
        let mut moved = Moved::new(b, places, sums)?;
        for sum in &mut moved.numbers {
            *sum = match &counted {
                Count::Known(counted) => b.map(Map::Affine(1.0 / at_least_some(*counted), 0.0), sum)?,
                Count::OnDevice(counted) => {
                    let none = b.zip(Zip::Equal, counted.value(), &b.fill([].into(), 0.0)?)?;
                    b.zip(Zip::Div, sum, &b.zip(Zip::Add, counted.value(), &none)?)?
                }
            };
        }
        let verdict = self.watch.look(b, &self.entries, (&moved.params, &moved.numbers), (self.calls, true))?;
        let updated = !matches!(verdict, Verdict::NotFinite);
        if updated {
            self.update(b, params, moved, learning_rate, verdict.when())?;
        }
        Ok(updated)
    }

    /// Makes an update of what has been accumulated, if anything has, though it is of fewer calls than [`Optimizer::accumulate`]
    /// says: at the end of an epoch, so that no batch is lost and none enters the next one. `false` where there was nothing or the
    /// update was skipped. The errors are those of [`Optimizer::step`].
    pub fn finish(&mut self, params: &mut [Param<B>]) -> Result<bool> {
        if self.accumulated == 0 {
            return Ok(false);
        }
        self.enrol(params)?;
        let places: Vec<usize> = (0..self.entries.len()).filter(|&i| self.entries[i].sum.is_some()).collect();
        let Some(b) = places.first().map(|&i| params[i].tensor().backend().clone()) else {
            self.forget_accumulated();
            return Ok(false);
        };
        // That of the last call.
        let learning_rate = self.learning_rate * self.schedule.at(self.calls.saturating_sub(1));
        self.update_accumulated(&b, params, places, learning_rate)
    }

    /// Drops what has been accumulated.
    pub(crate) fn forget_accumulated(&mut self) {
        (self.accumulated, self.counted) = (0, Count::Known(0.0));
        self.entries.iter_mut().for_each(|entry| entry.sum = None);
    }
}

/// Where nothing counted the sum is 0, and its mean too.
fn at_least_some(count: f64) -> f64 {
    if count == 0.0 { 1.0 } else { count }
}
