//! `evaluate`: how good a run is on tagged sentences.

use super::common::files::{self, Files, input_problem, output_problem};
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program, merged};
use super::corpus::{Format, Found, alike, read, read_trees};
use super::report::Report;
use super::say;
use super::settings::Settings;
use super::size::check_length;
use super::trained;
use super::trees::Tree;
use elman::Backend;
use elman::pipeline::TaggerExample;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Evaluate {
    #[command(flatten)]
    pub trained: Trained,
    /// Tagged sentences, plain or .gz; -: standard input
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Format of the file [default: by the end of its name]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write which tags, or labels of trees, are taken for which to this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the results to this file as one JSON object; -: to standard output, behind what is printed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Evaluate {
    /// Files that a picture must not take the place of.
    fn others(&self) -> Files {
        let run = own_files(&self.trained.run, Settings::OWN);
        std::iter::once(("--data".to_string(), self.data.clone())).chain(run).collect()
    }
}

impl Program for Evaluate {
    fn files(&self) -> Files {
        let picture = self.svg.iter().map(|path| ("--svg".to_string(), path.clone()));
        self.others().into_iter().chain(picture).collect()
    }

    fn problems(&self) -> Vec<String> {
        let picture = self.svg.iter().filter_map(|path| output_problem("--svg", path, &self.others()));
        input_problem("--data", &self.data).into_iter().chain(picture).collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let path = self.trained.path()?;
        let (tagger, columns) = trained::load(backend, &path)?;
        let (format, task) = (Format::of(&self.data, self.format), tagger.task());
        alike(&self.data, format, columns)?;
        let mut sentences = read(&self.data, format, columns, false)?;
        if task.has_trees() {
            read_trees(&self.data, &mut sentences)?;
        }
        let sentences: Vec<TaggerExample> = sentences.into_iter().map(|given| given.example).collect();
        if let Some(labels) = tagger.vocabulary().labels() {
            check_length(sentences.iter(), labels.len())?;
        }
        let mut report = Report::new(task);
        // The first batch warms up memory and threads.
        tagger.tag_examples(&sentences[..sentences.len().min(32)])?;
        let begun = Instant::now();
        let tagged = tagger.tag_examples(&sentences)?;
        let seconds = begun.elapsed().as_secs_f64();
        for (sentence, tagged) in sentences.iter().zip(&tagged) {
            let found = Found::of(tagged, task);
            if task.has_tags() {
                report.add(&sentence.tags, &found.tags)?;
            }
            if let (Some(there), Some(found)) = (Tree::of(sentence).filter(|_| task.has_trees()), &found.tree) {
                report.add_tree(&there, found)?;
            }
        }
        let words: usize = sentences.iter().map(|sentence| sentence.words.len()).sum();
        let speed = words as f64 / seconds.max(1e-9);
        let (data, count) = (self.data.display(), sentences.len());
        say!("{count} sentences of {data} by {}, {speed:.0} words a second\n\n{report}", path.display())?;
        if let Some(path) = &self.svg {
            files::write(path, &report.svg())?;
        }
        Ok(merged(report.json(), json!({ "sentences": count, "words_per_second": speed })))
    }
}
