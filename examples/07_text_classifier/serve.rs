//! `serve-stdin`: a line in, a JSON object out, flushed at once, until the input ends.

use super::classifier::Classifier;
use super::common::run::{Line, Trained, serve};
use super::common::{Options, Program};
use anyhow::Context;
use elman::Backend;
use serde_json::{Value, json};
use std::io;

#[derive(clap::Args)]
pub struct Serve {
    #[command(flatten)]
    pub trained: Trained,
    /// text: the line is the text; jsonl: it is an object with a field `text` and, if wanted, an `id` to be given back
    #[arg(long, value_enum, default_value = "text")]
    input: Line,
}

impl Program for Serve {
    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let classifier = Classifier::load(backend, &self.trained.path()?)?;
        let answer = |text: &str| {
            let predictions = classifier.predict([text])?;
            predictions.first().map(|prediction| classifier.fields(prediction)).context("no prediction")
        };
        let lines = serve(io::stdin().lock(), io::stdout().lock(), self.input, answer)?;
        Ok(json!({ "lines": lines }))
    }
}
