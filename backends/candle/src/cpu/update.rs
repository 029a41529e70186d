//! Optimiser steps: one pass over a weight and its state, in place.

use super::Cpu;
use super::simd::vectorised;
use crate::array::{Array, Indices};
use crate::memory::Buffer;
use elman::Result;
use elman::backend::update::SLOTS;
use elman::backend::{Reach, Update, check};
use std::ops::Range;

/// Nanoseconds or so an element: a root, a division, and memory.
pub(super) const COST: usize = 1;
/// Elements whose weight, gradient and state stay in the first cache between two passes.
const BLOCK: usize = 1024;

impl Cpu {
    /// The caller has checked the shapes and the number of arrays in the state.
    pub(crate) fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        let gradient = g.numbers()?;
        self.in_place(w, state, |all| {
            let (n, parts) = (all.w.len(), self.threads.parts(all.w.len() * COST));
            let tables = all.cut((1..=parts).map(|part| part * n / parts));
            self.threads.run(tables, |(first, mut part)| {
                let range = 0..part.w.len();
                part.step(rule, range.clone(), Some(&gradient[first..first + range.len()]));
            });
        })
    }

    /// The same for a table `[n, d]` from the gradients of some of its rows. Errors when these are not rising.
    pub(crate) fn update_rows(
        &self,
        rule: &Update,
        reach: Reach,
        w: &mut Array,
        (rows, g): (&Indices, &Array),
        state: &mut [Array],
        when: Option<&Array>,
    ) -> Result<()> {
        if let Some(when) = when
            && when.numbers()?[0] == 0.0
        {
            return Ok(());
        }
        let (rows, gradient, (n, width)) = (rows.numbers()?, g.numbers()?, (w.shape()[0], w.shape()[1]));
        check::rising("update_rows", &rows)?;
        let (rows, gradient, exact) = (&*rows, &*gradient, reach == Reach::Exact);
        let work = if exact { n } else { rows.len() };
        if work * width == 0 {
            return Ok(());
        }
        let parts = self.threads.parts(work * width * COST).min(work);
        // The row of the table at which a part ends.
        let end = |part: usize| match part {
            part if part == parts => n,
            part if exact => part * n / parts,
            part => rows[part * work / parts] as usize,
        };
        self.in_place(w, state, |all| {
            let tables = all.cut((1..=parts).map(|part| end(part) * width));
            self.threads.run(tables, |(first, mut part)| {
                let (first, size) = (first / width, part.w.len());
                let place = |row: usize| rows.partition_point(|&other| (other as usize) < row);
                let own = place(first)..place(first + size / width);
                // Elements up to which rows are done.
                let mut done = 0;
                for (&row, g) in rows[own.clone()].iter().zip(gradient[own.start * width..].chunks_exact(width)) {
                    let at = (row as usize - first) * width;
                    if exact {
                        part.step(rule, done..at, None);
                    }
                    part.step(rule, at..at + width, Some(g));
                    done = at + width;
                }
                if exact {
                    part.step(rule, done..size, None);
                }
            });
        })
    }

    /// Calls `work` with the numbers of a weight and its state, in place where no one else sees them.
    fn in_place(&self, w: &mut Array, state: &mut [Array], work: impl FnOnce(Part<'_>)) -> Result<()> {
        // Before the first is taken, for an error between would leave that one empty.
        std::iter::once(&*w).chain(&*state).try_for_each(Array::check_host)?;
        let mut weight = w.take()?;
        let mut slots: Vec<Buffer> = state.iter_mut().map(Array::take).collect::<Result<_>>()?;
        let mut part = Part { w: &mut weight, slots: Default::default(), count: slots.len() };
        part.slots.iter_mut().zip(&mut slots).for_each(|(slot, whole)| *slot = whole);
        work(part);
        w.put(weight, &self.memory)?;
        state.iter_mut().zip(slots).try_for_each(|(array, slot)| array.put(slot, &self.memory))
    }
}

/// A part of a weight and of its state.
struct Part<'a> {
    w: &'a mut [f32],
    /// As many as the rule has, and empty ones.
    slots: [&'a mut [f32]; SLOTS],
    count: usize,
}

impl<'a> Part<'a> {
    /// Cuts it where parts are to end; each comes with the element that it begins at.
    fn cut(mut self, ends: impl Iterator<Item = usize>) -> Vec<(usize, Part<'a>)> {
        let mut start = 0;
        let parts = ends.map(|end| {
            let front = |all: &mut &'a mut [f32]| all.split_off_mut(..end - start).unwrap_or_default();
            let part = Part { w: front(&mut self.w), slots: self.slots.each_mut().map(front), count: self.count };
            (std::mem::replace(&mut start, end), part)
        });
        parts.collect()
    }

    /// The rule on a range of elements. Where there is no gradient it is 0.
    fn step(&mut self, rule: &Update, range: Range<usize>, gradient: Option<&[f32]>) {
        let slots = self.slots.each_mut().map(|slot| slot.get_mut(range.clone()).unwrap_or_default());
        step(rule, &mut self.w[range], gradient, slots, self.count);
    }
}

vectorised! {
    /// The rule, a block at a time, after which numbers of the state below the normal range are made 0. The averages of a
    /// weight that gets no gradient for some hundred steps (that of a rare word) fade into that range and stay there, and
    /// processors take a hundred times longer over such numbers.
    fn step(
        rule: &Update,
        w: &mut [f32],
        gradient: Option<&[f32]>,
        slots: [&mut [f32]; SLOTS],
        count: usize,
    ) {
        let mut slots = slots;
        for (i, w) in w.chunks_mut(BLOCK).enumerate() {
            let block = i * BLOCK..i * BLOCK + w.len();
            let g = match gradient {
                Some(gradient) => &gradient[block.clone()],
                None => &[0.0; BLOCK][..w.len()],
            };
            let mut slots = slots.each_mut().map(|slot| slot.get_mut(block.clone()).unwrap_or_default());
            // It fails for a wrong number of slots alone, which the caller has checked.
            let _checked = rule.apply(w, g, &mut slots[..count]);
            // A loop of its own for each, for the compiler makes no vectors of a flattened one.
            for slot in slots {
                slot.iter_mut().for_each(|x| *x = if x.abs() < f32::MIN_POSITIVE { 0.0 } else { *x });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Candle;
    use elman::backend::{Backend, Update};

    #[test]
    fn averages_without_gradients_fade_to_zero() {
        let device = Candle::cpu();
        let (mut w, mut v) = (device.fill([3].into(), 1.0).unwrap(), device.fill([3].into(), 1e-37).unwrap());
        let g = device.fill([3].into(), 0.0).unwrap();
        let rule = Update::Momentum { lr: 0.1, momentum: 0.9, nesterov: false, decay: 0.0 };
        for _ in 0..40 {
            device.update(&rule, &mut w, &g, std::slice::from_mut(&mut v)).unwrap();
        }
        // In exact arithmetic, or by the definition, 1.5e-39.
        assert_eq!(device.download(&v).unwrap(), [0.0; 3]);
    }
}
