//! The whole of a training in a file: written, read and checked, put back.

use super::description::metadata;
use super::history::History;
use super::manifest::{
    CallbackEntry, CarryEntry, EXTRA, Manifest, OptimizerEntry, ParamEntry, Position, STATE, TRAINING,
};
use super::reader::TensorFile;
use super::weights::{fitting, mismatch, upload};
use super::writer::{Written, write};
use super::{CallbackState, Extras};
use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::exact::Exact;
use crate::layers::{Carry, Place};
use crate::model::Model;
use crate::optim::{OptimizerState, ParamState};
use crate::param::Param;
use std::path::Path;

impl<B: Backend> Model<B> {
    /// Writes a checkpoint: the weights and all that training needs to go on (the optimiser's state, seed, steps and
    /// epochs done, what is frozen), the history so far and the program's extras. One safetensors file, written whole or
    /// not at all; the arrays are in the backend's own precision, so that nothing is lost.
    ///
    /// In the course of [`Model::fit`] it is [`Fit::checkpoint`](crate::training::Fit::checkpoint) that writes checkpoints;
    /// they also have the state of callbacks.
    pub fn save_checkpoint(&self, path: impl AsRef<Path>, history: &History, extras: &Extras) -> Result<()> {
        save(self, path.as_ref(), &Reached { history, callbacks: &[], position: None, going_on: None }, extras)
    }

    /// Puts the model where a checkpoint was written, and returns the history and the extras that are in it. Compile the
    /// model first, as it was compiled then: the optimiser's state is taken over, while its settings, its schedule and
    /// the loss are the program's. A model that is not compiled takes the weights and counters and can predict.
    ///
    /// The next [`Model::fit`] trains further epochs. To go on with an interrupted `fit`, callbacks and all, give the
    /// file to [`Fit::resume_from`](crate::training::Fit::resume_from) instead.
    ///
    /// Errors, and nothing is changed then: a file that is damaged, of another version, of weights alone or of another
    /// model (all names are listed); of another precision (what is computed would not be the same: [`Model::load_weights`]
    /// converts); of another rule of the optimiser; written in the midst of an epoch.
    pub fn load_checkpoint(&mut self, path: impl AsRef<Path>) -> Result<(History, Extras)> {
        let path = path.as_ref();
        let saved = Saved::read(path, self)?;
        if saved.position.is_some() {
            let expected = "a checkpoint between two epochs (`Fit::resume_from` goes on within one)";
            return Err(Error::invalid(path.display(), expected, "one in the midst of an epoch"));
        }
        let (history, extras) = (saved.history.clone(), saved.extras.clone());
        saved.put(self)?;
        Ok((history, extras))
    }
}

/// How far a training has come, besides what the model knows.
pub(crate) struct Reached<'a, B: Backend> {
    pub(crate) history: &'a History,
    pub(crate) callbacks: &'a [CallbackState<B>],
    /// A place within an epoch, and what is carried to there.
    pub(crate) position: Option<(&'a Position, &'a Carry<B>)>,
    /// The weights of the last step, where the model's are others that were put in their place at the end.
    pub(crate) going_on: Option<&'a [B::Array]>,
}

/// Writes a checkpoint.
pub(crate) fn save<B: Backend>(model: &Model<B>, path: &Path, at: &Reached<'_, B>, extras: &Extras) -> Result<()> {
    let mut entries: Vec<Written<'_, B>> = Vec::new();
    for (name, array) in model.weights() {
        if name.starts_with(STATE) {
            let expected = format!("names of parameters that do not begin with {STATE}");
            return Err(Error::invalid("checkpoint", expected, format!("`{name}`")));
        }
        entries.push(Written::array(name, array));
    }
    let last = at.going_on.unwrap_or_default().iter();
    entries.extend(model.params().iter().zip(last).map(|(param, array)| Written::array(going_on(param.name()), array)));
    let optimizer = model.optimizer().map(|optimizer| optimizer.state());
    let params = optimizer.iter().flat_map(|state| &state.params);
    for (param, (name, array)) in params.flat_map(|param| param.arrays.iter().map(move |array| (param, array))) {
        entries.push(Written::array(slot(&param.name, name), array));
    }
    for (i, callback) in at.callbacks.iter().enumerate() {
        entries.extend(callback.arrays.iter().map(|(name, array)| Written::array(of_callback(i, name), array)));
    }
    let carried = || at.position.iter().flat_map(|(_, carry)| carry.iter());
    let arrays = carried().flat_map(|(_, arrays)| arrays).enumerate();
    entries.extend(arrays.map(|(i, array)| Written::array(of_carry(i), array)));
    let counts = at.position.iter().flat_map(|(position, _)| &position.tally.counts).enumerate();
    entries.extend(counts.map(|(i, counts)| Written::numbers(metric(i), counts)));

    let manifest = Manifest {
        precision: B::Elem::NAME.into(),
        seed: model.seed,
        steps: model.steps,
        epochs: model.epochs,
        frozen: model.params().iter().filter(|p| !p.is_trainable()).map(|p| p.name().to_string()).collect(),
        optimizer: optimizer.as_ref().map(entry),
        epoch_logs: at.history.epochs.iter().map(Into::into).collect(),
        stopped: at.history.stopped.clone(),
        callbacks: at.callbacks.iter().map(callback_entry).collect(),
        position: at.position.map(|(position, _)| position.clone()),
        carry: carried().map(|(place, arrays)| carry_entry(place, arrays.len())).collect(),
        going_on: at.going_on.is_some(),
    };
    let manifest = serde_json::to_string(&manifest).map_err(|e| Error::Parse {
        path: path.into(),
        line: None,
        why: e.to_string(),
    })?;
    let extras = extras.texts().map(|(name, text)| (format!("{EXTRA}{name}"), text.to_string()));
    let own = metadata(model).chain([(TRAINING.to_string(), manifest)]);
    write(path, model.backend(), &own.chain(extras).collect(), entries)
}

fn slot(param: &str, name: &str) -> String {
    format!("{STATE}optimizer/{param}/{name}")
}

fn going_on(param: &str) -> String {
    format!("{STATE}going_on/{param}")
}

fn of_callback(number: usize, name: &str) -> String {
    format!("{STATE}callback/{number}/{name}")
}

fn of_carry(number: usize) -> String {
    format!("{STATE}carry/{number}")
}

fn metric(number: usize) -> String {
    format!("{STATE}metric/{number}")
}

fn entry<B: Backend>(state: &OptimizerState<B>) -> OptimizerEntry {
    let param = |param: &ParamState<B>| ParamEntry {
        name: param.name.clone(),
        updates: param.updates,
        arrays: param.arrays.iter().map(|(name, _)| name.clone()).collect(),
    };
    OptimizerEntry {
        rule: state.rule.clone(),
        calls: state.calls,
        iteration: state.iteration,
        learning_rate: Exact(state.learning_rate),
        accumulated: state.accumulated,
        counted: (state.accumulated > 0).then_some(Exact(state.counted)),
        skipped: state.skipped,
        params: state.params.iter().map(param).collect(),
    }
}

fn callback_entry<B: Backend>(state: &CallbackState<B>) -> CallbackEntry {
    let arrays = state.arrays.iter().map(|(name, _)| name.clone()).collect();
    CallbackEntry { name: state.name.clone(), value: state.value.clone(), arrays }
}

fn carry_entry(place: &Place, arrays: usize) -> CarryEntry {
    CarryEntry { within: place.within.clone(), slot: place.slot, turn: place.turn, arrays }
}

/// A checkpoint that was read and fits a model.
pub(crate) struct Saved<B: Backend> {
    weights: Vec<(String, B::Array)>,
    /// The weights of the last step, where those are others.
    going_on: Option<Vec<(String, B::Array)>>,
    optimizer: Option<OptimizerState<B>>,
    pub(crate) seed: u64,
    steps: u64,
    pub(crate) epochs: u64,
    frozen: Vec<String>,
    pub(crate) history: History,
    pub(crate) extras: Extras,
    pub(crate) callbacks: Vec<CallbackState<B>>,
    pub(crate) position: Option<Position>,
    pub(crate) carry: Carry<B>,
}

impl<B: Backend> Saved<B> {
    /// Reads a checkpoint of this model; see [`Model::load_checkpoint`] for what is refused.
    pub(crate) fn read(path: &Path, model: &Model<B>) -> Result<Self> {
        let mut file = TensorFile::open(path)?;
        let mut manifest = Manifest::read(&file)?;
        if manifest.precision != B::Elem::NAME {
            let expected = format!(
                "a checkpoint in {}, the model's precision (`load_weights` converts, but training cannot go on as it was)",
                B::Elem::NAME
            );
            return Err(Error::invalid(path.display(), expected, manifest.precision));
        }
        let weights = model.read_weights(&mut file)?;
        let optimizer = match (model.optimizer(), manifest.optimizer.take()) {
            (None, _) => None,
            (Some(optimizer), None) => {
                let expected = format!("the state of {} (`load_weights` does without)", optimizer.rule().name());
                return Err(Error::invalid(path.display(), expected, "a model that was not compiled"));
            }
            (Some(optimizer), Some(entry)) => {
                let state = read_optimizer(&mut file, model, entry)?;
                optimizer.check_state(&state)?;
                Some(state)
            }
        };
        let going_on = manifest.going_on.then(|| read_going_on(&mut file, model)).transpose()?;
        let mut callbacks = Vec::new();
        for (i, CallbackEntry { name, value, arrays }) in
            std::mem::take(&mut manifest.callbacks).into_iter().enumerate()
        {
            let read = |array: String| upload(model.backend(), &mut file, &of_callback(i, &array)).map(|a| (array, a));
            callbacks.push(CallbackState { name, value, arrays: arrays.into_iter().map(read).collect::<Result<_>>()? });
        }
        let carry = read_carry(&mut file, model, std::mem::take(&mut manifest.carry))?;
        if let Some(position) = &mut manifest.position {
            let counts = (0..position.tally.metrics.len()).map(|i| file.read(&metric(i)).map(|(_, counts)| counts));
            position.tally.counts = counts.collect::<Result<_>>()?;
        }
        Ok(Saved {
            weights: weights.into_iter().collect(),
            going_on,
            optimizer,
            seed: manifest.seed,
            steps: manifest.steps,
            epochs: manifest.epochs,
            history: manifest.history(),
            extras: Extras::of(&file),
            frozen: manifest.frozen,
            callbacks,
            position: manifest.position,
            carry,
        })
    }

    /// Puts it into the model that it was read for, to go on with the training: with the weights of its last step.
    pub(crate) fn put_going_on(mut self, model: &mut Model<B>) -> Result<()> {
        if let Some(weights) = self.going_on.take() {
            self.weights = weights;
        }
        self.put(model)
    }

    /// Puts it into the model that it was read for.
    pub(crate) fn put(self, model: &mut Model<B>) -> Result<()> {
        // What can fail comes first.
        if let (Some(optimizer), Some(state)) = (model.optimizer_mut(), self.optimizer) {
            optimizer.restore(state)?;
        }
        model.set_weights(self.weights)?;
        for param in model.params_mut() {
            let trainable = !self.frozen.iter().any(|name| name == param.name());
            param.set_trainable(trainable);
        }
        (model.seed, model.steps, model.epochs) = (self.seed, self.steps, self.epochs);
        Ok(())
    }
}

/// What is carried from batch to batch, all of it of as many sequences. Whether it is of this model a batch of it tells.
fn read_carry<B: Backend>(file: &mut TensorFile, model: &Model<B>, entries: Vec<CarryEntry>) -> Result<Carry<B>> {
    let (mut carry, mut number) = (Carry::new(), 0);
    for CarryEntry { within, slot, turn, arrays } in entries {
        let mut read = Vec::new();
        for _ in 0..arrays {
            read.push(upload(model.backend(), file, &of_carry(number))?);
            number += 1;
        }
        if !carry.restore(model.backend(), Place { within, slot, turn }, read) {
            return Err(file.invalid("carried state that does not go together"));
        }
    }
    Ok(carry)
}

/// The weights of the last step, all of them and of the shapes of the model's parameters.
fn read_going_on<B: Backend>(file: &mut TensorFile, model: &Model<B>) -> Result<Vec<(String, B::Array)>> {
    let shapes = file.shapes();
    let (mut missing, mut mismatched) = (Vec::new(), Vec::new());
    for param in model.params() {
        let name = going_on(param.name());
        match shapes.get(&name) {
            None => missing.push(name),
            Some(shape) => mismatched.extend(mismatch(param, shape).map(|how| format!("{name} of {how}"))),
        }
    }
    fitting(missing, Vec::new(), mismatched)?;
    let read = |name: &str| upload(model.backend(), file, &going_on(name)).map(|array| (name.to_string(), array));
    model.params().iter().map(Param::name).map(read).collect()
}

/// The optimiser's state, whose arrays must be of the shapes of the model's parameters.
fn read_optimizer<B: Backend>(
    file: &mut TensorFile,
    model: &Model<B>,
    entry: OptimizerEntry,
) -> Result<OptimizerState<B>> {
    let shapes = file.shapes();
    let (mut missing, mut superfluous, mut mismatched) = (Vec::new(), Vec::new(), Vec::new());
    for saved in &entry.params {
        let Some(param) = model.params().iter().find(|param| param.name() == saved.name) else {
            superfluous.push(format!("the optimiser's {}", saved.name));
            continue;
        };
        for name in saved.arrays.iter().map(|array| slot(&saved.name, array)) {
            match shapes.get(&name) {
                None => missing.push(name),
                Some(shape) => mismatched.extend(mismatch(param, shape).map(|how| format!("{name} of {how}"))),
            }
        }
    }
    fitting(missing, superfluous, mismatched)?;
    let mut params = Vec::with_capacity(entry.params.len());
    for ParamEntry { name, updates, arrays } in entry.params {
        let read = |array: String| upload(model.backend(), file, &slot(&name, &array)).map(|a| (array, a));
        let arrays = arrays.into_iter().map(read).collect::<Result<_>>()?;
        params.push(ParamState { name, updates, arrays });
    }
    Ok(OptimizerState {
        rule: entry.rule,
        calls: entry.calls,
        iteration: entry.iteration,
        learning_rate: entry.learning_rate.0,
        accumulated: entry.accumulated,
        counted: entry.counted.map_or(entry.accumulated as f64, |counted| counted.0),
        skipped: entry.skipped,
        params,
    })
}
