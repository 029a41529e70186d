//! A single step of a few sequences, without a gradient: what is decoded one step at a time.
//!
//! It takes as long as reading the weights, so they are read where they lie and not packed first, and each thread reads its own columns.

use super::cells::{self, Forward, Units};
use super::functions::Functions;
use super::walk::Active;
use crate::Candle;
use crate::array::Array;
use crate::cpu::Cpu;
use crate::cpu::affine::repeat;
use crate::cpu::elementwise::{add, multiply};
use crate::cpu::few::{self, FEW, Term};
use crate::cpu::product::Matrix;
use crate::memory::Buffer;
use elman::backend::Cell;
use elman::backend::recurrent::{Outcome, Projected, Sequence, Sizes};
use elman::{Result, Shape};

/// Whether it is one.
pub(super) fn is_step(x: &Sequence<'_, Candle>, Sizes { n, t, .. }: Sizes) -> bool {
    t == 1 && (1..=FEW).contains(&n) && x.mask.is_none() && !x.gradient
}

pub(super) fn step<F: Functions>(
    cpu: &Cpu,
    f: F,
    cell: Cell,
    (x, inputs): (&Sequence<'_, Candle>, Option<&Projected<'_, Candle>>),
    Sizes { n, u, g, .. }: Sizes,
) -> Result<Outcome<Candle>> {
    let width = g * u;
    let (from, u_matrix) = (inputs.map_or(x.z, |inputs| inputs.x).numbers()?, x.u.numbers()?);
    let kernel = inputs.map(|inputs| inputs.kernel.numbers()).transpose()?;
    let first = inputs.and_then(|inputs| inputs.bias).map(Array::numbers).transpose()?;
    let (bias, dropout) = (x.bias.map(Array::numbers).transpose()?, x.dropout.map(Array::numbers).transpose()?);
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
    let mut taken = state(x.h)?;
    if let Some(dropout) = &dropout {
        multiply(&mut taken, dropout);
    }

    let mut gates = cpu.memory.take(n * width);
    match (&kernel, &first) {
        (None, _) => gates.copy_from_slice(&from),
        (Some(_), Some(bias)) => repeat(&mut gates, bias),
        (Some(_), None) => gates.fill(0.0),
    }
    let of_inputs = kernel.as_ref().map(|kernel| {
        let features = from.len() / n;
        Term { a: Matrix::new(&from, features, false), b: Matrix::new(kernel, width, false), k: features }
    });
    // Columns of `U` from one on.
    let of_state = |a, first| Term { a: Matrix::new(a, u, false), b: Matrix::columns(&u_matrix, width, first), k: u };

    const ROWS: [u32; FEW] = [0, 1, 2, 3, 4, 5, 6, 7];
    let rows = Active::all(&ROWS[..n]);
    match cell {
        Cell::Gru { reset_after, .. } => {
            let mut inner = cpu.memory.take(n * u);
            if let Some(term) = of_inputs {
                few::add(&cpu.threads, &mut gates, width, [n, width], &[term]);
            }
            let columns = if reset_after { 2 * u } else { width };
            if let Some(bias) = &bias {
                gates.chunks_exact_mut(width).for_each(|gates| add(&mut gates[..columns], &bias[..columns]));
            }
            few::add(&cpu.threads, &mut gates, width, [n, 2 * u], &[of_state(&taken, 0)]);
            if reset_after {
                match &bias {
                    Some(bias) => repeat(&mut inner, &bias[2 * u..]),
                    None => inner.fill(0.0),
                }
                few::add(&cpu.threads, &mut inner, u, [n, u], &[of_state(&taken, 2 * u)]);
                cells::gru_after(Forward { f, u, rows, gates: &mut gates, h: &mut h, inner: &mut inner });
            } else {
                let mut step = Forward { f, u, rows, gates: &mut gates, h: &mut h, inner: &mut inner };
                cells::gru_gates(step.again(), &taken);
                let candidate = step.gates.get_mut(2 * u..).unwrap_or_default();
                few::add(&cpu.threads, candidate, width, [n, u], &[of_state(step.inner, 2 * u)]);
                cells::gru_state(step);
            }
            cpu.memory.give(inner);
        }
        _ => {
            let terms = [of_inputs, Some(of_state(&taken, 0))];
            let terms: Vec<Term<'_>> = terms.into_iter().flatten().collect();
            few::add(&cpu.threads, &mut gates, width, [n, width], &terms);
            let (z, inner) = (&gates[..], [&mut [][..], &mut []]);
            let units = Units { f, u, rows, units: 0..u, z, width, h: &mut h, c: &mut c, gates: &mut [], inner };
            if cell.has_cell_state() { cells::lstm(units) } else { cells::elman(units) }
        }
    }
    [taken, gates].into_iter().for_each(|room| cpu.memory.give(room));

    let state = Shape::new(&[n, u])?;
    let outputs = x.outputs.then(|| {
        let mut outputs = cpu.memory.take(n * u);
        outputs.copy_from_slice(&h);
        cpu.array(outputs, Shape::new(&[n, 1, u])?)
    });
    Ok(Outcome {
        outputs: outputs.transpose()?,
        h: cpu.array(h, state)?,
        c: cell.has_cell_state().then(|| cpu.array(c, state)).transpose()?,
        saved: Vec::new(),
    })
}
