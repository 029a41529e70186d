//! Optimiser steps: one pass over a weight and its state, in place.

use super::Cpu;
use super::threads::vectorised;
use crate::array::Array;
use elman::Result;
use elman::backend::Update;

/// Nanoseconds or so an element: a root, a division, and memory.
const COST: usize = 1;

impl Cpu {
    /// The caller has checked the shapes and the number of arrays in the state.
    pub(crate) fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        let gradient = g.numbers()?;
        let mut weight = w.take()?;
        let mut slots: Vec<Vec<f32>> = state.iter_mut().map(Array::take).collect::<Result<_>>()?;

        let each = weight.len().div_ceil(self.threads.parts(weight.len() * COST)).max(1);
        let mut cuts: Vec<_> = slots.iter_mut().map(|slot| slot.chunks_mut(each)).collect();
        let parts = weight.chunks_mut(each).zip(gradient.chunks(each)).map(|(w, g)| {
            let slots: Vec<&mut [f32]> = cuts.iter_mut().filter_map(Iterator::next).collect();
            (w, g, slots)
        });
        // `apply` fails for a wrong number of slots alone, which the caller has checked.
        self.threads.run(parts.collect::<Vec<_>>(), |(w, g, mut slots)| {
            let _checked = vectorised(|| rule.apply(w, g, &mut slots));
        });

        w.put(weight, &self.memory)?;
        state.iter_mut().zip(slots).try_for_each(|(array, slot)| array.put(slot, &self.memory))
    }
}
