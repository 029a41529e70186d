//! Going on from a checkpoint: what it must fit, and how model and callbacks are put where it was written.

use super::History;
use super::callbacks::Callback;
use super::epoch::{Begun, TrainedOn};
use crate::backend::Backend;
use crate::checkpoint::{CallbackState, Saved};
use crate::error::{Error, Result};
use crate::layers::Carry;
use crate::model::{Model, same};
use std::path::Path;

/// The states of those callbacks that have one.
pub(super) fn states<B: Backend>(callbacks: &[Box<dyn Callback<B> + '_>]) -> Vec<CallbackState<B>> {
    callbacks.iter().filter_map(|callback| callback.state()).collect()
}

impl<B: Backend> Model<B> {
    /// Reads the checkpoint that training is to go on from, and checks that it can.
    pub(super) fn read_resumed(
        &self,
        path: &Path,
        data: &TrainedOn<'_>,
        callbacks: &[Box<dyn Callback<B> + '_>],
        rehearsed: &Carry<B>,
    ) -> Result<Saved<B>> {
        let saved = Saved::read(path, self)?;
        let check = || {
            let names = |states: &[CallbackState<B>]| {
                let mut names: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
                names.sort_unstable();
                names
            };
            same("callbacks that have a state", &names(&saved.callbacks), &names(&states(callbacks)))?;
            let Some(position) = &saved.position else { return Ok(()) };
            let epoch = data.source.epoch(&data.order(saved.seed, saved.epochs))?;
            let now = data.position(&*epoch, position.batch);
            let named = |source: &Option<String>| source.clone().unwrap_or_else(|| "a data set in memory".into());
            same("source", &named(&position.source), &named(&now.source))?;
            same("batch size", &position.batch_size, &now.batch_size)?;
            let named = |tokens: Option<usize>| tokens.map_or("none".into(), |tokens| tokens.to_string());
            same("tokens a batch", &named(position.batch_tokens), &named(now.batch_tokens))?;
            let named = |padding: Option<u32>| padding.map_or("no".into(), |padding| format!("padded with {padding}"));
            same("batches by length", &named(position.by_length), &named(now.by_length))?;
            same("samples", &position.samples, &now.samples)?;
            same("shuffling", &position.shuffle, &now.shuffle)?;
            self.tally()?.restore(&position.tally)?;
            let batches = epoch.batches();
            if position.batch >= batches {
                return Err(Error::invalid("checkpoint", format!("a place before batch {batches}"), position.batch));
            }
            if !saved.carry.is_like(self.backend(), rehearsed) {
                let expected = "the state that this model's stateful layers carry from batch to batch";
                return Err(Error::invalid("checkpoint", expected, "other state, or none"));
            }
            Ok(())
        };
        check().map_err(|e: Error| e.at(path.display()))?;
        Ok(saved)
    }

    /// Puts callbacks and model where a checkpoint was written.
    pub(super) fn resume(
        &mut self,
        mut saved: Saved<B>,
        callbacks: &mut [Box<dyn Callback<B> + '_>],
    ) -> Result<(History, Option<Begun<B>>)> {
        let mut left = std::mem::take(&mut saved.callbacks);
        for callback in callbacks.iter_mut() {
            let name = callback.state().map(|state| state.name);
            let at = name.and_then(|name| left.iter().position(|state| state.name == name));
            callback.resume(at.map(|at| left.remove(at)), &saved.history, self)?;
        }
        let carry = std::mem::take(&mut saved.carry);
        let (history, position) = (std::mem::take(&mut saved.history), saved.position.take().map(|at| (at, carry)));
        saved.put_going_on(self)?;
        Ok((history, position))
    }
}
