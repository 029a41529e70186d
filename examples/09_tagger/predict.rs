//! `predict`: sentences as they were given, with the tags and trees that the model finds.

use super::arcs;
use super::common::files::{self, Files, STANDARD, input_problem, output_problem};
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program};
use super::corpus::{Format, Found, Given, alike, read, read_text};
use super::settings::Settings;
use super::size::check_length;
use super::trained;
use anyhow::{Context, ensure};
use elman::Backend;
use elman::pipeline::{Tagger, TaggerExample};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Sentences that are tagged before the first of them is written.
const AT_ONCE: usize = 1024;

#[derive(clap::Args)]
pub struct Predict {
    #[command(flatten)]
    pub trained: Trained,
    /// Sentences, whose tags or trees are written over or added, or plain text, plain or .gz [default: standard input]
    #[arg(default_value = STANDARD)]
    file: PathBuf,
    /// Format of the file [default: by the end of its name, of standard input that of the training's files]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Draw the trees, in the place of CoNLL-U
    #[arg(long)]
    trees: bool,
    /// Draw the first trees to this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Trees of an SVG.
const DRAWN: usize = 50;

impl Predict {
    /// Files that a picture must not take the place of.
    fn others(&self) -> Files {
        let run = own_files(&self.trained.run, Settings::OWN);
        std::iter::once(("the sentences".to_string(), self.file.clone())).chain(run).collect()
    }
}

impl Program for Predict {
    fn problems(&self) -> Vec<String> {
        let picture = self.svg.iter().filter_map(|path| output_problem("--svg", path, &self.others()));
        let input = input_problem("", &self.file).map(|problem| problem.trim().to_string());
        input.into_iter().chain(picture).collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let (tagger, columns) = trained::load(backend, &self.trained.path()?)?;
        let task = tagger.task();
        for option in [self.trees.then_some("--trees"), self.svg.as_ref().map(|_| "--svg")].into_iter().flatten() {
            ensure!(task.has_trees(), "{option}: expected a run of trees, found one of --task {}", task.name());
        }
        let of_training = if columns.is_some() { Format::Columns } else { Format::Conllu };
        let told = self.format.or((self.file.as_os_str() == STANDARD).then_some(of_training));
        let format = Format::of(&self.file, told);
        alike(&self.file, format, columns)?;
        let sentences = match format {
            Format::Text => read_text(&self.file, columns, |line| words(&tagger, line))?,
            format => read(&self.file, format, columns, true)?,
        };
        let mut sentences = sentences.into_iter();
        let mut out = BufWriter::new(io::stdout().lock());
        let mut count = 0;
        loop {
            let part: Vec<Given> = sentences.by_ref().take(AT_ONCE).collect();
            if part.is_empty() {
                break;
            }
            let examples: Vec<TaggerExample> = part.iter().map(|given| given.example.clone()).collect();
            if let Some(labels) = tagger.vocabulary().labels() {
                check_length(examples.iter(), labels.len())?;
            }
            let tagged = tagger.tag_examples(&examples)?;
            let found: Vec<Found> = tagged.iter().map(|tagged| Found::of(tagged, task)).collect();
            if let (0, Some(path)) = (count, &self.svg) {
                let trees = examples.iter().zip(&found).take(DRAWN);
                let trees = trees.filter_map(|(example, found)| Some((&example.words[..], found.tree.as_ref()?)));
                files::write(path, &arcs::svg(trees))?;
            }
            count += part.len();
            for ((given, example), found) in part.into_iter().zip(&examples).zip(&found) {
                let written = match found.tree.as_ref().filter(|_| self.trees) {
                    Some(tree) => writeln!(out, "{}", tree.drawing(&example.words)),
                    None => given.write(found, &mut out),
                };
                written.context("standard output")?;
            }
        }
        out.flush().context("standard output")?;
        Ok(json!({ "sentences": count }))
    }
}

/// The words of a line, which is one sentence.
fn words<B: Backend>(tagger: &Tagger<B>, line: &str) -> Vec<String> {
    tagger.sentences(line).into_iter().flatten().map(|range| line[range].to_string()).collect()
}
