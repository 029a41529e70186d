//! A training that is about to begin or go on in its folder, and what becomes of it.

use super::super::files::Files;
use super::super::{Options, Program, tell};
use super::diverged::{CURE, not_finite};
use super::fingerprint::Part;
use super::folder::Run;
use super::record::{Computed, EXTRA, Record};
use super::settings::RunSettings;
use anyhow::{bail, ensure};
use elman::checkpoint::Extras;
use elman::training::callbacks::{CsvLog, StopOnNan};
use elman::training::{Fit, History};
use elman::{Backend, Model};
use serde_json::{Value, json};

/// A program's own part of a training: data, network, what is measured.
pub trait Trains: RunSettings {
    /// Trains and gives the results for the JSON file: an object.
    fn train<B: Backend>(&self, backend: &B, training: &Training<Self>) -> anyhow::Result<Value>;
}

/// A training with its folder, settled with what was begun there.
pub struct Training<S> {
    pub run: Run,
    pub(super) begun: Option<Record<S>>,
    pub settings: S,
    pub options: Options,
    /// Between two checkpoints.
    pub(super) every_steps: Option<u64>,
}

impl<S: RunSettings> Training<S> {
    /// Begins the run, or makes sure that these are the data with which it was begun and goes on with it: a fit with
    /// epochs, checkpoints and history. Checkpoints hold the `extras`.
    pub fn fit<'f, B: Backend>(&self, backend: &B, data: &[Part], extras: &Extras) -> anyhow::Result<Fit<'f, B>> {
        let id = self.agree(data, backend.name())?;
        let mut fit = Fit::new().epochs(self.settings.epochs());
        let mut checkpoint = self.run.checkpoint();
        if let Some(last) = checkpoint.latest()? {
            tell!("going on from {}", last.display());
            fit = fit.resume_from(last);
        }
        if let Some(steps) = self.every_steps {
            checkpoint = checkpoint.every_steps(steps);
        }
        let fit = fit.checkpoint(checkpoint.extras(extras.clone().with(EXTRA, &id)?));
        let log = CsvLog::new(self.run.file("history.csv")).overwrite();
        Ok(fit.callback(StopOnNan::new()).callback(log))
    }

    /// Keeps what the run is begun with, or compares it with what it was begun with; its id.
    fn agree(&self, data: &[Part], backend: String) -> anyhow::Result<String> {
        let computed = Computed::new(&self.options, backend, self.every_steps);
        let settings = self.settings.with_absolute_paths()?;
        let mut record = Record::new(settings, self.options.seed, data, computed);
        if let Some(begun) = &self.begun {
            begun.check_data(data)?;
            record.id.clone_from(&begun.id);
            record.computed.compare(&begun.computed);
        }
        // More epochs, another place of the files: what `--resume` is to go by from now on.
        if self.begun.as_ref() != Some(&record) {
            self.run.begin(&record)?;
        }
        Ok(record.id)
    }

    /// The history of a fit, told; errors say what helps where it diverged.
    pub fn history(&self, fitted: elman::Result<History>) -> anyhow::Result<History> {
        let history = fitted.map_err(|error| {
            let text = error.to_string();
            let diverged = ["NaN", "finite"].iter().any(|word| text.contains(word));
            anyhow::Error::new(error).context(if diverged { format!("train: {CURE}") } else { "train".into() })
        })?;
        tell!("{history}\n");
        Ok(history)
    }

    /// Keeps the `model` for good. `chosen` are the epoch whose weights these are, and the value by which. Errors where they are no
    /// numbers.
    pub fn keep<B: Backend>(
        &self,
        model: &Model<B>,
        history: &History,
        chosen: Option<(&str, (u64, f64))>,
        extras: &Extras,
    ) -> anyhow::Result<Value> {
        let loss = history.last().and_then(|last| last.get("loss")).unwrap_or(f64::NAN);
        let is_lost = not_finite(model)?.is_some() || chosen.is_some_and(|(_, (_, value))| !value.is_finite());
        ensure!(loss.is_finite() && !is_lost, "the training diverged: the loss is {loss}, and nothing is kept; {CURE}");
        let path = self.run.file("model.safetensors");
        model.save_with(&path, extras)?;
        match chosen {
            Some((name, (epoch, value))) => {
                tell!("{}: the weights of epoch {epoch}, the best by {name} ({value:.4})", path.display());
            }
            None => tell!("{}: the weights of the last epoch", path.display()),
        }
        Ok(json!({ "best_epoch": chosen.map(|(_, (epoch, _))| epoch), "stopped": history.stopped }))
    }
}

impl<S: Trains> Program for Training<S> {
    fn files(&self) -> Files {
        self.settings.files()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        if let Some(json) = options.json.as_ref().filter(|json| self.run.owns(json)) {
            bail!("--json {}: this is a file of the run; give another", json.display());
        }
        elman::file::check_writable(self.run.file("model.safetensors"))?;
        self.settings.train(backend, self)
    }
}
