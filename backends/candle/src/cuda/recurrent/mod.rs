//! Recurrent networks over whole sequences, in one of two ways.
//!
//! * [`resident`]: one launch for all steps. Every block keeps a part of the recurrent weights on its processor, and blocks
//!   hand each other the states. For networks and batches small enough that launches and the weights' way to the processors
//!   would take longer than the products.
//! * [`steps`]: a product of cuBLAS and a kernel for each step. Where sequences are many, their inputs stand beside what the
//!   product takes, and both have one product: the pre-activations of all steps would be written and read again for nothing.
//!
//! Both write the same arrays, and the gradients for the weights are products over all steps at once.

mod network;
mod plan;
mod resident;
mod steps;

pub(crate) use network::Network;
pub(crate) use plan::Limits;
pub(crate) use resident::Cut;

use super::{Cuda, Matrix};
use crate::Candle;
use crate::array::{Array, error};
use elman::backend::recurrent::{Outcome, Projected, Sequence, Sizes, Upstream};
use elman::backend::{Cell, LinearWanted, ProjectedWanted};
use elman::{Error, Result, Shape};
use network::{Beside, Function, Operands, address};

/// Which way is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// The one that should take less time.
    #[default]
    Faster,
    Steps,
    /// Steps with the inputs beside.
    Beside,
    /// Where it can be gone.
    Resident,
}

impl Way {
    /// By the environment's `ELMAN_RECURRENT` (`steps`, `beside`, `resident`), for tests and measurements of all.
    pub(crate) fn from_environment() -> Self {
        match std::env::var("ELMAN_RECURRENT").as_deref() {
            Ok("steps") => Way::Steps,
            Ok("beside") => Way::Beside,
            Ok("resident") => Way::Resident,
            _ => Way::Faster,
        }
    }

    /// Whether the inputs of so many sequences stand beside, in steps that are not resident. Few sequences have products that
    /// take as long as reading the weights does, and more weights would be read in each step.
    fn is_beside(self, n: usize) -> bool {
        match self {
            Way::Steps => false,
            Way::Beside => true,
            Way::Faster | Way::Resident => n >= 128,
        }
    }
}

/// Whether there are kernels: not for functions whose slopes need more than their values, for a reset gate before the
/// product, which makes two products of a step, and for a GRU's dropout, whose way back needs the states besides.
fn serves(cell: Cell, x: &Sequence<'_, Candle>, sizes: Sizes) -> bool {
    let (sigma, f) = cell.activations();
    let cell = match cell {
        Cell::Gru { reset_after, .. } => reset_after && x.dropout.is_none(),
        _ => true,
    };
    cell && sizes.n > 0 && [sigma, f].into_iter().all(|f| Function::new(f).is_some())
}

impl Cuda {
    /// `None` where the default body serves.
    pub(crate) fn recurrent(
        &self,
        cell: Cell,
        x: &Sequence<'_, Candle>,
        inputs: Option<&Projected<'_, Candle>>,
        sizes: Sizes,
    ) -> Result<Option<Outcome<Candle>>> {
        if !serves(cell, x, sizes) {
            return Ok(None);
        }
        let Sizes { n, t, u, g } = sizes;
        let (state, states, all) = (Shape::new(&[n, u])?, Shape::new(&[n, t, u])?, Shape::new(&[n, t, g * u])?);
        let fresh = |shape| self.fresh("recurrent", shape);
        let plan = resident::forward_plan(self, sizes);
        let may_be = plan.is_none() && g != 3 && self.way.is_beside(n);
        let beside = inputs.filter(|inputs| may_be && inputs.x.shape().last() > 0);
        // The inputs' bias is added in the steps where the cell has none of its own: to begin the product with it is to write
        // and read all steps of all gates once more.
        let own = if g == 3 { None } else { inputs.and_then(|inputs| inputs.bias) };
        // The gates' values take the place of the pre-activations.
        let gates = match inputs {
            Some(_) if beside.is_some() => fresh(all)?,
            Some(inputs) => self.linear(inputs.x, inputs.kernel, inputs.bias.filter(|_| own.is_none()))?,
            None => self.spread(x.z, all)?,
        };
        let beside = beside.map(|inputs| Beside::new(self, inputs, x)).transpose()?;
        let taken = beside.as_ref().map_or_else(|| fresh(states), |beside| Ok(beside.taken.clone()))?;
        let inner = (g > 1).then(|| fresh(states)).transpose()?;
        let outputs = x.outputs.then(|| fresh(states)).transpose()?;
        let (h, c) = (fresh(state)?, cell.has_cell_state().then(|| fresh(state)).transpose()?);
        let operands = Operands::new(self, x, own)?;
        let width = taken.shape().last();
        let network = Network {
            gates: self.address(&gates)?,
            taken: self.address(&taken)? + 4 * (width - u) as u64,
            width: width as i32,
            inner: address(self, inner.as_ref())?,
            outputs: address(self, outputs.as_ref())?,
            h: self.address(&h)?,
            c: address(self, c.as_ref())?,
            ..operands.network(self, cell, x, sizes)?
        };
        match (plan, &beside) {
            (Some(plan), _) => resident::forward(self, plan, network, sizes)?,
            (None, Some(beside)) => steps::forward(self, network, sizes, Some(self.address(&beside.weights)?))?,
            (None, None) => steps::forward(self, network, sizes, None)?,
        }
        let saved = if x.gradient { [Some(gates), Some(taken), inner].into_iter().flatten().collect() } else { vec![] };
        Ok(Some(Outcome { outputs, h, c, saved }))
    }

    /// The gradients for `z` or `x`, its kernel and bias, `U`, the recurrent bias, `h` and `c`. `None` where
    /// [`Cuda::recurrent`] gives none.
    pub(crate) fn recurrent_grad(
        &self,
        cell: Cell,
        x: &Sequence<'_, Candle>,
        inputs: Option<&Projected<'_, Candle>>,
        sizes: Sizes,
        (y, d): (&Outcome<Candle>, &Upstream<'_, Candle>),
        wanted: ProjectedWanted,
    ) -> Result<Option<[Option<Array>; 7]>> {
        if !serves(cell, x, sizes) {
            return Ok(None);
        }
        let Sizes { n, t, u, g } = sizes;
        let (state, all) = (Shape::new(&[n, u])?, Shape::new(&[n, t, g * u])?);
        let (gates, taken, inner) = check_saved(&y.saved, sizes, inputs)?;
        let copy = |a: &Array| self.spread(a, a.shape());
        // Changed in place, from the gradients for the last states to those for the first.
        let begin = |d: Option<&Array>| d.map_or_else(|| self.fill(state, 0.0), copy);
        let (dh, dc) = (begin(d.h)?, cell.has_cell_state().then(|| begin(d.c)).transpose()?);
        let dz = self.fresh("recurrent_grad", all)?;
        let dv = (g == 3).then(|| self.fresh("recurrent_grad", all)).transpose()?;
        let outputs = d.outputs.map(|outputs| self.packed(outputs)).transpose()?;
        let operands = Operands::new(self, x, None)?;
        let width = taken.shape().last();
        let network = Network {
            gates: self.address(gates)?,
            taken: self.address(taken)? + 4 * (width - u) as u64,
            width: width as i32,
            inner: address(self, inner)?,
            d_outputs: address(self, outputs.as_ref())?,
            dh: self.address(&dh)?,
            dc: address(self, dc.as_ref())?,
            dz: self.address(&dz)?,
            dv: address(self, dv.as_ref())?,
            ..operands.network(self, cell, x, sizes)?
        };
        let of_first = wanted.bias && inputs.is_some_and(|inputs| inputs.bias.is_some());
        let plan = resident::backward_plan(self, sizes);
        // Resident blocks have the sums over the steps for the inputs' bias at hand; else all steps are read again.
        let by_rows =
            (plan.is_some() && g != 3 && of_first).then(|| self.fresh("recurrent_grad", Shape::new(&[n, g * u])?));
        let by_rows = by_rows.transpose()?;
        match plan {
            Some(plan) => {
                let network = Network { d_bias: address(self, by_rows.as_ref())?, ..network };
                resident::backward(self, plan, network, sizes)?;
            }
            None => steps::backward(self, network, sizes)?,
        }
        let dv = dv.as_ref().unwrap_or(&dz);
        // With the inputs beside, the gradients for both weights are one product.
        let features = width - u;
        let both = (features > 0 && (wanted.u || wanted.kernel)).then(|| self.over_steps(taken, dv)).transpose()?;
        let part = |both: &Array, first: usize, count: usize| {
            let part = both.tensor().narrow(0, first, count).map_err(error("recurrent_grad"))?;
            Ok::<_, Error>(both.view(part, Shape::new(&[count, g * u])?))
        };
        let du = match &both {
            Some(both) if wanted.u => Some(part(both, features, u)?),
            None if wanted.u => Some(self.over_steps(taken, dv)?),
            _ => None,
        };
        let dbias = match x.bias {
            Some(bias) if wanted.recurrent_bias => Some(self.sum_to(dv, bias.shape())?),
            _ => None,
        };
        let [dx, dw, db] = match inputs {
            Some(inputs) => {
                let rest = LinearWanted {
                    x: wanted.x,
                    kernel: wanted.kernel && both.is_none(),
                    bias: of_first && by_rows.is_none(),
                };
                let [dx, mut dw, mut db] = match x.mask {
                    Some(mask) => self.linear_steps_grad(inputs.x, inputs.kernel, &dz, mask, rest)?,
                    None => self.linear_grad(inputs.x, inputs.kernel, &dz, rest)?,
                };
                if let Some(both) = both.as_ref().filter(|_| wanted.kernel) {
                    dw = Some(part(both, 0, features)?);
                }
                if let Some(by_rows) = &by_rows {
                    db = Some(self.sum_to(by_rows, Shape::new(&[g * u])?)?);
                }
                [dx, dw, db]
            }
            None => [wanted.x.then_some(dz), None, None],
        };
        let dh = (wanted.h && x.h.is_some()).then_some(dh);
        let dc = dc.filter(|_| wanted.c && x.c.is_some());
        Ok(Some([dx, dw, db, du, dbias, dh, dc]))
    }

    /// `aᵀ b` over all steps of all sequences.
    fn over_steps(&self, a: &Array, b: &Array) -> Result<Array> {
        let shape = Shape::new(&[a.shape().last(), b.shape().last()])?;
        let matrix = |a: &Array| Ok::<_, Error>(Matrix::new(self.address(a)?, a.shape().last()));
        let sizes = [a.shape().last(), a.shape().rows(), b.shape().last()];
        self.product("recurrent_grad", shape, sizes, matrix(a)?.transposed(), matrix(b)?)
    }
}

/// The arrays saved by a forward pass over the same sequence: the gates, what products took, what is inside but in an Elman
/// network. Others are an error.
fn check_saved<'a>(
    saved: &'a [Array],
    Sizes { n, t, u, g }: Sizes,
    inputs: Option<&Projected<'_, Candle>>,
) -> Result<(&'a Array, &'a Array, Option<&'a Array>)> {
    let (all, states) = (Shape::new(&[n, t, g * u])?, Shape::new(&[n, t, u])?);
    let beside = inputs.map(|inputs| Shape::new(&[n, t, inputs.x.shape().last() + u])).transpose()?;
    let shapes: Vec<Shape> = saved.iter().map(Array::shape).collect();
    match saved {
        [gates, taken, inner @ ..]
            if shapes[0] == all
                && (shapes[1] == states || Some(shapes[1]) == beside)
                && shapes[2..] == [states][..usize::from(g > 1)] =>
        {
            Ok((gates, taken, inner.first()))
        }
        _ => {
            let expected = format!("what the same call of recurrent has saved, {all} and {states}");
            Err(Error::invalid("recurrent_grad", expected, format!("{shapes:?}")))
        }
    }
}
