//! Inputs with their targets and, where wanted, a weight for each sample.

use super::{Inputs, Targets, checks, sample_weights};
use crate::error::{Error, Result};
use std::ops::Range;

/// A set of samples: inputs and targets of one length, with a weight for each sample where some count more.
///
/// ```
/// use elman::data::{Dataset, Inputs, Targets};
/// let inputs = Inputs::dense((0..10).map(|x| x as f32).collect(), &[1])?;
/// let (train, valid) = Dataset::new(inputs, Targets::classes(vec![0; 10])?)?.split_last(0.2)?;
/// assert_eq!((train.len(), valid.len()), (8, 2));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    inputs: Inputs,
    targets: Targets,
    pub(super) weights: Option<Vec<f32>>,
    /// Of single outputs, by name.
    pub(super) weights_of: Vec<(String, Vec<f32>)>,
}

impl Dataset {
    /// Inputs with their targets. Errors: not as many of the ones as of the others.
    pub fn new(inputs: Inputs, targets: Targets) -> Result<Self> {
        if inputs.len() != targets.len() {
            let expected = format!("as many targets as inputs ({} samples)", inputs.len());
            return Err(Error::invalid("data set", expected, format!("targets of {} samples", targets.len())));
        }
        check_lengths(&inputs, &targets)?;
        Ok(Dataset { inputs, targets, weights: None, weights_of: Vec::new() })
    }

    /// Sets how much each sample counts in the loss, or, where there is a target for every step, each step of each sample, one
    /// after the other; without it all count 1.
    ///
    /// Errors: not one weight for each sample or step; a weight that is negative, NaN or infinite (names the sample).
    ///
    /// Of several outputs the weight of a sample counts in the losses of all; see [`Dataset::with_weights_of`] for single ones.
    pub fn with_weights(mut self, weights: Vec<f32>) -> Result<Self> {
        sample_weights::check("sample weights", &weights, self.len(), &self.targets)?;
        self.weights = Some(weights);
        Ok(self)
    }

    /// The inputs.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The targets.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// How much each sample, or each step of each, counts; `None` when every one counts 1.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// Inputs, targets and weights, taken apart.
    pub fn into_parts(self) -> (Inputs, Targets, Option<Vec<f32>>) {
        (self.inputs, self.targets, self.weights)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is no sample: only after selecting none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples `rows`, in that order; a sample may come twice. Errors: a row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        let (inputs, targets) = (self.inputs.select(rows)?, self.targets.select(rows)?);
        let weights =
            self.weights.as_ref().map(|weights| sample_weights::select(weights, rows, self.len(), &self.targets));
        let weights_of = self.selected_weights(rows);
        Ok(Dataset { inputs, targets, weights, weights_of })
    }

    /// The same with its inputs [trimmed](Inputs::trimmed), and with them the targets and weights of their steps.
    #[must_use]
    pub fn trimmed(self, padding: u32) -> Self {
        let Some((kept, steps)) = self.inputs.kept(padding) else { return self };
        let samples = self.inputs.len();
        let cut = |weights: Vec<f32>| match weights.len() == samples {
            true => weights,
            false => weights.chunks_exact(steps).flat_map(|row| &row[kept.clone()]).copied().collect(),
        };
        let weights_of = self.weights_of.into_iter().map(|(of, weights)| (of, cut(weights))).collect();
        let (weights, targets) = (self.weights.map(cut), self.targets.trimmed(&kept, steps));
        Dataset { targets, inputs: self.inputs.trimmed(padding), weights, weights_of }
    }

    /// The samples of `range`. Errors: a range that does not lie within the samples.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        checks::range("data set", &range, self.len())?;
        self.select(&range.collect::<Vec<_>>())
    }

    /// Where the last `fraction` of the samples begins, by Keras' rule for `validation_split`: `n (1 - fraction)`,
    /// rounded down.
    ///
    /// Errors: a fraction that does not lie between 0 and 1, or so near to one of them that a part would be empty.
    pub fn split_index(&self, fraction: f64) -> Result<usize> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::invalid("validation split", "a fraction between 0 and 1, neither of them", fraction));
        }
        let index = (self.len() as f64 * (1.0 - fraction)) as usize;
        if index == 0 || index == self.len() {
            let found = format!("{index} and {} for the fraction {fraction}", self.len() - index);
            return Err(Error::invalid("validation split", "at least one sample in each part", found));
        }
        Ok(index)
    }

    /// The samples before the last `fraction`, and that last part: data that have an order are to be shuffled before.
    /// Errors: as [`split_index`](Dataset::split_index).
    pub fn split_last(&self, fraction: f64) -> Result<(Dataset, Dataset)> {
        let index = self.split_index(fraction)?;
        Ok((self.slice(0..index)?, self.slice(index..self.len())?))
    }
}

/// Sequences of their own lengths and the targets of their steps must have the same ones.
fn check_lengths(inputs: &Inputs, targets: &Targets) -> Result<()> {
    let lengths: Option<Vec<usize>> = match targets {
        Targets::RaggedClasses(rows) => Some(rows.lengths().collect()),
        Targets::RaggedValues(rows) => Some(rows.lengths().collect()),
        _ => None,
    };
    let (of_inputs, single) = (ragged(inputs), !matches!(inputs, Inputs::Record(_)));
    let differs =
        |targets: &[usize], inputs: &[usize]| targets.iter().zip(inputs).position(|(one, other)| one != other);
    match (lengths, &of_inputs[..]) {
        (Some(_), []) => {
            Err(Error::invalid("data set", "inputs at their own lengths, as their targets are", inputs.kind()))
        }
        // Of several inputs one is what the targets go with.
        (Some(targets), [first, others @ ..]) => match differs(&targets, first) {
            Some(row) if others.iter().all(|other| differs(&targets, other).is_some()) => {
                let expected = format!("a target for each of its {} steps", first[row]);
                Err(Error::invalid(format!("data set, sample {row}"), expected, targets[row]))
            }
            _ => Ok(()),
        },
        // A block goes with sequences that happen to be of one length.
        (None, [lengths]) if single => match targets.steps(0) {
            Some(steps) if lengths.iter().any(|&length| length != steps.len()) => {
                Err(Error::invalid("data set", "targets at the own lengths of their inputs", targets.kind()))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The lengths of what is kept at its own, of a record those of each such part.
fn ragged(inputs: &Inputs) -> Vec<Vec<usize>> {
    match inputs {
        Inputs::RaggedIndices(_) | Inputs::RaggedDense(_) | Inputs::Distinct { .. } => {
            inputs.lengths(0).into_iter().collect()
        }
        Inputs::Record(parts) => parts.iter().flat_map(|(_, part)| ragged(part)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(n: usize) -> Dataset {
        let inputs = Inputs::dense((0..n).map(|x| x as f32).collect(), &[1]).unwrap();
        Dataset::new(inputs, Targets::classes((0..n as u32).collect()).unwrap()).unwrap()
    }

    fn message(dataset: Result<Dataset>) -> String {
        dataset.unwrap_err().to_string()
    }

    #[test]
    fn inputs_targets_and_weights_stay_together() {
        let data = counted(4).with_weights(vec![0.0, 1.0, 2.0, 3.0]).unwrap().select(&[3, 1]).unwrap();
        assert_eq!(data.inputs(), &Inputs::rows(&[[3.0], [1.0]]).unwrap());
        assert_eq!(data.targets(), &Targets::classes(vec![3, 1]).unwrap());
        assert_eq!(data.weights(), Some(&[3.0, 1.0][..]));
    }

    #[test]
    fn the_last_fraction_is_split_off_as_keras_does() {
        // int(8982 * (1 - 0.1)) = 8083: the numbers Keras prints for reuters_mlp are 8083 and 899.
        assert_eq!(counted(8982).split_index(0.1).unwrap(), 8083);
        let (first, last) = counted(5).split_last(0.5).unwrap();
        assert_eq!(first.targets(), &Targets::classes(vec![0, 1]).unwrap());
        assert_eq!(last.targets(), &Targets::classes(vec![2, 3, 4]).unwrap());
        for fraction in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(counted(5).split_index(fraction).unwrap_err().to_string().contains("between 0 and 1"));
        }
        let empty = counted(3).split_index(0.9).unwrap_err().to_string();
        let expected = "at least one sample in each part, found 0 and 3 for the fraction 0.9";
        assert_eq!(empty, format!("validation split: expected {expected}"));
        assert!(counted(3).split_index(1e-20).is_err(), "1 - 1e-20 is 1: the last part is empty");
    }

    #[test]
    fn errors_name_what_does_not_agree() {
        let inputs = Inputs::rows(&[[0.0], [1.0]]).unwrap();
        let uneven = message(Dataset::new(inputs, Targets::classes(vec![0; 3]).unwrap()));
        assert_eq!(uneven, "data set: expected as many targets as inputs (2 samples), found targets of 3 samples");
        let few = message(counted(3).with_weights(vec![1.0]));
        assert_eq!(few, "sample weights: expected a weight for each of the 3 samples, found 1 weights");
        for (bad, shown) in [(-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
            let error = message(counted(2).with_weights(vec![1.0, bad]));
            assert_eq!(
                error,
                format!("sample weights, sample 1: expected a finite weight of at least 0, found {shown}")
            );
        }
        assert!(counted(2).select(&[2]).is_err() && counted(2).slice(0..3).is_err());
    }
}
