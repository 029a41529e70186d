//! The area under the ROC curve, exact: by ranks, not by a grid of thresholds.

use super::{Metric, Scores, other_state, ratio};
use crate::error::{Error, Result};

/// The probability that a row of a class is scored higher than a row that is not of it, a tie counting one half:
/// the area under the receiver operating characteristic. Keras approximates it by 200 thresholds; this is exact
/// (the Mann-Whitney statistic with midranks, weighted where rows have weights), as scikit-learn's `roc_auc_score`.
///
/// - One output: its score for class 1. Any increasing function of a probability will do, a logit too.
/// - Two outputs: the score for class 1 is the second less the first, right for probabilities and logits alike.
/// - More outputs: each class against the rest by its own output, and the plain mean over the classes
///   (`multi_class="ovr"`, `average="macro"`). The outputs have to be probabilities.
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
#[derive(Clone, Debug)]
pub struct Auc {
    name: String,
    outputs: usize,
    /// `[rows, columns]`, one column for one or two outputs.
    scores: Vec<f64>,
    /// True class and weight of each row.
    rows: Vec<(usize, f64)>,
}

impl Auc {
    /// Named `auc`.
    pub fn new() -> Self {
        Auc { name: "auc".into(), outputs: 0, scores: Vec::new(), rows: Vec::new() }
    }

    /// Sets the name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Number of scores kept for a row.
    fn columns(&self) -> usize {
        if self.outputs > 2 { self.outputs } else { 1 }
    }

    /// The area of `column`, whose positives are the rows of `class`.
    fn area(&self, column: usize, class: usize) -> Option<f64> {
        let scores = self.scores.iter().skip(column).step_by(self.columns());
        let mut ranked: Vec<(f64, bool, f64)> =
            scores.zip(&self.rows).map(|(&score, &(target, weight))| (score, target == class, weight)).collect();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut won, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
            let weight = |of: bool| tied.iter().filter(|row| row.1 == of).map(|row| row.2).sum::<f64>();
            let (here, against) = (weight(true), weight(false));
            won += here * (negatives + against / 2.0);
            positives += here;
            negatives += against;
        }
        (positives > 0.0 && negatives > 0.0).then(|| won / (positives * negatives))
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
        self.outputs = 0;
        self.scores.clear();
        self.rows.clear();
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if self.outputs != 0 && self.outputs != batch.outputs {
            return Err(Error::invalid(&self.name, format!("{} outputs, as before", self.outputs), batch.outputs));
        }
        self.outputs = batch.outputs;
        batch.each_row(&self.name, |row| {
            self.rows.push((batch.class_of(&self.name, &row)?, row.weight));
            match *row.predictions {
                // The difference of equal infinities would be NaN.
                [a, b] => self.scores.push(if a == b { 0.0 } else { f64::from(b) - f64::from(a) }),
                ref all => self.scores.extend(all.iter().map(|&score| f64::from(score))),
            }
            Ok(())
        })
    }

    fn value(&self) -> f64 {
        if self.columns() == 1 {
            return self.area(0, 1).unwrap_or(f64::NAN);
        }
        let areas: Vec<f64> = (0..self.columns()).filter_map(|class| self.area(class, class)).collect();
        if areas.is_empty() { f64::NAN } else { ratio(areas.iter().sum(), areas.len() as f64) }
    }

    /// Outputs, rows, class and weight of each row, scores: classes are whole numbers below 2³², which `f64` holds.
    fn state(&self) -> Option<Vec<f64>> {
        let rows = self.rows.iter().flat_map(|&(class, weight)| [class as f64, weight]);
        let sizes = [self.outputs as f64, self.rows.len() as f64];
        Some(sizes.into_iter().chain(rows).chain(self.scores.iter().copied()).collect())
    }

    fn restore(&mut self, state: &[f64]) -> Result<()> {
        let wrong = || other_state(&self.name, "outputs, rows, a class and a weight a row, and scores", state);
        let [outputs, rows, rest @ ..] = state else { return Err(wrong()) };
        // Casts saturate: what was no count is caught by the lengths.
        let (outputs, rows) = (*outputs as usize, *rows as usize);
        let (given, scores) = rows.checked_mul(2).and_then(|n| rest.split_at_checked(n)).ok_or_else(wrong)?;
        let columns = if outputs > 2 { outputs } else { 1 };
        if rows.checked_mul(columns) != Some(scores.len()) {
            return Err(wrong());
        }
        let (pairs, _) = given.as_chunks::<2>();
        let rows = pairs.iter().map(|&[class, weight]| (class as usize, weight)).collect();
        (self.outputs, self.rows, self.scores) = (outputs, rows, scores.to_vec());
        Ok(())
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
