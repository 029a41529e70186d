//! What an optimiser knows of each parameter, which it checks at every step.

use super::Optimizer;
use super::group::Own;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::param::Param;
use crate::shape::Shape;
use crate::tensor::Gradient;

/// What the optimiser knows of one parameter.
#[derive(Clone, Debug)]
pub(super) struct Entry<B: Backend> {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) updates: u64,
    /// How it is moved, once enrolled.
    pub(super) own: Own,
    /// The rule's arrays, none before the first update.
    pub(super) slots: Vec<B::Array>,
    /// The gradient of the update to come, or the sum of those that are being accumulated (whole ones).
    pub(super) sum: Option<Gradient<B>>,
}

impl<B: Backend> Entry<B> {
    pub(super) fn new(name: &str, updates: u64) -> Self {
        let own = Own { factor: 1.0, weight_decay: 0.0, frozen: false };
        Entry { name: name.to_string(), shape: Shape::SCALAR, updates, own, slots: Vec::new(), sum: None }
    }

    /// The shapes of all its arrays.
    fn shapes(&self, b: &B) -> Vec<Shape> {
        self.slots.iter().map(|slot| b.shape(slot)).chain(self.sum.iter().map(|sum| sum.shape(b))).collect()
    }
}

impl<B: Backend> Optimizer<B> {
    /// Checks, and at first makes, the entries: state belongs to a parameter by name and must not end up at another's.
    pub(super) fn enrol(&mut self, params: &[Param<B>]) -> Result<()> {
        if self.enrolled {
            let known = |(entry, param): (&Entry<B>, &Param<B>)| entry.name == param.name();
            if self.entries.len() != params.len() || !self.entries.iter().zip(params).all(known) {
                let expected = format!("the {} parameters of its first step", self.entries.len());
                let names: Vec<&str> = params.iter().map(Param::name).collect();
                return Err(Error::invalid("optimizer", expected, format!("{}: {}", names.len(), names.join(", "))));
            }
        } else {
            self.check()?;
            self.enrol_anew(params)?;
        }
        match self.entries.iter().zip(params).find(|(entry, param)| entry.shape != param.shape()) {
            None => Ok(()),
            Some((entry, param)) => {
                let place = format!("optimizer: {}", entry.name);
                Err(Error::invalid(place, format!("the shape of its first step, {}", entry.shape), param.shape()))
            }
        }
    }

    fn enrol_anew(&mut self, params: &[Param<B>]) -> Result<()> {
        let mut names: Vec<&str> = params.iter().map(Param::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid("optimizer", "parameters of different names", format!("{} twice", twice[0])));
        }
        // What was restored is checked as a whole before any of it is taken.
        let restored = |name: &str| self.entries.iter().find(|entry| entry.name == name);
        let gone = self.entries.iter().filter(|entry| names.binary_search(&&*entry.name).is_err());
        let superfluous: Vec<String> = gone.map(|entry| entry.name.clone()).collect();
        let mut mismatched = Vec::new();
        for param in params {
            let b = param.tensor().backend();
            let mut arrays = restored(param.name()).into_iter().flat_map(|entry| entry.shapes(b));
            if let Some(wrong) = arrays.find(|&shape| shape != param.shape()) {
                mismatched.push(format!("{} {} (its state {wrong})", param.name(), param.shape()));
            }
        }
        if !(superfluous.is_empty() && mismatched.is_empty()) {
            return Err(Error::Weights { network: Vec::new(), missing: Vec::new(), superfluous, mismatched });
        }
        let own = self.own(params)?;
        for constraint in params.iter().filter_map(Param::constraint) {
            constraint.check()?;
        }
        let mut restored = std::mem::take(&mut self.entries);
        for (param, own) in params.iter().zip(own) {
            let at = restored.iter().position(|entry| entry.name == param.name());
            let entry = at.map_or_else(|| Entry::new(param.name(), 0), |at| restored.swap_remove(at));
            self.entries.push(Entry { shape: param.shape(), own, ..entry });
        }
        self.enrolled = true;
        Ok(())
    }
}
