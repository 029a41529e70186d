//! Recurrent networks over whole sequences: each thread takes sequences of its own through all steps.
//!
//! Sequences are independent of each other, so threads never wait for each other between steps. A step of a thread gathers
//! the states of its sequences that take part, which are not masked, adds their product with `U` to their
//! pre-activations, and goes over both once for the rest. What the gradient needs is kept packed, step after step (see
//! [`walk`]): so that the gradient for `U` is one product, and masked steps cost nothing.

mod backward;
mod cells;
mod forward;
mod functions;
mod panels;
mod step;
mod walk;

use super::Cpu;
use crate::Candle;
use crate::array::Array;
use elman::backend::recurrent::{Outcome, Projected, Sequence, Sizes, Upstream};
use elman::backend::{Cell, ProjectedWanted};
use elman::{Error, Result, Shape};
use functions::{slopes_follow_from_values, with_functions};
use walk::Walk;

impl Cpu {
    /// `None` where the default body serves: functions whose slopes need more than their values; the inputs of a GRU, whose
    /// `z` has gradients of its own, and of few sequences.
    pub(crate) fn recurrent(
        &self,
        cell: Cell,
        x: &Sequence<'_, Candle>,
        inputs: Option<&Projected<'_, Candle>>,
        sizes: Sizes,
    ) -> Result<Option<Outcome<Candle>>> {
        if step::is_step(x, sizes) && slopes_follow_from_values(cell) {
            return with_functions!(cell, |f| step::step(self, f, cell, (x, inputs), sizes)).map(Some);
        }
        if !serves(cell, inputs) {
            return Ok(None);
        }
        with_functions!(cell, |f| forward::forward(self, f, cell, (x, inputs), sizes)).map(Some)
    }

    /// The gradients for `z` or `x`, its kernel and bias, `U`, the recurrent bias, `h` and `c`. `None` where
    /// [`Cpu::recurrent`] gives none.
    pub(crate) fn recurrent_grad(
        &self,
        cell: Cell,
        x: &Sequence<'_, Candle>,
        inputs: Option<&Projected<'_, Candle>>,
        sizes: Sizes,
        (y, d): (&Outcome<Candle>, &Upstream<'_, Candle>),
        wanted: ProjectedWanted,
    ) -> Result<Option<[Option<Array>; 7]>> {
        if !serves(cell, inputs) {
            return Ok(None);
        }
        with_functions!(cell, |f| backward::backward(self, f, (cell, x, inputs, sizes), (y, d), wanted)).map(Some)
    }

    /// The walk over a sequence.
    fn walk(&self, x: &Sequence<'_, Candle>, sizes: Sizes) -> Result<Walk> {
        let mask = x.mask.map(Array::numbers).transpose()?;
        // Some 40 multiplications and additions a nanosecond, and an exponential or two for each gate.
        let cost = sizes.g * sizes.u * (sizes.u / 40 + 2);
        Ok(Walk::new(sizes, mask.as_deref(), x.reverse, &self.threads, cost))
    }
}

fn serves(cell: Cell, inputs: Option<&Projected<'_, Candle>>) -> bool {
    // A few sequences are projected better at once: a step's product would read all of the kernel for a few rows.
    const FEW: usize = 8;
    let projects = |inputs: &Projected<'_, Candle>| {
        let shape = inputs.x.shape();
        !matches!(cell, Cell::Gru { .. }) && shape.last() > 0 && shape[0] >= FEW
    };
    slopes_follow_from_values(cell) && inputs.is_none_or(projects)
}

/// Columns of what is saved for each pair of a sequence and a step: the activations of all gates; `r`, what the
/// product with `U` took; the LSTM's `c₋` and `f(c)`; the GRU's `s ⊙ r` or `v_h` and, where dropout has changed `r`, its
/// `h₋`. Where inputs are projected here, they stand before `r`: `[x | r]`, for products with `W` over `U`.
fn saved_columns(
    cell: Cell,
    x: &Sequence<'_, Candle>,
    inputs: Option<&Projected<'_, Candle>>,
    Sizes { u, g, .. }: Sizes,
) -> [usize; 4] {
    let taken = inputs.map_or(0, |inputs| inputs.x.shape().last()) + u;
    match cell {
        Cell::Elman { .. } => [u, taken, 0, 0],
        Cell::Lstm { .. } => [g * u, taken, u, u],
        Cell::Gru { .. } => [g * u, taken, u, if x.dropout.is_some() { u } else { 0 }],
    }
}

/// The arrays saved by a forward pass over the same sequence; others are an error.
fn check_saved(saved: &[Array], columns: [usize; 4], pairs: usize) -> Result<()> {
    for (i, width) in columns.into_iter().enumerate() {
        let shape = Shape::new(&[pairs, width])?;
        if saved.get(i).map(Array::shape) != Some(shape) {
            let found = format!("{:?}", saved.iter().map(Array::shape).collect::<Vec<_>>());
            let expected = format!("what the same call of recurrent has saved, {shape} as array {i}");
            return Err(Error::invalid("recurrent_grad", expected, found));
        }
    }
    Ok(())
}
