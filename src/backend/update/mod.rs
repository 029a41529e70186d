//! The optimisers' updates of one weight: as a default body over arrays, as one pass over slices for hosts, and as a list of
//! operations for kernels. All of them follow from one telling of each formula.
//!
//! An [`Update`] holds the numbers of one step, with the schedule and the bias corrections already worked out by
//! the optimiser (see [`crate::optim`]), so that kernels stay short. In every formula `w` is the weight, `g` its gradient;
//! all products and roots are elementwise. The state's arrays have the weight's shape and come in the order given.
//!
//! A quotient whose divisor is 0 counts as 0: without an `ε`, a weight that has had no gradient yet (the row of a word that has
//! not occurred), or only such whose squares vanish, does not move, instead of going to NaN or infinity.

mod arrays;
mod formula;
mod program;
mod slices;

pub use arrays::{made_when, update, update_all};
pub use formula::{Formula, NUMBERS, SLOTS};
pub use program::{Operand, Operation, Program};

use super::{Backend, check};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where the small number that keeps a division finite stands. Libraries differ, and their numbers with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Epsilon {
    /// `sqrt(v + ε)`: the lecture's slide (L11), Keras' RMSProp and AdaGrad. In Adamax `max(.., |g| + ε)`: PyTorch.
    Inside(f64),
    /// `sqrt(v) + ε`: PyTorch. In Adamax `max(..) + ε`: Keras.
    Outside(f64),
}

impl Epsilon {
    /// The number inside, and the number outside; one of them is 0, and adding it changes nothing.
    fn places(self) -> [f64; 2] {
        match self {
            Epsilon::Inside(e) => [e, 0.0],
            Epsilon::Outside(e) => [0.0, e],
        }
    }
}

/// One step of an optimiser on one weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// `w -= decay w`, `w -= lr g`. No state.
    Sgd {
        /// Learning rate.
        lr: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `w -= decay w`, `v = γ v - lr g`, then `w += v`, or with Nesterov's look-ahead `w += γ v - lr g` (L10). State: `v`.
    Momentum {
        /// Learning rate.
        lr: f64,
        /// `γ`.
        momentum: f64,
        /// Look ahead.
        nesterov: bool,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `a += g²`, `w -= lr g / root(a)`. State: `a`.
    AdaGrad {
        /// Learning rate.
        lr: f64,
        /// Of the root.
        epsilon: Epsilon,
    },
    /// `a = ρ a + (1-ρ) g²`, `Δ = g sqrt(d + ε) / sqrt(a + ε)`, `d = ρ d + (1-ρ) Δ²`, `w -= lr Δ`. State: `a, d`.
    AdaDelta {
        /// Learning rate.
        lr: f64,
        /// `ρ`.
        rho: f64,
        /// `ε`.
        epsilon: f64,
    },
    /// `a = ρ a + (1-ρ) g²`, `m = γ m + lr g / root(a)`, `w -= m`; centred, the root is of `a - c²` with
    /// `c = ρ c + (1-ρ) g` (L11). State: `a`, then `m` if `γ > 0`, then `c` if centred.
    RmsProp {
        /// Learning rate.
        lr: f64,
        /// `ρ`.
        rho: f64,
        /// Of the root.
        epsilon: Epsilon,
        /// `γ`.
        momentum: f64,
        /// Divide by an estimate of the deviation instead of the root mean square.
        centered: bool,
    },
    /// `w -= decay w`, `m = β₁ m + (1-β₁) g`, `v = β₂ v + (1-β₂) g²`, `w -= lr m / (sqrt(v) + ε)`; with AMSGrad the
    /// greatest `v` so far stands in the root. State: `m, v`, then that greatest `v`.
    Adam {
        /// Learning rate with the bias corrections in it.
        lr: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// `ε`, with its bias correction where the library in question has one.
        epsilon: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
        /// AMSGrad.
        amsgrad: bool,
    },
    /// `m`, `v` as in Adam, `w -= lr m`: a step that does not divide by what little is known of `v`. State: `m, v`.
    AdamMean {
        /// Learning rate with the bias correction in it.
        lr: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `w -= decay w`, `m = β₁ m + (1-β₁) g`, then with `ε` outside `u = max(β₂ u, |g|)`, `w -= lr m / (u + ε)`; with `ε` inside
    /// `u = max(β₂ u, |g| + ε)`, `w -= lr m / u`. Where `u` is 0 still, `w` stays. State: `m, u`.
    Adamax {
        /// Learning rate with the bias correction in it.
        lr: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// Of the maximum.
        epsilon: Epsilon,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `w -= decay w`, `m`, `v` as in Adam, `w -= (of_m m + of_g g) / (sqrt(v) + ε)`. State: `m, v`.
    Nadam {
        /// Factor of the momentum, learning rate and corrections in it.
        of_m: f64,
        /// Factor of the gradient, learning rate and corrections in it.
        of_g: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// `ε`, with its bias correction.
        epsilon: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
}
impl Update {
    /// The number of arrays in the state.
    pub fn slots(&self) -> usize {
        self.formula().0.slots()
    }

    /// Errors unless the state has as many arrays as the formula has slots.
    #[inline]
    fn check(&self, formula: Formula, slots: usize) -> Result<()> {
        if slots == formula.slots() { Ok(()) } else { Err(self.wrong_slots(slots)) }
    }

    #[cold]
    fn wrong_slots(&self, slots: usize) -> Error {
        Error::invalid("update", format!("{} arrays of state for {self:?}", self.slots()), slots)
    }
}

/// A weight with its gradient and its state, and the step that it makes: one of those that [`Backend::update_all`] makes
/// together.
pub struct WeightStep<'a, B: Backend> {
    /// The step. Weights may differ in it: the bias corrections of one that was thawed late are others.
    pub rule: Update,
    /// The weight.
    pub w: &'a mut B::Array,
    /// Its gradient.
    pub g: &'a B::Array,
    /// Its state, as the rule has it.
    pub state: &'a mut [B::Array],
}

impl<B: Backend> std::fmt::Debug for WeightStep<'_, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeightStep").field("rule", &self.rule).field("w", &self.w).finish_non_exhaustive()
    }
}
/// The checks that an override makes before it touches anything.
pub fn check_shapes<B: Backend>(b: &B, rule: &Update, w: &B::Array, g: &B::Array, state: &[B::Array]) -> Result<()> {
    rule.check(rule.formula().0, state.len())?;
    for other in std::iter::once(g).chain(state) {
        check::same_shape("update", b.shape(w), b.shape(other))?;
    }
    Ok(())
}

/// What holds a step back is one number.
pub fn check_when<B: Backend>(b: &B, when: Option<&B::Array>) -> Result<()> {
    match when.map(|when| b.shape(when)) {
        Some(shape) if shape.rank() > 0 => Err(Error::invalid("update", "one number that lets it happen", shape)),
        _ => Ok(()),
    }
}

/// [`check_shapes`] of each, and [`check_when`].
pub fn check_all<B: Backend>(b: &B, steps: &[WeightStep<'_, B>], when: Option<&B::Array>) -> Result<()> {
    check_when(b, when)?;
    steps.iter().try_for_each(|step| check_shapes(b, &step.rule, step.w, step.g, step.state))
}
