//! The area under the ROC curve, exact: by ranks, not by a grid of thresholds.

mod areas;

use super::scores::{Target, is_yes, not_binary};
use super::{Average, Metric, Scores, described, other_state, ratio};
use crate::description::Description;
use crate::error::{Error, Result};
use areas::{area, probabilities};
use serde::{Deserialize, Serialize};

/// The probability that a row of a class is scored higher than a row that is not of it, a tie counting one half:
/// the area under the receiver operating characteristic. Keras approximates it by 200 thresholds; this is exact
/// (the Mann-Whitney statistic with midranks, weighted where rows have weights), as scikit-learn's `roc_auc_score`.
///
/// - One output: its score for class 1. Any increasing function of a probability will do, a logit too.
/// - Two outputs: the score for class 1 is the second less the first, right for probabilities and logits alike.
/// - More outputs: each class against the rest by its own output (`multi_class="ovr"`), or with [`Auc::one_vs_one`] the
///   classes in pairs (`"ovo"`; Hand and Till, "A Simple Generalisation of the Area Under the ROC Curve for Multiple Class
///   Classification Problems", 2001), and the [average](Auc::average) of those areas. The outputs have to be probabilities;
///   where the loss says that they are logits or log-probabilities ([`Scores::read_as`]) they are made so.
/// - Several labels a row ([`Scores::is_multilabel`]): each label by its own output, and the average.
///
/// Classes without a row, or with every row, have no area and are left out of the mean; when no class is left,
/// the value is NaN, before the first batch too. All scores since the last reset are kept: 8 bytes an output, 16 a row.
///
/// ```
/// use elman::metrics::{Auc, Metric, Scores, TargetsRef};
/// let mut auc = Auc::new();
/// // The positives, 0.8 and 0.4, beat 0.1 both; only 0.8 beats 0.6.
/// auc.update(&Scores::new(&[0.1, 0.4, 0.6, 0.8], 1, TargetsRef::Classes(&[0, 1, 0, 1])))?;
/// assert_eq!(auc.value(), 0.75);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Auc {
    name: String,
    average: Average,
    one_vs_one: bool,
    #[serde(skip)]
    outputs: usize,
    #[serde(skip)]
    multilabel: bool,
    /// `[rows, columns]`, one column for one or two outputs of one class a row.
    #[serde(skip)]
    scores: Vec<f64>,
    /// True class (0 of several labels) and weight of each row.
    #[serde(skip)]
    rows: Vec<(usize, f64)>,
    /// Of several labels: `[rows, columns]`.
    #[serde(skip)]
    labels: Vec<bool>,
}

impl Auc {
    /// Named `auc`; of more than two classes each against the rest, and the plain mean.
    pub fn new() -> Self {
        Auc {
            name: "auc".into(),
            average: Average::Macro,
            one_vs_one: false,
            outputs: 0,
            multilabel: false,
            scores: Vec::new(),
            rows: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Compares more than two classes in pairs: the area of each of two classes against the other, among the rows of those
    /// two, and the mean of both.
    pub fn one_vs_one(mut self) -> Self {
        self.one_vs_one = true;
        self
    }

    /// How the areas of more than two classes, or of several labels, become one: [`Average::Macro`] (the default), the plain
    /// mean; [`Average::Weighted`], by how often each class occurs (of a pair: both); [`Average::Micro`], one area over all
    /// outputs, not of pairs. Any other is an error when a batch comes.
    pub fn average(mut self, average: Average) -> Self {
        self.average = average;
        self
    }

    /// Sets the name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Number of scores kept for a row.
    fn columns(&self) -> usize {
        if self.outputs > 2 || self.multilabel { self.outputs } else { 1 }
    }
}

impl Default for Auc {
    fn default() -> Self {
        Auc::new()
    }
}

impl Metric for Auc {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        (self.outputs, self.multilabel) = (0, false);
        self.scores.clear();
        self.rows.clear();
        self.labels.clear();
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if self.outputs != 0 && self.outputs != batch.outputs {
            return Err(Error::invalid(&self.name, format!("{} outputs, as before", self.outputs), batch.outputs));
        }
        let pairs = self.one_vs_one && batch.outputs > 2;
        match self.average {
            Average::Macro | Average::Weighted => {}
            Average::Micro if !pairs => {}
            other => {
                let expected =
                    if pairs { "Average::Macro or Weighted of pairs" } else { "Average::Macro, Micro or Weighted" };
                return Err(Error::invalid(&self.name, expected, format!("{other:?}")));
            }
        }
        if pairs && batch.is_multilabel() {
            return Err(Error::invalid(&self.name, "one class a row for pairs of classes", "several labels a row"));
        }
        (self.outputs, self.multilabel) = (batch.outputs, batch.is_multilabel());
        if self.multilabel {
            return batch.each_row(&self.name, |row| {
                let Target::Values(targets) = row.target else { return Ok(()) };
                for &target in targets {
                    let label = is_yes(target).ok_or_else(|| not_binary(&self.name, row.number, target))?;
                    self.labels.push(label);
                }
                self.rows.push((0, row.weight));
                self.scores.extend(row.predictions.iter().map(|&score| f64::from(score)));
                Ok(())
            });
        }
        batch.each_row(&self.name, |row| {
            self.rows.push((batch.class_of(&self.name, &row)?, row.weight));
            match *row.predictions {
                // The difference of equal infinities would be NaN.
                [a, b] => self.scores.push(if a == b { 0.0 } else { f64::from(b) - f64::from(a) }),
                ref all => self.scores.extend(probabilities(all, batch.read_as)),
            }
            Ok(())
        })
    }

    fn value(&self) -> f64 {
        if self.columns() == 1 {
            return area(self.column(0)).unwrap_or(f64::NAN);
        }
        if self.average == Average::Micro {
            let all = (0..self.columns()).flat_map(|column| self.column(column)).collect();
            return area(all).unwrap_or(f64::NAN);
        }
        let areas = if self.one_vs_one { self.of_pairs() } else { self.of_columns() };
        if areas.is_empty() {
            return f64::NAN;
        }
        let weight = |given: f64| if self.average == Average::Weighted { given } else { 1.0 };
        let sum = areas.iter().map(|&(area, given)| area * weight(given)).sum();
        ratio(sum, areas.iter().map(|&(_, given)| weight(given)).sum())
    }

    /// Outputs, rows, whether rows have several labels; class and weight of each row, labels, scores. Classes are whole
    /// numbers below 2³², which `f64` holds.
    fn state(&self) -> Option<Vec<f64>> {
        let rows = self.rows.iter().flat_map(|&(class, weight)| [class as f64, weight]);
        let sizes = [self.outputs as f64, self.rows.len() as f64, f64::from(u8::from(self.multilabel))];
        let labels = self.labels.iter().map(|&label| f64::from(u8::from(label)));
        Some(sizes.into_iter().chain(rows).chain(labels).chain(self.scores.iter().copied()).collect())
    }

    fn restore(&mut self, state: &[f64]) -> Result<()> {
        let expected = "outputs, rows, several labels or not, a class and a weight a row, labels, and scores";
        let wrong = || other_state(&self.name, expected, state);
        let [outputs, rows, multilabel, rest @ ..] = state else { return Err(wrong()) };
        // Casts saturate: what was no count is caught by the lengths.
        let (outputs, rows, multilabel) = (*outputs as usize, *rows as usize, *multilabel != 0.0);
        let (given, rest) = rows.checked_mul(2).and_then(|n| rest.split_at_checked(n)).ok_or_else(wrong)?;
        let columns = if outputs > 2 || multilabel { outputs } else { 1 };
        let cells = rows.checked_mul(columns).ok_or_else(wrong)?;
        let (labels, scores) = rest.split_at_checked(if multilabel { cells } else { 0 }).ok_or_else(wrong)?;
        if cells != scores.len() {
            return Err(wrong());
        }
        let (pairs, _) = given.as_chunks::<2>();
        let rows: Vec<_> = pairs.iter().map(|&[class, weight]| (class as usize, weight)).collect();
        if multilabel && outputs < 2 {
            return Err(wrong());
        }
        // A class indexes the columns.
        if rows.iter().any(|&(class, _)| class >= outputs.max(2)) {
            return Err(wrong());
        }
        let labels = labels.iter().map(|&label| label != 0.0).collect();
        (self.outputs, self.multilabel) = (outputs, multilabel);
        (self.rows, self.labels, self.scores) = (rows, labels, scores.to_vec());
        Ok(())
    }

    fn describe(&self) -> Result<Description> {
        described("auc", self)
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TargetsRef::Classes;

    fn auc(predictions: &[f32], outputs: usize, labels: &[u32]) -> f64 {
        let mut auc = Auc::new();
        // In two batches: the area is not a mean of batches' areas.
        let half = labels.len() / 2;
        auc.update(&Scores::new(&predictions[..half * outputs], outputs, Classes(&labels[..half]))).unwrap();
        auc.update(&Scores::new(&predictions[half * outputs..], outputs, Classes(&labels[half..]))).unwrap();
        auc.value()
    }

    #[test]
    fn ties_count_one_half() {
        // Positives 0.5, 0.5, 0.9 against negatives 0.5, 0.1: (1/2 + 1) + (1/2 + 1) + (1 + 1) = 5 of 6.
        assert_eq!(auc(&[0.5, 0.5, 0.9, 0.5, 0.1], 1, &[1, 1, 1, 0, 0]), 5.0 / 6.0);
        assert_eq!(auc(&[0.3; 5], 1, &[1, 0, 1, 0, 0]), 0.5);
        assert_eq!(auc(&[0.0, -0.0], 1, &[0, 1]), 0.5, "the two zeros are equal");
    }

    #[test]
    fn two_outputs_are_compared_by_their_difference() {
        // Differences -1, 1, 0, 2 of the classes 0, 0, 1, 1: of four pairs 0 > -1, 2 > -1 and 2 > 1.
        assert_eq!(auc(&[1., 0., 5., 6., 3., 3., 0., 2.], 2, &[0, 0, 1, 1]), 0.75);
        let infinite = f32::NEG_INFINITY;
        assert_eq!(auc(&[infinite, infinite, infinite, 0.0], 2, &[0, 1]), 1.0);
        assert_eq!(auc(&[infinite, infinite, 0.0, 0.0], 2, &[0, 1]), 0.5, "equal outputs are a tie, infinite or not");
    }

    #[test]
    fn more_outputs_give_the_mean_over_the_classes_that_have_an_area() {
        let predictions = [0.6, 0.3, 0.1, 0.2, 0.5, 0.3, 0.5, 0.4, 0.1];
        // Class 0: positive 0.6 against 0.2, 0.5: 1. Class 1: 0.5, 0.4 against 0.3: 1. Class 2: no row.
        assert_eq!(auc(&predictions, 3, &[0, 1, 1]), 1.0);
        // Class 0: 0.2 against 0.6, 0.5: 0. Class 1: 0.3 against 0.5, 0.4: 0. Class 2: 0.1 against 0.1, 0.3: 1/4.
        assert_eq!(auc(&predictions, 3, &[1, 0, 2]), 0.25 / 3.0);
    }

    #[test]
    fn weights_count_as_repeated_rows_do() {
        let mut weighted = Auc::new();
        let scores = Scores::new(&[0.5, 0.5, 0.2, 0.7], 1, Classes(&[1, 0, 1, 0]));
        weighted.update(&Scores { weights: Some(&[2.0, 1.0, 1.0, 3.0]), ..scores }).unwrap();
        let repeated = auc(&[0.5, 0.5, 0.5, 0.2, 0.7, 0.7, 0.7], 1, &[1, 1, 0, 1, 0, 0, 0]);
        assert_eq!((weighted.value(), repeated), (1.0 / 12.0, 1.0 / 12.0));
    }

    #[test]
    fn one_class_alone_has_no_area() {
        assert!(auc(&[0.1, 0.2], 1, &[1, 1]).is_nan() && Auc::new().value().is_nan());
        assert!(auc(&[0.1; 6], 3, &[2, 2]).is_nan());
        let mut auc = Auc::new();
        auc.update(&Scores::new(&[0.1; 3], 3, Classes(&[0]))).unwrap();
        let error = auc.update(&Scores::new(&[0.1], 1, Classes(&[0]))).unwrap_err().to_string();
        assert_eq!(error, "auc: expected 3 outputs, as before, found 1");
        auc.reset();
        assert!(auc.update(&Scores::new(&[0.1], 1, Classes(&[0]))).is_ok());
    }
}
