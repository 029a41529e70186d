//! The values of a recurrent network.

use super::cells::{self, Forward, TILE, Units};
use super::functions::Functions;
use super::panels::Panels;
use super::saved_columns;
use super::walk::{Part, Walk};
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
    let (kernel, u_matrix) = (inputs.map(|inputs| inputs.kernel.numbers()).transpose()?, x.u.numbers()?);
    let is_gru = matches!(cell, Cell::Gru { .. });
    let panels = (!is_gru).then(|| Panels::new(cpu, [kernel.as_deref().unwrap_or_default(), &u_matrix], sizes));
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
        u_matrix: &u_matrix,
        panels: panels.as_ref(),
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
    let reused = if is_gru { columns } else { [0, columns[1], 0, 0] };
    let mut room = reused.map(|width| if x.gradient { Buffer::default() } else { cpu.memory.take(n * width) });
    {
        let (h, c, outputs) = (walk.cut_rows(&mut h, u), walk.cut_rows(&mut c, u), walk.cut_rows(&mut outputs, t * u));
        let mut widths = reused.into_iter();
        let mut rooms = room.each_mut().map(|room| walk.cut_rows(room, widths.next().unwrap_or(0)).into_iter());
        let mut widths = columns.into_iter();
        let mut saved = saved.each_mut().map(|saved| match x.gradient {
            true => walk.cut_pairs(saved, widths.next().unwrap_or(0)).into_iter(),
            false => Vec::new().into_iter(),
        });
        let own = walk.parts.iter().zip(h).zip(c).zip(outputs).map(|(((part, h), c), outputs)| {
            let rows = match x.gradient {
                true => Rows::Kept(saved.each_mut().map(|saved| saved.next().unwrap_or_default().into_iter())),
                false => Rows::Reused(rooms.each_mut().map(|room| room.next().unwrap_or_default()), reused),
            };
            (part, Own { h, c, outputs, rows })
        });
        cpu.threads.run(own, |(part, own)| with.walk(f, part, own));
    }
    room.into_iter().chain(panels.map(Panels::into_buffer)).for_each(|room| cpu.memory.give(room));

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
    u_matrix: &'a [f32],
    /// `U`, or `W` over `U`, packed; not for a GRU.
    panels: Option<&'a Panels>,
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
        let (depth, width) = (self.features + u, g * u);
        let Own { h, c, outputs, rows: mut saved } = own;
        for step in &part.steps {
            let rows = self.walk.active(part, step);
            let [gates, taken, inner, last] = saved.next(rows.len());
            for (pair, row) in rows.iter().enumerate() {
                let of_part = part.rows.start + row;
                let (inputs, taken) = taken[pair * depth..][..depth].split_at_mut(self.features);
                inputs.copy_from_slice(&self.from[(of_part * t + step.t) * self.features..][..self.features]);
                let state = &h[row * u..][..u];
                taken.copy_from_slice(state);
                if let Some(dropout) = self.dropout {
                    multiply(taken, &dropout[of_part * u..][..u]);
                }
                if self.dropped_h_is_saved {
                    last[pair * u..][..u].copy_from_slice(state);
                }
            }
            // What the product of a row is added to.
            let start = |row: usize| match self.first {
                _ if !self.projects => Some(&self.from[((part.rows.start + row) * t + step.t) * width..][..width]),
                bias => bias,
            };
            match self.panels {
                Some(panels) => {
                    let units = Units { f, u, rows, units: 0..u, z: &[], width, h, c, gates, inner: [inner, last] };
                    self.tiles(panels, taken, start, units);
                }
                None => {
                    for (gates, row) in gates.chunks_exact_mut(width).zip(rows.iter()) {
                        gates.copy_from_slice(start(row).unwrap_or_default());
                    }
                    self.gru(taken, Forward { f, u, rows, gates, h, inner });
                }
            }
            // Masked steps have the state as their output too.
            for (state, outputs) in h.chunks_exact(u).zip(outputs.chunks_exact_mut(t * u)) {
                outputs[step.t * u..][..u].copy_from_slice(state);
            }
        }
    }

    /// A step of an Elman network or an LSTM: for some rows and units at a time the product, and at once the cell.
    fn tiles<'a, F: Functions>(
        &self,
        panels: &Panels,
        taken: &[f32],
        start: impl Fn(usize) -> Option<&'a [f32]>,
        all: Units<'_, F>,
    ) {
        let Units { f, u, rows, h, c, gates, inner: [before, values], .. } = all;
        let (depth, width, g) = (panels.depth(), panels.width(), self.sizes.g);
        let Tile(tile) = &mut Tile([0.0; ROWS * TILE]);
        for first in (0..rows.len()).step_by(ROWS) {
            let rows = rows.some(first, ROWS);
            let r = Matrix::new(&taken[first * depth..], depth, false);
            for panel in 0..panels.len() {
                let units = panels.units(panel);
                for (z, row) in tile.chunks_exact_mut(width).zip(rows.iter()) {
                    match start(row) {
                        Some(start) => {
                            for (z, start) in z.chunks_exact_mut(width / g).zip(start.chunks_exact(u)) {
                                z[..units.len()].copy_from_slice(&start[units.clone()]);
                            }
                        }
                        None => z.fill(0.0),
                    }
                }
                accumulate(tile, width, [rows.len(), depth, width], r, panels.weights(panel));
                let (inner, gates) = ([from(before, first * u), from(values, first * u)], from(gates, first * g * u));
                let units = Units { f, u, rows, units, z: &*tile, width, h, c, gates, inner };
                if self.cell.has_cell_state() { cells::lstm(units) } else { cells::elman(units) }
            }
        }
    }

    /// A step of a GRU.
    fn gru<F: Functions>(&self, taken: &[f32], mut step: Forward<'_, F>) {
        let Sizes { u, g, .. } = self.sizes;
        let (width, pairs) = (g * u, step.rows.len());
        let Cell::Gru { reset_after, .. } = self.cell else { return };
        let r = Matrix::new(taken, u, false);
        let weights = |first| Matrix::columns(self.u_matrix, width, first);
        let columns = if reset_after { 2 * u } else { width };
        if let Some(bias) = self.bias {
            step.gates.chunks_exact_mut(width).for_each(|gates| add(&mut gates[..columns], &bias[..columns]));
        }
        accumulate(step.gates, width, [pairs, u, 2 * u], r, weights(0));
        if reset_after {
            match self.bias {
                Some(bias) => step.inner.chunks_exact_mut(u).for_each(|v| v.copy_from_slice(&bias[2 * u..])),
                None => step.inner.fill(0.0),
            }
            accumulate(step.inner, u, [pairs, u, u], r, weights(2 * u));
            return cells::gru_after(step);
        }
        cells::gru_gates(step.again(), taken);
        let candidate = step.gates.get_mut(2 * u..).unwrap_or_default();
        let inner = Matrix::new(step.inner, u, false);
        accumulate(candidate, width, [pairs, u, u], inner, weights(2 * u));
        cells::gru_state(step);
    }
}

/// Rows whose pre-activations and inputs stay in the first cache.
const ROWS: usize = 32;

/// Their pre-activations, from the start of a cache line on.
#[repr(align(64))]
struct Tile([f32; ROWS * TILE]);

/// What there is from an element on.
fn from(data: &mut [f32], start: usize) -> &mut [f32] {
    data.get_mut(start..).unwrap_or_default()
}
