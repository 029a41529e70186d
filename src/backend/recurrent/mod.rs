//! Recurrent networks over whole sequences (L16, L22): what the fused operation takes and gives, and its default bodies.
//!
//! The inputs' part of the pre-activations, `z = x W + b` for all steps, is an ordinary affine map, one product; what is
//! left is the recurrence itself, which goes step by step. A backend that knows better than the default bodies overrides
//! [`Backend::recurrent`] and [`Backend::recurrent_grad`] together, or both maps at once
//! ([`Backend::projected_recurrent`]).
//!
//! With `h₋` (and `c₋`) for the state before a step, `r = d ⊙ h₋` for what of it goes into the products (`d` is the
//! variational dropout, 1 without), `u` for the number of units, and gates in Keras' order:
//!
//! | cell | gates | a step |
//! | --- | --- | --- |
//! | Elman | 1 | `h = f(z + r U)` |
//! | LSTM | i, f, c, o | `a = z + r U`, `c = σ(a_f) ⊙ c₋ + σ(a_i) ⊙ f(a_c)`, `h = σ(a_o) ⊙ f(c)` |
//! | GRU, reset after | z, r, h | `v = r U + b_r`, `g = σ(z_z + v_z)`, `s = σ(z_r + v_r)`, `h = g ⊙ h₋ + (1 - g) ⊙ f(z_h + s ⊙ v_h)` |
//! | GRU, reset before | z, r, h | the same with `f(z_h + (s ⊙ r) U_h + b_h)` |
//!
//! Where the mask is 0 the step does not take place: `h = h₋`, `c = c₋`, and the output is `h₋` too (L19).

mod backward;
mod forward;
mod projected;

pub use backward::recurrent_grad;
pub use forward::recurrent;
pub use projected::{Projected, projected_recurrent, projected_recurrent_grad};

use super::{Backend, Zip, check};
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::shape::Shape;

/// A kind of recurrent cell with its activation functions, which must be elementwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// Elman's network (L16; Elman, 1990), Keras' `SimpleRNN`.
    Elman {
        /// `f`.
        activation: Activation,
    },
    /// Long short-term memory (L22; Hochreiter and Schmidhuber, 1997; with forget gates: Gers and others, 2000).
    Lstm {
        /// `σ`, of the three gates.
        gates: Activation,
        /// `f`, of the candidate and of the output.
        activation: Activation,
    },
    /// Gated recurrent unit (L26; Cho and others, 2014).
    Gru {
        /// `σ`, of the two gates.
        gates: Activation,
        /// `f`, of the candidate.
        activation: Activation,
        /// Whether the reset gate is applied after the product with `U` (Keras' default, cuDNN, PyTorch) or to the state
        /// before it (the paper).
        reset_after: bool,
    },
}

impl Cell {
    /// The number of gates: columns of `U` for each unit.
    pub fn gates(self) -> usize {
        match self {
            Cell::Elman { .. } => 1,
            Cell::Lstm { .. } => 4,
            Cell::Gru { .. } => 3,
        }
    }

    /// Whether it has a cell state besides its output.
    pub fn has_cell_state(self) -> bool {
        matches!(self, Cell::Lstm { .. })
    }

    /// The functions of gates and of candidates; those of the Elman network are one.
    pub fn activations(self) -> (Activation, Activation) {
        match self {
            Cell::Elman { activation } => (activation, activation),
            Cell::Lstm { gates, activation } | Cell::Gru { gates, activation, .. } => (gates, activation),
        }
    }

    /// Errors when an activation is not elementwise, and those of [`Activation::check`].
    pub fn check(self) -> Result<()> {
        let (gates, activation) = self.activations();
        gates.check().and(activation.check())?;
        match [gates, activation].into_iter().find(|f| !f.is_elementwise()) {
            None => Ok(()),
            Some(f) => Err(Error::invalid("recurrent", "an elementwise activation", f)),
        }
    }
}

/// What a recurrent network goes over: `n` sequences of `t` steps, `u` units, `g` gates.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a, B: Backend> {
    /// The inputs' part of the pre-activations, `x W + b`: `[n, t, g u]`.
    pub z: &'a B::Array,
    /// The recurrent weights `U [u, g u]`.
    pub u: &'a B::Array,
    /// A bias of the recurrent part, `[g u]`, which only the GRU has.
    pub bias: Option<&'a B::Array>,
    /// The first output `[n, u]`; 0 without.
    pub h: Option<&'a B::Array>,
    /// The first cell state `[n, u]` of an LSTM; 0 without.
    pub c: Option<&'a B::Array>,
    /// Steps that take place, `[n, t]` of 0 and 1; all of them without.
    pub mask: Option<&'a B::Array>,
    /// What the state is multiplied with before each product with `U`, `[n, u]`: variational dropout (Gal and
    /// Ghahramani, 2016), one draw for all steps.
    pub dropout: Option<&'a B::Array>,
    /// From the last step to the first. Outputs stand at their own steps all the same.
    pub reverse: bool,
    /// Whether the outputs of all steps are asked for.
    pub outputs: bool,
    /// Whether the gradient may be asked for; otherwise nothing needs to be saved.
    pub gradient: bool,
}

/// What came out, and what the gradient needs of it.
#[derive(Clone, Debug)]
pub struct Outcome<B: Backend> {
    /// The outputs of all steps `[n, t, u]`, if they were asked for.
    pub outputs: Option<B::Array>,
    /// The last output `[n, u]`: that of the first step if reversed.
    pub h: B::Array,
    /// The last cell state `[n, u]` of an LSTM.
    pub c: Option<B::Array>,
    /// Arrays of the backend's own choice.
    pub saved: Vec<B::Array>,
}

/// The gradients for what came out, those that there are.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a, B: Backend> {
    /// For the outputs of all steps `[n, t, u]`.
    pub outputs: Option<&'a B::Array>,
    /// For the last output `[n, u]`.
    pub h: Option<&'a B::Array>,
    /// For the last cell state `[n, u]`.
    pub c: Option<&'a B::Array>,
}

/// Sizes of a sequence operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Sequences.
    pub n: usize,
    /// Steps, at least 1.
    pub t: usize,
    /// Units.
    pub u: usize,
    /// Gates.
    pub g: usize,
}

impl Sizes {
    /// The sizes, after a check that all arrays go together. Every implementation begins with it.
    pub fn of<B: Backend>(b: &B, cell: Cell, x: &Sequence<'_, B>) -> Result<Self> {
        Self::of_shape(b, cell, b.shape(x.z), x)
    }

    /// The same for pre-activations of this shape, whatever `z` is.
    fn of_shape<B: Backend>(b: &B, cell: Cell, z: Shape, x: &Sequence<'_, B>) -> Result<Self> {
        cell.check()?;
        let (weights, g) = (b.shape(x.u), cell.gates());
        let [n, t, width] = z[..] else {
            return Err(Error::shapes("recurrent", z, weights, "z must be [batch, time, gates units]"));
        };
        let u = width / g;
        if t == 0 {
            return Err(Error::invalid("recurrent", "sequences of at least one step", z));
        }
        if weights[..] != [u, width] || u * g != width || u == 0 {
            let why = "the recurrent weights must be [units, gates units] for z [batch, time, gates units]";
            return Err(Error::shapes("recurrent", z, weights, why));
        }
        let check = |a: Option<&B::Array>, shape: &[usize]| match a {
            Some(a) => check::same_shape("recurrent", Shape::new(shape)?, b.shape(a)),
            None => Ok(()),
        };
        check(x.bias, &[width])?;
        check(x.mask, &[n, t])?;
        for state in [x.h, x.c, x.dropout] {
            check(state, &[n, u])?;
        }
        match cell {
            Cell::Gru { .. } if x.c.is_none() => {}
            Cell::Lstm { .. } if x.bias.is_none() => {}
            Cell::Elman { .. } if x.bias.is_none() && x.c.is_none() => {}
            _ => {
                let expected = "a recurrent bias for the GRU alone and a cell state for the LSTM alone";
                return Err(Error::invalid("recurrent", expected, format!("one for {cell:?}")));
            }
        }
        Ok(Sizes { n, t, u, g })
    }

    /// The same for a gradient, whose implementations begin with it: a check of what came out too.
    pub fn of_grad<B: Backend>(b: &B, cell: Cell, x: &Sequence<'_, B>, d: &Upstream<'_, B>) -> Result<Self> {
        Self::of(b, cell, x)?.with_upstream(b, d)
    }

    /// The same sizes, after a check of the gradients for what came out.
    pub fn with_upstream<B: Backend>(self, b: &B, d: &Upstream<'_, B>) -> Result<Self> {
        let Sizes { n, t, u, .. } = self;
        let check = |a: Option<&B::Array>, shape: &[usize]| match a {
            Some(a) => check::same_shape("recurrent_grad", Shape::new(shape)?, b.shape(a)),
            None => Ok(()),
        };
        check(d.outputs, &[n, t, u])?;
        check(d.h, &[n, u])?;
        check(d.c, &[n, u])?;
        Ok(self)
    }

    /// The steps in the order in which they are gone through.
    pub fn steps(self, reverse: bool) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        (0..self.t).map(move |i| if reverse { self.t - 1 - i } else { i })
    }
}

/// Columns `[.., u]` of one gate of `[.., g u]`.
fn gate<B: Backend>(b: &B, a: &B::Array, gate: usize, u: usize) -> Result<B::Array> {
    columns(b, a, gate * u, u)
}

/// Columns `[.., width]` from `first` on of `[.., w]`.
fn columns<B: Backend>(b: &B, a: &B::Array, first: usize, width: usize) -> Result<B::Array> {
    b.slice(a, b.shape(a).rank() - 1, first, width)
}

/// Arrays `[.., w]` side by side.
fn join<B: Backend>(b: &B, parts: &[&B::Array]) -> Result<B::Array> {
    b.concat(parts, b.shape(parts[0]).rank() - 1)
}

/// `[n, t, w]` as `[t, n, w]`, or back.
fn swap<B: Backend>(b: &B, a: &B::Array) -> Result<B::Array> {
    b.permute(a, &[1, 0, 2])
}

/// A mask `[n, t]` as `[t, n, 1]`.
fn by_time<B: Backend>(b: &B, mask: &B::Array) -> Result<B::Array> {
    let [n, t] = b.shape(mask)[..] else { unreachable!("checked by `Sizes::of`") };
    b.reshape(&b.permute(mask, &[1, 0])?, Shape::new(&[t, n, 1])?)
}

/// Step `t` of `[t, n, w]` as `[n, w]`.
fn step<B: Backend>(b: &B, a: &B::Array, t: usize) -> Result<B::Array> {
    let shape = b.shape(a);
    b.reshape(&b.slice(a, 0, t, 1)?, Shape::new(&shape[1..])?)
}

/// `a ⊙ b`
fn mul<B: Backend>(b: &B, x: &B::Array, y: &B::Array) -> Result<B::Array> {
    b.zip(Zip::Mul, x, y)
}

/// `a + b`
fn add<B: Backend>(b: &B, x: &B::Array, y: &B::Array) -> Result<B::Array> {
    b.zip(Zip::Add, x, y)
}

/// `a + b` in the place of `a`
fn added<B: Backend>(b: &B, mut x: B::Array, y: &B::Array) -> Result<B::Array> {
    b.add_assign(&mut x, y)?;
    Ok(x)
}

/// The state as it goes into the products: `d ⊙ h`.
fn dropped<B: Backend>(b: &B, x: &Sequence<'_, B>, h: &B::Array) -> Result<B::Array> {
    x.dropout.map_or(Ok(h.clone()), |d| mul(b, d, h))
}
