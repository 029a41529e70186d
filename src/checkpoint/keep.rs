//! [`Checkpoint`]: when `fit` writes checkpoints, where to, and how many of them stay.

use super::history::History;
use super::training::{Reached, save};
use super::{CallbackState, Extras, Position};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::file::{check_writable, folder};
use crate::layers::Carry;
use crate::model::Model;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Where and how often [`Model::fit`] writes checkpoints. By default after every epoch, into one file that each of them
/// takes the place of.
///
/// A checkpoint is written when all callbacks have had their turn and has their state in it. There is one after the last
/// epoch in any case.
///
/// While training goes on, the weights in the file are those of its last step. Once `fit` has returned, they are those of the
/// model in memory: where [`EarlyStopping::restore_best`](crate::training::callbacks::EarlyStopping::restore_best) has put the best
/// weights back, the best ones. What training would go on from is then in the file besides, for [`Fit::resume_from`] with more
/// epochs, which stays the training that had not been interrupted; whoever loads the weights or the checkpoint gets the best.
///
/// [`Fit::resume_from`]: crate::training::Fit::resume_from
///
/// ```no_run
/// # type Cpu = elman_reference::Reference<f32>;
/// # fn run(model: &mut elman::Model<Cpu>, data: &elman::data::Dataset) -> elman::Result<()> {
/// use elman::checkpoint::Checkpoint;
/// use elman::Fit;
/// let checkpoint = Checkpoint::new("run.safetensors").every_steps(1000).keep(3);
/// let mut fit = Fit::new().epochs(20);
/// // The same program begins and goes on.
/// if let Some(last) = checkpoint.latest()? {
///     fit = fit.resume_from(last);
/// }
/// model.fit(data, fit.checkpoint(checkpoint))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Checkpoint {
    path: PathBuf,
    every: u64,
    every_steps: Option<u64>,
    keep: Option<usize>,
    extras: Extras,
}

impl Checkpoint {
    /// After every epoch, to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Checkpoint { path: path.into(), every: 1, every_steps: None, keep: None, extras: Extras::new() }
    }

    /// After epochs whose number (counted over all calls of `fit`) is a multiple of `epochs`.
    pub fn every(self, epochs: u64) -> Self {
        Checkpoint { every: epochs, ..self }
    }

    /// Within epochs too, after steps whose number (counted over all calls of `fit`) is a multiple of `steps`. Each of
    /// them waits for the device. All metrics must have a [`Metric::state`](crate::metrics::Metric::state).
    pub fn every_steps(self, steps: u64) -> Self {
        Checkpoint { every_steps: Some(steps), ..self }
    }

    /// Files of their own instead of one: `run.safetensors` becomes `run.step-1200.safetensors`. All but the last
    /// `files` are deleted as training goes on; those of later steps, which an earlier run that got further has left,
    /// are not touched.
    pub fn keep(self, files: usize) -> Self {
        Checkpoint { keep: Some(files), ..self }
    }

    /// What the program wants to find in each of the files.
    pub fn extras(self, extras: Extras) -> Self {
        Checkpoint { extras, ..self }
    }

    /// The file of the latest step, if there is one yet: what [`Fit::resume_from`](crate::training::Fit::resume_from)
    /// takes. Errors when the folder cannot be read.
    pub fn latest(&self) -> Result<Option<PathBuf>> {
        match self.keep {
            None => Ok(self.path.try_exists().map_err(|e| Error::io(&self.path, e))?.then(|| self.path.clone())),
            Some(_) => Ok(self.files()?.pop().map(|(_, path)| path)),
        }
    }

    /// Errors when an option is out of range or the path cannot be written.
    pub(crate) fn check(&self) -> Result<()> {
        let least =
            [("every", Some(self.every)), ("every_steps", self.every_steps), ("keep", self.keep.map(|k| k as u64))];
        if let Some((option, _)) = least.into_iter().find(|(_, number)| *number == Some(0)) {
            return Err(Error::invalid(format!("checkpoint: {option}"), "at least 1", 0));
        }
        check_writable(&self.path)
    }

    /// Whether one is due after this step of an epoch.
    pub(crate) fn is_due_after_step(&self, steps: u64) -> bool {
        self.every_steps.is_some_and(|every| steps.is_multiple_of(every))
    }

    /// Whether checkpoints are written within epochs.
    pub(crate) fn is_within_epochs(&self) -> bool {
        self.every_steps.is_some()
    }

    /// Whether one is due after this epoch.
    pub(crate) fn is_due_after_epoch(&self, epoch: u64) -> bool {
        epoch.is_multiple_of(self.every)
    }

    /// Writes one.
    pub(crate) fn write<B: Backend>(
        &self,
        model: &Model<B>,
        history: &History,
        callbacks: &[CallbackState<B>],
        position: Option<(&Position, &Carry<B>)>,
        going_on: Option<&[B::Array]>,
    ) -> Result<()> {
        let reached = Reached { history, callbacks, position, going_on };
        let Some(keep) = self.keep else { return save(model, &self.path, &reached, &self.extras) };
        save(model, &self.of_step(model.steps), &reached, &self.extras)?;
        let mut files = self.files()?;
        files.retain(|&(step, _)| step <= model.steps);
        for (_, path) in files.iter().rev().skip(keep) {
            fs::remove_file(path).map_err(|e| Error::io(path, e))?;
        }
        Ok(())
    }

    /// The file of a step.
    fn of_step(&self, step: u64) -> PathBuf {
        let (mut name, end) = self.parts();
        name.push(step.to_string());
        name.push(end);
        self.path.with_file_name(name)
    }

    /// What stands before and after the step in a file's name.
    fn parts(&self) -> (OsString, OsString) {
        let mut before = self.path.file_stem().unwrap_or_default().to_os_string();
        before.push(".step-");
        let mut after = OsString::new();
        if let Some(extension) = self.path.extension() {
            after.push(".");
            after.push(extension);
        }
        (before, after)
    }

    /// Steps and paths of the files that are there, the latest last.
    fn files(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder: &Path = folder(&self.path);
        let (before, after) = self.parts();
        let step = |name: &OsString| {
            let rest = name.as_encoded_bytes().strip_prefix(before.as_encoded_bytes())?;
            let number = str::from_utf8(rest.strip_suffix(after.as_encoded_bytes())?).ok()?;
            number.parse::<u64>().ok().filter(|step| step.to_string() == number)
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
            let entry = entry.map_err(|e| Error::io(folder, e))?;
            files.extend(step(&entry.file_name()).map(|step| (step, entry.path())));
        }
        files.sort_unstable();
        Ok(files)
    }
}
