//! The gradients of a recurrent network: the walk backwards.

use super::cells::{self, Backward};
use super::functions::Functions;
use super::walk::{Part, Step, Walk};
use super::{check_saved, saved_columns};
use crate::Candle;
use crate::array::Array;
use crate::cpu::Cpu;
use crate::cpu::elementwise::{add, multiply};
use crate::cpu::product::{Matrix, accumulate};
use crate::cpu::reduce::sum_columns;
use crate::memory::Buffer;
use elman::backend::recurrent::{Outcome, Projected, Sequence, Sizes, Upstream};
use elman::backend::{Cell, ProjectedWanted};
use elman::{Result, Shape};

pub(super) fn backward<F: Functions>(
    cpu: &Cpu,
    f: F,
    (cell, x, inputs, sizes): (Cell, &Sequence<'_, Candle>, Option<&Projected<'_, Candle>>, Sizes),
    (y, d): (&Outcome<Candle>, &Upstream<'_, Candle>),
    wanted: ProjectedWanted,
) -> Result<[Option<Array>; 7]> {
    let Sizes { n, t, u, g } = sizes;
    let walk = cpu.walk(x, sizes)?;
    let columns = saved_columns(cell, x, inputs, sizes);
    check_saved(&y.saved, columns, walk.pairs())?;
    let [gates, taken, inner, last] = [0, 1, 2, 3].map(|i| y.saved[i].numbers());
    let (gates, taken, inner, last) = (gates?, taken?, inner?, last?);
    let (dropout, outputs) = (x.dropout.map(Array::numbers).transpose()?, d.outputs.map(Array::numbers).transpose()?);
    // With W over U, if the inputs have a gradient.
    let kernel = inputs.filter(|_| wanted.x).map(|inputs| inputs.kernel.numbers()).transpose()?;
    let (kernel, u_matrix) = (kernel.as_deref().unwrap_or_default(), x.u.numbers()?);
    let turned = cpu.transposed([kernel, &u_matrix], g * u);
    // Columns of what the gradient is for: `z`, or the inputs.
    let of_x = inputs.map_or(g * u, |inputs| inputs.x.shape().last());
    let features = kernel.len() / (g * u);
    let before = if columns[3] > 0 { &*last } else { &*taken };
    let with = Operands {
        cell,
        sizes,
        walk: &walk,
        turned: &turned,
        of_x,
        features,
        gates: &gates,
        taken: &taken,
        inner: &inner,
        last: &last,
        before,
        dropout: dropout.as_deref(),
        outputs: outputs.as_deref(),
    };

    let state = |given: Option<&Array>| -> Result<Buffer> {
        let mut state = cpu.memory.take(n * u);
        match given {
            Some(given) => state.copy_from_slice(&given.numbers()?),
            None => state.fill(0.0),
        }
        Ok(state)
    };
    let mut dh = state(d.h)?;
    let mut dc = if cell.has_cell_state() { state(d.c)? } else { Buffer::default() };
    let mut dz = if wanted.x { cpu.memory.take(n * t * of_x) } else { Buffer::default() };
    let mut dv = cpu.memory.take(walk.pairs() * g * u);
    // For the products of a step: gradients for `r`, and the GRU's for `s ⊙ r` or its candidate.
    let mut room = [cpu.memory.take(n * (features + u)), cpu.memory.take(n * u)];
    {
        let rows = |data, width| walk.cut_rows(data, width).into_iter();
        let (dh, dc, dz, dv) =
            (rows(&mut dh, u), rows(&mut dc, u), rows(&mut dz, t * of_x), walk.cut_pairs(&mut dv, g * u));
        let [dr, inner] = &mut room;
        let (dr, inner) = (rows(dr, features + u), rows(inner, u));
        let own = walk.parts.iter().zip(dh).zip(dc).zip(dz).zip(dv).zip(dr).zip(inner);
        cpu.threads.run(own, |((((((part, dh), dc), dz), dv), dr), inner)| {
            with.walk(f, part, Own { dh, dc, dz, dv, dr, inner });
        });
    }
    room.into_iter().chain([turned]).for_each(|room| cpu.memory.give(room));

    let pairs = walk.pairs();
    let [of_kernel, of_u] = match inputs {
        Some(_) => {
            // One product for both, of which each is a part.
            let (from, depth) = (if wanted.kernel { 0 } else { of_x }, of_x + u);
            let rows = if wanted.kernel || wanted.u { depth - from } else { 0 };
            let mut both = cpu.memory.take(rows * g * u);
            if rows > 0 {
                let taken = Matrix::new(&taken, depth, true).rows_from(from);
                cpu.multiply(&mut both, false, [rows, pairs, g * u], taken, Matrix::new(&dv, g * u, false));
            }
            let both = cpu.array(both, Shape::new(&[rows, g * u])?)?;
            let of_kernel = wanted.kernel.then(|| both.rows(0..of_x)).transpose()?;
            [of_kernel, wanted.u.then(|| both.rows(of_x - from..rows)).transpose()?]
        }
        None => {
            let of_u = wanted.u.then(|| weight_gradient(cpu, cell, sizes, pairs, [&taken, &inner, &dv]));
            [None, of_u.transpose()?]
        }
    };
    // Only one of the two biases is there: the inputs' here, or the GRU's.
    let is_wanted =
        wanted.bias && inputs.is_some_and(|inputs| inputs.bias.is_some()) || wanted.recurrent_bias && x.bias.is_some();
    let bias = match is_wanted {
        true => {
            let mut sum = vec![0.0; g * u];
            let cost = walk.pairs() / 4 + 1;
            cpu.threads.rows(&mut sum, 1, cost, |columns, sum| sum_columns(&dv, g * u, columns, sum));
            Some(cpu.array(sum, Shape::new(&[g * u])?)?)
        }
        false => None,
    };
    cpu.memory.give(dv);
    let of_z = wanted.x.then(|| cpu.array(dz, Shape::new(&[n, t, of_x])?)).transpose()?;
    let of_state = |data, wanted: bool| wanted.then(|| cpu.array(data, Shape::new(&[n, u])?)).transpose();
    let of_h = of_state(dh, wanted.h && x.h.is_some())?;
    let of_c = of_state(dc, wanted.c && x.c.is_some())?;
    let (of_first, of_bias) = if inputs.is_some() { (bias, None) } else { (None, bias) };
    Ok([of_z, of_kernel, of_first, of_u, of_bias, of_h, of_c])
}

/// The gradient for `U`: one product over all pairs, or one for the gates and one for the candidate.
fn weight_gradient(cpu: &Cpu, cell: Cell, sizes: Sizes, pairs: usize, saved: [&[f32]; 3]) -> Result<Array> {
    let (u, width, [taken, inner, dv]) = (sizes.u, sizes.g * sizes.u, saved);
    let mut of_u = cpu.memory.take(u * width);
    let product = |out: &mut [f32], from, first, columns| {
        let (from, to) = (Matrix::new(from, u, true), Matrix::columns(dv, width, first));
        cpu.multiply(out, false, [u, pairs, columns], from, to);
    };
    if let Cell::Gru { reset_after: false, .. } = cell {
        let (mut gates, mut candidate) = (cpu.memory.take(2 * u * u), cpu.memory.take(u * u));
        product(&mut gates, taken, 0, 2 * u);
        product(&mut candidate, inner, 2 * u, u);
        let parts = gates.chunks_exact(2 * u).zip(candidate.chunks_exact(u));
        for (out, (gates, candidate)) in of_u.chunks_exact_mut(width).zip(parts) {
            out[..2 * u].copy_from_slice(gates);
            out[2 * u..].copy_from_slice(candidate);
        }
        [gates, candidate].into_iter().for_each(|part| cpu.memory.give(part));
    } else {
        product(&mut of_u, taken, 0, width);
    }
    cpu.array(of_u, Shape::new(&[u, width])?)
}

/// What all threads read.
struct Operands<'a> {
    cell: Cell,
    sizes: Sizes,
    walk: &'a Walk,
    /// `Uᵀ`, or that of `W` over `U`.
    turned: &'a [f32],
    /// Columns of the gradient for `z` or the inputs.
    of_x: usize,
    /// Rows of `W` in `turned`: columns of a step's gradient for the inputs, which stands before that for `r`.
    features: usize,
    gates: &'a [f32],
    taken: &'a [f32],
    inner: &'a [f32],
    last: &'a [f32],
    /// `h₋`.
    before: &'a [f32],
    dropout: Option<&'a [f32]>,
    /// The gradients for the outputs.
    outputs: Option<&'a [f32]>,
}

/// What a thread writes: of its sequences, and of its pairs at each step.
struct Own<'a> {
    dh: &'a mut [f32],
    dc: &'a mut [f32],
    /// Empty if not wanted.
    dz: &'a mut [f32],
    dv: Vec<&'a mut [f32]>,
    dr: &'a mut [f32],
    inner: &'a mut [f32],
}

impl Operands<'_> {
    /// Takes the sequences of a part back through all steps.
    fn walk<F: Functions>(&self, f: F, part: &Part, own: Own<'_>) {
        let Sizes { t, u, g, .. } = self.sizes;
        let Own { dh, dc, dz, dv, dr, inner } = own;
        let width = self.features + u;
        let is_gru = matches!(self.cell, Cell::Gru { .. });
        for (step, dv) in part.steps.iter().zip(dv).rev() {
            if let Some(outputs) = self.outputs {
                let of_part = outputs[part.rows.start * t * u..].chunks_exact(t * u);
                dh.chunks_exact_mut(u).zip(of_part).for_each(|(dh, outputs)| add(dh, &outputs[step.t * u..][..u]));
            }
            let rows = self.walk.active(part, step);
            let (dr, inner) = (&mut dr[..rows.len() * width], &mut inner[..rows.len() * u]);
            dr.fill(0.0);
            let saved = [step.of(self.inner, u), if self.cell.has_cell_state() { step.of(self.last, u) } else { &[] }];
            let gates = step.of(self.gates, g * u);
            let of_step = Backward { f, u, rows, gates, inner: saved, dv: &mut *dv, dh: &mut *dh, dc: &mut *dc };
            self.step(step, of_step, dr, inner);
            if rows.len() < part.rows.len() && !dz.is_empty() {
                dz.chunks_exact_mut(t * self.of_x).for_each(|dz| dz[step.t * self.of_x..][..self.of_x].fill(0.0));
            }
            cells::fade(dr);
            for (row, dr) in rows.iter().zip(dr.chunks_exact_mut(width)) {
                let (dx, dr) = dr.split_at_mut(self.features);
                if !dx.is_empty() {
                    dz[(row * t + step.t) * self.of_x..][..self.of_x].copy_from_slice(dx);
                }
                if let Some(dropout) = self.dropout {
                    multiply(dr, &dropout[(part.rows.start + row) * u..][..u]);
                }
                let dh = &mut dh[row * u..][..u];
                if is_gru { add(dh, dr) } else { dh.copy_from_slice(dr) }
            }
            if dz.is_empty() || self.features > 0 {
                continue;
            }
            for (pair, row) in rows.iter().enumerate() {
                let dz = &mut dz[(row * t + step.t) * g * u..][..g * u];
                dz.copy_from_slice(&dv[pair * g * u..][..g * u]);
                if let Cell::Gru { reset_after: true, .. } = self.cell {
                    dz[2 * u..].copy_from_slice(&inner[pair * u..][..u]);
                }
            }
        }
    }

    /// A step: gradients for what its products gave and, in `dr`, took, which is `[x | r]` where inputs are projected here.
    /// With the reset after the product, `inner` gets those of the candidate's pre-activations.
    fn step<F: Functions>(&self, place: &Step, mut step: Backward<'_, F>, dr: &mut [f32], inner: &mut [f32]) {
        let Sizes { u, g, .. } = self.sizes;
        let (width, pairs) = (g * u, step.rows.len());
        // Rows of Uᵀ from that of a gate on.
        let back = self.features + u;
        let turned = |first: usize| Matrix::new(&self.turned[first * back..], back, false);
        match self.cell {
            Cell::Elman { .. } => cells::back_elman(step.again()),
            Cell::Lstm { .. } => cells::back_lstm(step.again()),
            Cell::Gru { reset_after: true, .. } => cells::back_gru_after(step.again(), place.of(self.before, u), inner),
            Cell::Gru { .. } => {
                cells::back_gru_candidate(step.again(), place.of(self.before, u));
                inner.fill(0.0);
                accumulate(inner, u, [pairs, u, u], Matrix::columns(step.dv, width, 2 * u), turned(2 * u));
                cells::back_gru_reset(step.again(), place.of(self.taken, u), inner);
                dr.copy_from_slice(inner);
                return accumulate(dr, u, [pairs, 2 * u, u], Matrix::new(step.dv, width, false), turned(0));
            }
        }
        accumulate(dr, back, [pairs, width, back], Matrix::new(step.dv, width, false), turned(0));
    }
}
