//! Optimiser steps: one pass over a weight and its state, in place.

use super::Cpu;
use super::simd::vectorised;
use crate::array::Array;
use elman::Result;
use elman::backend::Update;

/// Nanoseconds or so an element: a root, a division, and memory.
const COST: usize = 1;
/// Elements whose weight, gradient and state stay in the first cache between two passes.
const BLOCK: usize = 1024;

/// Parts of a weight, its gradient and its state that belong together.
type Part<'a> = (&'a mut [f32], &'a [f32], Vec<&'a mut [f32]>);

impl Cpu {
    /// The caller has checked the shapes and the number of arrays in the state.
    pub(crate) fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        // Before the first is taken, for an error between would leave that one empty.
        std::iter::once(&*w).chain(&*state).try_for_each(Array::check_host)?;
        let gradient = g.numbers()?;
        let mut weight = w.take()?;
        let mut slots: Vec<Vec<f32>> = state.iter_mut().map(Array::take).collect::<Result<_>>()?;

        let each = weight.len().div_ceil(self.threads.parts(weight.len() * COST));
        let parts = cut((&mut weight, &gradient, slots.iter_mut().map(Vec::as_mut_slice).collect()), each);
        self.threads.run(parts, |part| {
            for (w, g, mut slots) in cut(part, BLOCK) {
                // It fails for a wrong number of slots alone, which the caller has checked.
                let _checked = rule.apply(w, g, &mut slots);
                slots.into_iter().for_each(flush);
            }
        });

        w.put(weight, &self.memory)?;
        state.iter_mut().zip(slots).try_for_each(|(array, slot)| array.put(slot, &self.memory))
    }
}

/// Cuts a part into parts of `each` elements.
fn cut((w, g, slots): Part<'_>, each: usize) -> Vec<Part<'_>> {
    let each = each.max(1);
    let mut slots: Vec<_> = slots.into_iter().map(|slot| slot.chunks_mut(each)).collect();
    let both = w.chunks_mut(each).zip(g.chunks(each));
    both.map(|(w, g)| (w, g, slots.iter_mut().filter_map(Iterator::next).collect())).collect()
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
