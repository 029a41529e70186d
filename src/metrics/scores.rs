//! One batch as the metrics see it: predictions, targets, weights.

use crate::data::Targets;
use crate::error::{Error, Result};
use crate::loss::Outputs;

/// The targets of a batch, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum TargetsRef<'a> {
    /// One class a row, from 0.
    Classes(&'a [u32]),
    /// As many numbers a row as there are outputs: one-hot classes, 0 and 1 or ±1 of a single output, a regression's.
    Values(&'a [f32]),
}

impl<'a> From<&'a Targets> for TargetsRef<'a> {
    fn from(targets: &'a Targets) -> Self {
        match targets {
            Targets::Classes { labels, .. } => TargetsRef::Classes(labels),
            Targets::Values { data, .. } => TargetsRef::Values(data),
            Targets::RaggedClasses(rows) => TargetsRef::Classes(rows.data()),
            Targets::RaggedValues(rows) => TargetsRef::Values(rows.data()),
            // Each output has its own; those of all together fit no predictions.
            Targets::Record(_) => TargetsRef::Values(&[]),
        }
    }
}

/// The predictions of a batch with their targets. A row is a sample, or a step of a sample where every step has an
/// output: `[batch, time, outputs]` is read as `[batch * time, outputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// What the model gave, `[rows, outputs]`: probabilities, or whatever else its last layer gives. Infinite numbers
    /// are compared like others (the logit of a forbidden class); NaN is an error.
    pub predictions: &'a [f32],
    /// What was found on the device of the predictions, which are then empty: `None` where these are there.
    pub decided: Option<Decided<'a>>,
    /// Numbers a row, at least 1.
    pub outputs: usize,
    /// What was to be given.
    pub targets: TargetsRef<'a>,
    /// How much each row counts, `[rows]`; `None`: each counts 1. Rows that weigh 0 are passed over unread.
    pub weights: Option<&'a [f32]>,
    /// A label whose rows do not count: padding.
    pub ignore: Option<u32>,
    /// How many rows, one after the other, are the steps of one sample: 1 where each sample has one.
    pub steps: usize,
    /// What the numbers are, which the loss knows. Not known ([`Outputs::Unknown`]): one class a row, a single output cut at 1/2.
    pub read_as: Outputs,
}

/// What is told of predictions of one class a row, of several outputs, to metrics that need [no more](super::Needs::Classes).
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The position of the greatest output of each row, the first one of equals; where one is NaN that of the first of these.
    pub classes: &'a [u32],
    /// The output at that position.
    pub greatest: &'a [f32],
}

/// One row, taken apart.
pub(super) struct ScoredRow<'a> {
    pub(super) number: usize,
    pub(super) predictions: &'a [f32],
    pub(super) target: Target<'a>,
    pub(super) weight: f64,
}

/// The target of one row.
pub(super) enum Target<'a> {
    Class(u32),
    Values(&'a [f32]),
}

impl<'a> Scores<'a> {
    /// A batch in which every row counts 1.
    pub fn new(predictions: &'a [f32], outputs: usize, targets: impl Into<TargetsRef<'a>>) -> Self {
        let (targets, read_as) = (targets.into(), Outputs::Unknown);
        Scores { predictions, decided: None, outputs, targets, weights: None, ignore: None, steps: 1, read_as }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self.decided {
            Some(decided) => decided.classes.len(),
            None => self.predictions.len() / self.outputs.max(1),
        }
    }

    /// Number of classes the outputs tell apart: two for a single output.
    pub fn classes(&self) -> usize {
        self.outputs.max(2)
    }

    /// Whether a row may have several labels: each of several outputs is a yes or no of its own, and so is its target. With class
    /// labels as targets a row has one class whatever the loss.
    pub fn is_multilabel(&self) -> bool {
        self.outputs > 1 && matches!(self.read_as, Outputs::Labels(_)) && matches!(self.targets, TargetsRef::Values(_))
    }

    /// Calls `each` with the true class, the predicted class and the weight of every row that counts.
    ///
    /// A single output predicts class 1 where it is greater than `threshold` (with none given that of
    /// [`Scores::read_as`]), otherwise class 0; its target is a label 0 or 1, or a number: -1, or from 0 to 1, where more than a
    /// half is class 1. Of several outputs the greatest is the class, the first one of equals; so it is with targets that
    /// are numbers.
    ///
    /// Errors, all beginning with `place`: several labels a row; lengths that do not go together; NaN; a target that is
    /// none of these.
    pub fn decide(&self, place: &str, threshold: Option<f32>, mut each: impl FnMut(usize, usize, f64)) -> Result<()> {
        self.decide_rows(place, threshold, |_, target, predicted, weight| each(target, predicted, weight))
    }

    /// The same, with the number of each row first.
    pub(super) fn decide_rows(
        &self,
        place: &str,
        threshold: Option<f32>,
        mut each: impl FnMut(usize, usize, usize, f64),
    ) -> Result<()> {
        if self.is_multilabel() {
            let expected = "one class a row (accuracy, precision, recall, F1 and AUC take several labels too)";
            return Err(Error::invalid(place, expected, "several labels a row"));
        }
        let threshold = threshold.unwrap_or(self.read_as.threshold());
        self.each_row_or_decision(place, |row| {
            let predicted = match (row.predictions, self.decided) {
                (_, Some(decided)) => decided.classes[row.number] as usize,
                ([single], None) => usize::from(*single > threshold),
                (several, None) => first_greatest(several),
            };
            each(row.number, self.class_of(place, &row)?, predicted, row.weight);
            Ok(())
        })
    }

    /// Calls `each` with the true labels, the predicted labels and the weight of every row that counts: one yes or no an output.
    /// An output predicts its label where it is greater than `threshold` (with none given that of [`Scores::read_as`]); a label is
    /// true where its target is more than a half.
    ///
    /// Errors, all beginning with `place`: class labels as targets; lengths that do not go together; NaN; a target that is
    /// neither -1 nor from 0 to 1.
    pub fn decide_labels(
        &self,
        place: &str,
        threshold: Option<f32>,
        mut each: impl FnMut(&[bool], &[bool], f64),
    ) -> Result<()> {
        let threshold = threshold.unwrap_or(self.read_as.threshold());
        let (mut truth, mut predicted) = (Vec::with_capacity(self.outputs), Vec::with_capacity(self.outputs));
        self.each_row(place, |row| {
            let Target::Values(targets) = row.target else {
                return Err(Error::invalid(place, "targets that are numbers, one for each label", "classes"));
            };
            truth.clear();
            for &target in targets {
                truth.push(is_yes(target).ok_or_else(|| not_binary(place, row.number, target))?);
            }
            predicted.clear();
            predicted.extend(row.predictions.iter().map(|&output| output > threshold));
            each(&truth, &predicted, row.weight);
            Ok(())
        })
    }

    /// The true class of a row.
    pub(super) fn class_of(&self, place: &str, row: &ScoredRow<'_>) -> Result<usize> {
        let at = || format!("{place}, row {}", row.number);
        match row.target {
            Target::Class(label) if (label as usize) < self.classes() => Ok(label as usize),
            Target::Class(label) => Err(Error::invalid(at(), format!("a label below {}", self.classes()), label)),
            Target::Values(&[single]) => {
                is_yes(single).map(usize::from).ok_or_else(|| not_binary(place, row.number, single))
            }
            Target::Values(several) => {
                // Whoever compares by hand has not said so; an argmax would see the first label only.
                let multi_hot =
                    several.iter().all(|&t| t == 0.0 || t == 1.0) && several.iter().filter(|&&t| t == 1.0).count() > 1;
                if multi_hot {
                    let expected = "one class a row (for several labels set Scores::read_as to Outputs::Labels)";
                    return Err(Error::invalid(at(), expected, "several labels"));
                }
                Ok(first_greatest(several))
            }
        }
    }

    /// Hands `each` every row that counts, after checking that the batch fits together. Errors where there are no predictions.
    pub(super) fn each_row(&self, place: &str, each: impl FnMut(ScoredRow<'a>) -> Result<()>) -> Result<()> {
        if self.decided.is_some() {
            return Err(Error::invalid(place, "predictions (what `Metric::needs` asks for)", "the classes alone"));
        }
        self.each_row_or_decision(place, each)
    }

    /// The same; where classes were found on the device, rows come without predictions.
    fn each_row_or_decision(&self, place: &str, mut each: impl FnMut(ScoredRow<'a>) -> Result<()>) -> Result<()> {
        self.check(place)?;
        for number in 0..self.rows() {
            let predictions = match self.decided {
                Some(_) => &[],
                None => &self.predictions[number * self.outputs..][..self.outputs],
            };
            let weight = self.weights.map_or(1.0, |weights| f64::from(weights[number]));
            let target = match self.targets {
                TargetsRef::Classes(labels) => Target::Class(labels[number]),
                TargetsRef::Values(values) => Target::Values(&values[number * self.outputs..][..self.outputs]),
            };
            if weight == 0.0 || matches!(target, Target::Class(label) if Some(label) == self.ignore) {
                continue;
            }
            let at = format_args!("{place}, row {number}");
            if !(weight.is_finite() && weight > 0.0) {
                return Err(Error::invalid(at, "a finite weight of at least 0", weight));
            }
            let nan = |what, numbers: &[f32]| match numbers.iter().position(|x| x.is_nan()) {
                None => Ok(()),
                Some(i) => Err(Error::invalid(format_args!("{at}, {what} {i}"), "a number", "NaN")),
            };
            match self.decided {
                Some(Decided { classes, greatest }) if greatest[number].is_nan() => {
                    return Err(Error::invalid(format_args!("{at}, output {}", classes[number]), "a number", "NaN"));
                }
                _ => nan("output", predictions)?,
            }
            if let Target::Values(values) = target {
                nan("target", values)?;
            }
            each(ScoredRow { number, predictions, target, weight })?;
        }
        Ok(())
    }

    fn check(&self, place: &str) -> Result<()> {
        let outputs = self.outputs;
        if let Some(Decided { classes, greatest }) = self.decided
            && (classes.len() != greatest.len() || classes.iter().any(|&class| class as usize >= outputs))
        {
            return Err(Error::invalid(place, format!("classes below {outputs} with their outputs"), "others"));
        }
        if outputs == 0 || !self.predictions.len().is_multiple_of(outputs) {
            let found = format!("{} predictions", self.predictions.len());
            return Err(Error::invalid(place, format!("whole rows of {outputs} outputs, at least 1"), found));
        }
        let rows = self.rows();
        let (expected, found) = match self.targets {
            TargetsRef::Classes(labels) => (rows, labels.len()),
            TargetsRef::Values(values) => (rows * outputs, values.len()),
        };
        if expected != found {
            let expected = format!("{expected} targets for {rows} rows of {outputs} outputs");
            return Err(Error::invalid(place, expected, found));
        }
        match self.weights {
            Some(weights) if weights.len() != rows => {
                Err(Error::invalid(place, format!("{rows} weights, one a row"), weights.len()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a target of a yes or no is a yes: -1, or from 0 to 1, where more than a half is; `None` for any other number.
pub(super) fn is_yes(target: f32) -> Option<bool> {
    (target == -1.0 || (0.0..=1.0).contains(&target)).then_some(target > 0.5)
}

pub(super) fn not_binary(place: &str, row: usize, target: f32) -> Error {
    Error::invalid(format!("{place}, row {row}"), "a target of -1 or from 0 to 1", target)
}

/// The position of the greatest number, the first one of equals; NaN has been ruled out.
fn first_greatest(numbers: &[f32]) -> usize {
    let mut best = 0;
    for (i, &x) in numbers.iter().enumerate() {
        if x > numbers[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(scores: Scores<'_>, threshold: f32) -> Result<Vec<(usize, usize, f64)>> {
        let mut all = Vec::new();
        scores.decide("test", Some(threshold), |target, predicted, weight| all.push((target, predicted, weight)))?;
        Ok(all)
    }

    #[test]
    fn one_output_is_compared_with_the_threshold() {
        let predictions = [0.5, 0.6, -0.1, 2.0];
        let zero_one = Scores::new(&predictions, 1, TargetsRef::Values(&[0.0, 1.0, 1.0, 0.5]));
        assert_eq!(decisions(zero_one, 0.5).unwrap(), [(0, 0, 1.0), (1, 1, 1.0), (1, 0, 1.0), (0, 1, 1.0)]);
        let signs = Scores::new(&predictions, 1, TargetsRef::Values(&[1.0, 1.0, -1.0, -1.0]));
        assert_eq!(decisions(signs, 0.0).unwrap(), [(1, 1, 1.0), (1, 1, 1.0), (0, 0, 1.0), (0, 1, 1.0)]);
    }

    #[test]
    fn of_equal_outputs_the_first_is_taken() {
        let predictions = [1.0, 3.0, 3.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        let sparse = Scores::new(&predictions, 3, TargetsRef::Classes(&[2, 1]));
        assert_eq!(decisions(sparse, 0.5).unwrap(), [(2, 1, 1.0), (1, 0, 1.0)]);
        let one_hot = Scores::new(&predictions, 3, TargetsRef::Values(&[0., 0., 1., 0., 1., 0.]));
        assert_eq!(decisions(one_hot, 0.5).unwrap(), decisions(sparse, 0.5).unwrap());
    }

    #[test]
    fn rows_that_do_not_count_are_passed_over() {
        let predictions = [0.1, 0.9, f32::NAN, 0.2];
        let scores = Scores {
            weights: Some(&[2.0, 1.0, 0.0, 0.5]),
            ignore: Some(9),
            ..Scores::new(&predictions, 1, TargetsRef::Classes(&[0, 9, 5, 1]))
        };
        assert_eq!(decisions(scores, 0.5).unwrap(), [(0, 0, 2.0), (1, 0, 0.5)]);
    }

    /// What was found on the device decides as the predictions do that it was found of, NaN and all.
    #[test]
    fn classes_decide_as_their_predictions() {
        let predictions =
            [1.0, 3.0, 3.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY, 0.1, f32::NAN, f32::NAN];
        let (classes, greatest) = ([1, 0, 1], [3.0, f32::NEG_INFINITY, f32::NAN]);
        let decided = Some(Decided { classes: &classes, greatest: &greatest });
        let one_hot = [0., 0., 1., 0., 1., 0., 1., 0., 0.];
        for targets in [TargetsRef::Classes(&[2, 1, 0]), TargetsRef::Values(&one_hot)] {
            let all = Scores { weights: Some(&[2.0, 1.0, 0.0]), ..Scores::new(&predictions, 3, targets) };
            let alone = Scores { predictions: &[], decided, ..all };
            assert_eq!(decisions(alone, 0.5).unwrap(), decisions(all, 0.5).unwrap());
            assert_eq!((alone.rows(), alone.classes()), (3, 3));
            let message =
                |scores: Scores<'_>| decisions(Scores { weights: None, ..scores }, 0.5).unwrap_err().to_string();
            assert_eq!(message(alone), "test, row 2, output 1: expected a number, found NaN");
            assert_eq!(message(alone), message(all));
            let error = alone.each_row("test", |_| Ok(())).unwrap_err().to_string();
            assert_eq!(error, "test: expected predictions (what `Metric::needs` asks for), found the classes alone");
            let beyond = Scores { decided: Some(Decided { classes: &[3, 0, 1], greatest: &greatest }), ..alone };
            assert!(message(beyond).contains("classes below 3"));
        }
    }

    #[test]
    fn errors_name_the_row() {
        let message = |scores| decisions(scores, 0.5).unwrap_err().to_string();
        let nan = Scores::new(&[0.0, 1.0, 2.0, f32::NAN], 2, TargetsRef::Classes(&[0, 0]));
        assert_eq!(message(nan), "test, row 1, output 1: expected a number, found NaN");
        let label = Scores::new(&[0.0; 4], 2, TargetsRef::Classes(&[0, 2]));
        assert_eq!(message(label), "test, row 1: expected a label below 2, found 2");
        let three = Scores::new(&[0.0; 2], 1, TargetsRef::Values(&[1.0, 3.0]));
        assert_eq!(message(three), "test, row 1: expected a target of -1 or from 0 to 1, found 3");
        let targets = Scores::new(&[0.0; 4], 2, TargetsRef::Values(&[0.0; 2]));
        assert_eq!(message(targets), "test: expected 4 targets for 2 rows of 2 outputs, found 2");
        let uneven = Scores::new(&[0.0; 5], 2, TargetsRef::Classes(&[0, 0]));
        assert_eq!(message(uneven), "test: expected whole rows of 2 outputs, at least 1, found 5 predictions");
        assert!(message(Scores::new(&[], 0, TargetsRef::Classes(&[]))).contains("at least 1"));
        let few = Scores { weights: Some(&[1.0]), ..Scores::new(&[0.0; 2], 1, TargetsRef::Classes(&[0, 0])) };
        assert_eq!(message(few), "test: expected 2 weights, one a row, found 1");
        let negative = Scores { weights: Some(&[1.0, -1.0]), ..few };
        assert_eq!(message(negative), "test, row 1: expected a finite weight of at least 0, found -1");
    }
}
