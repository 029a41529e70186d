//! `evaluate`: how good a run is on labelled texts.

use super::classifier::Classifier;
use super::common::files::{Files, input_problem};
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program};
use super::corpus::labelled;
use super::report::Report;
use super::say;
use super::settings::{Columns, Format, Settings};
use elman::Backend;
use serde_json::Value;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Evaluate {
    #[command(flatten)]
    pub trained: Trained,
    /// Labelled texts: .tsv, .csv or .jsonl, plain or .gz; -: standard input, with --format
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column (CSV) or field (JSON) of the label [default: as in training]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Column (CSV) or field (JSON) of the text [default: as in training]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Format of the file [default: by the end of its name]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What separates the values of CSV [default: as in training]
    #[arg(long, value_name = "CHARACTER")]
    separator: Option<char>,
    /// Write the results to this file as one JSON object; -: to standard output, behind what is printed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Evaluate {
    /// Where the texts are in the file: as told, otherwise as in training.
    fn columns(&self, begun: &Columns) -> Columns {
        Columns {
            label_column: self.label_column.clone().unwrap_or_else(|| begun.label_column.clone()),
            text_column: self.text_column.clone().unwrap_or_else(|| begun.text_column.clone()),
            format: self.format,
            separator: self.separator.unwrap_or(begun.separator),
        }
    }
}

impl Program for Evaluate {
    fn files(&self) -> Files {
        let run = own_files(&self.trained.run, Settings::OWN);
        std::iter::once(("--data".to_string(), self.data.clone())).chain(run).collect()
    }

    fn problems(&self) -> Vec<String> {
        let told = [
            ("--label-column", self.label_column.is_some()),
            ("--text-column", self.text_column.is_some()),
            ("--separator", self.separator.is_some()),
        ];
        let told: Vec<&str> = told.iter().filter(|(_, told)| *told).map(|(option, _)| *option).collect();
        let columns = self.columns(&Columns::default());
        columns
            .problems(&told, &[("--data", &self.data)])
            .into_iter()
            .chain(input_problem("--data", &self.data))
            .collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let path = self.trained.path()?;
        let classifier = Classifier::load(backend, &path)?;
        let texts = labelled(&self.data, &self.columns(&classifier.settings.columns), &classifier.labels)?;
        let mut report = Report::new(classifier.labels.names())?;
        for part in texts.chunks(classifier.at_once()) {
            let classes: Vec<u32> = part.iter().map(|(class, _)| *class).collect();
            report.add(&classes, &classifier.predict(part.iter().map(|(_, text)| text.as_str()))?)?;
        }
        say!("{} texts of {} by {}\n\n{report}", texts.len(), self.data.display(), path.display())?;
        Ok(report.json())
    }
}
