//! A step's weights, packed for products with the pre-activations of a few units at a time.
//!
//! What such a product gives stays in the first cache until the cell has taken it, and the panel of weights that it reads lies
//! in one piece.

use super::cells::{BLOCK, TILE};
use crate::cpu::Cpu;
use crate::cpu::product::Matrix;
use crate::memory::Buffer;
use elman::backend::recurrent::Sizes;
use std::ops::Range;

/// Panels `[depth, gates, units]` of weights `[depth, gates, all units]`; what the last lacks in units is 0.
pub(super) struct Panels {
    data: Buffer,
    depth: usize,
    /// All units, those of a panel, and gates.
    u: usize,
    units: usize,
    g: usize,
}

impl Panels {
    /// Packs the rows of two matrices: the weights of the inputs, and those of the state.
    pub(super) fn new(cpu: &Cpu, weights: [&[f32]; 2], Sizes { u, g, .. }: Sizes) -> Self {
        let depth = weights.iter().map(|part| part.len() / (g * u)).sum();
        let units = (TILE / g).min(u.next_multiple_of(BLOCK));
        let size = depth * g * units;
        let mut data = cpu.memory.take(u.div_ceil(units) * size);
        // Some eight numbers a nanosecond.
        cpu.threads.rows(&mut data, size, size / 8 + 1, |panels, data| {
            for (panel, data) in panels.zip(data.chunks_exact_mut(size)) {
                let own = panel * units..u.min((panel + 1) * units);
                let rows = weights.iter().flat_map(|part| part.chunks_exact(g * u));
                for (to, row) in data.chunks_exact_mut(g * units).zip(rows) {
                    for (to, gate) in to.chunks_exact_mut(units).zip(row.chunks_exact(u)) {
                        let (to, rest) = to.split_at_mut(own.len());
                        to.copy_from_slice(&gate[own.clone()]);
                        rest.fill(0.0);
                    }
                }
            }
        });
        Panels { data, depth, u, units, g }
    }

    /// Rows of a panel.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of a panel.
    pub(super) fn width(&self) -> usize {
        self.g * self.units
    }

    /// How many panels.
    pub(super) fn len(&self) -> usize {
        self.u.div_ceil(self.units)
    }

    /// The units that a panel is for.
    pub(super) fn units(&self, panel: usize) -> Range<usize> {
        panel * self.units..self.u.min((panel + 1) * self.units)
    }

    /// A panel's weights.
    pub(super) fn weights(&self, panel: usize) -> Matrix<'_> {
        let size = self.depth * self.width();
        Matrix::new(&self.data[panel * size..][..size], self.width(), false)
    }

    /// The memory, to be given back.
    pub(super) fn into_buffer(self) -> Buffer {
        self.data
    }
}
