//! What is told of predictions: metrics over all classes and by class, in one pass over the texts.

use super::classifier::Prediction;
use elman::metrics::{Average, ConfusionMatrix, F1, Metric, Recall, Scores, TargetsRef};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// Classes shown in the confusion matrix.
const SHOWN: usize = 12;

/// Classes of which the JSON has the whole matrix: above, its zeros would be most of it.
const SQUARE: usize = 100;

/// Everything that is told of predictions.
pub struct Report {
    labels: Vec<String>,
    confusion: ConfusionMatrix,
    f1: F1,
    recall: Recall,
    /// Sum over the texts of what the right class cost.
    surprise: f64,
    texts: usize,
    by_class: Vec<Counts>,
    /// Texts by their class and the one that was predicted, where there are any.
    pairs: BTreeMap<(usize, usize), u64>,
}

/// Texts of a class.
#[derive(Clone, Default)]
struct Counts {
    right: u64,
    predicted: u64,
    actual: u64,
}

impl Counts {
    /// Precision, recall and F1; 0 where there is nothing to divide by, as scikit-learn has it.
    fn measures(&self) -> [f64; 3] {
        let part = |of: u64| if of == 0 { 0.0 } else { self.right as f64 / of as f64 };
        let either = self.predicted + self.actual;
        [
            part(self.predicted),
            part(self.actual),
            if either == 0 { 0.0 } else { 2.0 * self.right as f64 / either as f64 },
        ]
    }
}

impl Report {
    pub fn new(labels: &[String]) -> elman::Result<Self> {
        Ok(Report {
            labels: labels.to_vec(),
            confusion: ConfusionMatrix::new(labels.len())?,
            f1: F1::new(Average::Macro),
            recall: Recall::new(Average::Macro),
            surprise: 0.0,
            texts: 0,
            by_class: vec![Counts::default(); labels.len()],
            pairs: BTreeMap::new(),
        })
    }

    /// Counts texts with these classes in.
    pub fn add(&mut self, classes: &[u32], predictions: &[Prediction]) -> elman::Result<()> {
        let flat: Vec<f32> = predictions.iter().flat_map(|p| &p.probabilities).copied().collect();
        let scores = Scores::new(&flat, self.labels.len(), TargetsRef::Classes(classes));
        self.confusion.update(&scores)?;
        self.f1.update(&scores)?;
        self.recall.update(&scores)?;
        for (prediction, &class) in predictions.iter().zip(classes) {
            let (class, predicted) = (class as usize, prediction.class);
            let p = prediction.probabilities.get(class).copied().unwrap_or(0.0);
            // As Keras has it: what is thought impossible costs much, not everything.
            self.surprise -= f64::from(p).max(1e-7).ln();
            self.by_class[class].actual += 1;
            self.by_class[predicted].predicted += 1;
            self.by_class[class].right += u64::from(class == predicted);
            *self.pairs.entry((class, predicted)).or_default() += 1;
        }
        self.texts += predictions.len();
        Ok(())
    }

    fn overall(&self) -> [(&'static str, f64); 4] {
        [
            ("accuracy", self.confusion.accuracy()),
            ("macro_f1", self.f1.value()),
            ("macro_recall", self.recall.value()),
            ("log_loss", self.surprise / self.texts.max(1) as f64),
        ]
    }

    pub fn json(&self) -> Value {
        let by_class = self.labels.iter().zip(&self.by_class).map(|(label, counts)| {
            let [precision, recall, f1] = counts.measures();
            (label.clone(), json!({ "precision": precision, "recall": recall, "f1": f1, "texts": counts.actual }))
        });
        let pairs = self.pairs.iter().map(|((class, predicted), texts)| {
            json!({ "label": self.labels[*class], "predicted": self.labels[*predicted], "texts": texts })
        });
        let mut results = json!({
            "metrics": self.overall().map(|(name, value)| (name.to_string(), json!(value))).into_iter().collect::<Map<_, _>>(),
            "by_class": by_class.collect::<Map<_, _>>(),
            "labels": self.labels,
            "confused": pairs.collect::<Vec<_>>(),
        });
        let classes = self.labels.len();
        if classes <= SQUARE {
            let count = |class, predicted| self.pairs.get(&(class, predicted)).copied().unwrap_or(0);
            let row = |class| (0..classes).map(|predicted| count(class, predicted)).collect::<Vec<_>>();
            results["confusion"] = (0..classes).map(row).collect();
        }
        results
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.overall() {
            writeln!(f, "{name:<13} {value:.4}")?;
        }
        let width = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "\n{:<width$}  precision  recall      f1   texts", "label")?;
        for (label, counts) in self.labels.iter().zip(&self.by_class) {
            let ([precision, recall, f1], texts) = (counts.measures(), counts.actual);
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
        // Of two that are yes one is found; of two that are no both. In two parts.
        let mut report = Report::new(&labels).unwrap();
        report.add(&[1, 1, 0], &[says(0.75), says(0.25), says(0.25)]).unwrap();
        report.add(&[0], &[says(0.0)]).unwrap();
        let measures: Vec<_> = report.by_class.iter().map(|counts| (counts.measures(), counts.actual)).collect();
        assert_eq!(measures, [([2.0 / 3.0, 1.0, 0.8], 2), ([1.0, 0.5, 2.0 / 3.0], 2)]);
        let value = |name: &str| report.overall().iter().find(|(n, _)| *n == name).unwrap().1;
        assert_eq!((value("accuracy"), value("macro_recall")), (0.75, 0.75));
        assert!((value("macro_f1") - (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        let expected = -(0.75f64.ln() + 0.25f64.ln() + 0.75f64.ln()) / 4.0;
        assert!((value("log_loss") - expected).abs() < 1e-12);
        assert_eq!(report.json()["confusion"], json!([[2, 0], [1, 1]]));
        assert_eq!(report.json()["confused"][1], json!({ "label": "yes", "predicted": "no", "texts": 1 }));
        let printed = report.to_string();
        assert!(printed.contains("yes       1.0000  0.5000  0.6667       2"), "{printed}");
    }
}
