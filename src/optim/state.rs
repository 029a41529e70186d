//! An optimiser's state as a checkpoint keeps it: by parameter name.

use super::{Optimizer, enrol::Entry};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::loss::Count;
use crate::tensor::Gradient;

/// Everything that an interrupted [`Optimizer`] needs to go on as if nothing had happened. Hyper-parameters are not
/// part of it: they are in the program, which builds the optimiser anew and then restores its state.
#[derive(Clone, Debug)]
pub struct OptimizerState<B: Backend> {
    /// Name of the rule.
    pub rule: String,
    /// Calls of [`Optimizer::step`] so far: the schedule's clock.
    pub calls: u64,
    /// Updates made so far.
    pub iteration: u64,
    /// The base learning rate, which callbacks may have lowered.
    pub learning_rate: f64,
    /// Calls since the last update, less than those to be accumulated.
    pub accumulated: usize,
    /// What the gradients of those are sums over: rows, steps, or their weights.
    pub counted: f64,
    /// Updates skipped because a gradient was not finite.
    pub skipped: u64,
    /// The state of each parameter that has one.
    pub params: Vec<ParamState<B>>,
}

/// The state of one parameter.
#[derive(Clone, Debug)]
pub struct ParamState<B: Backend> {
    /// The parameter's name.
    pub name: String,
    /// Updates that it has had.
    pub updates: u64,
    /// Its arrays by name: the rule's slots, and [`GRADIENT_SUM`] in the midst of an accumulation.
    pub arrays: Vec<(String, B::Array)>,
}

/// Name of the array in which gradients are summed until there are enough of them.
pub const GRADIENT_SUM: &str = "gradient_sum";

impl<B: Backend> Optimizer<B> {
    /// The state. Its arrays are shared with the optimiser, which copies one that is still held when it changes it. On a device
    /// [`Optimizer::settle`] comes first, so that its counters are right.
    pub fn state(&self) -> OptimizerState<B> {
        let slots = self.rule.slots();
        let of = |entry: &Entry<B>| {
            let slots = slots.iter().zip(&entry.slots).map(|((name, _), array)| (name.to_string(), array.clone()));
            // Between two steps there are only sums of whole gradients.
            let sum = entry.sum.iter().filter_map(|sum| match sum {
                Gradient::Dense(array) => Some((GRADIENT_SUM.to_string(), array.clone())),
                Gradient::Rows(_) => None,
            });
            ParamState { name: entry.name.clone(), updates: entry.updates, arrays: slots.chain(sum).collect() }
        };
        OptimizerState {
            rule: self.rule.name().to_string(),
            calls: self.calls,
            iteration: self.iteration,
            learning_rate: self.learning_rate,
            accumulated: self.accumulated,
            counted: match self.counted {
                Count::Known(counted) => counted,
                // Not settled.
                Count::OnDevice(_) => f64::NAN,
            },
            skipped: self.watch.skipped,
            params: self.entries.iter().filter(|e| e.updates > 0 || e.sum.is_some()).map(of).collect(),
        }
    }

    /// Goes on from a state. Errors when it is another rule's, or the arrays of a parameter are not those of the rule's
    /// slots; whether names and shapes fit the model shows at the next step.
    pub fn restore(&mut self, state: OptimizerState<B>) -> Result<()> {
        self.check_state(&state)?;
        self.set_learning_rate(state.learning_rate)?;
        let slots = self.rule.slots();
        let entry = |mut param: ParamState<B>| {
            let mut take = |name: &str| {
                let at = param.arrays.iter().position(|(found, _)| found == name)?;
                Some(param.arrays.swap_remove(at).1)
            };
            let mut entry = Entry::new(&param.name, param.updates);
            entry.sum = take(GRADIENT_SUM).map(Gradient::Dense);
            // A parameter without an update has no slots yet: they are made at its first.
            entry.slots = slots.iter().filter_map(|(name, _)| take(name)).collect();
            entry
        };
        self.entries = state.params.into_iter().map(entry).collect();
        self.enrolled = false;
        self.watch.forget();
        self.watch.skipped = state.skipped;
        (self.calls, self.iteration, self.accumulated) = (state.calls, state.iteration, state.accumulated);
        self.counted = Count::Known(state.counted);
        Ok(())
    }

    /// Errors when [`Optimizer::restore`] would.
    pub(crate) fn check_state(&self, state: &OptimizerState<B>) -> Result<()> {
        if state.rule != self.rule.name() {
            return Err(Error::invalid("optimizer state", format!("that of {}", self.rule.name()), &state.rule));
        }
        super::from_zero("optimizer state", "learning rate", state.learning_rate)?;
        let slots = self.rule.slots();
        let (mut missing, mut superfluous) = (Vec::new(), Vec::new());
        for param in &state.params {
            let mut found: Vec<&str> = param.arrays.iter().map(|(name, _)| name.as_str()).collect();
            found.iter().position(|&name| name == GRADIENT_SUM).map(|at| found.swap_remove(at));
            for (name, _) in slots.iter().filter(|_| param.updates > 0) {
                match found.iter().position(|found| found == name) {
                    Some(at) => drop(found.swap_remove(at)),
                    None => missing.push(format!("{}/{name}", param.name)),
                }
            }
            superfluous.extend(found.iter().map(|name| format!("{}/{name}", param.name)));
        }
        if missing.is_empty() && superfluous.is_empty() {
            return Ok(());
        }
        Err(Error::Weights { network: Vec::new(), missing, superfluous, mismatched: Vec::new() })
    }
}
