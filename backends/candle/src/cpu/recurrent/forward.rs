//! The values of a recurrent network.

use super::cells::{self, Forward};
use super::functions::Functions;
use super::walk::{Part, Walk};
use super::{saved_columns, weights};
use crate::Candle;
use crate::array::Array;
use crate::cpu::Cpu;
use crate::cpu::elementwise::{add, multiply};
use crate::cpu::product::{Matrix, accumulate};
use crate::memory::Buffer;
use elman::backend::Cell;
use elman::backend::recurrent::{Outcome, Projected, Sequence, Sizes};
use elman::{Result, Shape};
use std::vec::IntoIter;

pub(super) fn forward<F: Functions>(
    cpu: &Cpu,
    f: F,
    cell: Cell,
    (x, inputs): (&Sequence<'_, Candle>, Option<&Projected<'_, Candle>>),
    sizes: Sizes,
) -> Result<Outcome<Candle>> {
    let Sizes { n, t, u, .. } = sizes;
    let walk = cpu.walk(x, sizes)?;
    let columns = saved_columns(cell, x, inputs, sizes);
    let from = inputs.map_or(x.z, |inputs| inputs.x).numbers()?;
    let weights = weights(cpu, x, inputs.map(|inputs| inputs.kernel))?;
    let first = inputs.and_then(|inputs| inputs.bias).map(Array::numbers).transpose()?;
    let (bias, dropout) = (x.bias.map(Array::numbers).transpose()?, x.dropout.map(Array::numbers).transpose()?);
    let with = Operands {
        cell,
        sizes,
        walk: &walk,
        from: &from,
        features: columns[1] - u,
        projects: inputs.is_some(),
        first: first.as_deref(),
        weights: &weights,
        bias: bias.as_deref(),
        dropout: dropout.as_deref(),
        dropped_h_is_saved: columns[3] > 0 && !cell.has_cell_state(),
    };

    let state = |given: Option<&Array>| -> Result<Buffer> {
        let mut state = cpu.memory.take(n * u);
        match given {
            Some(given) => state.copy_from_slice(&given.numbers()?),
            None => state.fill(0.0),
        }
        Ok(state)
    };
    let mut h = state(x.h)?;
    let mut c = if cell.has_cell_state() { state(x.c)? } else { Buffer::default() };
    let mut outputs = if x.outputs { cpu.memory.take(n * t * u) } else { Buffer::default() };
    // What is saved has a row for each pair; without a gradient, each part has room for the pairs of one step.
    let mut saved =
        columns.map(|width| if x.gradient { cpu.memory.take(walk.pairs() * width) } else { Buffer::default() });
    let mut room = columns.map(|width| if x.gradient { Buffer::default() } else { cpu.memory.take(n * width) });
    {
        let (h, c, outputs) = (walk.cut_rows(&mut h, u), walk.cut_rows(&mut c, u), walk.cut_rows(&mut outputs, t * u));
        let mut widths = columns.into_iter();
        let mut rooms = room.each_mut().map(|room| walk.cut_rows(room, widths.next().unwrap_or(0)).into_iter());
        let mut widths = columns.into_iter();
        let mut saved = saved.each_mut().map(|saved| match x.gradient {
            true => walk.cut_pairs(saved, widths.next().unwrap_or(0)).into_iter(),
            false => Vec::new().into_iter(),
        });
        let own = walk.parts.iter().zip(h).zip(c).zip(outputs).map(|(((part, h), c), outputs)| {
            let rows = match x.gradient {
                true => Rows::Kept(saved.each_mut().map(|saved| saved.next().unwrap_or_default().into_iter())),
                false => Rows::Reused(rooms.each_mut().map(|room| room.next().unwrap_or_default()), columns),
            };
            (part, Own { h, c, outputs, rows })
        });
        cpu.threads.run(own, |(part, own)| with.walk(f, part, own));
    }
    room.into_iter().chain([weights]).for_each(|room| cpu.memory.give(room));

    let (state, mut widths) = (Shape::new(&[n, u])?, columns.into_iter());
    let pack = |data| cpu.array(data, Shape::new(&[walk.pairs(), widths.next().unwrap_or(0)])?);
    Ok(Outcome {
        outputs: x.outputs.then(|| cpu.array(outputs, Shape::new(&[n, t, u])?)).transpose()?,
        h: cpu.array(h, state)?,
        c: cell.has_cell_state().then(|| cpu.array(c, state)).transpose()?,
        saved: if x.gradient { saved.into_iter().map(pack).collect::<Result<_>>()? } else { Vec::new() },
    })
}

/// What all threads read.
struct Operands<'a> {
    cell: Cell,
    sizes: Sizes,
    walk: &'a Walk,
    /// `z`, or the inputs.
    from: &'a [f32],
    /// Of the inputs, where they are projected here; otherwise 0.
    features: usize,
    projects: bool,
    /// The bias of the inputs.
    first: Option<&'a [f32]>,
    /// `U`, or `W` over `U`.
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    dropout: Option<&'a [f32]>,
    /// Whether the states before dropout are saved besides.
    dropped_h_is_saved: bool,
}

/// What a thread writes: of its sequences, and of its pairs at each step.
struct Own<'a> {
    h: &'a mut [f32],
    c: &'a mut [f32],
    /// Empty if they were not asked for.
    outputs: &'a mut [f32],
    rows: Rows<'a>,
}

/// Where a part's steps put what they compute, a row for each of their pairs: see [`saved_columns`].
enum Rows<'a> {
    /// For the gradient.
    Kept([IntoIter<&'a mut [f32]>; 4]),
    /// The next step overwrites it. With the number of columns.
    Reused([&'a mut [f32]; 4], [usize; 4]),
}

impl Rows<'_> {
    /// Those of the next step, of so many pairs.
    fn next(&mut self, pairs: usize) -> [&mut [f32]; 4] {
        match self {
            Rows::Kept(steps) => steps.each_mut().map(|steps| steps.next().unwrap_or_default()),
            Rows::Reused(rooms, columns) => {
                let mut columns = columns.iter();
                rooms.each_mut().map(|room| &mut room[..pairs * columns.next().unwrap_or(&0)])
            }
        }
    }
}

impl Operands<'_> {
    /// Takes the sequences of a part through all steps.
    fn walk<F: Functions>(&self, f: F, part: &Part, own: Own<'_>) {
        let Sizes { t, u, g, .. } = self.sizes;
        let depth = self.features + u;
        let Own { h, c, outputs, rows: mut saved } = own;
        for step in &part.steps {
            let rows = self.walk.active(part, step);
            let [gates, taken, inner, last] = saved.next(rows.len());
            for (pair, row) in rows.iter().enumerate() {
                let (of_part, width) = (part.rows.start + row, g * u);
                let at = of_part * t + step.t;
                let z = &mut gates[pair * width..][..width];
                let (inputs, taken) = taken[pair * depth..][..depth].split_at_mut(self.features);
                match self.first {
                    _ if !self.projects => z.copy_from_slice(&self.from[at * width..][..width]),
                    Some(bias) => z.copy_from_slice(bias),
                    None => z.fill(0.0),
                }
                inputs.copy_from_slice(&self.from[at * self.features..][..self.features]);
                let state = &h[row * u..][..u];
                taken.copy_from_slice(state);
                if let Some(dropout) = self.dropout {
                    multiply(taken, &dropout[of_part * u..][..u]);
                }
                if self.dropped_h_is_saved {
                    last[pair * u..][..u].copy_from_slice(state);
                }
            }
            let forward = Forward { f, u, rows, gates, h: &mut *h, c: &mut *c, inner: [inner, last] };
            self.step(rows.len(), taken, forward);
            // Masked steps have the state as their output too.
            for (state, outputs) in h.chunks_exact(u).zip(outputs.chunks_exact_mut(t * u)) {
                outputs[step.t * u..][..u].copy_from_slice(state);
            }
        }
    }

    /// A step of so many pairs.
    fn step<F: Functions>(&self, pairs: usize, taken: &[f32], mut step: Forward<'_, F>) {
        let Sizes { u, g, .. } = self.sizes;
        let width = g * u;
        // [x | r], for the cells that project here; r for all others.
        let depth = self.features + u;
        let r = Matrix::new(taken, depth, false);
        let weights = |first| Matrix::columns(self.weights, width, first);
        match self.cell {
            Cell::Elman { .. } => {
                accumulate(step.gates, width, [pairs, depth, width], r, weights(0));
                cells::elman(step);
            }
            Cell::Lstm { .. } => {
                accumulate(step.gates, width, [pairs, depth, width], r, weights(0));
                cells::lstm(step);
            }
            Cell::Gru { reset_after, .. } => {
                let columns = if reset_after { 2 * u } else { width };
                if let Some(bias) = self.bias {
                    step.gates.chunks_exact_mut(width).for_each(|gates| add(&mut gates[..columns], &bias[..columns]));
                }
                accumulate(step.gates, width, [pairs, u, 2 * u], r, weights(0));
                if reset_after {
                    let inner = &mut *step.inner[0];
                    match self.bias {
                        Some(bias) => inner.chunks_exact_mut(u).for_each(|v| v.copy_from_slice(&bias[2 * u..])),
                        None => inner.fill(0.0),
                    }
                    accumulate(inner, u, [pairs, u, u], r, weights(2 * u));
                    return cells::gru_after(step);
                }
                cells::gru_gates(step.again(), taken);
                let candidate = step.gates.get_mut(2 * u..).unwrap_or_default();
                let inner = Matrix::new(step.inner[0], u, false);
                accumulate(candidate, width, [pairs, u, u], inner, weights(2 * u));
                cells::gru_state(step);
            }
        }
    }
}
