//! `train`: from pairs to a translator.

use super::common::outcome::refuse;
use super::common::run::{Training, Trains};
use super::common::{merged, metrics, speed};
use super::corpus::Corpus;
use super::settings::Settings;
use super::tell;
use elman::layers::ScheduledSampling;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::Perplexity;
use elman::training::callbacks::{EarlyStopping, WeightAverage};
use elman::{Backend, Model};
use serde_json::{Value, json};

/// What the best epoch is chosen by.
const CHOOSE_BY: &str = "val_loss";

impl Trains for Settings {
    fn train<B: Backend>(&self, backend: &B, training: &Training<Self>) -> anyhow::Result<Value> {
        let Corpus { languages, train, valid, parts } = Corpus::read(self, &training.run)?;
        refuse(self.size_problems(&languages))?;
        let network = self.network().graph(languages.source.width(), languages.target.width())?;
        let (input, seed) = (languages.spec()?, training.options.seed);
        let mut model = match self.scheduled_sampling {
            0.0 => network.build(backend, input, seed)?,
            part => Model::new(backend, &ScheduledSampling::new(network, "target", part), input, seed)?,
        };
        let loss = SparseCategoricalCrossEntropy::from_logits().label_smoothing(self.label_smoothing);
        model.compile(self.learning.optimizer(train.len()), loss).metric(Perplexity::new());
        tell!("on {}\n\n{}\n", backend.name(), model.summary());

        let (data, extras) = (languages.dataset(&train)?, languages.extras()?);
        let valid = if valid.is_empty() { None } else { Some(languages.dataset(&valid)?) };
        let mut best = EarlyStopping::new(CHOOSE_BY).patience(self.patience.unwrap_or(u64::MAX)).restore_best();
        let mut fit = training.fit(backend, &parts, &extras)?.batch_size(self.learning.batch_size).by_length(0);
        if self.average > 0.0 {
            fit = fit.callback(WeightAverage::ema(self.average).warm_up().validate());
        }
        if let Some(valid) = &valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = training.history(model.fit(&data, fit))?;

        let chosen = valid.as_ref().and_then(|_| best.best()).map(|best| (CHOOSE_BY, best));
        let mut results = training.keep(&model, &history, chosen, &extras)?;
        if let Some(valid) = &valid {
            results = merged(results, json!({ "metrics": metrics(&model.evaluate(valid, 64)?) }));
        }
        let speed = speed(&history);
        tell!("{:.0} pairs a second", speed["samples_per_second"].as_f64().unwrap_or_default());
        Ok(merged(results, speed))
    }
}
