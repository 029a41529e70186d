//! [`AlignmentBeam`]: the labels that the outputs of a network trained by connectionist temporal classification spell.

use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Labels that outputs may spell, and how probable they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The labels, none of them the blank.
    pub labels: Vec<u32>,
    /// The logarithm of the probability of the labels: of all their alignments that the search has seen together.
    pub log_probability: f64,
    /// The same with what [`AlignmentBeam::bonus`] adds: what readings are in order of.
    pub score: f64,
}

/// A bonus for a label behind others.
type Bonus = Arc<dyn Fn(&[u32], u32) -> f64 + Send + Sync>;

/// Reads labels out of outputs `[time, classes]` of a network that was trained with [`Tensor::ctc`](crate::Tensor::ctc): logits, or
/// logarithms of probabilities, of which the softmax is taken.
///
/// [`best_path`](AlignmentBeam::best_path) takes the best class at each step, repeats together, blanks away. [`search`](AlignmentBeam::search)
/// adds up all alignments of the same labels as it goes, keeping the best beginnings at each step (Graves, Jaitly, ICML 2014; Hannun and
/// others, <https://arxiv.org/abs/1408.2873>); with a beam as wide as there are beginnings it is exact.
///
/// ```
/// use elman::decode::AlignmentBeam;
/// // At both steps the blank is likeliest, yet `1` is likelier than nothing: 0.4 · 0.4 + 2 · 0.4 · 0.6 = 0.64.
/// let probabilities = [0.6f32, 0.4, 0.6, 0.4].map(f32::ln);
/// assert!(AlignmentBeam::new(4).best_path(&probabilities, 2)?.is_empty());
/// let readings = AlignmentBeam::new(4).search(&probabilities, 2)?;
/// assert_eq!(readings[0].labels, [1]);
/// assert!((readings[0].log_probability.exp() - 0.64).abs() < 1e-6);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "ctc_beam_search")]
#[doc(alias = "ctc_decode")]
#[derive(Clone)]
#[must_use]
pub struct AlignmentBeam {
    width: usize,
    blank: u32,
    bonus: Option<Bonus>,
}

impl fmt::Debug for AlignmentBeam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AlignmentBeam");
        shown.field("width", &self.width).field("blank", &self.blank).field("bonus", &self.bonus.is_some()).finish()
    }
}

/// Of labels the logarithms of the probabilities of their alignments that end in a blank, and that end in the last label.
#[derive(Clone, Copy)]
struct Ends {
    blank: f64,
    label: f64,
    bonus: f64,
}

impl Ends {
    const NONE: Ends = Ends { blank: f64::NEG_INFINITY, label: f64::NEG_INFINITY, bonus: 0.0 };

    fn both(self) -> f64 {
        add(self.blank, self.label)
    }
}

/// `ln (e^x + e^y)`
fn add(x: f64, y: f64) -> f64 {
    let (most, least) = if x > y { (x, y) } else { (y, x) };
    if least == f64::NEG_INFINITY { most } else { most + (least - most).exp().ln_1p() }
}

impl AlignmentBeam {
    /// A search that keeps so many beginnings at each step; the blank is class 0.
    pub fn new(width: usize) -> Self {
        AlignmentBeam { width, blank: 0, bonus: None }
    }

    /// The class that is no label.
    pub fn blank(self, blank: u32) -> Self {
        AlignmentBeam { blank, ..self }
    }

    /// What a label (second) adds to the score of a reading behind the labels before it (first): the weighted logarithm of what a model
    /// of language thinks of it, plus a constant for each label perhaps; -∞ where no word of a list goes on like that.
    pub fn bonus(self, bonus: impl Fn(&[u32], u32) -> f64 + Send + Sync + 'static) -> Self {
        AlignmentBeam { bonus: Some(Arc::new(bonus)), ..self }
    }

    /// What the best class of each step spells, the first of equals. Errors as [`search`](AlignmentBeam::search).
    pub fn best_path(&self, outputs: &[f32], classes: usize) -> Result<Vec<u32>> {
        self.check(outputs, classes)?;
        let best = |row: &[f32]| (0..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best });
        let mut path: Vec<u32> = outputs.chunks_exact(classes).map(|row| best(row) as u32).collect();
        path.dedup();
        path.retain(|&class| class != self.blank);
        Ok(path)
    }

    /// The best readings, best first, as many as the beam is wide or fewer. Errors: outputs that are not whole steps of `classes`, or of fewer
    /// than two; NaN or +∞ (names the step); a blank that is no class; a beam of no width; a bonus that is NaN or +∞.
    pub fn search(&self, outputs: &[f32], classes: usize) -> Result<Vec<Reading>> {
        self.check(outputs, classes)?;
        let mut beam: Vec<(Vec<u32>, Ends)> = vec![(Vec::new(), Ends { blank: 0.0, ..Ends::NONE })];
        for row in outputs.chunks_exact(classes) {
            beam = self.step(&beam, &log_softmax(row))?;
        }
        let reading = |(labels, ends): (Vec<u32>, Ends)| {
            let log_probability = ends.both();
            Reading { labels, log_probability, score: log_probability + ends.bonus }
        };
        Ok(beam.into_iter().map(reading).collect())
    }

    /// A step on from the best beginnings.
    fn step(&self, beam: &[(Vec<u32>, Ends)], scores: &[f64]) -> Result<Vec<(Vec<u32>, Ends)>> {
        let mut next: HashMap<Vec<u32>, Ends> = HashMap::with_capacity(beam.len() * scores.len());
        for (labels, ends) in beam {
            let (both, last) = (ends.both(), labels.last());
            let same = next.entry(labels.clone()).or_insert(Ends { bonus: ends.bonus, ..Ends::NONE });
            same.blank = add(same.blank, both + scores[self.blank as usize]);
            if let Some(&last) = last {
                same.label = add(same.label, ends.label + scores[last as usize]);
            }
            for (class, score) in (0..).zip(scores).filter(|&(class, _)| class != self.blank) {
                // A label behind itself begins anew only behind a blank.
                let from = if Some(&class) == last { ends.blank } else { both };
                let bonus = self.bonus_of(labels, class)?;
                if from + score + bonus == f64::NEG_INFINITY {
                    continue;
                }
                let on = next
                    .entry(labels.iter().copied().chain([class]).collect())
                    .or_insert(Ends { bonus: ends.bonus + bonus, ..Ends::NONE });
                on.label = add(on.label, from + score);
            }
        }
        let mut all: Vec<(Vec<u32>, Ends)> = next.into_iter().collect();
        // Of equal ones the first in the order of their labels, whatever the order of the table.
        all.sort_unstable_by(|(one, x), (other, y)| {
            (y.both() + y.bonus).total_cmp(&(x.both() + x.bonus)).then_with(|| one.cmp(other))
        });
        all.truncate(self.width);
        Ok(all)
    }

    fn bonus_of(&self, labels: &[u32], class: u32) -> Result<f64> {
        let bonus = self.bonus.as_ref().map_or(0.0, |bonus| bonus(labels, class));
        if bonus < f64::INFINITY {
            return Ok(bonus);
        }
        let place = format!("alignment beam, bonus of label {class} behind {labels:?}");
        Err(Error::invalid(place, "a number or -inf", bonus))
    }

    fn check(&self, outputs: &[f32], classes: usize) -> Result<()> {
        let place = "alignment beam";
        if self.width == 0 {
            return Err(Error::invalid(place, "a width of at least 1", 0));
        }
        if classes < 2 || !outputs.len().is_multiple_of(classes) {
            let expected = "outputs of whole steps of at least two classes";
            return Err(Error::invalid(place, expected, format!("{} for {classes} classes", outputs.len())));
        }
        if self.blank as usize >= classes {
            return Err(Error::invalid(place, format!("a blank below {classes}"), self.blank));
        }
        let wrong = |row: &[f32]| {
            let none = row.iter().all(|&x| x == f32::NEG_INFINITY);
            row.iter().any(|x| x.is_nan() || *x == f32::INFINITY) || none
        };
        match outputs.chunks_exact(classes).position(wrong) {
            Some(step) => {
                let found = format!("{:?}", &outputs[step * classes..][..classes.min(8)]);
                Err(Error::invalid(format!("{place}, step {step}"), "numbers, none of them NaN or +inf", found))
            }
            None => Ok(()),
        }
    }
}

fn log_softmax(row: &[f32]) -> Vec<f64> {
    let most = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total = row.iter().map(|&x| (f64::from(x) - most).exp()).sum::<f64>().ln();
    row.iter().map(|&x| f64::from(x) - most - total).collect()
}
