//! The default body of a recurrent network's gradient: backpropagation through time (L18).

use super::forward::{Values, stack, values};
use super::{Cell, Outcome, Sequence, Sizes, Upstream, add, dropped, gate, mul, step};
use crate::backend::{Backend, Map, Zip};
use crate::error::{Error, Result};
use crate::shape::Shape;

/// The gradients for `z`, `U`, the recurrent bias, and the first `h` and `c`, those that are wanted and there are. A step's
/// values are computed anew from the states saved before it; the parts that `U` and the bias get at every step are
/// summed in one product over all steps.
pub fn recurrent_grad<B: Backend>(
    b: &B,
    cell: Cell,
    x: &Sequence<'_, B>,
    y: &Outcome<B>,
    d: &Upstream<'_, B>,
    wanted: [bool; 5],
) -> Result<[Option<B::Array>; 5]> {
    let sizes = Sizes::of_grad(b, cell, x, d)?;
    let (state, states) = (Shape::new(&[sizes.n, sizes.u])?, Shape::new(&[sizes.n, sizes.t, sizes.u])?);
    let shapes: Vec<Shape> = y.saved.iter().map(|saved| b.shape(saved)).collect();
    if shapes != vec![states; 1 + usize::from(cell.has_cell_state())] {
        let expected = format!("what the same call of recurrent has saved, {states}");
        return Err(Error::invalid("recurrent_grad", expected, format!("{shapes:?}")));
    }
    let last = |given: Option<&B::Array>| given.map_or_else(|| b.fill(state, 0.0), |a| Ok(a.clone()));
    let (mut dh, mut dc) = (last(d.h)?, last(d.c)?);
    // In the order of the walk: what the products with `U` took, and the gradients for what they gave.
    let (mut taken, mut given, mut dz, mut resets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let zero = b.fill(Shape::SCALAR, 0.0)?;
    for (walked, t) in sizes.steps(x.reverse).enumerate().rev() {
        if let Some(outputs) = d.outputs {
            dh = add(b, &dh, &step(b, outputs, t)?)?;
        }
        let h = step(b, &y.saved[0], walked)?;
        let c = y.saved.get(1).map_or_else(|| b.fill(state, 0.0), |cs| step(b, cs, walked))?;
        let there = x.mask.map(|mask| b.slice(mask, 1, t, 1)).transpose()?;
        // A step that did not take place hands its gradients on as they are. Its pre-activations may be anything, NaN too,
        // and have no part even in a product with 0.
        let only = |a: &B::Array| there.as_ref().map_or(Ok(a.clone()), |there| b.select(there, a, &zero));
        let of_step = values(b, cell, x, sizes, &only(&step(b, x.z, t)?)?, (&h, &c))?;
        let r = dropped(b, x, &h)?;
        let grad = back(b, cell, x, sizes, &of_step, (&h, &c, &r), (&only(&dh)?, &only(&dc)?))?;
        let mut of_h = grad.dr;
        if let Some(dropout) = x.dropout {
            of_h = mul(b, dropout, &of_h)?;
        }
        of_h = add(b, &of_h, &grad.dh)?;
        (dh, dc) = match &there {
            Some(there) => (b.select(there, &of_h, &dh)?, b.select(there, &grad.dc, &dc)?),
            None => (of_h, grad.dc),
        };
        taken.push(r);
        dz.push(grad.dz);
        given.push(grad.dv);
        resets.extend(grad.reset);
    }
    let mut of_u = None;
    if wanted[1] {
        let all = |steps: &[B::Array]| crate::backend::linear::rows(b, &stack(b, steps)?);
        let product = |from: &[B::Array], to: &B::Array| b.matmul(&all(from)?, true, to, false);
        let dv = all(&given)?;
        of_u = Some(match cell {
            Cell::Gru { reset_after: false, .. } => {
                let gates = product(&taken, &b.slice(&dv, 1, 0, 2 * sizes.u)?)?;
                let candidate = product(&resets, &gate(b, &dv, 2, sizes.u)?)?;
                b.concat(&[&gates, &candidate], 1)?
            }
            _ => product(&taken, &dv)?,
        });
    }
    let of_bias = match x.bias {
        Some(bias) if wanted[2] => Some(b.sum_to(&stack(b, &given)?, b.shape(bias))?),
        _ => None,
    };
    // The walk began at the end.
    if !x.reverse {
        dz.reverse();
    }
    let of_z = wanted[0].then(|| stack(b, &dz)).transpose()?;
    let of_h = (wanted[3] && x.h.is_some()).then_some(dh);
    let of_c = (wanted[4] && x.c.is_some()).then_some(dc);
    Ok([of_z, of_u, of_bias, of_h, of_c])
}

/// Gradients of one step.
struct Back<B: Backend> {
    /// For the inputs' part of the pre-activations, `[n, g u]`.
    dz: B::Array,
    /// For what the products with `U` gave, `[n, g u]`.
    dv: B::Array,
    /// For what they took, `r`.
    dr: B::Array,
    /// For the state before the step, past the products.
    dh: B::Array,
    /// For the cell state before the step.
    dc: B::Array,
    /// The GRU's `s ⊙ r`, which the candidate's product took (reset before).
    reset: Option<B::Array>,
}

fn back<B: Backend>(
    b: &B,
    cell: Cell,
    x: &Sequence<'_, B>,
    sizes: Sizes,
    v: &Values<B>,
    (h, c, r): (&B::Array, &B::Array, &B::Array),
    (dh, dc): (&B::Array, &B::Array),
) -> Result<Back<B>> {
    let u = sizes.u;
    let (sigma, f) = cell.activations();
    let join = |parts: &[&B::Array]| b.concat(parts, 1);
    match cell {
        Cell::Elman { .. } => {
            let da = b.activate_grad(f, &v.before[0], &v.after[0], dh)?;
            let dr = b.matmul(&da, false, x.u, true)?;
            let none = b.fill(b.shape(h), 0.0)?;
            Ok(Back { dz: da.clone(), dv: da, dr, dh: none.clone(), dc: none, reset: None })
        }
        Cell::Lstm { .. } => {
            let [i, forget, candidate, o] = &v.after[..] else { unreachable!("an LSTM has four gates") };
            // The LSTM alone has `f(c)`.
            let y = v.inner.as_ref().unwrap_or(&v.h);
            let dc = add(b, dc, &b.activate_grad(f, &v.c, y, &mul(b, dh, o)?)?)?;
            let slope = |k: usize, f, d: &B::Array| b.activate_grad(f, &v.before[k], &v.after[k], d);
            let da = join(&[
                &slope(0, sigma, &mul(b, &dc, candidate)?)?,
                &slope(1, sigma, &mul(b, &dc, c)?)?,
                &slope(2, f, &mul(b, &dc, i)?)?,
                &slope(3, sigma, &mul(b, dh, y)?)?,
            ])?;
            let dr = b.matmul(&da, false, x.u, true)?;
            let none = b.fill(b.shape(h), 0.0)?;
            Ok(Back { dz: da.clone(), dv: da, dr, dh: none, dc: mul(b, &dc, forget)?, reset: None })
        }
        Cell::Gru { reset_after, .. } => {
            let [g, s, y] = &v.after[..] else { unreachable!("a GRU has three") };
            let inner = v.inner.as_ref().unwrap_or(&v.h);
            let slope = |k: usize, f, d: &B::Array| b.activate_grad(f, &v.before[k], &v.after[k], d);
            let rest = b.map(Map::Affine(-1.0, 1.0), g)?;
            let d_update = slope(0, sigma, &mul(b, dh, &b.zip(Zip::Sub, h, y)?)?)?;
            let d_candidate = slope(2, f, &mul(b, dh, &rest)?)?;
            let past = mul(b, dh, g)?;
            let none = b.fill(b.shape(h), 0.0)?;
            let u_of = |first: usize, count: usize| b.slice(x.u, 1, first * u, count * u);
            if reset_after {
                let d_reset = slope(1, sigma, &mul(b, &d_candidate, inner)?)?;
                let dv = join(&[&d_update, &d_reset, &mul(b, &d_candidate, s)?])?;
                let dr = b.matmul(&dv, false, x.u, true)?;
                let dz = join(&[&d_update, &d_reset, &d_candidate])?;
                return Ok(Back { dz, dv, dr, dh: past, dc: none, reset: None });
            }
            let d_inner = b.matmul(&d_candidate, false, &u_of(2, 1)?, true)?;
            let d_reset = slope(1, sigma, &mul(b, &d_inner, r)?)?;
            let gates = join(&[&d_update, &d_reset])?;
            let dr = add(b, &b.matmul(&gates, false, &u_of(0, 2)?, true)?, &mul(b, &d_inner, s)?)?;
            let dv = join(&[&d_update, &d_reset, &d_candidate])?;
            Ok(Back { dz: dv.clone(), dv, dr, dh: past, dc: none, reset: Some(inner.clone()) })
        }
    }
}
