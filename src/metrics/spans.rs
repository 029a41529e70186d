//! Spans found against spans that are there: by kind, micro and macro averages, and F1 as a metric of a model.

use super::{Metric, Needs, Scores, described, other_state, ratio};
use crate::data::{Span, TagPlace, TagScheme, each_span, part_tag};
use crate::description::Description;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// How often spans were found, there, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Found where they are: the same words, the same kind.
    pub right: u64,
    /// Found.
    pub predicted: u64,
    /// There.
    pub actual: u64,
}

impl SpanCounts {
    /// Of the spans that were found, the share that is there; 0 where none was found.
    pub fn precision(&self) -> f64 {
        ratio(self.right as f64, self.predicted as f64)
    }

    /// Of the spans that are there, the share that was found; 0 where there is none.
    pub fn recall(&self) -> f64 {
        ratio(self.right as f64, self.actual as f64)
    }

    /// The harmonic mean of both: `2 right / (predicted + actual)`; 0 where there is neither.
    pub fn f1(&self) -> f64 {
        ratio(2.0 * self.right as f64, (self.predicted + self.actual) as f64)
    }

    fn add(&mut self, other: SpanCounts) {
        self.right += other.right;
        self.predicted += other.predicted;
        self.actual += other.actual;
    }
}

/// Precision, recall and F1 of whole spans, over any number of sequences: the measure of CoNLL's tasks on chunks and names.
///
/// [Leniently](crate::data::spans), unless a scheme is set: then as `conlleval` and seqeval's default count, with
/// [`SpanScores::strict`] as seqeval's strict mode does.
///
/// ```
/// use elman::metrics::SpanScores;
/// let mut scores = SpanScores::new();
/// scores.add(&["B-PER", "I-PER", "O", "B-LOC"], &["B-PER", "I-PER", "O", "B-ORG"])?;
/// assert_eq!((scores.micro().f1(), scores.of("PER").f1()), (0.5, 1.0));
/// assert_eq!(scores.macro_f1(), 1.0 / 3.0);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanScores {
    scheme: Option<TagScheme>,
    by_kind: BTreeMap<String, SpanCounts>,
}

impl SpanScores {
    /// No sequence yet, tags read leniently.
    pub fn new() -> Self {
        SpanScores::default()
    }

    /// The same; only spans count that are marked as the scheme wants it.
    pub fn strict(scheme: TagScheme) -> Self {
        SpanScores { scheme: Some(scheme), by_kind: BTreeMap::new() }
    }

    /// Takes in the tags of a sequence, those that are right and those that were predicted.
    ///
    /// Errors: not as many of one as of the other; tags that are none (which of both, and which word).
    pub fn add<T: AsRef<str>, P: AsRef<str>>(&mut self, targets: &[T], predicted: &[P]) -> Result<()> {
        if targets.len() != predicted.len() {
            let expected = format!("{} predicted tags, as many as there are words", targets.len());
            return Err(Error::invalid("spans", expected, predicted.len()));
        }
        let (targets, predicted) = match self.scheme {
            Some(scheme) => (scheme.spans(targets), scheme.spans(predicted)),
            None => (crate::data::spans(targets), crate::data::spans(predicted)),
        };
        let (targets, predicted) = (targets.map_err(|e| e.at("targets"))?, predicted.map_err(|e| e.at("predictions"))?);
        let there: HashSet<&Span<'_>> = targets.iter().collect();
        for span in &targets {
            self.kind(span.kind).actual += 1;
        }
        for span in &predicted {
            let counts = self.kind(span.kind);
            counts.predicted += 1;
            counts.right += u64::from(there.contains(span));
        }
        Ok(())
    }

    fn kind(&mut self, kind: &str) -> &mut SpanCounts {
        if !self.by_kind.contains_key(kind) {
            self.by_kind.insert(kind.to_string(), SpanCounts::default());
        }
        self.by_kind.entry(kind.to_string()).or_default()
    }

    /// The kinds that are there or were found, in alphabetical order, with their counts.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, SpanCounts)> {
        self.by_kind.iter().map(|(kind, &counts)| (kind.as_str(), counts))
    }

    /// The counts of a kind; all 0 where it occurs nowhere.
    pub fn of(&self, kind: &str) -> SpanCounts {
        self.by_kind.get(kind).copied().unwrap_or_default()
    }

    /// The counts of all kinds together: what `conlleval` prints first.
    pub fn micro(&self) -> SpanCounts {
        let mut all = SpanCounts::default();
        self.by_kind.values().for_each(|&counts| all.add(counts));
        all
    }

    /// The plain mean of the precisions of all kinds; 0 without a kind.
    pub fn macro_precision(&self) -> f64 {
        self.mean(SpanCounts::precision)
    }

    /// The plain mean of the recalls of all kinds.
    pub fn macro_recall(&self) -> f64 {
        self.mean(SpanCounts::recall)
    }

    /// The plain mean of the F1 of all kinds, not the F1 of the means.
    pub fn macro_f1(&self) -> f64 {
        self.mean(SpanCounts::f1)
    }

    fn mean(&self, measure: fn(&SpanCounts) -> f64) -> f64 {
        ratio(self.by_kind.values().map(measure).sum(), self.by_kind.len() as f64)
    }
}

/// F1 of whole spans, of a model that gives a class for each step: micro-averaged over the kinds, as `conlleval` counts.
///
/// The classes are tags, by the names that are given; of each step the most probable one is taken, of which two numbers leave the
/// device. Steps that are masked are passed over. Weights of samples do not count.
///
/// ```
/// use elman::metrics::{Metric, Scores, SpanF1, TargetsRef};
/// let mut f1 = SpanF1::new(["O", "B-X", "I-X"])?;
/// // One sequence of two steps; the span is found one step short.
/// let scores = [0.1, 0.8, 0.1, 0.7, 0.2, 0.1];
/// f1.update(&Scores { steps: 2, ..Scores::new(&scores, 3, TargetsRef::Classes(&[1, 2])) })?;
/// assert_eq!(f1.value(), 0.0);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "OfSpanF1")]
#[must_use]
pub struct SpanF1 {
    name: String,
    tags: Vec<String>,
    scheme: Option<TagScheme>,
    /// The tags taken apart: place, and number of the kind.
    #[serde(skip)]
    parted: Vec<(TagPlace, usize)>,
    #[serde(skip)]
    counts: SpanCounts,
}

/// What is read of a description, to be checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSpanF1 {
    name: Option<String>,
    tags: Vec<String>,
    #[serde(default)]
    scheme: Option<TagScheme>,
}

impl TryFrom<OfSpanF1> for SpanF1 {
    type Error = Error;

    fn try_from(OfSpanF1 { name, tags, scheme }: OfSpanF1) -> Result<Self> {
        let f1 = SpanF1::new(tags)?;
        let f1 = match scheme {
            Some(scheme) => f1.strict(scheme)?,
            None => f1,
        };
        Ok(match name {
            Some(name) => f1.named(name),
            None => f1,
        })
    }
}

impl SpanF1 {
    /// F1 named `span_f1`, of classes with these tags in the order of their numbers
    /// ([`Labels::names`](crate::data::Labels::names)). Errors: no tag, or one that is none (names it).
    pub fn new<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Result<Self> {
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        let f1 = SpanF1 { name: "span_f1".into(), tags, scheme: None, parted: Vec::new(), counts: Default::default() };
        f1.read_tags()
    }

    /// Counts only spans that are marked as the scheme wants it. Errors: tags that are none of the scheme.
    pub fn strict(self, scheme: TagScheme) -> Result<Self> {
        SpanF1 { scheme: Some(scheme), ..self }.read_tags()
    }

    /// Sets the name.
    pub fn named(self, name: impl Into<String>) -> Self {
        SpanF1 { name: name.into(), ..self }
    }

    fn read_tags(mut self) -> Result<Self> {
        if self.tags.is_empty() {
            return Err(Error::invalid(&self.name, "at least one tag", "none"));
        }
        let mut kinds: Vec<&str> = Vec::new();
        let mut parted = Vec::new();
        for tag in &self.tags {
            let (place, kind) = part_tag(tag, self.scheme).map_err(|error| error.at(&self.name))?;
            let number = kinds.iter().position(|&other| other == kind).unwrap_or(kinds.len());
            if number == kinds.len() {
                kinds.push(kind);
            }
            parted.push((place, number));
        }
        self.parted = parted;
        Ok(self)
    }

    /// Counts the spans of a sequence.
    fn sequence(&mut self, targets: &[(TagPlace, usize)], predicted: &[(TagPlace, usize)]) {
        let mut there = HashSet::new();
        each_span(targets, self.scheme, |kind, words| {
            there.insert((kind, words));
        });
        self.counts.actual += there.len() as u64;
        each_span(predicted, self.scheme, |kind, words| {
            self.counts.predicted += 1;
            self.counts.right += u64::from(there.contains(&(kind, words)));
        });
    }
}

impl Metric for SpanF1 {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.counts = SpanCounts::default();
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if batch.classes() != self.tags.len() {
            let expected = format!("outputs for {} tags", self.tags.len());
            return Err(Error::invalid(&self.name, expected, batch.outputs));
        }
        let (mut rows, steps) = (Vec::with_capacity(batch.rows()), batch.steps.max(1));
        batch.decide_rows(&self.name, None, |row, target, predicted, _| {
            rows.push((row / steps, self.parted[target], self.parted[predicted]));
        })?;
        for sequence in rows.chunk_by(|one, next| one.0 == next.0) {
            let (targets, predicted): (Vec<_>, Vec<_>) = sequence.iter().map(|&(_, t, p)| (t, p)).unzip();
            self.sequence(&targets, &predicted);
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs::Classes
    }

    fn value(&self) -> f64 {
        self.counts.f1()
    }

    fn state(&self) -> Option<Vec<f64>> {
        let SpanCounts { right, predicted, actual } = self.counts;
        Some([right, predicted, actual].map(|count| count as f64).to_vec())
    }

    fn restore(&mut self, state: &[f64]) -> Result<()> {
        let whole = |&x: &f64| x >= 0.0 && x.fract() == 0.0 && x < (1u64 << 53) as f64;
        match state {
            [right, predicted, actual] if state.iter().all(whole) && right <= predicted && right <= actual => {
                self.counts = SpanCounts { right: *right as u64, predicted: *predicted as u64, actual: *actual as u64 };
                Ok(())
            }
            _ => Err(other_state(&self.name, "three counts", state)),
        }
    }

    fn describe(&self) -> Result<Description> {
        described("span_f1", self)
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}
