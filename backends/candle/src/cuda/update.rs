//! Optimiser steps: one pass over a weight and its state, in place.

use super::sources::UPDATE;
use super::{Arg, Cuda, Grid};
use crate::Candle;
use crate::array::{Array, Indices};
use elman::Result;
use elman::backend::update::Epsilon;
use elman::backend::{Reach, Update, WeightStep, check};

/// A step by its number in `update.cu`, its flag, and its parameters, worked out in `f64` as far as [`Update::apply`] does.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rule {
    number: u32,
    flag: u32,
    numbers: [f32; 8],
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
        self.update_all(&mut [WeightStep { rule: *rule, w, g, state }])
    }

    /// In a launch for each 32 weights. The caller has checked the shapes and the numbers of arrays in the states.
    pub(crate) fn update_all(&self, steps: &mut [WeightStep<'_, Candle>]) -> Result<()> {
        const THREADS: usize = 256;
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
            self.launch(UPDATE, "update", Grid::blocks(blocks, THREADS), &[Arg::Weights(&weights)])?;
        }
        Ok(())
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
        let which = [self.whole(rows)?, k.into(), width.into(), usize::from(all).into()];
        let arguments = [&[Arg::Rule(Rule::new(rule)), count.into()][..], &places, &which].concat();
        self.launch(UPDATE, "update_rows", Grid::blocks(count.div_ceil(8), 256), &arguments)
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
        let of_epsilon = |epsilon| match epsilon {
            Epsilon::Inside(e) => (e, true),
            Epsilon::Outside(e) => (e, false),
        };
        let (number, flag, numbers) = match *rule {
            Update::Sgd { lr, decay } => (0, false, vec![lr, 1.0 - decay]),
            Update::Momentum { lr, momentum, nesterov, decay } => (1, nesterov, vec![lr, momentum, 1.0 - decay]),
            Update::AdaGrad { lr, epsilon } => {
                let (epsilon, inside) = of_epsilon(epsilon);
                (2, inside, vec![lr, epsilon])
            }
            Update::AdaDelta { lr, rho, epsilon } => (3, false, vec![lr, rho, 1.0 - rho, epsilon]),
            Update::RmsProp { lr, rho, epsilon, momentum, centered } => {
                let (epsilon, inside) = of_epsilon(epsilon);
                let number = 4 + u32::from(momentum > 0.0) + 2 * u32::from(centered);
                (number, inside, vec![lr, rho, 1.0 - rho, epsilon, momentum])
            }
            Update::Adam { lr, beta1, beta2, epsilon, decay, amsgrad } => {
                let numbers = vec![lr, beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon, 1.0 - decay];
                (8 + u32::from(amsgrad), false, numbers)
            }
            Update::Nadam { of_m, of_g, beta1, beta2, epsilon, decay } => {
                (10, false, vec![of_m, of_g, beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon, 1.0 - decay])
            }
            Update::AdamMean { lr, beta1, beta2, decay } => {
                (11, false, vec![lr, beta1, 1.0 - beta1, beta2, 1.0 - beta2, 1.0 - decay])
            }
            Update::Adamax { lr, beta1, beta2, epsilon, decay } => {
                let (epsilon, inside) = of_epsilon(epsilon);
                (12, inside, vec![lr, beta1, 1.0 - beta1, beta2, epsilon, 1.0 - decay])
            }
        };
        let mut rule = Rule { number, flag: u32::from(flag), numbers: [0.0; 8] };
        rule.numbers.iter_mut().zip(numbers).for_each(|(to, number)| *to = number as f32);
        rule
    }
}
