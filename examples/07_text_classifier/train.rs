//! `train`: from labelled texts to a run, begun or gone on with.

use super::classifier::{CURE, not_finite};
use super::common::files::Files;
use super::common::{self, Options, Program, outcome::refuse};
use super::network::{network, optimizer};
use super::prepare::Prepared;
use super::record::{Computed, EXTRA, Record};
use super::run::{Run, epochs_begun};
use super::settings::Settings;
use super::{NAME, note, tell};
use anyhow::{bail, ensure};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, F1};
use elman::training::callbacks::{CsvLog, EarlyStopping, StopOnNan};
use elman::training::{Fit, History};
use elman::{Backend, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub struct Train {
    /// Folder of the run: checkpoints, history and the trained model. If a training was begun there, this one goes on with
    /// it and must be told the same
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Go on with the training in --run as it was begun, without its flags
    #[arg(long)]
    resume: bool,
    /// Steps between two checkpoints within an epoch [default: one after each epoch alone]
    #[arg(long, value_name = "STEPS")]
    checkpoint_every_steps: Option<u64>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    settings: Settings,
}

/// A training that is about to begin or go on.
struct Training {
    run: Run,
    begun: Option<Record>,
    settings: Settings,
    checkpoint_every_steps: Option<u64>,
}

impl Train {
    pub fn launch(self, matches: Option<&ArgMatches>) -> anyhow::Result<()> {
        let place = self.run.display();
        ensure!(!self.resume || self.run.exists(), "--run {place}: there is no such folder");
        if !self.resume {
            // Before the folder is made.
            refuse(self.problems(&self.settings))?;
        }
        let run = Run::open(&self.run)?;
        let latest = run.latest()?;
        // A start that led to no checkpoint has left nothing that another one would spoil.
        let begun = if self.resume || latest.is_some() { run.record()? } else { None };
        let given =
            |name: &str| matches.is_some_and(|matches| matches.value_source(name) == Some(ValueSource::CommandLine));
        let (mut settings, mut options) = (self.settings.clone(), self.options.clone());
        let mut every_steps = self.checkpoint_every_steps;
        match &begun {
            None if self.resume => bail!("--resume: no training was begun in {place}"),
            Some(begun) if self.resume => {
                settings = begun.resumed(&settings, given)?;
                ensure!(
                    !given("seed") || options.seed == begun.seed,
                    "--seed: {} then, {} now; with --resume the run has its own, leave it out",
                    begun.seed,
                    options.seed
                );
                begun.restore(&mut options, given)?;
                every_steps = every_steps.or(begun.computed.steps);
                refuse(self.problems(&settings))?;
            }
            _ => {}
        }
        if let Some(begun) = &begun {
            let mut differ = settings.differences(&begun.settings);
            if begun.seed != options.seed {
                differ.push(format!("--seed: {} then, {} now", begun.seed, options.seed));
            }
            let differ = differ.join("\n  ");
            ensure!(
                differ.is_empty(),
                "the training in {place} was begun with other flags:\n  {differ}\nGive the same, or `train --resume --run {place}`, or another --run to begin anew"
            );
            if let Some(latest) = &latest {
                begun.check_checkpoint(latest)?;
                let (epochs, wanted) = (epochs_begun(latest)?, settings.epochs);
                ensure!(
                    wanted >= epochs,
                    "--epochs {wanted}: the training in {place} is in epoch {epochs} already; give as many at least"
                );
            }
        }
        let training = Training { run, begun, settings, checkpoint_every_steps: every_steps };
        common::launch(NAME, &options, &training)
    }

    /// What is wrong with settings and options.
    fn problems(&self, settings: &Settings) -> Vec<String> {
        let mut problems = settings.problems();
        if self.checkpoint_every_steps == Some(0) {
            problems.push("--checkpoint-every-steps 0: expected at least 1".into());
        }
        let mut options = self.options.clone();
        // In the folder of the run, which is yet to be made: looked at again then.
        options.json.take_if(|json| !self.run.exists() && json.parent() == Some(&self.run));
        problems.extend(options.problems(&settings.files()));
        problems
    }
}

impl Training {
    /// Begins the run, or makes sure that it is the one that was begun.
    fn agree(&self, mut record: Record) -> anyhow::Result<Record> {
        if let Some(begun) = &self.begun {
            begun.check_data(&record)?;
            record.id.clone_from(&begun.id);
            let (then, now) = (&begun.computed.name, &record.computed.name);
            if then != now {
                note!("begun on {then}, now on {now}: the last bits of the results may differ");
            }
        }
        // More epochs, another place of the files: what `--resume` is to go by from now on.
        if self.begun.as_ref() != Some(&record) {
            self.run.begin(&record)?;
        }
        Ok(record)
    }
}

impl Program for Training {
    fn files(&self) -> Files {
        self.settings.files()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let settings = &self.settings;
        if let Some(json) = options.json.as_ref().filter(|json| self.run.owns(json)) {
            bail!("--json {}: this is a file of the run; give another", json.display());
        }
        let path = self.run.file("model.safetensors");
        elman::file::check_writable(&path)?;
        let data = Prepared::new(settings, options.seed, &self.run)?;
        let (description, train, valid) = (&data.description, &data.train, data.valid.as_ref());

        let weights = settings.class_weights(&description.labels, &data.classes)?;

        let network = network(settings, data.words.clone(), description.labels.len());
        let mut model = network.build(backend, Spec::indices(settings.steps), options.seed)?;
        let steps = (train.len().div_ceil(settings.batch_size.max(1)) as u64).saturating_mul(settings.epochs);
        model
            .compile(optimizer(settings, steps), SparseCategoricalCrossEntropy::new())
            .metric(Accuracy::new())
            .metric(F1::new(Average::Macro).named("macro_f1"));
        tell!("on {}\n\n{}\n", backend.name(), model.summary());

        let choose_by = self.settings.choose_by.as_deref().unwrap_or("val_loss");
        let mut best =
            EarlyStopping::new(choose_by).patience(self.settings.patience.unwrap_or(u64::MAX)).restore_best();
        let mut fit = Fit::new().epochs(settings.epochs).batch_size(settings.batch_size);
        if let Some(weights) = weights {
            fit = fit.class_weights(weights);
        }
        let computed = Computed::new(options, backend.name(), self.checkpoint_every_steps);
        let recorded = settings.clone().with_absolute_paths()?;
        let record = self.agree(Record::new(recorded, options.seed, data.data.clone(), computed))?;

        let extras = description.extras()?;
        let mut checkpoint = self.run.checkpoint();
        if let Some(last) = checkpoint.latest()? {
            tell!("going on from {}", last.display());
            fit = fit.resume_from(last);
        }
        if let Some(steps) = self.checkpoint_every_steps {
            checkpoint = checkpoint.every_steps(steps);
        }
        let checkpoint = checkpoint.extras(extras.clone().with(EXTRA, &record.id)?);
        fit = fit.checkpoint(checkpoint).callback(StopOnNan::new());
        fit = fit.callback(CsvLog::new(self.run.file("history.csv")).overwrite());
        if let Some(valid) = valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = model.fit(train, fit).map_err(|error| {
            let text = error.to_string();
            let diverged = ["NaN", "finite"].iter().any(|word| text.contains(word));
            anyhow::Error::new(error).context(if diverged { format!("train: {CURE}") } else { "train".into() })
        })?;
        tell!("{history}\n");

        let chosen = if valid.is_some() { best.best() } else { None };
        let loss = history.last().and_then(|last| last.get("loss")).unwrap_or(f64::NAN);
        let is_lost = not_finite(&model)?.is_some() || chosen.is_some_and(|(_, value)| !value.is_finite());
        ensure!(loss.is_finite() && !is_lost, "the training diverged: the loss is {loss}, and nothing is kept; {CURE}");
        // A model that was not compiled is saved without the optimiser's state, which only training needs.
        let mut trained = network.build(backend, Spec::indices(self.settings.steps), options.seed)?;
        trained.restore(model.snapshot())?;
        trained.save_checkpoint(&path, &History::default(), &extras)?;
        match chosen {
            Some((epoch, value)) => {
                tell!("{}: the weights of epoch {epoch}, the best by {choose_by} ({value:.4})", path.display())
            }
            None => tell!("{}: the weights of the last epoch", path.display()),
        }
        let mut results = json!({ "best_epoch": chosen.map(|(epoch, _)| epoch), "stopped": history.stopped });
        if let Some(valid) = valid {
            results = common::merged(results, json!({ "metrics": common::metrics(&model.evaluate(valid, 128)?) }));
        }
        Ok(common::merged(results, common::speed(&history)))
    }
}
