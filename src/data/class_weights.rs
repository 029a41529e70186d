//! Weights by class, for classes that are far from equally frequent.

use super::targets::check_labels;
use super::{Dataset, Targets, sample_weights};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// How much the samples of each class count in the loss. A class without a weight counts 1.
///
/// ```
/// use elman::data::ClassWeights;
/// let labels = [0, 0, 0, 1];
/// let weights = ClassWeights::new([(1, 3.0)])?.weights_for(&labels, 2)?;
/// assert_eq!(weights, [1.0, 1.0, 1.0, 3.0]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassWeights {
    // Ordered, so that of several errors the same one is always reported.
    weights: BTreeMap<u32, f32>,
}

impl ClassWeights {
    /// Weights of some classes, from a map, a vector or an array of pairs.
    ///
    /// Errors: a class named twice; a weight that is negative, NaN or infinite.
    pub fn new(weights: impl IntoIterator<Item = (u32, f32)>) -> Result<Self> {
        let mut map = BTreeMap::new();
        for (class, weight) in weights {
            if !weight.is_finite() || weight < 0.0 {
                return Err(Error::invalid(place(class), "a finite weight of at least 0", weight));
            }
            if let Some(before) = map.insert(class, weight) {
                return Err(Error::invalid(place(class), "one weight", format!("two: {before} and {weight}")));
            }
        }
        Ok(ClassWeights { weights: map })
    }

    /// Weights under which every class counts alike: `n / (classes * count of the class)`, scikit-learn's `balanced`.
    ///
    /// Errors: a label that is not below `classes`; a class without a sample, whose weight would be infinite.
    pub fn balanced(labels: &[u32], classes: usize) -> Result<Self> {
        let counts = count(labels, classes)?;
        let mut weights = BTreeMap::new();
        for (class, &count) in (0..).zip(&counts) {
            if count == 0 {
                return Err(Error::invalid(place(class), "at least one sample, to balance by", "none"));
            }
            weights.insert(class, (labels.len() as f64 / (classes as f64 * count as f64)) as f32);
        }
        Ok(ClassWeights { weights })
    }

    /// The weight of one class.
    pub fn get(&self, class: u32) -> f32 {
        self.weights.get(&class).copied().unwrap_or(1.0)
    }

    /// The weight of each sample, for [`Dataset::with_weights`](super::Dataset::with_weights).
    ///
    /// `labels` are those of the whole set, before anything is split off: a weight for a class that does not occur
    /// in them is most likely a slip, and an error. Errors also: a weight for a class, or a label, that is not below
    /// `classes`.
    pub fn weights_for(&self, labels: &[u32], classes: usize) -> Result<Vec<f32>> {
        let counts = count(labels, classes)?;
        for &class in self.weights.keys() {
            match counts.get(class as usize) {
                None => return Err(Error::invalid(place(class), format!("a class below {classes}"), class)),
                Some(0) => {
                    return Err(Error::invalid(place(class), "a class that occurs in the labels", "no sample of it"));
                }
                Some(_) => {}
            }
        }
        Ok(labels.iter().map(|&label| self.get(label)).collect())
    }
}

impl ClassWeights {
    /// The data set with each sample's weight, or each step's, multiplied by its class's: of one output of several by its name.
    /// Errors: targets that are no classes.
    pub(crate) fn weigh(&self, data: Dataset, output: Option<&str>) -> Result<Dataset> {
        let mut each: Vec<f32> = labels_of(&data, output)?.iter().map(|&label| self.get(label)).collect();
        let given = output.map_or(data.weights(), |output| data.weights_of(output));
        if let Some(given) = given {
            sample_weights::spread(&mut each, given, data.targets().part(output).unwrap_or(data.targets()));
        }
        match output {
            Some(output) => data.with_weights_of(output, each),
            None => data.with_weights(each),
        }
    }
}

/// One class a sample or a step, of one output of several by its name. Errors: targets that are no classes.
pub(crate) fn labels_of<'a>(data: &'a Dataset, output: Option<&str>) -> Result<&'a [u32]> {
    let place = || output.map_or_else(|| "class weights".to_string(), |output| format!("class weights of `{output}`"));
    let targets = data.targets().part(output);
    targets.and_then(Targets::labels).ok_or_else(|| {
        let expected = match data.targets() {
            Targets::Record(_) => "the name of an output whose targets are classes (`class_weights_of`)",
            _ => "targets that are classes",
        };
        Error::invalid(place(), expected, data.targets().kind())
    })
}

fn place(class: u32) -> String {
    format!("class weights, class {class}")
}

/// How many samples each class has.
fn count(labels: &[u32], classes: usize) -> Result<Vec<usize>> {
    check_labels(labels, 1, classes, None)?;
    let mut counts = vec![0; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn balanced_weights_are_scikit_learns() {
        // compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 1, 2]): 6/9, 6/6, 6/3.
        let weights = ClassWeights::balanced(&[0, 0, 0, 1, 1, 2], 3).unwrap();
        assert_eq!([weights.get(0), weights.get(1), weights.get(2)], [6.0 / 9.0, 1.0, 2.0]);
        let sum: f32 = weights.weights_for(&[0, 0, 0, 1, 1, 2], 3).unwrap().iter().sum();
        assert!((sum - 6.0).abs() < 1e-6, "balancing keeps the sum of the weights, here {sum}");
    }

    #[test]
    fn a_class_without_a_weight_counts_one() {
        let weights = ClassWeights::new(HashMap::from([(2, 0.5), (0, 4.0)])).unwrap();
        assert_eq!(weights.weights_for(&[1, 2, 0], 3).unwrap(), [1.0, 0.5, 4.0]);
    }

    #[test]
    fn slips_are_named_by_class() {
        let weights = |pairs: &[(u32, f32)]| ClassWeights::new(pairs.to_vec());
        let negative = message(weights(&[(0, 1.0), (3, -2.0)]));
        assert_eq!(negative, "class weights, class 3: expected a finite weight of at least 0, found -2");
        assert!(message(weights(&[(3, f32::NAN)])).contains("class 3"));
        assert_eq!(
            message(weights(&[(1, 2.0), (1, 3.0)])),
            "class weights, class 1: expected one weight, found two: 2 and 3"
        );
        let of = |pairs: &[(u32, f32)], labels: &[u32]| message(weights(pairs).unwrap().weights_for(labels, 3));
        assert_eq!(of(&[(7, 2.0)], &[0, 1]), "class weights, class 7: expected a class below 3, found 7");
        let absent = "class weights, class 2: expected a class that occurs in the labels, found no sample of it";
        assert_eq!(of(&[(2, 2.0)], &[0, 1]), absent);
        assert_eq!(of(&[], &[0, 3]), "targets, sample 1: expected a label below 3, found 3");
        let missing = message(ClassWeights::balanced(&[0, 0, 2], 3));
        assert_eq!(missing, "class weights, class 1: expected at least one sample, to balance by, found none");
    }
}
