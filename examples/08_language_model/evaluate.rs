//! `evaluate`: what a text costs a trained model.

use super::common::files::{Files, input_problem, output_problem};
use super::common::limits::zero_problems;
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program, files};
use super::corpus::read;
use super::language::{Cost, Language};
use super::say;
use super::settings::Settings;
use super::shown::Figures;
use super::surprise::{html, pieces};
use anyhow::Context;
use elman::Backend;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Evaluate {
    #[command(flatten)]
    pub trained: Trained,
    /// A text, plain or .gz; -: standard input
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Also cut the text into windows of so many tokens, of which each is read as if nothing stood before it
    #[arg(long, value_name = "TOKENS")]
    window: Option<usize>,
    /// Write a page with the text in colours, by how much each token surprises the model
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the results to this file as one JSON object; -: to standard output, behind what is printed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The mean of what tokens cost.
pub fn mean(costs: &[Cost]) -> f64 {
    costs.iter().map(|cost| cost.nats).sum::<f64>() / costs.len().max(1) as f64
}

impl Program for Evaluate {
    fn files(&self) -> Files {
        let html = self.html.iter().map(|path| ("--html".to_string(), path.clone()));
        let run = own_files(&self.trained.run, Settings::OWN);
        std::iter::once(("--data".to_string(), self.data.clone())).chain(html).chain(run).collect()
    }

    fn problems(&self) -> Vec<String> {
        let mut others = self.files();
        others.retain(|(option, _)| option != "--html");
        let html = self.html.iter().filter_map(|path| output_problem("--html", path, &others));
        let window = [("--window", self.window.unwrap_or(1))];
        input_problem("--data", &self.data).into_iter().chain(html).chain(zero_problems(&window)).collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let path = self.trained.path()?;
        let language = Language::load(backend, &path)?;
        let text = read(&self.data)?;
        let encoded = language.tokens.read(&format!("--data {}", self.data.display()), &text, 2)?;
        let (tokens, unit) = (&encoded.tokens, language.tokens.unit());
        let start = Instant::now();
        let costs = language.costs(tokens)?;
        let each = costs.len() as f64 / start.elapsed().as_secs_f64().max(1e-9);
        let figures = Figures::new(mean(&costs), unit);
        say!("{} {unit}s of {} by {}\n\n{figures}", tokens.len(), self.data.display(), path.display())?;
        let mut results = json!({ "tokens": tokens.len(), "unseen": encoded.unseen, "text": figures.json() });
        if unit != "character" {
            // To be compared with models that have other tokens: by what the same text costs.
            let characters = text.chars().count().max(2) - 1;
            let by_character = Figures::new(mean(&costs) * costs.len() as f64 / characters as f64, "character");
            say!("{by_character}")?;
            results["by_character"] = by_character.json();
        }
        if let Some(window) = self.window {
            let cold = Figures::new(mean(&language.costs_by_window(tokens, window)?), unit);
            say!("{cold}, in windows of {window} with nothing before them")?;
            results["windows"] = cold.json();
        }
        say!("{each:.0} {unit}s a second")?;
        results["units_per_second"] = json!(each);
        if let Some(path) = &self.html {
            files::write(path, &html(&pieces(&language.tokens, tokens, &costs)?)).context("--html")?;
        }
        Ok(results)
    }
}
