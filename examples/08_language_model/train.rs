//! `train`: from a text to a model of its language.

use super::common::run::{Learning, RunSettings, Training, Trains};
use super::common::{merged, speed};
use super::corpus::Corpus;
use super::language::Description;
use super::measure;
use super::network::network;
use super::rounds::Rounds;
use super::settings::Settings;
use super::shown::Figures;
use super::tell;
use elman::data::Stream;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::optim::Optimizer;
use elman::training::callbacks::{EarlyStopping, WeightAverage};
use elman::{Backend, Spec};
use serde_json::{Value, json};

/// Tokens of a row that is validated, at least: it begins knowing nothing.
const LONG: usize = 5000;

impl Trains for Settings {
    fn train<B: Backend>(&self, backend: &B, training: &Training<Self>) -> anyhow::Result<Value> {
        let seed = training.options.seed;
        let Corpus { tokens, train, valid, mut parts } = Corpus::read(self, &training.run)?;
        super::common::outcome::refuse(self.size_problems(tokens.width()))?;
        let rounds = Rounds::new(train, self.learning.batch_size, self.steps)?;
        let valid = valid.map(|valid| {
            let rows = (valid.len() / LONG).clamp(1, self.learning.batch_size);
            Stream::new(valid, rows, self.steps)
        });
        let valid = valid.transpose()?;

        let network = network(self, tokens.width());
        let fresh = || network.build(backend, Spec::Indices(None), seed);
        let compiled = |steps| {
            let mut model = fresh()?;
            model.compile(optimizer(&self.learning, steps), SparseCategoricalCrossEntropy::from_logits());
            Ok(model)
        };
        let (steps, part) = measure::steps(training, &rounds, valid.as_ref(), || compiled(1))?;
        parts.extend(part);
        let rounds = rounds.total(steps);
        let mut model = compiled(steps)?;
        tell!("on {}\n\n{}\n", backend.name(), model.summary());

        let unit = tokens.unit();
        let extras = Description { settings: self.with_bare_names()?, tokens }.extras()?;
        let mut best = EarlyStopping::new("val_loss").patience(self.patience.unwrap_or(u64::MAX)).restore_best();
        let mut fit = training.fit(backend, &parts, &extras)?.epochs(rounds.rounds());
        if self.average > 0.0 {
            fit = fit.callback(WeightAverage::ema(self.average).warm_up().validate());
        }
        if let Some(valid) = &valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = training.history(model.fit(&rounds, fit))?;

        let chosen = valid.as_ref().and_then(|_| best.best()).map(|best| ("val_loss", best));
        let mut results = training.keep(&model, &history, chosen, &extras)?;
        if let Some((_, (_, nats))) = chosen {
            let figures = Figures::new(nats, unit);
            tell!("{figures}");
            results = merged(results, json!({ "validation": figures.json() }));
        }
        let seconds: f64 = history.epochs.iter().map(|epoch| epoch.training_time.as_secs_f64()).sum();
        let samples: usize = history.epochs.iter().map(|epoch| epoch.samples).sum();
        let each = (samples * self.steps) as f64 / seconds.max(1e-9);
        tell!("{each:.0} {unit}s a second");
        let results = merged(results, json!({ "steps": steps, "unit": unit, "units_per_second": each }));
        Ok(merged(results, speed(&history)))
    }
}

/// Adam, its rate laid out over so many steps.
fn optimizer<B: Backend>(learning: &Learning, steps: u64) -> Optimizer<B> {
    let once = Learning { epochs: steps, ..learning.clone() };
    once.optimizer(once.batch_size)
}
