//! `predict`: label and probabilities of texts given as arguments or as the lines of a file.

use super::classifier::{Classifier, Prediction};
use super::common::{Options, Program};
use super::{Trained, run};
use clap::ValueEnum;
use elman::Backend;
use elman::data::read_lines;
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Predict {
    #[command(flatten)]
    pub trained: Trained,
    /// A text, several times if there are several
    #[arg(long, value_name = "TEXT", required_unless_present = "file", conflicts_with = "file")]
    text: Vec<String>,
    /// A file with a text on each line, plain or .gz
    file: Option<PathBuf>,
    /// tsv: label, a probability a class, text, under a heading; jsonl: an object a line
    #[arg(long, value_enum, default_value = "tsv")]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Tsv,
    Jsonl,
}

impl Program for Predict {
    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let texts = match &self.file {
            Some(path) => read_lines(path)?,
            None => self.text.clone(),
        };
        let classifier = Classifier::load(backend, &run::trained(&self.trained.run)?)?;
        let mut out = BufWriter::new(io::stdout().lock());
        if let Output::Tsv = self.output {
            let names = classifier.labels.names();
            let heading = names.iter().map(|name| format!("p({})", cell(name))).collect::<Vec<_>>().join("\t");
            writeln!(out, "label\t{heading}\ttext")?;
        }
        for part in texts.chunks(2048) {
            for (text, prediction) in part.iter().zip(classifier.predict(part.iter().map(String::as_str))?) {
                match self.output {
                    Output::Tsv => writeln!(out, "{}", line(classifier.labels.names(), &prediction, text))?,
                    Output::Jsonl => {
                        let mut fields = classifier.fields(&prediction);
                        fields.insert("text".into(), json!(text));
                        writeln!(out, "{}", Value::Object(fields))?;
                    }
                }
            }
        }
        out.flush()?;
        Ok(json!({ "texts": texts.len() }))
    }
}

/// A line of TSV.
fn line(labels: &[String], prediction: &Prediction, text: &str) -> String {
    let probabilities = prediction.probabilities.iter().map(|p| format!("{p:.4}"));
    let cells = std::iter::once(cell(&labels[prediction.class])).chain(probabilities).chain([cell(text)]);
    cells.collect::<Vec<_>>().join("\t")
}

/// A value of TSV: tabs and line ends become spaces.
fn cell(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_as_many_cells_as_the_heading() {
        let prediction = Prediction { class: 1, probabilities: vec![0.25, 0.75] };
        let labels = ["a".to_string(), "b\tc".to_string()];
        assert_eq!(line(&labels, &prediction, "one\ttwo\nthree"), "b c\t0.2500\t0.7500\tone two three");
    }
}
