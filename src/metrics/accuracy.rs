//! How often the prediction is right: accuracy, and whether the right class is among the first k.

use super::{Metric, Needs, Scores, described, numbers, ratio};
use crate::description::Description;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The share of rows whose class is predicted rightly; Keras' `accuracy`.
///
/// What is compared follows from what comes: a single output with the [`threshold`](Accuracy::threshold); of several
/// the greatest with the label, or with the greatest of a one-hot target. See [`Scores::decide`].
///
/// Of several labels a row (numbers as targets and a loss that takes each output by itself: see
/// [`Scores::is_multilabel`]) it is the share of all labels that are predicted rightly, Keras' `binary_accuracy`, or with
/// [`Accuracy::exact_match`] that of the rows in which every label is, scikit-learn's `accuracy_score`.
///
/// ```
/// use elman::metrics::{Accuracy, Metric, Scores, TargetsRef};
/// let mut hinge = Accuracy::new().threshold(0.0);
/// hinge.update(&Scores::new(&[0.3, -2.0, -0.1], 1, TargetsRef::Values(&[1.0, -1.0, 1.0])))?;
/// assert_eq!(hinge.value(), 2.0 / 3.0);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Accuracy {
    name: String,
    threshold: Option<f32>,
    exact: bool,
    #[serde(skip)]
    right: f64,
    #[serde(skip)]
    all: f64,
}

impl Accuracy {
    /// Accuracy named `accuracy`.
    pub fn new() -> Self {
        Accuracy { name: "accuracy".into(), threshold: None, exact: false, right: 0.0, all: 0.0 }
    }

    /// Of several labels a row the share of rows in which every label is right; named `exact_match`. The same as
    /// [`Accuracy::new`] where a row has one class.
    pub fn exact_match() -> Self {
        Accuracy { name: "exact_match".into(), exact: true, ..Accuracy::new() }
    }

    /// Sets what a single output, or that of a label, must exceed to mean yes. Unless it is set the loss says: 0 for logits
    /// and the linear output of a hinge, else 1/2.
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Sets the name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Default for Accuracy {
    fn default() -> Self {
        Accuracy::new()
    }
}

impl Metric for Accuracy {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        (self.right, self.all) = (0.0, 0.0);
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if batch.is_multilabel() {
            return batch.decide_labels(&self.name, self.threshold, |truth, predicted, weight| {
                if self.exact {
                    self.right += if truth == predicted { weight } else { 0.0 };
                    self.all += weight;
                } else {
                    let right = truth.iter().zip(predicted).filter(|(truth, predicted)| truth == predicted).count();
                    self.right += weight * right as f64;
                    self.all += weight * truth.len() as f64;
                }
            });
        }
        batch.decide(&self.name, self.threshold, |target, predicted, weight| {
            self.right += if target == predicted { weight } else { 0.0 };
            self.all += weight;
        })
    }

    fn needs(&self) -> Needs {
        Needs::Classes
    }

    fn value(&self) -> f64 {
        ratio(self.right, self.all)
    }

    fn state(&self) -> Option<Vec<f64>> {
        Some(vec![self.right, self.all])
    }

    fn restore(&mut self, state: &[f64]) -> Result<()> {
        [self.right, self.all] = numbers(&self.name, state)?;
        Ok(())
    }

    fn describe(&self) -> Result<Description> {
        described("accuracy", self)
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

/// The share of rows whose class is among the `k` greatest outputs; Keras' `top_k_categorical_accuracy`.
///
/// Of equal outputs the first ones are the greater. With `k` of at least the number of outputs it is 1.
///
/// ```
/// use elman::metrics::{Metric, Scores, TargetsRef, TopK};
/// let mut top = TopK::new(2)?;
/// top.update(&Scores::new(&[0.5, 0.2, 0.3, 0.5, 0.2, 0.3], 3, TargetsRef::Classes(&[2, 1])))?;
/// assert_eq!(top.value(), 0.5);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "OfTopK")]
#[must_use]
pub struct TopK {
    name: String,
    k: usize,
    #[serde(skip)]
    right: f64,
    #[serde(skip)]
    all: f64,
}

/// What is read of a description, to be checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTopK {
    name: Option<String>,
    k: usize,
}

impl TryFrom<OfTopK> for TopK {
    type Error = Error;

    fn try_from(OfTopK { name, k }: OfTopK) -> Result<Self> {
        let top = TopK::new(k)?;
        Ok(match name {
            Some(name) => top.named(name),
            None => top,
        })
    }
}

impl TopK {
    /// Top-`k` accuracy named `top_k_categorical_accuracy`. Errors: `k` 0.
    pub fn new(k: usize) -> Result<Self> {
        let name = "top_k_categorical_accuracy";
        if k == 0 {
            return Err(Error::invalid(name, "k of at least 1", k));
        }
        Ok(TopK { name: name.into(), k, right: 0.0, all: 0.0 })
    }

    /// Sets the name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Metric for TopK {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        (self.right, self.all) = (0.0, 0.0);
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if batch.outputs == 1 {
            return Err(Error::invalid(&self.name, "at least 2 outputs to rank", 1));
        }
        if batch.is_multilabel() {
            return Err(Error::invalid(&self.name, "one class a row", "several labels a row"));
        }
        batch.each_row(&self.name, |row| {
            let class = batch.class_of(&self.name, &row)?;
            let score = row.predictions[class];
            let before = |(i, &other): (usize, &f32)| other > score || (other == score && i < class);
            let rank = row.predictions.iter().enumerate().filter(|&pair| before(pair)).count();
            self.right += if rank < self.k { row.weight } else { 0.0 };
            self.all += row.weight;
            Ok(())
        })
    }

    fn value(&self) -> f64 {
        ratio(self.right, self.all)
    }

    fn state(&self) -> Option<Vec<f64>> {
        Some(vec![self.right, self.all])
    }

    fn restore(&mut self, state: &[f64]) -> Result<()> {
        [self.right, self.all] = numbers(&self.name, state)?;
        Ok(())
    }

    fn describe(&self) -> Result<Description> {
        described("top_k_accuracy", self)
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TargetsRef::{Classes, Values};

    #[test]
    fn accuracy_is_over_the_set_not_over_batches() {
        let mut accuracy = Accuracy::new();
        assert_eq!(accuracy.value(), 0.0);
        // Batches of 3 rows (2 right) and of 1 row (0 right): 2/4, where a mean of batches would give 1/3.
        accuracy.update(&Scores::new(&[0.9, 0.9, 0.9], 1, Classes(&[1, 1, 0]))).unwrap();
        let mut copy: Box<dyn Metric> = accuracy.boxed_clone();
        accuracy.update(&Scores::new(&[0.1], 1, Values(&[1.0]))).unwrap();
        assert_eq!((accuracy.value(), copy.value()), (0.5, 2.0 / 3.0));
        copy.reset();
        assert_eq!((copy.value(), copy.name(), copy.higher_is_better()), (0.0, "accuracy", true));
        copy.update(&Scores::new(&[0.1, 0.9], 1, Classes(&[1, 1]))).unwrap();
        assert_eq!(copy.value(), 0.5);
    }

    #[test]
    fn weights_count() {
        let mut accuracy = Accuracy::new();
        let batch =
            Scores { weights: Some(&[3.0, 1.0]), ..Scores::new(&[1., 0., 1., 0.], 2, Values(&[1., 0., 0., 1.])) };
        accuracy.update(&batch).unwrap();
        assert_eq!(accuracy.value(), 0.75);
    }

    #[test]
    fn ties_in_the_top_k_go_to_the_first() {
        let value = |k, class| {
            let mut top = TopK::new(k).unwrap();
            top.update(&Scores::new(&[0.2, 0.4, 0.4, 0.4], 4, Classes(&[class]))).unwrap();
            top.value()
        };
        assert_eq!(
            [value(1, 1), value(1, 2), value(2, 2), value(2, 3), value(3, 3), value(3, 0)],
            [1., 0., 1., 0., 1., 0.]
        );
        assert_eq!(value(9, 0), 1.0);
        let mut top = TopK::new(1).unwrap();
        top.update(&Scores::new(&[0.2, 0.4], 2, Classes(&[0]))).unwrap();
        top.reset();
        top.update(&Scores::new(&[0.2, 0.4], 2, Classes(&[1]))).unwrap();
        assert_eq!(top.value(), 1.0);
        assert_eq!(
            TopK::new(0).unwrap_err().to_string(),
            "top_k_categorical_accuracy: expected k of at least 1, found 0"
        );
        assert!(TopK::new(1).unwrap().update(&Scores::new(&[0.0], 1, Classes(&[0]))).is_err());
    }
}
