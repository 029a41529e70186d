//! `evaluate`: how near translations come to those of a file.

use super::common::files::{self, Files, input_problems, output_problem};
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program};
use super::corpus;
use super::say;
use super::search::Search;
use super::settings::Settings;
use anyhow::ensure;
use elman::Backend;
use elman::metrics::{Bleu, ChrF};
use elman::pipeline::Translator;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Evaluate {
    #[command(flatten)]
    pub trained: Trained,
    /// Pairs, a line each: text, tab, translation; plain or .gz; -: standard input
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The translations, line by line, where --data has the texts alone
    #[arg(long, value_name = "FILE")]
    data_target: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
    /// Write the translations to this file, a line each
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the results to this file as one JSON object; -: to standard output, behind what is printed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Texts that are shown.
const SHOWN: usize = 5;

impl Evaluate {
    fn inputs(&self) -> Files {
        let target = self.data_target.iter().map(|path| ("--data-target".to_string(), path.clone()));
        [("--data".to_string(), self.data.clone())].into_iter().chain(target).collect()
    }

    /// Files that the translations must not take the place of.
    fn others(&self) -> Files {
        self.inputs().into_iter().chain(own_files(&self.trained.run, Settings::OWN)).collect()
    }
}

impl Program for Evaluate {
    fn files(&self) -> Files {
        let output = self.output.iter().map(|path| ("--output".to_string(), path.clone()));
        self.others().into_iter().chain(output).collect()
    }

    fn problems(&self) -> Vec<String> {
        let output = self.output.iter().filter_map(|path| output_problem("--output", path, &self.others()));
        input_problems(&self.inputs()).into_iter().chain(output).chain(self.search.problems()).collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let path = self.trained.path()?;
        let translator = Translator::load(backend, &path)?.options(self.search.options());
        let pairs = corpus::read(&self.data, self.data_target.as_deref())?;
        ensure!(!pairs.is_empty(), "--data {}: expected pairs, found none", self.data.display());
        let (sources, mut references): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
        // What writes small letters alone is held to no others.
        let lowered = translator.languages().target.is_lowercase();
        if lowered {
            references.iter_mut().for_each(|text| *text = text.to_lowercase());
        }
        let signature = |of: &str| if lowered { of.replace("case:mixed", "case:lc") } else { of.to_string() };
        let [of_bleu, of_chrf] = [Bleu::SIGNATURE, ChrF::SIGNATURE].map(signature);
        // The first batch warms up memory and threads.
        translator.translate_all(&sources[..sources.len().min(8)])?;
        let begun = Instant::now();
        let found = translator.translate_all(&sources)?;
        let seconds = begun.elapsed().as_secs_f64();
        let texts: Vec<&str> = found.iter().map(|translation| &*translation.text).collect();

        let (bleu, chrf) = (Bleu::corpus(&texts, &references)?, ChrF::corpus(&texts, &references)?);
        let same = texts.iter().zip(&references).filter(|(text, reference)| text == reference).count();
        let (count, exact) = (texts.len(), same as f64 / texts.len() as f64);
        let speed = count as f64 / seconds.max(1e-9);
        let (data, by, width) = (self.data.display(), path.display(), self.search.beam);
        say!("{count} texts of {data} by {by}, a beam of {width}, {speed:.0} texts a second\n")?;
        for ((source, text), reference) in sources.iter().zip(&texts).zip(&references).take(SHOWN) {
            say!("  {source}\n= {text}\n  {reference}\n")?;
        }
        match references.iter().any(|text| text.split_whitespace().nth(3).is_some()) {
            true => say!("BLEU   {:.2}  {of_bleu}", bleu.score())?,
            false => say!("BLEU   -  no reference has four words, which it is about")?,
        }
        say!("chrF   {:.2}  {}", chrf.score(), of_chrf)?;
        say!("exact  {exact:.4}")?;
        if let Some(path) = &self.output {
            files::write(path, &texts.iter().map(|text| format!("{text}\n")).collect::<String>())?;
        }
        let lengths = json!({ "translations": bleu.tokens(), "references": bleu.reference_tokens() });
        Ok(json!({
            "texts": count,
            "beam": width,
            "metrics": { "bleu": bleu.score(), "chrf": chrf.score(), "exact": exact },
            "bleu_precisions": bleu.precisions(),
            "bleu_brevity_penalty": bleu.brevity_penalty(),
            "bleu_signature": of_bleu,
            "chrf_signature": of_chrf,
            "tokens": lengths,
            "texts_per_second": speed,
        }))
    }
}
