//! Optimisers: a [`Rule`] says how one parameter moves, the [`Optimizer`] walks over all of them.
//!
//! | rule | of the lecture | source |
//! | --- | --- | --- |
//! | [`Sgd`] | L7, L10 | plain, with momentum (Polyak, 1964) or Nesterov's (1983), dampened, with decoupled decay |
//! | [`AdaGrad`] | L11 | Duchi, Hazan, Singer, 2011 |
//! | [`AdaDelta`] | L11 | Zeiler, 2012 |
//! | [`RmsProp`] | L11 | Tieleman and Hinton, 2012 |
//! | [`Adam`] | L11 | Kingma and Ba, 2015; AMSGrad: Reddi, Kale, Kumar, 2018; AdamW: Loshchilov and Hutter, 2019 |
//! | [`Adamax`] | | Kingma and Ba, 2015, section 7.1 |
//! | [`Nadam`] | | Dozat, 2016; NadamW with decoupled decay |
//! | [`RAdam`] | | Liu and others, 2020 |
//!
//! A rule of one's own is a type with two methods that matter, its state's names and its update; everything around it
//! (schedule, clipping, accumulation, constraints, checkpoints) works with it:
//!
//! ```
//! use elman::backend::{Backend, Map, Zip};
//! use elman::optim::{Optimizer, Rule, Step};
//! use elman::{Param, Result, Tensor};
//! use elman_reference::Reference;
//!
//! /// Every weight goes by the same amount against the sign of its gradient.
//! #[derive(Debug)]
//! struct SignSgd(f64);
//!
//! impl<B: Backend> Rule<B> for SignSgd {
//!     fn name(&self) -> &'static str {
//!         "sign_sgd"
//!     }
//!     fn learning_rate(&self) -> f64 {
//!         self.0
//!     }
//!     fn update(&self, at: Step, b: &B, w: &mut B::Array, g: &B::Array, _: &mut [B::Array]) -> Result<()> {
//!         *w = b.zip(Zip::Sub, w, &b.map(Map::Affine(at.learning_rate, 0.0), &b.map(Map::Sign, g)?)?)?;
//!         Ok(())
//!     }
//! }
//!
//! let b = Reference::<f64>::new();
//! let mut params = [Param::new("w", Tensor::new(&b, vec![3.0, -4.0], &[2])?, true)];
//! let mut optimizer = Optimizer::new(SignSgd(0.5));
//! let loss = params[0].tensor().square()?.sum()?;
//! optimizer.step(&mut params, loss.backward()?)?;
//! assert_eq!(params[0].tensor().to_vec()?, [2.5, -3.5]);
//! # Ok::<(), elman::Error>(())
//! ```

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod clip;
mod describe;
mod enrol;
mod finite;
mod group;
mod nadam;
mod optimizer;
mod radam;
mod rmsprop;
mod schedule;
mod sgd;
mod state;

pub use crate::backend::rows::Reach;
pub use crate::backend::update::Epsilon;
pub use adadelta::AdaDelta;
pub use adagrad::AdaGrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use clip::{Clip, global_norm};
pub(crate) use finite::Verdict;
pub use group::Group;
pub use nadam::Nadam;
pub use optimizer::Optimizer;
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;
pub use state::{GRADIENT_SUM, OptimizerState, ParamState};

use crate::backend::{Backend, Update};
use crate::description::{Description, undescribed};
use crate::error::{Error, Result};
use std::fmt::Debug;

/// When an update takes place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The number of the update, from 1. In [`Rule::update`] it counts the parameter's own updates, so that the bias
    /// corrections of a parameter that was thawed late are right; in [`Rule::begin`] it counts the optimiser's.
    pub iteration: u64,
    /// The learning rate of this update: the base rate times the schedule's factor, times that of the parameter's [`Group`].
    pub learning_rate: f64,
    /// Decoupled weight decay, not yet multiplied by the rate: the rule's [`Rule::weight_decay`], or what the parameter has in its
    /// place ([`Group::weight_decay`], [`Optimizer::exclude_from_weight_decay`]). 0 where there is none.
    pub weight_decay: f64,
}

/// How one parameter moves. The walk over all parameters exists once, in [`Optimizer`].
///
/// Hyper-parameters are private to a rule and checked by [`Rule::check`] before the first update, so that constructors
/// need not fail.
pub trait Rule<B: Backend>: Debug + Send + Sync {
    /// Name for messages and checkpoints.
    fn name(&self) -> &'static str;

    /// The rule as JSON, its name as the kind, for files that say how a model was trained:
    /// [`describe`](crate::description::describe) makes it. An error unless a rule says so.
    fn describe(&self) -> Result<Description> {
        Err(undescribed(self.name()))
    }

    /// A copy of the rule, for a copy of its model. `None` unless a rule says so: the copy of a model is then not compiled.
    fn boxed_clone(&self) -> Option<Box<dyn Rule<B>>> {
        None
    }

    /// The base learning rate.
    fn learning_rate(&self) -> f64;

    /// The decoupled weight decay of the parameters that have no other; `None`, the default, for a rule that decays no weights. A rule
    /// that has one moves by [`Step::weight_decay`], so that groups may have their own.
    fn weight_decay(&self) -> Option<f64> {
        None
    }

    /// The arrays of state that each parameter has, all of its shape: a name and the number they are filled with at
    /// first.
    fn slots(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Errors when a hyper-parameter is out of range. Called once, before the first update.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Called once an update, before the walk over the parameters: for what they share.
    fn begin(&mut self, _at: Step) -> Result<()> {
        Ok(())
    }

    /// The rule's step as one of the backends' fused updates, where it is one. The library's rules are; with it a table
    /// is moved by the gradients of some of its rows without a whole gradient being made, and all other weights are moved
    /// together ([`Backend::update_all`]), without a call of [`Rule::update`].
    fn fused(&self, _at: Step) -> Option<Update> {
        None
    }

    /// Moves the weight `w` in place, given its gradient `g` and its state (in the order of [`Rule::slots`]). What a rule that
    /// is not fused must have; by default the fused update. Errors for a rule that has neither.
    fn update(&self, at: Step, b: &B, w: &mut B::Array, g: &B::Array, state: &mut [B::Array]) -> Result<()> {
        match self.fused(at) {
            Some(update) => b.update(&update, w, g, state),
            None => Err(Error::invalid(self.name(), "a rule with `update` or `fused`", "neither")),
        }
    }
}

/// The library's rules can be given wherever an optimiser is expected. (An implementation for every rule is not
/// allowed: it would overlap with `From<T> for T`.) A rule of one's own is put into [`Optimizer::new`].
macro_rules! into_optimizer {
    ($($rule:ident)*) => {$(
        impl<B: Backend> From<$rule> for Optimizer<B> {
            fn from(rule: $rule) -> Self {
                Optimizer::new(rule)
            }
        }
    )*};
}
into_optimizer!(Sgd AdaGrad AdaDelta RmsProp Adam Adamax Nadam RAdam);

/// A hyper-parameter that must be a finite number from 0 on.
fn from_zero(rule: &str, option: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{rule}: {option}"), "a finite number from 0 on", value))
}

/// A hyper-parameter that must lie in `[0, 1)`: the memory of a running mean, a momentum.
fn below_one(rule: &str, option: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{rule}: {option}"), "a number in [0, 1)", value))
}

/// The number that an [`Epsilon`] holds must be a finite number from 0 on.
fn epsilon(rule: &str, epsilon: Epsilon) -> Result<()> {
    let (Epsilon::Inside(value) | Epsilon::Outside(value)) = epsilon;
    from_zero(rule, "epsilon", value)
}
