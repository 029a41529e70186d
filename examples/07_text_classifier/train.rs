//! `train`: from labelled texts to a classifier.

use super::common::run::{Training, Trains};
use super::common::{merged, metrics, speed};
use super::network::network;
use super::prepare::Prepared;
use super::settings::Settings;
use super::tell;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, F1};
use elman::training::callbacks::EarlyStopping;
use elman::{Backend, Spec};
use serde_json::{Value, json};

impl Trains for Settings {
    fn train<B: Backend>(&self, backend: &B, training: &Training<Self>) -> anyhow::Result<Value> {
        let seed = training.options.seed;
        let data = Prepared::new(self, seed, &training.run)?;
        let (description, train, valid) = (&data.description, &data.train, data.valid.as_ref());
        let weights = self.class_weights(&description.labels, &data.classes)?;

        let network = network(self, data.words.clone(), description.labels.len());
        let mut model = network.build(backend, Spec::indices(self.steps), seed)?;
        model
            .compile(self.learning.optimizer(train.len()), SparseCategoricalCrossEntropy::new())
            .metric(Accuracy::new())
            .metric(F1::new(Average::Macro).named("macro_f1"));
        tell!("on {}\n\n{}\n", backend.name(), model.summary());

        let choose_by = self.choose_by.as_deref().unwrap_or("val_loss");
        let mut best = EarlyStopping::new(choose_by).patience(self.patience.unwrap_or(u64::MAX)).restore_best();
        let extras = description.extras()?;
        let mut fit = training.fit(backend, &data.parts, &extras)?.batch_size(self.learning.batch_size);
        if let Some(weights) = weights {
            fit = fit.class_weights(weights);
        }
        if let Some(valid) = valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = training.history(model.fit(train, fit))?;

        let chosen = if valid.is_some() { best.best().map(|best| (choose_by, best)) } else { None };
        let mut results = training.keep(&model, &history, chosen, &extras)?;
        if let Some(valid) = valid {
            results = merged(results, json!({ "metrics": metrics(&model.evaluate(valid, 128)?) }));
        }
        Ok(merged(results, speed(&history)))
    }
}
