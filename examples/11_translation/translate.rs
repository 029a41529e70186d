//! `translate`: texts in, translations out, with what was looked at.

use super::attention;
use super::common::files::{self, Files, output_problem};
use super::common::run::{RunSettings, Texts, Trained, cell, own_files};
use super::common::{Options, Program};
use super::search::Search;
use super::settings::Settings;
use anyhow::{Context, ensure};
use elman::Backend;
use elman::pipeline::{Translation, Translator};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Texts that are translated before the first of them is written.
const AT_ONCE: usize = 1024;
/// Pictures of an SVG.
const DRAWN: usize = 50;

#[derive(clap::Args)]
pub struct Translate {
    #[command(flatten)]
    pub trained: Trained,
    #[command(flatten)]
    texts: Texts,
    #[command(flatten)]
    search: Search,
    /// The best of each text, a line each: number of the text, from 1, tab, score, tab, translation; 1: the translation alone
    #[arg(long, value_name = "N", default_value_t = 1)]
    n_best: usize,
    /// Show which words were looked at for each that was written, as a table
    #[arg(long)]
    attention: bool,
    /// Draw that to this file, of the first texts, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Translate {
    /// Files that a picture must not take the place of.
    fn others(&self) -> Files {
        self.texts.files().into_iter().chain(own_files(&self.trained.run, Settings::OWN)).collect()
    }
}

impl Program for Translate {
    fn problems(&self) -> Vec<String> {
        let mut problems = self.texts.problems();
        problems.extend(self.svg.iter().filter_map(|path| output_problem("--svg", path, &self.others())));
        problems.extend(self.search.problems());
        if !(1..=self.search.beam).contains(&self.n_best) {
            problems
                .push(format!("--n-best {}: expected 1 to {}, as wide as --beam is", self.n_best, self.search.beam));
        }
        problems
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let options = self.search.options().n_best(self.n_best);
        let shows = self.attention || self.svg.is_some();
        let options = if shows { options.attention() } else { options };
        let translator = Translator::load(backend, self.trained.path()?)?.options(options);
        let texts = self.texts.read()?;
        let mut out = BufWriter::new(io::stdout().lock());
        for (number, texts) in texts.chunks(AT_ONCE).enumerate() {
            let found = translator.n_best_all(texts)?;
            if shows {
                let is_there = |best: &Vec<Translation>| {
                    best[0].source.is_empty() || best[0].tokens.is_empty() || !best[0].attention.is_empty()
                };
                ensure!(
                    found.iter().all(is_there),
                    "--attention, --svg: expected a run with attention, found one without"
                );
            }
            if let (0, Some(path)) = (number, &self.svg) {
                let pictures = found.iter().map(|best| &best[0]).filter(|best| !best.tokens.is_empty());
                files::write(path, &attention::svg(pictures.take(DRAWN)))?;
            }
            let numbered = found.iter().zip(number * AT_ONCE + 1..);
            for (best, of) in numbered.flat_map(|(best, of)| best.iter().map(move |best| (best, of))) {
                let text = cell(&best.text);
                let written = match self.n_best > 1 {
                    true => writeln!(out, "{of}\t{:.4}\t{text}", best.score),
                    false => writeln!(out, "{text}"),
                };
                written.context("standard output")?;
                if self.attention && !best.tokens.is_empty() {
                    writeln!(out, "\n{}", attention::table(best)).context("standard output")?;
                }
            }
        }
        out.flush().context("standard output")?;
        Ok(json!({ "texts": texts.len() }))
    }
}
