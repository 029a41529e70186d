//! `predict`: label and probabilities of texts given as arguments or as the lines of a file.

use super::classifier::{Classifier, Prediction};
use super::common::run::{Texts, Trained, cell};
use super::common::{Options, Program};
use anyhow::Context;
use clap::ValueEnum;
use elman::Backend;
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};

#[derive(clap::Args)]
pub struct Predict {
    #[command(flatten)]
    pub trained: Trained,
    #[command(flatten)]
    texts: Texts,
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
    fn problems(&self) -> Vec<String> {
        self.texts.problems()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let classifier = Classifier::load(backend, &self.trained.path()?)?;
        let texts = self.texts.read()?;
        let mut out = BufWriter::new(io::stdout().lock());
        self.write(&classifier, &texts, &mut out)?;
        out.flush().context("standard output")?;
        Ok(json!({ "texts": texts.len() }))
    }
}

impl Predict {
    fn write<B: Backend>(
        &self,
        classifier: &Classifier<B>,
        texts: &[String],
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        if let Output::Tsv = self.output {
            let names = classifier.labels.names();
            let heading = names.iter().map(|name| format!("p({})", cell(name))).collect::<Vec<_>>().join("\t");
            writeln!(out, "label\t{heading}\ttext").context("standard output")?;
        }
        for part in texts.chunks(classifier.at_once()) {
            for (text, prediction) in part.iter().zip(classifier.predict(part.iter().map(String::as_str))?) {
                let line = match self.output {
                    Output::Tsv => line(classifier.labels.names(), &prediction, text),
                    Output::Jsonl => {
                        let mut fields = classifier.fields(&prediction);
                        fields.insert("text".into(), json!(text));
                        Value::Object(fields).to_string()
                    }
                };
                writeln!(out, "{line}").context("standard output")?;
            }
        }
        Ok(())
    }
}

/// A line of TSV.
fn line(labels: &[String], prediction: &Prediction, text: &str) -> String {
    let probabilities = prediction.probabilities.iter().map(|p| format!("{p:.4}"));
    let cells = std::iter::once(cell(&labels[prediction.class])).chain(probabilities).chain([cell(text)]);
    cells.collect::<Vec<_>>().join("\t")
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
