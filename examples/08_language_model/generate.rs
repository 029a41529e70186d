//! `generate`: a trained model writes on behind a prompt.

use super::common::files::{Files, input_problem};
use super::common::limits::zero_problems;
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program};
use super::corpus::read;
use super::language::Language;
use super::settings::Settings;
use super::writer::Without;
use super::{note, say};
use anyhow::{Context, ensure};
use elman::decode::{Beam, Decoder, Sampler, Stepper, generate, generate_rows};
use elman::{Backend, Key};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Generate {
    #[command(flatten)]
    pub trained: Trained,
    /// What is gone on with [default: the beginning of a line]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "prompt_file")]
    prompt: Option<String>,
    /// A file with what is gone on with, plain or .gz; -: standard input
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Tokens to write, at most
    #[arg(long, default_value_t = 500)]
    length: usize,
    /// Below 1 more of what is probable, 0 the most probable alone [default: 0.8]
    #[arg(long, conflicts_with = "beam")]
    temperature: Option<f64>,
    /// Draw from the K most probable tokens
    #[arg(long, value_name = "K", conflicts_with = "beam")]
    top_k: Option<usize>,
    /// Draw from the most probable tokens whose probabilities add up to P
    #[arg(long, value_name = "P", conflicts_with = "beam")]
    top_p: Option<f64>,
    /// Draw from tokens at least P times as probable as the most probable
    #[arg(long, value_name = "P", conflicts_with = "beam")]
    min_p: Option<f64>,
    /// End where this text is written (with --beam a single token)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    until: Option<String>,
    /// Texts to write; several are written side by side and shown when they are done
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Search for the most probable texts with a beam so wide, and draw nothing
    #[arg(long, value_name = "WIDTH")]
    beam: Option<usize>,
    /// Seed of the draws
    #[arg(long, default_value_t = 0, conflicts_with = "beam")]
    seed: u64,
    /// Write the results to this file as one JSON object; -: to standard output, behind what is printed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Texts that are written, tokens of all of them, and the scores of a beam's.
struct Written {
    texts: Vec<String>,
    tokens: usize,
    scores: Vec<f64>,
}

impl Program for Generate {
    fn files(&self) -> Files {
        let prompt = self.prompt_file.iter().map(|path| ("--prompt-file".to_string(), path.clone()));
        prompt.chain(own_files(&self.trained.run, Settings::OWN)).collect()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> =
            self.prompt_file.iter().filter_map(|path| input_problem("--prompt-file", path)).collect();
        let whole = [("--length", self.length), ("--count", self.count), ("--beam", self.beam.unwrap_or(1))];
        problems.extend(zero_problems(&whole));
        problems.extend(self.sampler().check().err().map(|error| error.to_string()));
        if let Some(beam) = self.beam.filter(|&beam| beam < self.count) {
            problems.push(format!("--count {}: a beam of {beam} has no more texts than that", self.count));
        }
        if self.until.as_deref() == Some("") {
            problems.push("--until: expected a text, found none".into());
        }
        problems
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let language = Language::load(backend, &self.trained.path()?)?;
        let (what, prompt) = match &self.prompt_file {
            Some(path) => (format!("--prompt-file {}", path.display()), read(path)?),
            None => ("--prompt".into(), self.prompt.clone().unwrap_or_else(|| "\n".into())),
        };
        let prompt = language.tokens.read(&what, &prompt, 1)?.tokens;
        let decoder = Decoder::of_rows(&language.model, if self.beam.is_some() { 1 } else { self.count })?;
        let stepper = Without { stepper: decoder, banned: language.tokens.banned() };
        let start = Instant::now();
        let written = match self.beam {
            Some(width) => self.search(width, &language, stepper, &prompt)?,
            None if self.count == 1 => self.stream(&language, stepper, &prompt)?,
            None => self.side_by_side(&language, stepper, &prompt)?,
        };
        let seconds = start.elapsed().as_secs_f64().max(1e-9);
        let characters: usize = written.texts.iter().map(|text| text.chars().count()).sum();
        let each = characters as f64 / seconds;
        note!("{} {}s, {each:.0} characters a second", written.tokens, language.tokens.unit());
        let mut results = json!({ "texts": written.texts, "tokens": written.tokens, "characters_per_second": each });
        if self.beam.is_some() {
            results["scores"] = json!(written.scores);
        }
        Ok(results)
    }
}

impl Generate {
    fn sampler(&self) -> Sampler {
        let mut sampler = Sampler::new().temperature(self.temperature.unwrap_or(0.8));
        if let Some(k) = self.top_k {
            sampler = sampler.top_k(k);
        }
        sampler.top_p(self.top_p.unwrap_or(1.0)).min_p(self.min_p.unwrap_or(0.0))
    }

    /// Writes one text, each token shown when it is there.
    fn stream<B: Backend>(
        &self,
        language: &Language<B>,
        stepper: impl Stepper,
        prompt: &[u32],
    ) -> anyhow::Result<Written> {
        let mut out = std::io::stdout().lock();
        let mut show =
            |text: &str| out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output");
        show(&language.tokens.text(prompt)?)?;
        let (mut sequence, mut text) = (prompt.to_vec(), String::new());
        for token in generate(stepper, prompt, &self.sampler(), Key::new(self.seed))?.take(self.length) {
            let token = token?;
            let piece = language.tokens.piece(&sequence, token)?;
            show(&piece)?;
            sequence.push(token);
            text.push_str(&piece);
            if self.is_over(&text) {
                break;
            }
        }
        show("\n")?;
        Ok(Written { texts: vec![text], tokens: sequence.len() - prompt.len(), scores: Vec::new() })
    }

    /// Writes several texts in the time of little more than one.
    fn side_by_side<B: Backend>(
        &self,
        language: &Language<B>,
        stepper: impl Stepper,
        prompt: &[u32],
    ) -> anyhow::Result<Written> {
        let mut rows = generate_rows(stepper, prompt, &self.sampler(), Key::new(self.seed))?;
        let mut texts = vec![String::new(); self.count];
        let mut ends: Vec<Option<usize>> = vec![None; self.count];
        for written in 1..=self.length {
            let Some(tokens) = rows.next() else { break };
            for (row, token) in tokens?.into_iter().enumerate() {
                let Some(token) = token.filter(|_| ends[row].is_none()) else { continue };
                let sequence = &rows.sequences()[row];
                texts[row].push_str(&language.tokens.piece(&sequence[..sequence.len() - 1], token)?);
                if self.is_over(&texts[row]) || written == self.length {
                    ends[row] = Some(written);
                }
            }
            if ends.iter().all(Option::is_some) {
                break;
            }
        }
        self.show_all(&language.tokens.text(prompt)?, &texts, &[])?;
        Ok(Written { texts, tokens: ends.into_iter().flatten().sum(), scores: Vec::new() })
    }

    /// Searches for the most probable texts.
    fn search<B: Backend>(
        &self,
        width: usize,
        language: &Language<B>,
        stepper: impl Stepper,
        prompt: &[u32],
    ) -> anyhow::Result<Written> {
        let mut beam = Beam::new(width).longest(self.length).n_best(self.count);
        let end = self.until.as_deref().map(|until| language.tokens.single("--until", until)).transpose()?;
        if let Some(end) = end {
            beam = beam.until(end);
        }
        let found = beam.search(stepper, prompt)?;
        ensure!(!found.is_empty(), "--beam: expected a text, found none");
        let text = |tokens: &[u32]| -> anyhow::Result<String> {
            let whole = [prompt, tokens].concat();
            (prompt.len()..whole.len()).map(|at| language.tokens.piece(&whole[..at], whole[at])).collect()
        };
        let texts = found.iter().map(|found| text(&found.tokens)).collect::<anyhow::Result<Vec<_>>>()?;
        let scores: Vec<f64> = found.iter().map(|found| found.score).collect();
        self.show_all(&language.tokens.text(prompt)?, &texts, &scores)?;
        Ok(Written { texts, tokens: found.iter().map(|found| found.tokens.len()).sum(), scores })
    }

    fn is_over(&self, text: &str) -> bool {
        self.until.as_ref().is_some_and(|until| text.ends_with(until))
    }

    fn show_all(&self, prompt: &str, texts: &[String], scores: &[f64]) -> anyhow::Result<()> {
        for (number, text) in texts.iter().enumerate() {
            let score = scores.get(number).map_or(String::new(), |score| format!(", {score:.4}"));
            if self.count > 1 {
                say!("--- {}{score}", number + 1)?;
            }
            say!("{prompt}{text}")?;
        }
        Ok(())
    }
}
