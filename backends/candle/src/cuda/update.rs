//! Optimiser steps: one pass over a weight and its state, in place.

use super::{Arg, Cuda, Grid, rules, sources};
use crate::Candle;
use crate::array::{Array, Indices};
use elman::Result;
use elman::backend::update::NUMBERS;
use elman::backend::{Reach, Update, WeightStep, check};

/// Threads of a block, of which each has four neighbouring numbers.
const THREADS: usize = 256;

/// A step by the number of its formula, with its own numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rule {
    number: u32,
    numbers: [f32; NUMBERS],
}

/// Where the numbers of a weight, its state and its gradient are, how many, and the first of the blocks that do its step.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    first: u32,
    n: u32,
    rule: Rule,
    w: u64,
    state: [u64; 3],
    g: u64,
}

/// Weights of one launch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weights {
    count: u32,
    of: [Weight; 32],
}

impl Cuda {
    /// [`Cuda::update_all`] of one weight.
    pub(crate) fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        self.update_all(&mut [WeightStep { rule: *rule, w, g, state }], None)
    }

    /// In a launch for each 32 weights. The caller has checked the shapes and the numbers of arrays in the states.
    pub(crate) fn update_all(&self, steps: &mut [WeightStep<'_, Candle>], when: Option<&Array>) -> Result<()> {
        let (_when, when_at) = self.number(when)?;
        for steps in steps.chunks_mut(Weights::default().of.len()) {
            let (mut weights, mut blocks) = (Weights::default(), 0);
            // They must live until the launch.
            let gradients: Vec<Array> = steps.iter().map(|step| self.packed(step.g)).collect::<Result<_>>()?;
            for (step, g) in steps.iter_mut().zip(&gradients) {
                let n = step.w.shape().elements();
                if n > 0 {
                    let (w, state) = self.in_place(step.w, step.state)?;
                    let rule = Rule::new(&step.rule);
                    let weight = Weight { first: blocks as u32, n: n as u32, rule, w, state, g: self.address(g)? };
                    weights.of[weights.count as usize] = weight;
                    weights.count += 1;
                    blocks += n.div_ceil(4 * THREADS);
                }
            }
            self.launch(
                sources::update(),
                "update",
                Grid::blocks(blocks, THREADS),
                &[Arg::Weights(&weights), when_at],
            )?;
        }
        Ok(())
    }

    /// Where the number is that holds steps back, and what keeps it there; the address 0 where there is none.
    fn number(&self, when: Option<&Array>) -> Result<(Option<Array>, Arg<'static>)> {
        let Some(when) = when else { return Ok((None, Arg::Floats(0))) };
        let packed = self.packed(when)?;
        let address = self.address(&packed)?;
        Ok((Some(packed), Arg::Floats(address)))
    }

    /// For each array whether all its numbers are finite, in a launch for each 32.
    pub(crate) fn finite(&self, arrays: &[&Array]) -> Result<Array> {
        let out = self.fill([arrays.len()].into(), 1.0)?;
        let each = Weights::default().of.len();
        for (part, arrays) in arrays.chunks(each).enumerate() {
            let (mut weights, mut blocks) = (Weights::default(), 0);
            // They must live until the launch.
            let arrays: Vec<Array> = arrays.iter().map(|array| self.packed(array)).collect::<Result<_>>()?;
            for (to, array) in weights.of.iter_mut().zip(&arrays) {
                let n = array.shape().elements();
                let g = if n > 0 { self.address(array)? } else { 0 };
                *to = Weight { first: blocks as u32, n: n as u32, g, ..Weight::default() };
                blocks += n.div_ceil(4 * THREADS);
            }
            weights.count = arrays.len() as u32;
            let arguments = [Arg::Weights(&weights), self.floats(&out)?, (part * each).into()];
            self.launch(sources::update(), "finite", Grid::blocks(blocks, THREADS), &arguments)?;
        }
        Ok(out)
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
        check::rising("update_rows", &rows.on_host()?)?;
        let (n, width, k) = (w.shape()[0], w.shape()[1], rows.shape().elements());
        let all = reach == Reach::Exact;
        let count = if all { n } else { k };
        if count * width == 0 {
            return Ok(());
        }
        let g = self.packed(g)?;
        let (w, [s0, s1, s2]) = self.in_place(w, state)?;
        let places = [Arg::Floats(w), self.floats(&g)?, Arg::Floats(s0), Arg::Floats(s1), Arg::Floats(s2)];
        let (_when, when_at) = self.number(when)?;
        let which = [self.whole(rows)?, k.into(), width.into(), usize::from(all).into(), when_at];
        let arguments = [&[Arg::Rule(Rule::new(rule)), count.into()][..], &places, &which].concat();
        self.launch(sources::update(), "update_rows", Grid::blocks(count.div_ceil(8), 256), &arguments)
    }

    /// Where the numbers of a weight and of its state are, which may be changed there.
    fn in_place(&self, w: &mut Array, state: &mut [Array]) -> Result<(u64, [u64; 3])> {
        self.own(w)?;
        let mut places = [0; 3];
        for (slot, place) in state.iter_mut().zip(&mut places) {
            self.own(slot)?;
            *place = self.address(slot)?;
        }
        Ok((self.address(w)?, places))
    }
}

impl Rule {
    fn new(rule: &Update) -> Self {
        let (formula, numbers) = rule.formula();
        Rule { number: rules::number(formula), numbers: numbers.map(|number| number as f32) }
    }
}
