//! What a model is to give: classes or numbers.

use super::ragged::is_block;
use super::{Ragged, checks};
use crate::error::{Error, Result};
use crate::record::Record;
use std::ops::Range;

/// The targets of a set of samples. The constructors check them; from outside the crate the variants can be matched,
/// not built.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Classes by number, from 0: one a sample, or one for every step of it.
    #[non_exhaustive]
    Classes {
        /// The labels of all samples: `[len, per_sample]`.
        labels: Vec<u32>,
        /// Labels of one sample: 1, or the number of steps.
        per_sample: usize,
    },
    /// Numbers: of a regression, one-hot classes, ±1 for the hinge loss; all of them are `[len, shape...]`.
    #[non_exhaustive]
    Values {
        /// The numbers of all samples.
        data: Vec<f32>,
        /// Shape of one sample's target.
        shape: Vec<usize>,
    },
    /// A class for every step of sequences that are kept at their own lengths.
    RaggedClasses(Ragged<u32>),
    /// Numbers for every step of such sequences.
    RaggedValues(Ragged<f32>),
    /// Targets of several outputs under their names, of as many samples each.
    Record(Record<Targets>),
}

impl Targets {
    /// What they are, for messages.
    pub(crate) fn kind(&self) -> String {
        match self {
            Targets::Classes { per_sample: 1, .. } => "one class a sample".to_string(),
            Targets::Classes { per_sample, .. } => format!("{per_sample} classes a sample"),
            Targets::Values { shape, .. } => format!("numbers of shape {shape:?} a sample"),
            Targets::RaggedClasses(_) => "a class for every step".to_string(),
            Targets::RaggedValues(rows) => format!("{} numbers for every step", rows.width()),
            Targets::Record(parts) => {
                let parts: Vec<String> = parts.iter().map(|(name, part)| format!("{name} ({})", part.kind())).collect();
                format!("a record of {}", parts.join(", "))
            }
        }
    }

    /// Targets of several outputs, under their names. Errors: as those of [`Record::new`]; not as many samples in one as in another.
    ///
    /// ```
    /// use elman::data::Targets;
    /// let (topic, stars) = (Targets::classes(vec![3, 0])?, Targets::values(vec![4.5, 2.0], &[1])?);
    /// assert_eq!(Targets::record([("topic", topic), ("stars", stars)])?.len(), 2);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn record<N: Into<String>>(parts: impl IntoIterator<Item = (N, Targets)>) -> Result<Self> {
        let parts = Record::new(parts)?;
        checks::same_length("targets", parts.iter().map(|(name, part)| (name, part.len())))?;
        Ok(Targets::Record(parts))
    }

    /// The targets of an output by name, or the whole where none is named; `None` where there are none of that name.
    pub(crate) fn part(&self, name: Option<&str>) -> Option<&Targets> {
        match (self, name) {
            (Targets::Record(parts), Some(name)) => parts.get(name),
            (whole, None) => Some(whole),
            (_, Some(_)) => None,
        }
    }

    /// One class a sample. Errors: no label.
    pub fn classes(labels: Vec<u32>) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::invalid("targets", "at least one label", "none"));
        }
        Ok(Targets::Classes { labels, per_sample: 1 })
    }

    /// A class for every step of every sample, as in tagging words: `[len, steps]`, padded with a label that the loss
    /// and the metrics are told to ignore; or, for sequences that are kept at their own lengths, rows as long as these. Errors: no
    /// row, or none that has a step.
    pub fn classes_per_step<R: AsRef<[u32]>>(rows: &[R]) -> Result<Self> {
        if !is_block(rows) {
            return Ragged::new("targets", rows, 1).map(Targets::RaggedClasses);
        }
        let (per_sample, labels) = checks::flatten("targets", rows)?;
        Ok(Targets::Classes { labels, per_sample })
    }

    /// Numbers: targets of `sample_shape` that lie in `data` one after the other; `&[]` is one number a sample.
    ///
    /// Errors: no target; a last one that is not complete; a number that is NaN or infinite (names sample and feature).
    pub fn values(data: Vec<f32>, sample_shape: &[usize]) -> Result<Self> {
        checks::samples("targets", &data, sample_shape)?;
        Ok(Targets::Values { data, shape: sample_shape.to_vec() })
    }

    /// Numbers for every step of sequences that are kept at their own lengths, `width` a step. Errors: as
    /// [`Inputs::sequences`](super::Inputs::sequences).
    pub fn values_per_step<R: AsRef<[f32]>>(rows: &[R], width: usize) -> Result<Self> {
        Ragged::new("targets", rows, width)?.check("targets").map(Targets::RaggedValues)
    }

    /// Classes as rows of zeros with a single 1: `[len, classes]`. Errors: no label, or one that is not below `classes`.
    ///
    /// ```
    /// use elman::data::Targets;
    /// assert_eq!(Targets::one_hot(&[2, 0], 3)?, Targets::values(vec![0., 0., 1., 1., 0., 0.], &[3])?);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn one_hot(labels: &[u32], classes: usize) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::invalid("targets", "at least one label", "none"));
        }
        check_labels(labels, 1, classes, None)?;
        let mut data = vec![0.0; labels.len() * classes];
        for (row, &label) in data.chunks_exact_mut(classes).zip(labels) {
            row[label as usize] = 1.0;
        }
        Ok(Targets::Values { data, shape: vec![classes] })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Targets::Classes { labels, per_sample } => labels.len() / (*per_sample).max(1),
            Targets::Values { data, shape } => data.len() / shape.iter().product::<usize>().max(1),
            Targets::RaggedClasses(rows) => rows.len(),
            Targets::RaggedValues(rows) => rows.len(),
            Targets::Record(parts) => parts.iter().next().map_or(0, |(_, part)| part.len()),
        }
    }

    /// Whether there is no sample: only after selecting none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The targets of the samples `rows`, in that order. Errors: a row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        checks::selection("targets", rows, self.len())?;
        Ok(match self {
            Targets::Classes { labels, per_sample } => {
                Targets::Classes { labels: checks::gather(labels, *per_sample, rows), per_sample: *per_sample }
            }
            Targets::Values { data, shape } => {
                Targets::Values { data: checks::gather(data, shape.iter().product(), rows), shape: shape.clone() }
            }
            Targets::RaggedClasses(all) => Targets::RaggedClasses(all.select(rows)),
            Targets::RaggedValues(all) => Targets::RaggedValues(all.select(rows)),
            Targets::Record(parts) => Targets::Record(parts.as_ref().try_map(|_, part| part.select(rows))?),
        })
    }

    /// The targets of the samples of `range`. Errors: a range that does not lie within the samples.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        checks::range("targets", &range, self.len())?;
        self.select(&range.collect::<Vec<_>>())
    }

    /// Checks that every label but `ignore` is below `classes`, the number of a model's outputs. Values pass.
    ///
    /// ```
    /// let tags = elman::data::Targets::classes_per_step(&[[0, 1, 99], [2, 17, 99]])?;
    /// let error = tags.check_classes(17, Some(99)).unwrap_err();
    /// assert_eq!(error.to_string(), "targets, sample 1, step 1: expected a label below 17, found 17");
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn check_classes(&self, classes: usize, ignore: Option<u32>) -> Result<()> {
        match self {
            Targets::Classes { labels, per_sample } => check_labels(labels, *per_sample, classes, ignore),
            Targets::RaggedClasses(rows) => {
                let bad = rows.data().iter().position(|&label| label as usize >= classes && Some(label) != ignore);
                let Some(at) = bad else { return Ok(()) };
                let (sample, step) = rows.place(at);
                let place = format!("targets, sample {sample}, step {step}");
                Err(Error::invalid(place, format!("a label below {classes}"), rows.data()[at]))
            }
            Targets::Values { .. } | Targets::RaggedValues(_) => Ok(()),
            Targets::Record(_) => {
                let expected = "the targets of one output";
                Err(Error::invalid("targets", expected, self.kind()))
            }
        }
    }

    /// The targets of each step of sequences of `steps` steps, but for those before and behind `kept`. Others are as before.
    pub(super) fn trimmed(self, kept: &Range<usize>, steps: usize) -> Self {
        let cut = |width: usize| (kept.start * width)..(kept.end * width);
        match self {
            // One a sample is something else than one for the only step.
            Targets::Classes { labels, per_sample } if per_sample == steps && steps > 1 => {
                let labels = labels.chunks_exact(steps).flat_map(|row| &row[cut(1)]).copied().collect();
                match kept.len() {
                    1 => Targets::RaggedClasses(Ragged::of_block(labels, 1)),
                    per_sample => Targets::Classes { labels, per_sample },
                }
            }
            Targets::Values { data, shape } if shape.len() > 1 && shape[0] == steps => {
                let width = shape[1..].iter().product();
                let data = data.chunks_exact(steps * width).flat_map(|row| &row[cut(width)]).copied().collect();
                Targets::Values { data, shape: [&[kept.len()], &shape[1..]].concat() }
            }
            Targets::Record(parts) => Targets::Record(parts.map(|_, part| part.trimmed(kept, steps))),
            other => other,
        }
    }

    /// The steps of each sample, and where those of a sample begin among all; `None` where a sample has one target.
    pub(crate) fn steps(&self, sample: usize) -> Option<Range<usize>> {
        let block = |steps: usize| sample * steps..(sample + 1) * steps;
        match self {
            Targets::Classes { per_sample, .. } => (*per_sample > 1).then(|| block(*per_sample)),
            Targets::Values { shape, .. } => (shape.len() > 1).then(|| block(shape[0])),
            Targets::RaggedClasses(rows) => Some(rows.begin(sample)..rows.begin(sample + 1)),
            Targets::RaggedValues(rows) => Some(rows.begin(sample)..rows.begin(sample + 1)),
            Targets::Record(_) => None,
        }
    }

    /// All labels, one a sample or a step; `None` of numbers.
    pub(crate) fn labels(&self) -> Option<&[u32]> {
        match self {
            Targets::Classes { labels, .. } => Some(labels),
            Targets::RaggedClasses(rows) => Some(rows.data()),
            Targets::Values { .. } | Targets::RaggedValues(_) | Targets::Record(_) => None,
        }
    }

    /// In a block, as a batch has them: what pads them is 0.
    pub(crate) fn in_block(&self) -> std::borrow::Cow<'_, Targets> {
        use std::borrow::Cow;
        match self {
            Targets::RaggedClasses(rows) => {
                Cow::Owned(Targets::Classes { labels: rows.block(0), per_sample: rows.longest() })
            }
            Targets::RaggedValues(rows) => {
                Cow::Owned(Targets::Values { data: rows.block(0.0), shape: vec![rows.longest(), rows.width()] })
            }
            _ => Cow::Borrowed(self),
        }
    }
}

/// Checks that labels are below `classes`; shared with the class weights.
pub(super) fn check_labels(labels: &[u32], per_sample: usize, classes: usize, ignore: Option<u32>) -> Result<()> {
    let bad = labels.iter().position(|&label| label as usize >= classes && Some(label) != ignore);
    let Some(at) = bad else { return Ok(()) };
    let step = if per_sample > 1 { format!(", step {}", at % per_sample) } else { String::new() };
    let place = format!("targets, sample {}{step}", at / per_sample.max(1));
    Err(Error::invalid(place, format!("a label below {classes}"), labels[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn labels_and_values_are_selected_by_sample() {
        let steps = Targets::classes_per_step(&[[0, 1], [2, 3], [4, 5]]).unwrap();
        assert_eq!(steps.select(&[2, 0]).unwrap(), Targets::classes_per_step(&[[4, 5], [0, 1]]).unwrap());
        assert_eq!((steps.len(), steps.slice(1..1).unwrap().len()), (3, 0));
        let values = Targets::values(vec![1., 2., 3., 4.], &[2]).unwrap();
        assert_eq!(values.select(&[1]).unwrap(), Targets::values(vec![3., 4.], &[2]).unwrap());
        assert_eq!(message(values.select(&[2])), "targets: select: expected rows below 2, found row 2");
        assert_eq!(Targets::values(vec![1., 2., 3.], &[]).unwrap().len(), 3);
        let one_hot = Targets::values(vec![0., 0., 1., 1., 0., 0.], &[3]).unwrap();
        assert_eq!(Targets::one_hot(&[2, 0], 3).unwrap(), one_hot);
    }

    #[test]
    fn a_label_out_of_range_is_named_unless_ignored() {
        let targets = Targets::classes(vec![0, 2, 7, 9]).unwrap();
        let expected = "targets, sample 2: expected a label below 3, found 7";
        assert_eq!(message(targets.check_classes(3, None)), expected);
        assert_eq!(message(targets.check_classes(3, Some(7))), "targets, sample 3: expected a label below 3, found 9");
        assert!(targets.check_classes(10, None).is_ok());
        assert_eq!(message(Targets::one_hot(&[0, 2, 7], 3)), expected);
    }

    #[test]
    fn bad_targets_are_errors() {
        assert_eq!(message(Targets::classes(vec![])), "targets: expected at least one label, found none");
        let nan = Targets::values(vec![0., 0., 0., f32::NAN], &[2]);
        assert_eq!(message(nan), "targets, sample 1, feature 1: expected a finite number, found NaN");
        assert!(Targets::values(vec![0.; 3], &[2]).is_err());
        // Rows of their own lengths, as their sequences are; out of range they are named by sample and step.
        let ragged = Targets::classes_per_step(&[vec![1, 2], vec![1, 2, 3]]).unwrap();
        assert_eq!(
            message(ragged.check_classes(3, None)),
            "targets, sample 1, step 2: expected a label below 3, found 3"
        );
        assert!(ragged.check_classes(3, Some(3)).is_ok() && ragged.check_classes(4, None).is_ok());
        assert!(message(Targets::classes_per_step(&[vec![], vec![]])).ends_with("found empty rows"));
        assert!(Targets::one_hot(&[], 3).is_err() && Targets::one_hot(&[0], 0).is_err());
        let uneven = Targets::values_per_step(&[vec![1.0, 2.0, 3.0]], 2);
        assert_eq!(message(uneven), "targets, row 0: expected steps of 2 numbers, found 3 numbers");
    }
}
