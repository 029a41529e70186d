//! Precision, recall and F1: of one class or label, or averaged over them, from one tally over the whole set.

use super::{Metric, Needs, Scores, described, other_state, ratio};
use crate::description::Description;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How precision, recall and F1 become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// The plain mean over all classes that occur among the targets or the predictions, however rare: scikit-learn's
    /// choice of classes. Of several labels a row over all of them, as there.
    Macro,
    /// From the sums over all classes: with one class a row all three measures equal the accuracy.
    Micro,
    /// The mean over the classes by how often each occurs among the targets: scikit-learn's `average="weighted"`.
    Weighted,
    /// The mean over the rows of each row's own measure: for several labels a row.
    Samples,
    /// Of the class with this number.
    Class(usize),
    /// Of class 1, with one output or two.
    Binary,
}

/// Per class: rows predicted rightly, rows predicted as the class, rows of the class. A confusion matrix' diagonal
/// and margins, without the k² cells that a large vocabulary would not have room for.
#[derive(Clone, Debug, Default)]
struct Tally {
    right: Vec<f64>,
    predicted: Vec<f64>,
    actual: Vec<f64>,
    /// Whether rows have several labels.
    labels: bool,
    /// The rows' own measures and their weights, summed, for [`Average::Samples`].
    samples: [f64; 2],
}

/// `measure(right, predicted, actual)`
type Measure = fn(f64, f64, f64) -> f64;

impl Tally {
    fn update(
        &mut self,
        place: &str,
        average: Average,
        measure: Measure,
        threshold: Option<f32>,
        batch: &Scores<'_>,
    ) -> Result<()> {
        let (classes, labels) = (batch.classes(), batch.is_multilabel());
        match average {
            Average::Samples if !labels => {
                let expected = "several labels a row for Average::Samples";
                return Err(Error::invalid(place, expected, "one class a row"));
            }
            Average::Binary if classes != 2 => {
                let expected = "one or two outputs for Average::Binary (Macro, Micro and Class take any number)";
                return Err(Error::invalid(place, expected, batch.outputs));
            }
            Average::Class(class) if class >= classes => {
                return Err(Error::invalid(place, format!("a class below {classes} in Average::Class"), class));
            }
            _ => {}
        }
        if self.actual.is_empty() {
            self.right.resize(classes, 0.0);
            self.predicted.resize(classes, 0.0);
            self.actual.resize(classes, 0.0);
        }
        if self.actual.len() != classes {
            return Err(Error::invalid(place, format!("{} classes, as before", self.actual.len()), classes));
        }
        self.labels = labels;
        if labels {
            return batch.decide_labels(place, threshold, |truth, predicted, weight| {
                let mut row = [0.0; 3];
                for (label, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate() {
                    let counts = [truth && predicted, predicted, truth].map(|yes| f64::from(u8::from(yes)));
                    self.right[label] += weight * counts[0];
                    self.predicted[label] += weight * counts[1];
                    self.actual[label] += weight * counts[2];
                    row.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
                }
                self.samples[0] += weight * measure(row[0], row[1], row[2]);
                self.samples[1] += weight;
            });
        }
        batch.decide(place, threshold, |target, predicted, weight| {
            self.actual[target] += weight;
            self.predicted[predicted] += weight;
            self.right[target] += if target == predicted { weight } else { 0.0 };
        })
    }

    /// `measure(right, predicted, actual)`, averaged.
    fn value(&self, average: Average, measure: Measure) -> f64 {
        let of = |class: usize| match self.right.get(class) {
            Some(&right) => measure(right, self.predicted[class], self.actual[class]),
            None => 0.0,
        };
        match average {
            Average::Binary => of(1),
            Average::Class(class) => of(class),
            Average::Micro => measure(self.right.iter().sum(), self.predicted.iter().sum(), self.actual.iter().sum()),
            Average::Macro => {
                let occurs = |&class: &usize| self.labels || self.predicted[class] + self.actual[class] > 0.0;
                let classes = (0..self.actual.len()).filter(occurs);
                let (sum, count) = classes.fold((0.0, 0.0), |(sum, count), class| (sum + of(class), count + 1.0));
                ratio(sum, count)
            }
            Average::Weighted => {
                let sum = (0..self.actual.len()).map(|class| self.actual[class] * of(class)).sum();
                ratio(sum, self.actual.iter().sum())
            }
            Average::Samples => ratio(self.samples[0], self.samples[1]),
        }
    }
}

fn name(measure: &str, average: Average) -> String {
    match average {
        Average::Binary => measure.into(),
        Average::Macro => format!("macro_{measure}"),
        Average::Micro => format!("micro_{measure}"),
        Average::Weighted => format!("weighted_{measure}"),
        Average::Samples => format!("samples_{measure}"),
        Average::Class(class) => format!("{measure}_{class}"),
    }
}

/// The three metrics differ in a name and a formula; their common parts are written here once.
macro_rules! by_class {
    ($(#[$doc:meta])* $type:ident, $name:literal, $measure:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[must_use]
        pub struct $type {
            name: String,
            average: Average,
            threshold: Option<f32>,
            #[serde(skip)]
            tally: Tally,
        }

        impl $type {
            #[doc = concat!("Averaged as asked. The name is `", $name, "` for [`Average::Binary`], `macro_", $name, "`,")]
            #[doc = concat!("`micro_", $name, "`, `weighted_", $name, "`, `samples_", $name, "` or `", $name, "_3` (of class 3) for the")]
            /// others.
            pub fn new(average: Average) -> Self {
                $type { name: name($name, average), average, threshold: None, tally: Tally::default() }
            }

            /// Sets what a single output, or that of a label, must exceed to mean yes. Unless it is set the loss says: 0
            /// for logits and margins, else 1/2.
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

        impl Metric for $type {
            fn name(&self) -> &str {
                &self.name
            }

            fn reset(&mut self) {
                self.tally = Tally::default();
            }

            fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
                self.tally.update(&self.name, self.average, $measure, self.threshold, batch)
            }

            fn needs(&self) -> Needs {
                Needs::Classes
            }

            fn value(&self) -> f64 {
                self.tally.value(self.average, $measure)
            }

            fn state(&self) -> Option<Vec<f64>> {
                let Tally { right, predicted, actual, labels, samples } = &self.tally;
                let head = [f64::from(u8::from(*labels)), samples[0], samples[1]];
                Some([&head[..], right, predicted, actual].concat())
            }

            fn restore(&mut self, state: &[f64]) -> Result<()> {
                let [labels, sum, rows, counts @ ..] = state else {
                    return Err(other_state(&self.name, "three numbers, and three a class", state));
                };
                let classes = counts.len() / 3;
                if counts.len() % 3 != 0 {
                    return Err(other_state(&self.name, "three numbers, and three a class", state));
                }
                let part = |i: usize| counts[i * classes..][..classes].to_vec();
                let (labels, samples) = (*labels != 0.0, [*sum, *rows]);
                self.tally = Tally { right: part(0), predicted: part(1), actual: part(2), labels, samples };
                Ok(())
            }

            fn describe(&self) -> Result<Description> {
                described($name, self)
            }

            fn boxed_clone(&self) -> Box<dyn Metric> {
                Box::new(self.clone())
            }
        }
    };
}

by_class! {
    /// Of the rows predicted as a class, the share that is of it: `right / predicted`; 0 for a class never predicted.
    Precision, "precision", |right, predicted, _| ratio(right, predicted)
}
by_class! {
    /// Of the rows of a class, the share that is predicted as it: `right / actual`; 0 for a class without a row.
    ///
    /// With [`Average::Macro`] it is macro-averaged recall, SemEval's measure for the sentiment of tweets; where every
    /// class predicted also occurs among the targets, it is scikit-learn's `balanced_accuracy_score` too.
    ///
    /// ```
    /// use elman::metrics::{Average, Metric, Recall, Scores, TargetsRef};
    /// let mut recall = Recall::new(Average::Macro);
    /// // Three of class 0, all found; one of class 1, missed.
    /// recall.update(&Scores::new(&[0.1, 0.2, 0.3, 0.4], 1, TargetsRef::Classes(&[0, 0, 0, 1])))?;
    /// assert_eq!((recall.name(), recall.value()), ("macro_recall", 0.5));
    /// # Ok::<(), elman::Error>(())
    /// ```
    Recall, "recall", |right, _, actual| ratio(right, actual)
}
by_class! {
    /// The harmonic mean of precision and recall: `2 right / (predicted + actual)`; 0 for a class that is neither.
    ///
    /// [`Average::Macro`] is the mean of the classes' F1, as in scikit-learn, not the F1 of mean precision and recall.
    F1, "f1_score", |right, predicted, actual| ratio(2.0 * right, predicted + actual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TargetsRef::Classes;

    /// Feeds pairs of (target, predicted) of five classes, in two batches of unequal size.
    fn fed(mut metric: Box<dyn Metric>) -> f64 {
        // Class:     0: right 2, predicted 3, actual 3;  1: 1, 1, 2;  2: 0, 2, 0;  3: 0, 0, 1;  4: never.
        for batch in [&[(0, 0), (0, 0), (0, 2), (1, 1)][..], &[(1, 0), (3, 2)]] {
            let mut predictions = vec![0.0; batch.len() * 5];
            for (row, &(_, predicted)) in predictions.chunks_exact_mut(5).zip(batch) {
                row[predicted] = 1.0;
            }
            let labels: Vec<u32> = batch.iter().map(|&(target, _)| target).collect();
            metric.update(&Scores::new(&predictions, 5, Classes(&labels))).unwrap();
        }
        metric.value()
    }

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
    }

    #[test]
    fn averages_are_over_the_whole_set() {
        use Average::{Class, Macro, Micro};
        // Over the classes 0 to 3, which occur; class 4 does not. Nothing to divide by gives 0.
        near(fed(Box::new(Precision::new(Macro))), (2. / 3. + 1. + 0. + 0.) / 4.);
        near(fed(Box::new(Recall::new(Macro))), (2. / 3. + 1. / 2. + 0. + 0.) / 4.);
        near(fed(Box::new(F1::new(Macro))), (2. / 3. + 2. / 3. + 0. + 0.) / 4.);
        for micro in [Box::new(Precision::new(Micro)) as Box<dyn Metric>, Box::new(Recall::new(Micro))] {
            near(fed(micro), 3. / 6.);
        }
        near(fed(Box::new(F1::new(Micro))), 3. / 6.);
        near(fed(Box::new(Precision::new(Class(2)))), 0.);
        near(fed(Box::new(Recall::new(Class(1)))), 1. / 2.);
        near(fed(Box::new(F1::new(Class(4)))), 0.);
    }

    #[test]
    fn binary_is_class_one() {
        let mut metrics = [
            Box::new(Precision::new(Average::Binary)) as Box<dyn Metric>,
            Box::new(Recall::new(Average::Binary)),
            Box::new(F1::new(Average::Binary)),
        ];
        // Predicted 1: rows 0, 1, 2, of which 0 and 1 are; row 3 is missed; row 4 is padding.
        let labels = [1, 1, 0, 1, 9];
        let batch = Scores { ignore: Some(9), ..Scores::new(&[0.9, 0.8, 0.7, 0.4, 0.9], 1, Classes(&labels)) };
        for (metric, expected) in metrics.iter_mut().zip([2. / 3., 2. / 3., 2. / 3.]) {
            metric.update(&batch).unwrap();
            near(metric.value(), expected);
            metric.reset();
            assert_eq!(metric.value(), 0.0);
        }
        let mut logits = Recall::new(Average::Binary).threshold(0.0);
        logits.update(&Scores::new(&[0.1, -0.1], 1, Classes(&[1, 1]))).unwrap();
        near(logits.value(), 0.5);
        let names: Vec<_> = metrics.iter().map(|metric| metric.name().to_string()).collect();
        assert_eq!(names, ["precision", "recall", "f1_score"]);
        assert_eq!(F1::new(Average::Class(3)).name(), "f1_score_3");
    }

    #[test]
    fn an_average_that_does_not_fit_the_outputs_is_an_error() {
        let batch = Scores::new(&[0.0; 3], 3, Classes(&[0]));
        let message = |average| Precision::new(average).named("p").update(&batch).unwrap_err().to_string();
        assert!(message(Average::Binary).starts_with("p: expected one or two outputs for Average::Binary"));
        assert_eq!(message(Average::Class(3)), "p: expected a class below 3 in Average::Class, found 3");
        let mut precision = Precision::new(Average::Macro);
        precision.update(&batch).unwrap();
        let other = precision.update(&Scores::new(&[0.0; 4], 4, Classes(&[0]))).unwrap_err().to_string();
        assert_eq!(other, "macro_precision: expected 3 classes, as before, found 4");
    }
}
