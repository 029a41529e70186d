//! `train`: from labelled texts to a run, begun or gone on with.

use super::common::{self, Options, Program};
use super::network::{network, optimizer};
use super::prepare::Prepared;
use super::run::{Record, Run};
use super::settings::Settings;
use super::{NAME, tell};
use anyhow::{Context, bail, ensure};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, F1};
use elman::model::callbacks::{CsvLog, EarlyStopping, StopOnNan};
use elman::model::{Fit, History};
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

/// Flags that do not change what is trained, and are free when a training goes on.
const FREE: &[&str] = &["run", "resume", "checkpoint_every_steps", "backend", "device", "threads", "json", "epochs"];

/// A training that is about to begin or go on.
struct Training {
    run: Run,
    begun: Option<Record>,
    settings: Settings,
    checkpoint_every_steps: Option<u64>,
}

impl Train {
    pub fn launch(self, matches: Option<&ArgMatches>) -> anyhow::Result<()> {
        let (mut settings, mut options) = (self.settings, self.options);
        settings.check()?;
        ensure!(!self.resume || self.run.is_dir(), "--run {}: there is no such folder", self.run.display());
        let run = Run::open(&self.run)?;
        let place = self.run.display();
        // A start that led to no checkpoint has left nothing that another one would spoil.
        let begun = if self.resume || run.checkpoint().latest()?.is_some() { run.record()? } else { None };
        match &begun {
            None if self.resume => bail!("--resume: no training was begun in {place}"),
            None => {}
            Some(begun) if self.resume => {
                let given = |name: &str| {
                    matches.is_some_and(|matches| matches.value_source(name) == Some(ValueSource::CommandLine))
                };
                let names = matches.iter().flat_map(|matches| matches.ids()).map(|id| id.as_str());
                // Those with a capital are clap's names of whole groups.
                let told = names.filter(|name| name.starts_with(char::is_lowercase) && !FREE.contains(name));
                let told: Vec<_> =
                    told.filter(|name| given(name)).map(|n| format!("--{}", n.replace('_', "-"))).collect();
                ensure!(told.is_empty(), "{}: with --resume the run has its own; leave it out", told.join(", "));
                let epochs = if given("epochs") { settings.epochs } else { begun.settings.epochs };
                settings = Settings { epochs, ..begun.settings.clone() };
                options.seed = begun.seed;
            }
            Some(_) => {}
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
        }
        let training = Training { run, begun, settings, checkpoint_every_steps: self.checkpoint_every_steps };
        common::launch(NAME, &options, &training)
    }
}

impl Training {
    /// Begins the run, or makes sure that it is the one that was begun.
    fn agree(&self, record: &Record) -> anyhow::Result<()> {
        let Some(begun) = &self.begun else { return self.run.begin(record) };
        ensure!(
            begun.fingerprint == record.fingerprint,
            "the texts are not those that this training was begun with (a file has changed, or the tokenizer's has)"
        );
        let (then, now) = (&begun.backend, &record.backend);
        if then != now {
            eprintln!("note: begun on {then}, now on {now}: the last bits of the results may differ");
        }
        // More epochs, another place of the files: what `--resume` is to go by from now on.
        if begun == record { Ok(()) } else { self.run.begin(record) }
    }
}

impl Program for Training {
    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let settings = &self.settings;
        let data = Prepared::new(settings, options.seed, &self.run)?;
        let (description, train, valid) = (&data.description, &data.train, data.valid.as_ref());

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
        if let Some(weights) = settings.class_weights(&description.labels, &data.classes)? {
            fit = fit.class_weights(weights);
        }
        self.agree(&Record {
            settings: settings.clone(),
            seed: options.seed,
            fingerprint: data.fingerprint.clone(),
            backend: backend.name(),
        })?;

        let extras = description.extras()?;
        let mut checkpoint = self.run.checkpoint();
        if let Some(last) = checkpoint.latest()? {
            tell!("going on from {}", last.display());
            fit = fit.resume_from(last);
        }
        if let Some(steps) = self.checkpoint_every_steps {
            checkpoint = checkpoint.every_steps(steps);
        }
        fit = fit.checkpoint(checkpoint.extras(extras.clone())).callback(StopOnNan::new());
        fit = fit.callback(CsvLog::new(self.run.file("history.csv")).overwrite());
        if let Some(valid) = valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = model.fit(train, fit).context("train")?;
        tell!("{history}\n");

        let chosen = if valid.is_some() { best.best() } else { None };
        let loss = history.last().and_then(|last| last.get("loss")).unwrap_or(f64::NAN);
        ensure!(chosen.is_some() || loss.is_finite(), "the loss is {loss}: nothing to keep; try a smaller --rate");
        // A model that was not compiled is saved without the optimiser's state, which only training needs.
        let mut trained = network.build(backend, Spec::indices(self.settings.steps), options.seed)?;
        trained.restore(model.snapshot())?;
        let path = self.run.file("model.safetensors");
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
