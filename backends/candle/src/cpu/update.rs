//! Optimiser steps: one pass over a weight and its state, in place.

use super::Cpu;
use super::simd::vectorised;
use crate::array::{Array, Indices};
use elman::Result;
use elman::backend::{Reach, Update, check};
use std::ops::Range;

/// Nanoseconds or so an element: a root, a division, and memory.
const COST: usize = 1;
/// Elements whose weight, gradient and state stay in the first cache between two passes.
const BLOCK: usize = 1024;
/// No rule has more arrays in its state.
const SLOTS: usize = 3;

impl Cpu {
    /// The caller has checked the shapes and the number of arrays in the state.
    pub(crate) fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        let gradient = g.numbers()?;
        self.in_place(w, state, |all| {
            let (n, parts) = (all.w.len(), self.threads.parts(all.w.len() * COST));
            let tables = all.cut((1..=parts).map(|part| part * n / parts));
            self.threads.run(tables, |(first, mut part)| {
                let range = 0..part.w.len();
                part.step(rule, range.clone(), &gradient[first..first + range.len()]);
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
    ) -> Result<()> {
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
                        part.step_without_gradient(rule, done..at);
                    }
                    part.step(rule, at..at + width, g);
                    done = at + width;
                }
                if exact {
                    part.step_without_gradient(rule, done..size);
                }
            });
        })
    }

    /// Calls `work` with the numbers of a weight and its state, in place where no one else sees them.
    fn in_place(&self, w: &mut Array, state: &mut [Array], work: impl FnOnce(Part<'_>)) -> Result<()> {
        // Before the first is taken, for an error between would leave that one empty.
        std::iter::once(&*w).chain(&*state).try_for_each(Array::check_host)?;
        let mut weight = w.take()?;
        let mut slots: Vec<Vec<f32>> = state.iter_mut().map(Array::take).collect::<Result<_>>()?;
        work(Part { w: &mut weight, slots: slots.iter_mut().map(Vec::as_mut_slice).collect() });
        w.put(weight, &self.memory)?;
        state.iter_mut().zip(slots).try_for_each(|(array, slot)| array.put(slot, &self.memory))
    }
}

/// A part of a weight and of its state.
struct Part<'a> {
    w: &'a mut [f32],
    slots: Vec<&'a mut [f32]>,
}

impl<'a> Part<'a> {
    /// Cuts it where parts are to end; each comes with the element that it begins at.
    fn cut(mut self, ends: impl Iterator<Item = usize>) -> Vec<(usize, Part<'a>)> {
        let mut start = 0;
        let parts = ends.map(|end| {
            let front = |all: &mut &'a mut [f32]| all.split_off_mut(..end - start).unwrap_or_default();
            let part = Part { w: front(&mut self.w), slots: self.slots.iter_mut().map(front).collect() };
            (std::mem::replace(&mut start, end), part)
        });
        parts.collect()
    }

    /// The rule on a range of elements, a block at a time.
    fn step(&mut self, rule: &Update, range: Range<usize>, gradient: &[f32]) {
        for (start, g) in range.step_by(BLOCK).zip(gradient.chunks(BLOCK)) {
            self.block(rule, start..start + g.len(), g);
        }
    }

    /// The same where the gradient is 0.
    fn step_without_gradient(&mut self, rule: &Update, range: Range<usize>) {
        for start in range.clone().step_by(BLOCK) {
            let block = start..range.end.min(start + BLOCK);
            self.block(rule, block.clone(), &[0.0; BLOCK][..block.len()]);
        }
    }

    fn block(&mut self, rule: &Update, range: Range<usize>, g: &[f32]) {
        let (mut slots, count) = ([(); SLOTS].map(|()| &mut [][..]), self.slots.len());
        for (slot, whole) in slots.iter_mut().zip(&mut self.slots) {
            *slot = &mut whole[range.clone()];
        }
        // It fails for a wrong number of slots alone, which the caller has checked.
        let _checked = rule.apply(&mut self.w[range], g, &mut slots[..count]);
        slots.into_iter().take(count).for_each(flush);
    }
}

vectorised! {
    /// Makes numbers below the normal range 0. The averages of a weight that gets no gradient for some hundred steps
    /// (that of a rare word) fade into that range and stay there, and processors take a hundred times longer over such
    /// numbers.
    fn flush(x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = if x.abs() < f32::MIN_POSITIVE { 0.0 } else { *x });
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
        let rule = Update::Momentum { lr: 0.1, momentum: 0.9, nesterov: false };
        for _ in 0..40 {
            device.update(&rule, &mut w, &g, std::slice::from_mut(&mut v)).unwrap();
        }
        // In exact arithmetic, or by the definition, 1.5e-39.
        assert_eq!(device.download(&v).unwrap(), [0.0; 3]);
    }
}
