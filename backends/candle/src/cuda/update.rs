//! Optimiser steps: one pass over a weight and its state, in place.

use super::sources::UPDATE;
use super::{Arg, Cuda, Grid};
use crate::array::{Array, Indices};
use elman::Result;
use elman::backend::update::Epsilon;
use elman::backend::{Reach, Update, check};

impl Cuda {
    /// The caller has checked the shapes and the number of arrays in the state.
    pub(crate) fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        let n = w.shape().elements();
        let g = self.packed(g)?;
        let arguments = [&rule_of(rule)[..], &[n.into()], &self.in_place(w, &g, state)?].concat();
        self.launch(UPDATE, "update", Grid::over(n.div_ceil(4)), &arguments)
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
        let which = [self.whole(rows)?, k.into(), width.into(), usize::from(all).into()];
        let arguments = [&rule_of(rule)[..], &[count.into()], &self.in_place(w, &g, state)?, &which].concat();
        self.launch(UPDATE, "update_rows", Grid::blocks(count.div_ceil(8), 256), &arguments)
    }

    /// Where the numbers of a weight, its gradient and its state are; weight and state may be changed there.
    fn in_place(&self, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<[Arg; 5]> {
        self.own(w)?;
        let mut places = [self.floats(w)?, self.floats(g)?, Arg::Floats(0), Arg::Floats(0), Arg::Floats(0)];
        for (slot, place) in state.iter_mut().zip(&mut places[2..]) {
            self.own(slot)?;
            *place = self.floats(slot)?;
        }
        Ok(places)
    }
}

/// The number of a rule in the kernels, its flag, and its parameters, worked out in `f64` as far as [`Update::apply`] does.
fn rule_of(rule: &Update) -> [Arg; 9] {
    let of_epsilon = |epsilon| match epsilon {
        Epsilon::Inside(e) => (e, true),
        Epsilon::Outside(e) => (e, false),
    };
    let (number, flag, numbers) = match *rule {
        Update::Sgd { lr } => (0, false, vec![lr]),
        Update::Momentum { lr, momentum, nesterov } => (1, nesterov, vec![lr, momentum]),
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
        Update::Nadam { of_m, of_g, beta1, beta2, epsilon } => {
            (10, false, vec![of_m, of_g, beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon])
        }
    };
    let mut arguments = [Arg::Float(0.0); 9];
    arguments[0] = Arg::Unsigned(number);
    arguments[1] = Arg::Unsigned(u32::from(flag));
    arguments[2..].iter_mut().zip(numbers).for_each(|(argument, number)| *argument = Arg::Float(number as f32));
    arguments
}
