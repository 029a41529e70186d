//! A recurrent network together with the affine map of its inputs: what the operation takes, and its default bodies.
//!
//! A backend that has the pre-activations of a step at hand when it needs them, and never those of all steps in memory,
//! overrides [`Backend::projected_recurrent`] and its gradient.

use super::{Cell, Outcome, Sequence, Sizes, Upstream};
use crate::backend::{Backend, LinearWanted, ProjectedWanted, RecurrentWanted, check};
use crate::error::{Error, Result};

/// What a recurrent network goes over, from its inputs on: [`Sequence`] with `z = x W + b`.
#[derive(Clone, Copy, Debug)]
pub struct Projected<'a, B: Backend> {
    /// The inputs `[n, t, features]`.
    pub x: &'a B::Array,
    /// The kernel `W [features, g u]`.
    pub kernel: &'a B::Array,
    /// The inputs' bias `[g u]`.
    pub bias: Option<&'a B::Array>,
    /// The rest; its `z` is not read.
    pub rest: Sequence<'a, B>,
}

impl<B: Backend> Projected<'_, B> {
    /// The sizes, after a check that all arrays go together. Every implementation begins with it.
    pub fn sizes(&self, b: &B, cell: Cell) -> Result<Sizes> {
        let z = check::linear(b.shape(self.x), b.shape(self.kernel), self.bias.map(|bias| b.shape(bias)))?;
        Sizes::of_shape(b, cell, z, &self.rest)
    }
}

/// [`Backend::recurrent`] after the affine map of the inputs, of the steps that count alone. What is saved is what
/// [`Backend::recurrent`] saves, and `z` behind it.
pub fn projected_recurrent<B: Backend>(b: &B, cell: Cell, x: &Projected<'_, B>) -> Result<Outcome<B>> {
    x.sizes(b, cell)?;
    let z = match x.rest.mask {
        Some(mask) => b.linear_steps(x.x, x.kernel, x.bias, mask)?,
        None => b.linear(x.x, x.kernel, x.bias)?,
    };
    let mut y = b.recurrent(cell, &Sequence { z: &z, ..x.rest })?;
    y.saved.push(z);
    Ok(y)
}

/// The gradients for `x`, `W` and `b`, and those of [`Backend::recurrent_grad`] but for `z`: for `U`, the recurrent bias,
/// and the first `h` and `c`; those that are wanted and there are.
pub fn projected_recurrent_grad<B: Backend>(
    b: &B,
    cell: Cell,
    x: &Projected<'_, B>,
    y: &Outcome<B>,
    d: &Upstream<'_, B>,
    wanted: ProjectedWanted,
) -> Result<[Option<B::Array>; 7]> {
    x.sizes(b, cell)?;
    let Some((z, saved)) = y.saved.split_last() else {
        let expected = "what the same call of projected_recurrent has saved";
        return Err(Error::invalid("projected_recurrent_grad", expected, "nothing"));
    };
    let inner = Outcome { outputs: y.outputs.clone(), h: y.h.clone(), c: y.c.clone(), saved: saved.to_vec() };
    let ProjectedWanted { x: of_x, kernel, bias, u, recurrent_bias, h, c } = wanted;
    let affine = LinearWanted { x: of_x, kernel, bias: bias && x.bias.is_some() };
    let of_z = affine.x || affine.kernel || affine.bias;
    let rest = RecurrentWanted { z: of_z, u, bias: recurrent_bias, h, c };
    let [dz, du, dbias, dh, dc] = b.recurrent_grad(cell, &Sequence { z, ..x.rest }, &inner, d, rest)?;
    let [dx, dw, db] = match (dz, x.rest.mask) {
        (None, _) => [None, None, None],
        (Some(dz), Some(mask)) => b.linear_steps_grad(x.x, x.kernel, &dz, mask, affine)?,
        (Some(dz), None) => b.linear_grad(x.x, x.kernel, &dz, affine)?,
    };
    Ok([dx, dw, db, du, dbias, dh, dc])
}
