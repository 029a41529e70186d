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

    fn score(self) -> f64 {
        self.both() + self.bonus
    }
}

/// What a beginning has become at a step: itself, or with a label more.
struct Grown {
    /// The number of the beginning.
    from: usize,
    label: Option<u32>,
    ends: Ends,
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

    /// The best readings, best first, as many as the beam is wide or fewer; none where a bonus of -∞ leaves none. Errors: outputs that are not whole steps of `classes`, or of fewer
    /// than two; NaN or +∞ (names the step); a blank that is no class; a beam of no width; a bonus that is NaN or +∞.
    pub fn search(&self, outputs: &[f32], classes: usize) -> Result<Vec<Reading>> {
        self.check(outputs, classes)?;
        let mut beam: Vec<(Vec<u32>, Ends)> = vec![(Vec::new(), Ends { blank: 0.0, ..Ends::NONE })];
        for row in outputs.chunks_exact(classes) {
            beam = self.step(&beam, &log_softmax(row))?;
        }
        let reading = |(labels, ends): (Vec<u32>, Ends)| {
            let log_probability = ends.both();
            Reading { labels, log_probability, score: ends.score() }
        };
        Ok(beam.into_iter().map(reading).collect())
    }

    /// A step on from the best beginnings.
    fn step(&self, beam: &[(Vec<u32>, Ends)], scores: &[f64]) -> Result<Vec<(Vec<u32>, Ends)>> {
        let numbers: HashMap<&[u32], usize> = (0..).zip(beam).map(|(at, (labels, _))| (&labels[..], at)).collect();
        // Beginnings that others grow into, by their last label.
        let mut grown: HashMap<(usize, u32), usize> = HashMap::new();
        let mut all = Vec::with_capacity(beam.len() * scores.len());
        for (at, (labels, ends)) in beam.iter().enumerate() {
            let mut same = Ends { bonus: ends.bonus, blank: ends.both() + scores[self.blank as usize], ..Ends::NONE };
            if let Some((&last, before)) = labels.split_last() {
                same.label = ends.label + scores[last as usize];
                numbers.get(before).map(|&from| grown.insert((from, last), at));
            }
            all.push(Grown { from: at, label: None, ends: same });
        }
        for (from, (labels, ends)) in beam.iter().enumerate() {
            let both = ends.both();
            for (label, score) in (0..).zip(scores).filter(|&(label, _)| label != self.blank) {
                // A label behind itself begins anew only behind a blank.
                let before = if Some(&label) == labels.last() { ends.blank } else { both };
                if let Some(&at) = grown.get(&(from, label)) {
                    let there: &mut Grown = &mut all[at];
                    there.ends.label = add(there.ends.label, before + score);
                } else if before + score > f64::NEG_INFINITY {
                    let bonus = ends.bonus + self.bonus_of(labels, label)?;
                    all.push(Grown {
                        from,
                        label: Some(label),
                        ends: Ends { label: before + score, bonus, ..Ends::NONE },
                    });
                }
            }
        }
        all.retain(|grown| grown.ends.score() > f64::NEG_INFINITY);
        let labels = |grown: &Grown| beam[grown.from].0.iter().copied().chain(grown.label);
        // Of equal ones the first in the order of their labels.
        let order = |one: &Grown, other: &Grown| {
            other.ends.score().total_cmp(&one.ends.score()).then_with(|| labels(one).cmp(labels(other)))
        };
        if all.len() > self.width {
            all.select_nth_unstable_by(self.width - 1, order);
            all.truncate(self.width);
        }
        all.sort_unstable_by(order);
        Ok(all.iter().map(|grown| (labels(grown).collect(), grown.ends)).collect())
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
