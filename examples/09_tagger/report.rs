//! How good tags are, one by one and as whole spans, and trees.

use super::trees::Tree;
use elman::metrics::{AttachmentScores, SpanScores};
use elman::pipeline::TaggerTask;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// Pairs of a tag and what it was taken for that are told.
const SHOWN: usize = 12;

/// Counts over all sentences.
pub struct Report {
    words: u64,
    right: u64,
    /// By tag: right, predicted, there.
    by_tag: BTreeMap<String, [u64; 3]>,
    /// By tag and predicted tag, where they differ.
    confused: BTreeMap<(String, String), u64>,
    spans: Option<SpanScores>,
    trees: AttachmentScores,
    task: TaggerTask,
}

impl Report {
    pub fn new(task: TaggerTask) -> Self {
        let spans = (task == TaggerTask::Spans).then(SpanScores::new);
        Report {
            words: 0,
            right: 0,
            by_tag: BTreeMap::new(),
            confused: BTreeMap::new(),
            spans,
            trees: AttachmentScores::new(),
            task,
        }
    }

    /// Counts a sentence's tree in; where there are no tags its labels, without subtypes, are counted like them.
    pub fn add_tree(&mut self, tree: &Tree, predicted: &Tree) -> elman::Result<()> {
        self.trees.add((&tree.heads, &tree.labels), (&predicted.heads, &predicted.labels))?;
        if self.task.has_tags() { Ok(()) } else { self.add(&tree.relations(), &predicted.relations()) }
    }

    /// Counts a sentence's tags in.
    pub fn add<T: AsRef<str>>(&mut self, tags: &[T], predicted: &[&str]) -> elman::Result<()> {
        if let Some(spans) = &mut self.spans {
            spans.add(tags, predicted)?;
        }
        for (tag, &predicted) in tags.iter().map(AsRef::as_ref).zip(predicted) {
            let right = u64::from(tag == predicted);
            self.words += 1;
            self.right += right;
            let of_tag = self.by_tag.entry(tag.to_string()).or_default();
            of_tag[0] += right;
            of_tag[2] += 1;
            self.by_tag.entry(predicted.to_string()).or_default()[1] += 1;
            if right == 0 {
                *self.confused.entry((tag.to_string(), predicted.to_string())).or_default() += 1;
            }
        }
        Ok(())
    }

    /// The tags as a picture of what they are taken for.
    pub fn svg(&self) -> String {
        let tags: Vec<&str> = self.by_tag.keys().map(String::as_str).collect();
        let others = |tag: &str, other: &str| self.confused.get(&(tag.into(), other.into())).copied().unwrap_or(0);
        let right = |tag: &str| self.by_tag.get(tag).map_or(0, |counts| counts[0]);
        super::confusion::svg(&tags, |tag, other| if tag == other { right(tag) } else { others(tag, other) })
    }

    fn accuracy(&self) -> f64 {
        self.right as f64 / self.words.max(1) as f64
    }

    /// By tag, or by kind of span: precision, recall, F1, how many there are.
    fn rows(&self) -> Vec<(&str, [f64; 3], u64)> {
        let part = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let measures = |[right, predicted, there]: [u64; 3]| {
            [part(right, predicted), part(right, there), part(2 * right, predicted + there)]
        };
        match &self.spans {
            Some(spans) => {
                let row = |(kind, counts): (_, elman::metrics::SpanCounts)| {
                    (kind, [counts.precision(), counts.recall(), counts.f1()], counts.actual)
                };
                spans.kinds().map(row).collect()
            }
            None => self.by_tag.iter().map(|(tag, &counts)| (tag.as_str(), measures(counts), counts[2])).collect(),
        }
    }

    fn overall(&self) -> Vec<(&'static str, f64)> {
        let labels = self.task == TaggerTask::Trees;
        let mut overall = vec![(if labels { "labels" } else { "accuracy" }, self.accuracy())];
        if self.task.has_trees() {
            overall.extend([("uas", self.trees.uas()), ("las", self.trees.las())]);
        }
        if let Some(spans) = &self.spans {
            let all = spans.micro();
            overall.extend([("precision", all.precision()), ("recall", all.recall()), ("f1", all.f1())]);
            overall.push(("macro_f1", spans.macro_f1()));
        }
        overall
    }

    /// Tags that were taken for others, the most frequent first.
    fn confused(&self) -> Vec<(&str, &str, u64)> {
        let mut pairs: Vec<_> =
            self.confused.iter().map(|((tag, as_what), &words)| (tag.as_str(), as_what.as_str(), words)).collect();
        pairs.sort_by_key(|&(_, _, words)| std::cmp::Reverse(words));
        pairs
    }

    /// What there is a row of.
    fn of_row(&self) -> &'static str {
        match self.task {
            TaggerTask::Spans => "kind",
            TaggerTask::Trees => "label",
            TaggerTask::Tags | TaggerTask::All => "tag",
        }
    }

    pub fn json(&self) -> Value {
        let each = self.rows().into_iter().map(|(name, [precision, recall, f1], there)| {
            (name.to_string(), json!({ "precision": precision, "recall": recall, "f1": f1, "there": there }))
        });
        let confused = self.confused().into_iter();
        let confused =
            confused.map(|(tag, as_what, words)| json!({ "tag": tag, "predicted": as_what, "words": words }));
        json!({
            "words": self.words,
            "metrics": self.overall().into_iter().map(|(name, value)| (name.to_string(), json!(value))).collect::<Map<_, _>>(),
            (format!("by_{}", self.of_row())): each.collect::<Map<_, _>>(),
            "confused": confused.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.overall() {
            writeln!(f, "{name:<13} {value:.4}")?;
        }
        let rows = self.rows();
        let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "\n{:<width$}  precision  recall      f1   there", self.of_row())?;
        for (name, [precision, recall, f1], there) in rows {
            writeln!(f, "{name:<width$}  {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {there:>6}")?;
        }
        write!(f, "\nmost often confused:")?;
        for (tag, as_what, words) in self.confused().into_iter().take(SHOWN) {
            write!(f, "\n{words:>6}  {tag} as {as_what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &str) -> Vec<String> {
        tags.split(' ').map(String::from).collect()
    }

    #[test]
    fn the_report_counts_by_hand() {
        let mut report = Report::new(TaggerTask::Tags);
        report.add(&tags("N V N"), &["N", "N", "N"]).unwrap();
        report.add(&tags("V X"), &["V", "V"]).unwrap();
        report.add(&tags("X"), &["V"]).unwrap();
        assert_eq!(report.overall(), [("accuracy", 0.5)]);
        let rows = [("N", [2.0 / 3.0, 1.0, 0.8], 2), ("V", [1.0 / 3.0, 0.5, 0.4], 2), ("X", [0.0; 3], 2)];
        assert_eq!(report.rows(), rows);
        assert_eq!(report.confused(), [("X", "V", 2), ("V", "N", 1)]);
        let json = report.json();
        assert_eq!(json["by_tag"]["V"], json!({ "precision": 1.0 / 3.0, "recall": 0.5, "f1": 0.4, "there": 2 }));
        assert_eq!(json["confused"][0], json!({ "tag": "X", "predicted": "V", "words": 2 }));
        assert_eq!((&json["words"], &json["metrics"]), (&json!(6), &json!({ "accuracy": 0.5 })));
        let text = report.to_string();
        assert!(text.starts_with("accuracy      0.5000\n\ntag    precision  recall      f1   there\n"), "{text}");
        assert!(text.contains("\nV         0.3333  0.5000  0.4000       2\n"), "{text}");
        assert!(text.ends_with("most often confused:\n     2  X as V\n     1  V as N"), "{text}");
        let svg = report.svg();
        assert!(svg.contains(">2 of 2 X taken for V<") && svg.contains(">2 of 2 N taken for N<"), "{svg}");

        let mut report = Report::new(TaggerTask::Spans);
        report.add(&tags("B-a I-a O B-b"), &["B-a", "I-a", "O", "O"]).unwrap();
        let overall = [("accuracy", 0.75), ("precision", 1.0), ("recall", 0.5), ("f1", 2.0 / 3.0), ("macro_f1", 0.5)];
        assert_eq!(report.overall(), overall);
        assert_eq!(report.rows(), [("a", [1.0; 3], 1), ("b", [0.0; 3], 1)]);
        assert!(report.to_string().contains("1  B-b as O"), "{report}");
        assert!(report.add(&tags("x"), &["O"]).is_err());

        let tree = |heads: [usize; 3], labels: &str| Tree { heads: heads.to_vec(), labels: tags(labels) };
        let mut report = Report::new(TaggerTask::Trees);
        report.add_tree(&tree([2, 0, 2], "det root obj:x"), &tree([2, 0, 1], "amod root obj")).unwrap();
        assert_eq!(report.overall(), [("labels", 2.0 / 3.0), ("uas", 2.0 / 3.0), ("las", 1.0 / 3.0)]);
        assert_eq!(report.confused(), [("det", "amod", 1)]);
    }
}
