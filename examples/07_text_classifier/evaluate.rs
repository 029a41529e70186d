//! `evaluate`: how good a run is on labelled texts.

use super::classifier::{Classifier, Prediction};
use super::common::{Options, Program};
use super::corpus::labelled;
use super::settings::{Columns, Format};
use super::{Trained, run, say};
use elman::Backend;
use elman::metrics::{Average, ConfusionMatrix, F1, Metric, Precision, Recall, Scores, TargetsRef};
use serde_json::{Map, Value, json};
use std::fmt;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Evaluate {
    #[command(flatten)]
    pub trained: Trained,
    /// Labelled texts: .tsv, .csv or .jsonl, plain or .gz
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
    /// Write the results to this file as one JSON object
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Classes shown in the confusion matrix.
const SHOWN: usize = 12;

impl Program for Evaluate {
    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let path = run::trained(&self.trained.run)?;
        let classifier = Classifier::load(backend, &path)?;
        let begun = &classifier.settings.columns;
        let columns = Columns {
            label_column: self.label_column.clone().unwrap_or_else(|| begun.label_column.clone()),
            text_column: self.text_column.clone().unwrap_or_else(|| begun.text_column.clone()),
            format: self.format,
            separator: self.separator.unwrap_or(begun.separator),
        };
        let texts = labelled(&self.data, &columns, &classifier.labels)?;
        let classes: Vec<u32> = texts.iter().map(|(class, _)| *class).collect();
        let mut predictions = Vec::with_capacity(texts.len());
        for part in texts.chunks(2048) {
            predictions.extend(classifier.predict(part.iter().map(|(_, text)| text.as_str()))?);
        }
        let report = Report::new(classifier.labels.names(), &classes, &predictions)?;
        say!("{} texts of {} by {}\n\n{report}", texts.len(), self.data.display(), path.display())?;
        Ok(report.json())
    }
}

/// Everything that is told of predictions.
pub struct Report {
    labels: Vec<String>,
    confusion: ConfusionMatrix,
    overall: Vec<(&'static str, f64)>,
    /// Precision, recall, F1 and texts of each class.
    by_class: Vec<[f64; 4]>,
}

impl Report {
    pub fn new(labels: &[String], classes: &[u32], predictions: &[Prediction]) -> elman::Result<Self> {
        let flat: Vec<f32> = predictions.iter().flat_map(|p| &p.probabilities).copied().collect();
        let scores = Scores::new(&flat, labels.len(), TargetsRef::Classes(classes));
        let measured = |mut metric: Box<dyn Metric>| metric.update(&scores).map(|()| metric.value());
        let mut confusion = ConfusionMatrix::new(labels.len())?;
        confusion.update(&scores)?;
        let surprise = predictions.iter().zip(classes).map(|(prediction, &class)| {
            let p = prediction.probabilities.get(class as usize).copied().unwrap_or(0.0);
            // As Keras has it: what is thought impossible costs much, not everything.
            -f64::from(p).max(1e-7).ln()
        });
        let loss = surprise.sum::<f64>() / predictions.len().max(1) as f64;
        let overall = vec![
            ("accuracy", confusion.accuracy()),
            ("macro_f1", measured(Box::new(F1::new(Average::Macro)))?),
            ("macro_recall", measured(Box::new(Recall::new(Average::Macro)))?),
            ("log_loss", loss),
        ];
        let mut by_class = Vec::new();
        for class in 0..labels.len() {
            let average = Average::Class(class);
            by_class.push([
                measured(Box::new(Precision::new(average)))?,
                measured(Box::new(Recall::new(average)))?,
                measured(Box::new(F1::new(average)))?,
                classes.iter().filter(|&&c| c as usize == class).count() as f64,
            ]);
        }
        Ok(Report { labels: labels.to_vec(), confusion, overall, by_class })
    }

    pub fn json(&self) -> Value {
        let by_class = self.labels.iter().zip(&self.by_class).map(|(label, [precision, recall, f1, texts])| {
            (label.clone(), json!({ "precision": precision, "recall": recall, "f1": f1, "texts": texts }))
        });
        let row = |class| (0..self.labels.len()).map(|other| self.confusion.count(class, other)).collect::<Vec<_>>();
        json!({
            "metrics": self.overall.iter().map(|(name, value)| (name.to_string(), json!(value))).collect::<Map<_, _>>(),
            "by_class": by_class.collect::<Map<_, _>>(),
            "labels": self.labels,
            "confusion": (0..self.labels.len()).map(row).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.overall {
            writeln!(f, "{name:<13} {value:.4}")?;
        }
        let width = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "\n{:<width$}  precision  recall      f1   texts", "label")?;
        for (label, [precision, recall, f1, texts]) in self.labels.iter().zip(&self.by_class) {
            writeln!(f, "{label:<width$}  {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {texts:>6}")?;
        }
        let table = self.confusion.table().names(&self.labels).map_err(|_| fmt::Error)?;
        write!(f, "\n{}", if self.labels.len() > SHOWN { table.largest(SHOWN) } else { table })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_counts_by_hand() {
        let labels = ["no".to_string(), "yes".to_string()];
        let says = |p: f32| Prediction { class: usize::from(p > 0.5), probabilities: vec![1.0 - p, p] };
        // Of two that are yes one is found; of two that are no both.
        let report = Report::new(&labels, &[1, 1, 0, 0], &[says(0.75), says(0.25), says(0.25), says(0.0)]).unwrap();
        assert_eq!(report.by_class, [[2.0 / 3.0, 1.0, 0.8, 2.0], [1.0, 0.5, 2.0 / 3.0, 2.0]]);
        let value = |name: &str| report.overall.iter().find(|(n, _)| *n == name).unwrap().1;
        assert_eq!((value("accuracy"), value("macro_recall")), (0.75, 0.75));
        let expected = -(0.75f64.ln() + 0.25f64.ln() + 0.75f64.ln()) / 4.0;
        assert!((value("log_loss") - expected).abs() < 1e-12);
        assert_eq!(report.json()["confusion"], json!([[2.0, 0.0], [1.0, 1.0]]));
        let printed = report.to_string();
        assert!(printed.contains("yes       1.0000  0.5000  0.6667       2"), "{printed}");
    }
}
