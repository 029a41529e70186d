//! A step of each cell without its products, forward and backward, on the rows of a step.
//!
//! Numbers go through blocks of fixed size: loops over those have nothing that could overlap in memory, and a compiler
//! vectorises them however many arrays there are. Blocks have names: an array of blocks would go through memory.

use super::functions::Functions;
use super::walk::Active;
use crate::cpu::simd::vectorised;
use std::ops::Range;

/// Numbers in a block.
pub(super) const BLOCK: usize = 16;
/// The most columns of pre-activations that a cell takes at once: a block for each gate of an LSTM.
pub(super) const TILE: usize = 4 * BLOCK;
type Block = [f32; BLOCK];

/// `f` at each place.
#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> Block {
    let mut block = [0.0; BLOCK];
    for (i, out) in block.iter_mut().enumerate() {
        *out = f(i);
    }
    block
}

/// Gradients below this count as 0. Those of early steps fade to nothing in long sequences, and processors take a hundred
/// times longer over numbers below the normal range; so far above it, products with weights and slopes stay in it.
const NOTHING: f32 = 1e-30;

#[inline(always)]
fn faded(x: f32) -> f32 {
    if x.abs() < NOTHING { 0.0 } else { x }
}

/// Up to a block of numbers from `at` on; the rest is 0.
#[inline(always)]
fn load(from: &[f32], at: usize, count: usize) -> Block {
    let mut block = [0.0; BLOCK];
    if count == BLOCK {
        block.copy_from_slice(&from[at..at + BLOCK]);
    } else {
        block[..count].copy_from_slice(&from[at..at + count]);
    }
    block
}

#[inline(always)]
fn store(to: &mut [f32], at: usize, count: usize, block: Block) {
    if count == BLOCK {
        to[at..at + BLOCK].copy_from_slice(&block);
    } else {
        to[at..at + count].copy_from_slice(&block[..count]);
    }
}

/// Runs a body on the blocks of a row of `u` numbers, with the start and the length of each. It is compiled twice: for whole
/// blocks, whose length is a constant, and for the rest.
macro_rules! blocks {
    ($u:expr, |$at:ident, $count:ident| $body:block) => {{
        let whole = $u / BLOCK * BLOCK;
        for $at in (0..whole).step_by(BLOCK) {
            let $count = BLOCK;
            $body
        }
        if whole < $u {
            let ($at, $count) = (whole, $u - whole);
            $body
        }
    }};
}

/// Arrays of some units of a forward step of an Elman network or an LSTM.
pub(super) struct Units<'a, F> {
    pub(super) f: F,
    /// All units.
    pub(super) u: usize,
    pub(super) rows: Active<'a>,
    /// These units.
    pub(super) units: Range<usize>,
    /// Their pre-activations, in rows of `width`, which all gates share alike.
    pub(super) z: &'a [f32],
    pub(super) width: usize,
    /// The states of the part.
    pub(super) h: &'a mut [f32],
    pub(super) c: &'a mut [f32],
    /// What is saved, if so, with a row for each pair: the activations; the LSTM's cell state before the step and `f(c)` after
    /// it.
    pub(super) gates: &'a mut [f32],
    pub(super) inner: [&'a mut [f32]; 2],
}

/// A GRU's forward step's arrays, a row for each pair but for the states.
pub(super) struct Forward<'a, F> {
    pub(super) f: F,
    /// Units.
    pub(super) u: usize,
    pub(super) rows: Active<'a>,
    /// Pre-activations `[pairs, g u]`, which become the activations.
    pub(super) gates: &'a mut [f32],
    /// The states of the part.
    pub(super) h: &'a mut [f32],
    /// `s ⊙ r` or `v_h`.
    pub(super) inner: &'a mut [f32],
}

/// A backward step's arrays.
pub(super) struct Backward<'a, F> {
    pub(super) f: F,
    pub(super) u: usize,
    pub(super) rows: Active<'a>,
    /// Activations `[pairs, g u]`.
    pub(super) gates: &'a [f32],
    /// As they were saved: see [`Forward`].
    pub(super) inner: [&'a [f32]; 2],
    /// Gradients for what the products gave, `[pairs, g u]`.
    pub(super) dv: &'a mut [f32],
    /// Gradients for the states of the part: of those after the step, and then of what passes by the products.
    pub(super) dh: &'a mut [f32],
    pub(super) dc: &'a mut [f32],
}

impl<F: Functions> Forward<'_, F> {
    /// The same arrays for a shorter time.
    pub(super) fn again(&mut self) -> Forward<'_, F> {
        let Forward { f, u, rows, gates, h, inner } = self;
        Forward { f: *f, u: *u, rows: *rows, gates, h, inner }
    }
}

impl<F: Functions> Backward<'_, F> {
    /// The same arrays for a shorter time.
    pub(super) fn again(&mut self) -> Backward<'_, F> {
        let Backward { f, u, rows, gates, inner, dv, dh, dc } = self;
        Backward { f: *f, u: *u, rows: *rows, gates, inner: *inner, dv, dh, dc }
    }
}

vectorised! {
    pub(super) fn elman<F: Functions>(step: Units<'_, F>) {
        let Units { f, u, rows, units, z, width, h, gates, .. } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(units.len(), |k, count| {
                let z = load(z, pair * width + k, count);
                let (j, y) = (units.start + k, each(|k| f.value(z[k])));
                store(h, row * u + j, count, y);
                if !gates.is_empty() {
                    store(gates, pair * u + j, count, y);
                }
            });
        }
    }

    pub(super) fn lstm<F: Functions>(step: Units<'_, F>) {
        let Units { f, u, rows, units, z, width, h, c, gates, inner: [before, values] } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(units.len(), |k, count| {
                let z = |gate: usize| load(z, pair * width + gate * (width / 4) + k, count);
                let (zi, zf, zc, zo) = (z(0), z(1), z(2), z(3));
                let j = units.start + k;
                let (at, own) = (row * u + j, pair * u + j);
                let old = load(c, at, count);
                let i = each(|k| f.gate(zi[k]));
                let forget = each(|k| f.gate(zf[k]));
                let candidate = each(|k| f.value(zc[k]));
                let o = each(|k| f.gate(zo[k]));
                let new = each(|k| forget[k] * old[k] + i[k] * candidate[k]);
                let y = each(|k| f.value(new[k]));
                store(c, at, count, new);
                store(h, at, count, each(|k| o[k] * y[k]));
                if !gates.is_empty() {
                    let gate = |k: usize| 4 * pair * u + k * u + j;
                    store(gates, gate(0), count, i);
                    store(gates, gate(1), count, forget);
                    store(gates, gate(2), count, candidate);
                    store(gates, gate(3), count, o);
                    store(before, own, count, old);
                    store(values, own, count, y);
                }
            });
        }
    }

    /// The gates, and `s ⊙ r` of `taken` (reset before).
    pub(super) fn gru_gates<F: Functions>(step: Forward<'_, F>, taken: &[f32]) {
        let Forward { f, u, rows, gates, inner, .. } = step;
        for (pair, _) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (own, at) = (pair * u + j, 3 * pair * u + j);
                let (zg, zs) = (load(gates, at, count), load(gates, at + u, count));
                let r = load(taken, own, count);
                let s = each(|k| f.gate(zs[k]));
                store(gates, at, count, each(|k| f.gate(zg[k])));
                store(gates, at + u, count, s);
                store(inner, own, count, each(|k| s[k] * r[k]));
            });
        }
    }

    /// The candidate and the state, after [`gru_gates`].
    pub(super) fn gru_state<F: Functions>(step: Forward<'_, F>) {
        let Forward { f, u, rows, gates, h, .. } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (at, own) = (3 * pair * u + j, row * u + j);
                let (g, z, old) = (load(gates, at, count), load(gates, at + 2 * u, count), load(h, own, count));
                let y = each(|k| f.value(z[k]));
                store(gates, at + 2 * u, count, y);
                store(h, own, count, each(|k| g[k] * old[k] + (1.0 - g[k]) * y[k]));
            });
        }
    }

    /// All of a step with the reset after the product.
    pub(super) fn gru_after<F: Functions>(step: Forward<'_, F>) {
        let Forward { f, u, rows, gates, h, inner } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (at, own) = (3 * pair * u + j, row * u + j);
                let z = |k: usize| load(gates, at + k * u, count);
                let (zg, zs, zy) = (z(0), z(1), z(2));
                let (v, old) = (load(inner, pair * u + j, count), load(h, own, count));
                let g = each(|k| f.gate(zg[k]));
                let s = each(|k| f.gate(zs[k]));
                let y = each(|k| f.value(zy[k] + s[k] * v[k]));
                store(gates, at, count, g);
                store(gates, at + u, count, s);
                store(gates, at + 2 * u, count, y);
                store(h, own, count, each(|k| g[k] * old[k] + (1.0 - g[k]) * y[k]));
            });
        }
    }
}

vectorised! {
    pub(super) fn back_elman<F: Functions>(step: Backward<'_, F>) {
        let Backward { f, u, rows, gates, dv, dh, .. } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (y, d) = (load(gates, pair * u + j, count), load(dh, row * u + j, count));
                store(dv, pair * u + j, count, each(|k| faded(f.slope(y[k]) * d[k])));
            });
        }
    }

    pub(super) fn back_lstm<F: Functions>(step: Backward<'_, F>) {
        let Backward { f, u, rows, gates, inner: [before, values], dv, dh, dc } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (at, own) = (row * u + j, pair * u + j);
                let gate = |k: usize| 4 * pair * u + k * u + j;
                let saved = |k: usize| load(gates, gate(k), count);
                let (i, forget, candidate, o) = (saved(0), saved(1), saved(2), saved(3));
                let (c, y) = (load(before, own, count), load(values, own, count));
                let (d, dc_after) = (load(dh, at, count), load(dc, at, count));
                let of_c = each(|k| faded(dc_after[k] + f.slope(y[k]) * (d[k] * o[k])));
                store(dv, gate(0), count, each(|k| faded(f.gate_slope(i[k]) * (of_c[k] * candidate[k]))));
                store(dv, gate(1), count, each(|k| faded(f.gate_slope(forget[k]) * (of_c[k] * c[k]))));
                store(dv, gate(2), count, each(|k| faded(f.slope(candidate[k]) * (of_c[k] * i[k]))));
                store(dv, gate(3), count, each(|k| faded(f.gate_slope(o[k]) * (d[k] * y[k]))));
                store(dc, at, count, each(|k| faded(of_c[k] * forget[k])));
            });
        }
    }

    /// All of a step with the reset after the product, whose candidate has a gradient of its own for `z`; `before` holds
    /// the states before the step.
    pub(super) fn back_gru_after<F: Functions>(step: Backward<'_, F>, before: &[f32], of_z: &mut [f32]) {
        let Backward { f, u, rows, gates, inner: [inner, _], dv, dh, .. } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (at, own) = (3 * pair * u + j, pair * u + j);
                let saved = |k: usize| load(gates, at + k * u, count);
                let (g, s, y) = (saved(0), saved(1), saved(2));
                let (h, v, d) = (load(before, own, count), load(inner, own, count), load(dh, row * u + j, count));
                let candidate = each(|k| faded(f.slope(y[k]) * (d[k] * (1.0 - g[k]))));
                store(dv, at, count, each(|k| faded(f.gate_slope(g[k]) * (d[k] * (h[k] - y[k])))));
                store(dv, at + u, count, each(|k| faded(f.gate_slope(s[k]) * (candidate[k] * v[k]))));
                store(dv, at + 2 * u, count, each(|k| faded(candidate[k] * s[k])));
                store(of_z, own, count, candidate);
                store(dh, row * u + j, count, each(|k| faded(d[k] * g[k])));
            });
        }
    }

    /// The update gate and the candidate with the reset before the product.
    pub(super) fn back_gru_candidate<F: Functions>(step: Backward<'_, F>, before: &[f32]) {
        let Backward { f, u, rows, gates, dv, dh, .. } = step;
        for (pair, row) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let at = 3 * pair * u + j;
                let (g, y) = (load(gates, at, count), load(gates, at + 2 * u, count));
                let (h, d) = (load(before, pair * u + j, count), load(dh, row * u + j, count));
                store(dv, at, count, each(|k| faded(f.gate_slope(g[k]) * (d[k] * (h[k] - y[k])))));
                store(dv, at + 2 * u, count, each(|k| faded(f.slope(y[k]) * (d[k] * (1.0 - g[k])))));
                store(dh, row * u + j, count, each(|k| faded(d[k] * g[k])));
            });
        }
    }

    /// The reset gate from `d`, the gradients for `s ⊙ r`, which become those for `r`.
    pub(super) fn back_gru_reset<F: Functions>(step: Backward<'_, F>, taken: &[f32], d: &mut [f32]) {
        let Backward { f, u, rows, gates, dv, .. } = step;
        for (pair, _) in rows.iter().enumerate() {
            blocks!(u, |j, count| {
                let (at, own) = (3 * pair * u + u + j, pair * u + j);
                let (s, r, inner) = (load(gates, at, count), load(taken, own, count), load(d, own, count));
                store(dv, at, count, each(|k| faded(f.gate_slope(s[k]) * (inner[k] * r[k]))));
                store(d, own, count, each(|k| faded(inner[k] * s[k])));
            });
        }
    }

    /// Numbers that count as nothing are nothing.
    pub(super) fn fade(x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = faded(*x));
    }
}
