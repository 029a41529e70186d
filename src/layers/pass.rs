//! [`Pass`]: what a forward depends on besides its input, and what it gives besides its value.

use super::carry::{Carry, Left, Place, Slot};
use super::{NewStates, Value};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::param::{Param, ParamId};
use crate::random::Key;
use crate::tensor::Tensor;
use std::collections::{BTreeMap, BTreeSet};

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: recorded for backward, dropout on, its draws taken from the key. Use another key each step.
    Training(Key),
    /// Evaluation and prediction: nothing recorded, dropout off.
    Evaluation,
}

/// What a forward depends on besides its input: the parameters, the mode, the random stream, the state that is carried to here
/// ([`Carry`]), if any. It collects what layers make of their own state meanwhile. One batch goes through a pass.
#[derive(Debug)]
pub struct Pass<'a, B: Backend> {
    backend: &'a B,
    params: &'a [Param<B>],
    mode: Mode,
    draws: u64,
    states: NewStates<B>,
    carry: Option<&'a mut Carry<B>>,
    left: Left<B>,
    /// What was computed once a sequence, for the carry to keep.
    once: Vec<(Place, Value<B>)>,
    /// How often each slot was used.
    turns: BTreeMap<(Vec<u32>, u32), u32>,
    /// The loops over steps that this is within, each by its slot and its turn.
    within: Vec<u32>,
    /// The state of the layers within such a loop.
    of_steps: Option<OfSteps<B>>,
    observed: Observed<B>,
}

/// The state of layers within a loop over steps: with gradients, since it lives and ends in one pass.
#[derive(Debug)]
struct OfSteps<B: Backend> {
    states: BTreeMap<Place, Vec<Tensor<B>>>,
    /// Those whose state goes on from batch to batch.
    stateful: BTreeSet<Place>,
}

/// What was asked for by name ([`Pass::observing`]), as it came.
#[derive(Debug)]
struct Observed<B: Backend> {
    names: Vec<String>,
    found: Vec<(String, Tensor<B>)>,
}

impl<'a, B: Backend> Pass<'a, B> {
    /// A pass over a model's parameters: [`Model::pass`](crate::Model::pass) makes one.
    pub fn new(backend: &'a B, params: &'a [Param<B>], mode: Mode) -> Self {
        let (states, left) = (NewStates(Vec::new()), Left(Vec::new()));
        let observed = Observed { names: Vec::new(), found: Vec::new() };
        let (once, turns, within) = (Vec::new(), BTreeMap::new(), Vec::new());
        Pass {
            backend,
            params,
            mode,
            draws: 0,
            states,
            carry: None,
            left,
            once,
            turns,
            within,
            of_steps: None,
            observed,
        }
    }

    /// The same, whose layers go on from what `carry` holds. It takes up what they leave when the whole model is through
    /// ([`Model::run`](crate::Model::run)); after an error it is as it was.
    #[must_use]
    pub fn carrying(self, carry: &'a mut Carry<B>) -> Self {
        Pass { carry: Some(carry), ..self }
    }

    /// The same, which hands out what layers [observe](Pass::observe) under these names.
    #[must_use]
    pub fn observing<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.observed.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// For a layer that computes something on the way which others may want to look at, such as the weights of attention: handed out
    /// where it was asked for, dropped otherwise.
    pub fn observe(&mut self, name: &str, value: &Tensor<B>) {
        if self.is_observed(name) {
            self.observed.found.push((name.into(), value.detach()));
        }
    }

    /// Whether somebody asked for what is observed under this name, where it costs something to compute.
    pub fn is_observed(&self, name: &str) -> bool {
        self.observed.names.iter().any(|asked| asked == name)
    }

    /// What layers have observed under a name, in the order in which they computed.
    pub fn observed(&self, name: &str) -> impl Iterator<Item = &Tensor<B>> {
        self.observed.found.iter().filter(move |(of, _)| of == name).map(|(_, value)| value)
    }

    /// The backend.
    pub fn backend(&self) -> &'a B {
        self.backend
    }

    /// A parameter: a variable if it is trainable and the pass is for training, else a constant.
    pub fn param(&self, id: ParamId) -> Tensor<B> {
        let tensor = self.params[id.index()].tensor();
        match self.mode {
            Mode::Training(_) => tensor.clone(),
            Mode::Evaluation => tensor.detach(),
        }
    }

    /// Gives a layer's own state ([`Scope::state`](super::Scope::state)) a new value. Nothing changes before whoever made the pass
    /// gives [`Pass::into_states`] to [`Model::keep`](crate::Model::keep).
    pub fn set_state(&mut self, id: ParamId, value: B::Array) {
        self.states.0.push((id, value));
    }

    /// What layers made of their own state, in training: the running statistics of batch normalisation.
    pub fn into_states(self) -> NewStates<B> {
        self.states
    }

    /// The place of this use of a layer, where state is carried in this pass for its slot; `None` where the layer is to begin anew and
    /// to leave nothing. To be asked once each time that the layer computes.
    pub fn place(&mut self, slot: Slot) -> Option<Place> {
        if self.of_steps.is_none() && !(slot.stateful && self.carry.is_some()) && !self.is_stepping() {
            return None;
        }
        let place = self.next_place(slot);
        *self.turns.entry((place.within.clone(), place.slot)).or_default() += 1;
        if let Some(of_steps) = self.of_steps.as_mut().filter(|_| slot.stateful) {
            of_steps.stateful.insert(place.clone());
        }
        Some(place)
    }

    /// The place of the next use of a layer.
    fn next_place(&self, slot: Slot) -> Place {
        let within = self.within.clone();
        let turn = self.turns.get(&(within.clone(), slot.number)).copied().unwrap_or(0);
        Place { within, slot: slot.number, turn }
    }

    /// Whether sequences come in pieces ([`Carry::stepping`]).
    pub fn is_stepping(&self) -> bool {
        self.carry.as_ref().is_some_and(|carry| carry.is_stepping())
    }

    /// Whether sequences come in pieces and these are not the first: what is computed [once](Pass::once) is there.
    pub(crate) fn goes_on(&self) -> bool {
        self.carry.as_ref().is_some_and(|carry| carry.is_stepping() && !carry.is_empty())
    }

    /// The arrays that are carried to a place, none of them where sequences begin there. Errors when they are of another number of
    /// sequences than the `rows` that there are now.
    pub fn carried(&self, place: &Place, rows: usize) -> Result<Vec<Tensor<B>>> {
        if let Some(states) = self.of_steps.as_ref().and_then(|of_steps| of_steps.states.get(place)) {
            return Ok(states.clone());
        }
        let Some(carry) = &self.carry else { return Ok(Vec::new()) };
        match carry.rows().filter(|&carried| carried != rows) {
            Some(carried) => {
                let expected =
                    format!("batches of {carried} sequences, whose state is carried on (or a carry that is cleared)");
                Err(Error::invalid("carried state", expected, format!("a batch of {rows}")))
            }
            None => {
                let arrays = carry.get(place).unwrap_or_default();
                Ok(arrays.iter().map(|array| Tensor::constant(self.backend, array.clone())).collect())
            }
        }
    }

    /// Leaves state at a place for the next batch, or within [`Pass::steps`] for the next step, where gradients go back through it.
    /// Errors when its first axes are not the sequences of the batch.
    pub fn carry(&mut self, place: Place, states: impl IntoIterator<Item = Tensor<B>>) -> Result<()> {
        let states: Vec<Tensor<B>> = states.into_iter().collect();
        let before = self.left.rows().or(self.carry.as_ref().and_then(|carry| carry.rows()));
        let mut rows = states.iter().map(|state| state.shape().first().copied());
        let Some(Some(first)) = rows.next() else {
            return Err(Error::invalid("state to carry", "arrays whose first axis is the batch", "none"));
        };
        if let Some(other) = rows.chain([before.or(Some(first))]).find(|&other| other != Some(first)) {
            let expected = format!("arrays whose first axis is the batch of {}", other.unwrap_or_default());
            return Err(Error::invalid("state to carry", expected, format!("{first} rows")));
        }
        match &mut self.of_steps {
            Some(of_steps) => drop(of_steps.states.insert(place, states)),
            None => {
                let arrays = states.iter().map(|state| state.value().clone()).collect();
                self.left.0.push((place, first, arrays));
            }
        }
        Ok(())
    }

    /// What is computed once a sequence, such as what an encoder makes of the source: where sequences come in pieces, it is computed with
    /// the first of them, and what it gave is there for the others. Within it sequences are whole. Elsewhere it is computed each
    /// time. `slot` is of the layer whose it is. Errors: those of `f`, and a value that is no numbers.
    pub fn once(&mut self, slot: Slot, f: impl FnOnce(&mut Self) -> Result<Value<B>>) -> Result<Value<B>> {
        let Some(place) = self.is_stepping().then(|| self.place(slot)).flatten() else {
            // Within a loop over steps too sequences are whole here.
            return if self.of_steps.is_some() { self.apart(f) } else { f(self) };
        };
        if let Some(value) = self.carry.as_ref().and_then(|carry| carry.kept(&place)) {
            return Ok(value.clone());
        }
        let value = self.apart(f)?.map_arrays(&|array| Ok(array.clone()))?;
        self.once.push((place, value.clone()));
        Ok(value)
    }

    /// Whether [`Pass::once`] would give what is there already.
    pub fn is_kept(&self, slot: Slot) -> bool {
        self.carry.as_ref().is_some_and(|carry| carry.is_stepping() && carry.kept(&self.next_place(slot)).is_some())
    }

    /// Goes through sequences `[batch, time, ..]`, or a record of such, step by step, for what needs the step before: attention that
    /// looks at the last output, input feeding. `f` gets each step, `[batch, 1, ..]`, and gives its value `[batch, 1, ..]`; what it gave
    /// of all steps is the value of the whole, with the mask of the input. Layers within it go on from step to step, with gradients, and
    /// keep state of their own at places ([`Pass::place`], [`Pass::carried`], [`Pass::carry`]), which must not change where the mask leaves
    /// a step out. A loop within another is over sequences of its own, which begin and end with each step of the outer one. Slower than
    /// an operation over whole sequences.
    ///
    /// Errors: those of `f`; inputs that are no sequences of numbers; a value of another shape.
    pub fn steps(
        &mut self,
        slot: Slot,
        input: Value<B>,
        mut f: impl FnMut(Value<B>, &mut Self) -> Result<Value<B>>,
    ) -> Result<Value<B>> {
        let mask = input.mask().cloned();
        let steps = input.unstack(self)?;
        let turns = self.turns.entry((self.within.clone(), slot.number)).or_default();
        let turn = *turns;
        *turns += 1;
        let outer = self.of_steps.replace(OfSteps { states: BTreeMap::new(), stateful: BTreeSet::new() });
        let depth = self.within.len();
        self.within.extend([slot.number, turn]);
        let result = steps.into_iter().map(|step| {
            let within = &self.within;
            self.turns.retain(|(of, _), _| !of.starts_with(within));
            f(step, self)
        });
        let result = result.collect::<Result<Vec<_>>>().and_then(Value::stack);
        self.within.truncate(depth);
        let of_steps = std::mem::replace(&mut self.of_steps, outer);
        let value = result?;
        // A loop within another begins anew and ends with each step of that.
        let Some(OfSteps { states, stateful }) = of_steps.filter(|_| self.of_steps.is_none()) else {
            return Ok(value.with_clean_mask(mask));
        };
        let (stepping, carries) = (self.is_stepping(), self.carry.is_some());
        for (place, states) in states {
            if stepping || (carries && stateful.contains(&place)) {
                self.carry(place, states)?;
            }
        }
        Ok(value.with_clean_mask(mask))
    }

    /// Runs `f` with nothing carried: within it sequences begin anew and end, as those that a layer makes of single steps do
    /// ([`Scope::apart`](super::Scope::apart) says the same when it is built).
    pub fn apart<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let (carry, of_steps) = (self.carry.take(), self.of_steps.take());
        let value = f(self);
        (self.carry, self.of_steps) = (carry, of_steps);
        value
    }

    /// To be asked by a layer that looks at whole sequences: an error in a pass that sees only a piece of them
    /// ([`Carry::stepping`]). `what` is the layer's name for itself.
    pub fn whole(&self, what: &str) -> Result<()> {
        match self.is_stepping() || self.of_steps.is_some() {
            true => {
                Err(Error::invalid(what, "whole sequences, which it looks at", "pieces of them, one after another"))
            }
            false => Ok(()),
        }
    }

    /// Lets the carry take up what layers have left.
    pub(crate) fn commit(&mut self) {
        let left = std::mem::replace(&mut self.left, Left(Vec::new()));
        let once = std::mem::take(&mut self.once);
        if let Some(carry) = &mut self.carry {
            carry.put(left);
            once.into_iter().for_each(|(place, value)| carry.keep(self.backend, place, value));
        }
    }

    /// What layers made of their own state, and what they have left for the carry.
    pub(crate) fn into_parts(self) -> (NewStates<B>, Left<B>) {
        (self.states, self.left)
    }

    /// Whether the pass is for training.
    pub fn is_training(&self) -> bool {
        matches!(self.mode, Mode::Training(_))
    }

    /// A random stream that no other call in this pass has, `None` when not training. Layers ask in the order in which
    /// they compute, which is the same on every backend.
    pub fn key(&mut self) -> Option<Key> {
        match self.mode {
            Mode::Training(key) => {
                self.draws += 1;
                Some(key.fold(self.draws))
            }
            Mode::Evaluation => None,
        }
    }
}
