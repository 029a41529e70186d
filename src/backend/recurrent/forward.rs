//! The default body of a recurrent network's value: step by step, of required operations.

use super::{Cell, Outcome, Sequence, Sizes, add, added, by_time, dropped, gate, mul, step, swap};
use crate::backend::{Backend, Map};
use crate::error::Result;
use crate::shape::Shape;

/// A recurrent network over whole sequences; see the [module](super). What is saved are the states before each step, by
/// time: `h` `[t, n, u]`, for an LSTM also `c`.
pub fn recurrent<B: Backend>(b: &B, cell: Cell, x: &Sequence<'_, B>) -> Result<Outcome<B>> {
    let sizes = Sizes::of(b, cell, x)?;
    let state = Shape::new(&[sizes.n, sizes.u])?;
    let first = |given: Option<&B::Array>| given.map_or_else(|| b.fill(state, 0.0), |a| Ok(a.clone()));
    let (mut h, mut c) = (first(x.h)?, first(x.c)?);
    // With time in front a step is one piece of memory.
    let (z, there) = (swap(b, x.z)?, x.mask.map(|mask| by_time(b, mask)).transpose()?);
    let (mut hs, mut cs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    for t in sizes.steps(x.reverse) {
        hs.push(h.clone());
        cs.push(c.clone());
        let new = values(b, cell, x, sizes, &step(b, &z, t)?, (&h, &c))?;
        (h, c) = match &there {
            Some(there) => {
                let there = step(b, there, t)?;
                (b.select(&there, &new.h, &h)?, b.select(&there, &new.c, &c)?)
            }
            None => (new.h, new.c),
        };
        if x.outputs {
            outputs.push(h.clone());
        }
    }
    let stack = |steps| stack(b, steps, x.reverse);
    let saved = if cell.has_cell_state() { vec![stack(hs)?, stack(cs)?] } else { vec![stack(hs)?] };
    let outputs = x.outputs.then(|| swap(b, &stack(outputs)?)).transpose()?;
    Ok(Outcome { outputs, h, c: cell.has_cell_state().then_some(c), saved })
}

/// What is computed in a step, or in all of them at once where the states before them are known.
pub(super) struct Values<B: Backend> {
    /// The new output, without regard to the mask.
    pub(super) h: B::Array,
    /// The new cell state of an LSTM; otherwise the old one.
    pub(super) c: B::Array,
    /// Pre-activations of the gates and of the candidate, `[.., u]` each, in the cell's order.
    pub(super) before: Vec<B::Array>,
    /// Their activations.
    pub(super) after: Vec<B::Array>,
    /// The LSTM's `f(c)`; the GRU's `v_h` (reset after) or `s ⊙ r` (reset before).
    pub(super) inner: Option<B::Array>,
}

/// A step from the inputs' part of the pre-activations, `z [n, g u]`, and the state before it; or all steps, with `t` in
/// front.
pub(super) fn values<B: Backend>(
    b: &B,
    cell: Cell,
    x: &Sequence<'_, B>,
    sizes: Sizes,
    z: &B::Array,
    (h, c): (&B::Array, &B::Array),
) -> Result<Values<B>> {
    let u = sizes.u;
    let (sigma, f) = cell.activations();
    let r = dropped(b, x, h)?;
    match cell {
        Cell::Elman { .. } => {
            let a = added(b, b.matmul(&r, false, x.u, false)?, z)?;
            let y = b.activate(f, &a)?;
            Ok(Values { h: y.clone(), c: c.clone(), before: vec![a], after: vec![y], inner: None })
        }
        Cell::Lstm { .. } => {
            let a = added(b, b.matmul(&r, false, x.u, false)?, z)?;
            let before = (0..4).map(|i| gate(b, &a, i, u)).collect::<Result<Vec<_>>>()?;
            let of = |i: usize| if i == 2 { f } else { sigma };
            let after = before.iter().enumerate().map(|(i, a)| b.activate(of(i), a)).collect::<Result<Vec<_>>>()?;
            let c = added(b, mul(b, &after[1], c)?, &mul(b, &after[0], &after[2])?)?;
            let y = b.activate(f, &c)?;
            Ok(Values { h: mul(b, &after[3], &y)?, c, before, after, inner: Some(y) })
        }
        Cell::Gru { reset_after, .. } => {
            // Both gates, and with the reset after also the candidate's part.
            let columns = if reset_after { 3 } else { 2 };
            let mut v = b.matmul(&r, false, &b.slice(x.u, 1, 0, columns * u)?, false)?;
            if let Some(bias) = x.bias {
                v = add(b, &v, &b.slice(bias, 0, 0, columns * u)?)?;
            }
            let pre = |i: usize| add(b, &gate(b, z, i, u)?, &gate(b, &v, i, u)?);
            let (update, reset) = (pre(0)?, pre(1)?);
            let (g, s) = (b.activate(sigma, &update)?, b.activate(sigma, &reset)?);
            let (inner, part) = if reset_after {
                let inner = gate(b, &v, 2, u)?;
                let part = mul(b, &s, &inner)?;
                (inner, part)
            } else {
                let inner = mul(b, &s, &r)?;
                let part = b.matmul(&inner, false, &b.slice(x.u, 1, 2 * u, u)?, false)?;
                match x.bias {
                    Some(bias) => (inner, add(b, &part, &b.slice(bias, 0, 2 * u, u)?)?),
                    None => (inner, part),
                }
            };
            let candidate = add(b, &gate(b, z, 2, u)?, &part)?;
            let y = b.activate(f, &candidate)?;
            let rest = b.map(Map::Affine(-1.0, 1.0), &g)?;
            let new = added(b, mul(b, &g, h)?, &mul(b, &rest, &y)?)?;
            let (before, after) = (vec![update, reset, candidate], vec![g, s, y]);
            Ok(Values { h: new, c: c.clone(), before, after, inner: Some(inner) })
        }
    }
}

/// Arrays `[n, w]` of all steps, gone through from the last on if `reverse`, as `[t, n, w]` by time.
pub(super) fn stack<B: Backend>(b: &B, mut steps: Vec<B::Array>, reverse: bool) -> Result<B::Array> {
    if reverse {
        steps.reverse();
    }
    let high = steps.iter().map(|a| b.reshape(a, Shape::new(&[&[1], &b.shape(a)[..]].concat())?));
    b.concat(&high.collect::<Result<Vec<_>>>()?.iter().collect::<Vec<_>>(), 0)
}
