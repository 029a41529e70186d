//! The areas of columns of scores, of classes or labels against the rest and of classes in pairs.

use super::Auc;
use crate::loss::{Outputs, Scale};

/// A score, whether its row is a positive one, and the row's weight.
pub(super) type Scored = (f64, bool, f64);

impl Auc {
    /// The rows with their scores in a column, positive where they are of its class or have its label.
    pub(super) fn column(&self, column: usize) -> Vec<Scored> {
        let class = if self.columns() == 1 { 1 } else { column };
        let positive = |row: usize, target: usize| match self.multilabel {
            true => self.labels[row * self.columns() + column],
            false => target == class,
        };
        let scores = self.scores.iter().skip(column).step_by(self.columns());
        scores
            .zip(&self.rows)
            .enumerate()
            .map(|(i, (&score, &(of, weight)))| (score, positive(i, of), weight))
            .collect()
    }

    /// The areas of all columns with what they weigh in `Average::Weighted`.
    pub(super) fn of_columns(&self) -> Vec<(f64, f64)> {
        let columns = (0..self.columns()).map(|column| self.column(column));
        let weighed = |rows: Vec<Scored>| {
            let positives = rows.iter().filter(|row| row.1).map(|row| row.2).sum();
            area(rows).map(|area| (area, positives))
        };
        columns.filter_map(weighed).collect()
    }

    /// The areas of all pairs of classes with the rows that they have.
    pub(super) fn of_pairs(&self) -> Vec<(f64, f64)> {
        let columns = self.columns();
        let mut of_class = vec![Vec::new(); columns];
        for (row, &(class, weight)) in self.rows.iter().enumerate() {
            of_class[class].push((row, weight));
        }
        let mut areas = Vec::new();
        for (a, b) in (0..columns).flat_map(|a| (a + 1..columns).map(move |b| (a, b))) {
            let against = |own: usize, other: usize| {
                let scored = |class: usize| {
                    of_class[class]
                        .iter()
                        .map(move |&(row, weight)| (self.scores[row * columns + own], class == own, weight))
                };
                area(scored(own).chain(scored(other)).collect())
            };
            let weight = |class: usize| of_class[class].iter().map(|row| row.1).sum::<f64>();
            if let (Some(first), Some(second)) = (against(a, b), against(b, a)) {
                areas.push((0.5 * (first + second), weight(a) + weight(b)));
            }
        }
        areas
    }
}

/// The area of scored rows; `None` without a positive or without a negative one.
pub(super) fn area(mut rows: Vec<Scored>) -> Option<f64> {
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut won, mut positives, mut negatives) = (0.0, 0.0, 0.0);
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let weight = |of: bool| tied.iter().filter(|row| row.1 == of).map(|row| row.2).sum::<f64>();
        let (here, against) = (weight(true), weight(false));
        won += here * (negatives + against / 2.0);
        positives += here;
        negatives += against;
    }
    (positives > 0.0 && negatives > 0.0).then(|| won / (positives * negatives))
}

/// Scores as probabilities: those of two classes compare as they are.
pub(super) fn probabilities(row: &[f32], read_as: Outputs) -> Vec<f64> {
    let scores = row.iter().map(|&score| f64::from(score));
    match read_as {
        Outputs::Class(Scale::Logits | Scale::LogProbabilities) => {
            let greatest = scores.clone().fold(f64::NEG_INFINITY, f64::max);
            // Of equal infinities the difference would be NaN.
            let e: Vec<f64> =
                scores.map(|score| if score == greatest { 1.0 } else { (score - greatest).exp() }).collect();
            let sum: f64 = e.iter().sum();
            e.into_iter().map(|e| e / sum).collect()
        }
        _ => scores.collect(),
    }
}
