//! The default body of a recurrent network's gradient: backpropagation through time (L18).

use super::forward::{Values, stack, values};
use super::{Cell, Outcome, Sequence, Sizes, Upstream, added, by_time, columns, dropped, gate, join, mul, step, swap};
use crate::backend::{Backend, Map, RecurrentWanted, Zip};
use crate::error::{Error, Result};
use crate::shape::Shape;

/// The gradients for `z`, `U`, the recurrent bias, and the first `h` and `c`, those that are wanted and there are.
///
/// The states before all steps are known, so their values are computed anew at once, and so are the factors that the
/// walk back multiplies its gradients with. The parts that `U` and the bias get at every step are summed in one product over
/// all steps.
pub fn recurrent_grad<B: Backend>(
    b: &B,
    cell: Cell,
    x: &Sequence<'_, B>,
    y: &Outcome<B>,
    d: &Upstream<'_, B>,
    wanted: RecurrentWanted,
) -> Result<[Option<B::Array>; 5]> {
    let sizes = Sizes::of_grad(b, cell, x, d)?;
    let (state, states) = (Shape::new(&[sizes.n, sizes.u])?, Shape::new(&[sizes.t, sizes.n, sizes.u])?);
    let shapes: Vec<Shape> = y.saved.iter().map(|saved| b.shape(saved)).collect();
    if shapes != vec![states; 1 + usize::from(cell.has_cell_state())] {
        let expected = format!("what the same call of recurrent has saved, {states}");
        return Err(Error::invalid("recurrent_grad", expected, format!("{shapes:?}")));
    }
    // Without a cell state the output stands in for it and has no part in anything.
    let (h, c) = (&y.saved[0], &y.saved[y.saved.len() - 1]);
    let r = dropped(b, x, h)?;
    let v = values(b, cell, x, sizes, &swap(b, x.z)?, (h, c))?;
    let (factors, taken) = Factors::new(b, cell, x, &v, (h, c, &r))?;
    // Transposed once for all steps.
    let weights = b.permute(x.u, &[1, 0])?;
    let last = |given: Option<&B::Array>| given.map_or_else(|| b.fill(state, 0.0), |a| Ok(a.clone()));
    let (mut dh, mut dc) = (last(d.h)?, last(d.c)?);
    let outputs = d.outputs.map(|outputs| swap(b, outputs)).transpose()?;
    let mut da = Vec::with_capacity(sizes.t);
    for t in sizes.steps(x.reverse).rev() {
        if let Some(outputs) = &outputs {
            dh = added(b, dh, &step(b, outputs, t)?)?;
        }
        let of_step;
        (of_step, dh, dc) = factors.back(b, cell, x, &weights, t, (&dh, &dc))?;
        da.push(of_step);
    }
    let da = stack(b, da, !x.reverse)?;
    let u = sizes.u;
    // What `z` got, and what the products with `U` gave: they differ by the GRU's reset gate if that comes after.
    let (dz, dv) = match cell {
        Cell::Gru { reset_after: true, .. } => {
            (join(b, &[&columns(b, &da, 0, 2 * u)?, &gate(b, &da, 3, u)?])?, columns(b, &da, 0, 3 * u)?)
        }
        _ => (da.clone(), da),
    };
    let mut of_u = None;
    if wanted.u {
        let rows = |a: &B::Array| crate::backend::linear::rows(b, a);
        let product = |from: &B::Array, to: &B::Array| b.matmul(&rows(from)?, true, &rows(to)?, false);
        of_u = Some(match &taken {
            Some(reset) => {
                let (gates, candidate) = (columns(b, &dv, 0, 2 * u)?, gate(b, &dv, 2, u)?);
                join(b, &[&product(&r, &gates)?, &product(reset, &candidate)?])?
            }
            None => product(&r, &dv)?,
        });
    }
    let of_bias = match x.bias {
        Some(bias) if wanted.bias => Some(b.sum_to(&dv, b.shape(bias))?),
        _ => None,
    };
    let of_z = wanted.z.then(|| swap(b, &dz)).transpose()?;
    let of_h = (wanted.h && x.h.is_some()).then_some(dh);
    let of_c = (wanted.c && x.c.is_some()).then_some(dc);
    Ok([of_z, of_u, of_bias, of_h, of_c])
}

/// What the gradients of a step's outcome are multiplied with to give those of what it began with, for all steps
/// `[t, n, ..]`.
struct Factors<B: Backend> {
    /// From `h` and `c` (the LSTM's first three gates) to the pre-activations, `[.., g u]`; of a GRU with the reset
    /// after to what the products with `U` gave, followed by those to the candidate's pre-activation.
    pre: B::Array,
    /// From `h` to the state before, past the products. Nothing is 0 throughout.
    past: Option<B::Array>,
    /// The LSTM's from `h` to `c`, and from `c` to the cell state before.
    cell: Option<(B::Array, B::Array)>,
    /// The reset gate that comes before the product: from `s ⊙ r` to `r`.
    reset: Option<B::Array>,
}

impl<B: Backend> Factors<B> {
    /// The factors from the values of all steps, and what the product with a GRU's candidate took if the reset comes
    /// before.
    fn new(
        b: &B,
        cell: Cell,
        x: &Sequence<'_, B>,
        v: &Values<B>,
        (h, c, r): (&B::Array, &B::Array, &B::Array),
    ) -> Result<(Self, Option<B::Array>)> {
        let (sigma, f) = cell.activations();
        let slope = |k: usize, f, d: &B::Array| b.activate_grad(f, &v.before[k], &v.after[k], d);
        let (zero, one) = (b.fill(Shape::SCALAR, 0.0)?, b.fill(Shape::SCALAR, 1.0)?);
        let there = x.mask.map(|mask| by_time(b, mask)).transpose()?;
        // A step that did not take place hands its gradients on as they are. Its values may be anything, NaN too, and
        // have no part even in a product with 0.
        let only = |a: B::Array, other| there.as_ref().map_or(Ok(a.clone()), |there| b.select(there, &a, other));
        // The LSTM's `f(c)`; what the GRU's candidate takes.
        let inner = v.inner.as_ref().unwrap_or(&v.h);
        let past = there.as_ref().map(|there| b.map(Map::Affine(-1.0, 1.0), there)).transpose()?;
        match cell {
            Cell::Elman { .. } => {
                let pre = only(b.activate_grad(f, &v.before[0], &v.after[0], &b.fill(b.shape(h), 1.0)?)?, &zero)?;
                Ok((Factors { pre, past, cell: None, reset: None }, None))
            }
            Cell::Lstm { .. } => {
                let [i, forget, candidate, o] = &v.after[..] else { unreachable!("an LSTM has four gates") };
                let pre = [slope(0, sigma, candidate)?, slope(1, sigma, c)?, slope(2, f, i)?, slope(3, sigma, inner)?];
                let pre = only(join(b, &pre.each_ref())?, &zero)?;
                let of_c = only(b.activate_grad(f, &v.c, inner, o)?, &zero)?;
                let cell = Some((of_c, only(forget.clone(), &one)?));
                Ok((Factors { pre, past, cell, reset: None }, None))
            }
            Cell::Gru { reset_after, .. } => {
                let [g, s, y] = &v.after[..] else { unreachable!("a GRU has three") };
                let update = slope(0, sigma, &b.zip(Zip::Sub, h, y)?)?;
                let candidate = slope(2, f, &b.map(Map::Affine(-1.0, 1.0), g)?)?;
                let past = Some(only(g.clone(), &one)?);
                if reset_after {
                    let reset = slope(1, sigma, &mul(b, &candidate, inner)?)?;
                    let pre = only(join(b, &[&update, &reset, &mul(b, &candidate, s)?, &candidate])?, &zero)?;
                    return Ok((Factors { pre, past, cell: None, reset: None }, None));
                }
                let pre = only(join(b, &[&update, &slope(1, sigma, r)?, &candidate])?, &zero)?;
                let reset = Some(only(s.clone(), &zero)?);
                Ok((Factors { pre, past, cell: None, reset }, Some(only(inner.clone(), &zero)?)))
            }
        }
    }

    /// Step `t` back: from the gradients for its `h` and `c` those for the pre-activations and for `h` and `c` before
    /// it. `weights` is `Uᵀ`.
    fn back(
        &self,
        b: &B,
        cell: Cell,
        x: &Sequence<'_, B>,
        weights: &B::Array,
        t: usize,
        (dh, dc): (&B::Array, &B::Array),
    ) -> Result<(B::Array, B::Array, B::Array)> {
        let pre = step(b, &self.pre, t)?;
        let u = b.shape(dh).last();
        let product = |d: &B::Array, weights: &B::Array| b.matmul(d, false, weights, false);
        let mut old_dc = dc.clone();
        let (da, mut old_dh) = match (&self.cell, &self.reset) {
            (Some((of_c, forget)), _) => {
                let dc = added(b, mul(b, dh, &step(b, of_c, t)?)?, dc)?;
                old_dc = mul(b, &dc, &step(b, forget, t)?)?;
                let da = mul(b, &join(b, &[&dc, &dc, &dc, dh])?, &pre)?;
                let dr = product(&da, weights)?;
                (da, dr)
            }
            (_, Some(reset)) => {
                let weights_of = |first: usize, count: usize| b.slice(weights, 0, first * u, count * u);
                let d_candidate = mul(b, dh, &gate(b, &pre, 2, u)?)?;
                let d_inner = product(&d_candidate, &weights_of(2, 1)?)?;
                let d_gates = mul(b, &join(b, &[dh, &d_inner])?, &columns(b, &pre, 0, 2 * u)?)?;
                let dr = added(b, product(&d_gates, &weights_of(0, 2)?)?, &mul(b, &d_inner, &step(b, reset, t)?)?)?;
                (join(b, &[&d_gates, &d_candidate])?, dr)
            }
            _ => {
                let da = mul(b, &join(b, &vec![dh; b.shape(&pre).last() / u])?, &pre)?;
                let dr = product(&columns(b, &da, 0, cell.gates() * u)?, weights)?;
                (da, dr)
            }
        };
        if let Some(dropout) = x.dropout {
            old_dh = mul(b, dropout, &old_dh)?;
        }
        if let Some(past) = &self.past {
            old_dh = added(b, old_dh, &mul(b, dh, &step(b, past, t)?)?)?;
        }
        Ok((da, old_dh, old_dc))
    }
}
