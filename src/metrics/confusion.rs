//! Which classes are taken for which: the confusion matrix and its printed table.

use super::{Scores, ratio};
use crate::error::{Error, Result};
use std::fmt;

/// The most classes of a matrix: 200 MB of counts.
const MOST_CLASSES: usize = 5_000;

/// How often rows of one class were predicted as another; rows weigh what their weights say.
///
/// ```
/// use elman::metrics::{ConfusionMatrix, Scores, TargetsRef};
/// let mut matrix = ConfusionMatrix::new(2)?;
/// matrix.update(&Scores::new(&[0.9, 0.2, 0.7, 0.1], 1, TargetsRef::Classes(&[1, 0, 0, 0])))?;
/// assert_eq!(matrix.count(0, 1), Some(1.0));
/// println!("{}", matrix.table().names(&["negative", "positive"])?);
/// # Ok::<(), elman::Error>(())
/// ```
/// prints
/// ```text
/// true \ predicted  negative  positive
/// negative                 2         1
/// positive                 0         1
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    classes: usize,
    threshold: f32,
    /// `[true, predicted]`.
    counts: Vec<f64>,
}

impl ConfusionMatrix {
    /// An empty matrix of `classes`: two for a model with a single output. Errors: none, or more than 5,000 classes.
    pub fn new(classes: usize) -> Result<Self> {
        if classes == 0 || classes > MOST_CLASSES {
            return Err(Error::invalid("confusion matrix", format!("from 1 to {MOST_CLASSES} classes"), classes));
        }
        Ok(ConfusionMatrix { classes, threshold: 0.5, counts: vec![0.0; classes * classes] })
    }

    /// Sets what a single output must exceed to mean class 1: 0.5 by default, 0 for a logit.
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = threshold;
        self
    }

    /// Takes in one batch. Errors: another number of outputs than classes, and those of [`Scores::decide`].
    pub fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if batch.classes() != self.classes {
            let expected = format!("outputs for {} classes", self.classes);
            return Err(Error::invalid("confusion matrix", expected, batch.outputs));
        }
        batch.decide("confusion matrix", self.threshold, |target, predicted, weight| {
            self.counts[target * self.classes + predicted] += weight;
        })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many rows of class `target` were predicted as `predicted`; `None` when there is no such class.
    pub fn count(&self, target: usize, predicted: usize) -> Option<f64> {
        self.counts.chunks_exact(self.classes).nth(target)?.get(predicted).copied()
    }

    /// The share of the rows on the diagonal; 0 without a row.
    pub fn accuracy(&self) -> f64 {
        ratio(self.counts.iter().step_by(self.classes + 1).sum(), self.counts.iter().sum())
    }

    /// The matrix as a table to print, of all classes under their numbers.
    pub fn table(&self) -> Table<'_> {
        Table { matrix: self, names: (0..self.classes).map(|class| class.to_string()).collect(), largest: None }
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

/// A [`ConfusionMatrix`] as an aligned table: true classes down, predicted ones across. It is printed with `{}`.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    matrix: &'a ConfusionMatrix,
    names: Vec<String>,
    largest: Option<usize>,
}

impl Table<'_> {
    /// Names the classes, from class 0 on. Errors: not as many names as classes.
    pub fn names<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self> {
        if names.len() != self.names.len() {
            let expected = format!("a name for each of {} classes", self.names.len());
            return Err(Error::invalid("confusion matrix", expected, format!("{} names", names.len())));
        }
        self.names = names.iter().map(|name| name.as_ref().to_string()).collect();
        Ok(self)
    }

    /// Restricts the table to the `k` classes of most rows, the largest first, with a last column for predictions of
    /// any other class.
    pub fn largest(mut self, k: usize) -> Self {
        self.largest = Some(k);
        self
    }

    /// The classes shown, and whether others are left out.
    fn shown(&self) -> (Vec<usize>, bool) {
        let mut classes: Vec<usize> = (0..self.matrix.classes).collect();
        let Some(k) = self.largest else { return (classes, false) };
        let sizes: Vec<f64> =
            self.matrix.counts.chunks_exact(self.matrix.classes).map(|row| row.iter().sum()).collect();
        classes.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
        classes.truncate(k);
        let left_out = classes.len() < self.matrix.classes;
        (classes, left_out)
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (classes, left_out) = self.shown();
        let mut lines = vec![vec!["true \\ predicted".to_string()]];
        lines[0].extend(classes.iter().map(|&class| self.names[class].clone()));
        lines[0].extend(left_out.then(|| "other".to_string()));
        for &target in &classes {
            let row = &self.matrix.counts[target * self.matrix.classes..][..self.matrix.classes];
            let mut line = vec![self.names[target].clone()];
            line.extend(classes.iter().map(|&predicted| number(row[predicted])));
            let other = row.iter().enumerate().filter(|(class, _)| !classes.contains(class)).map(|(_, count)| count);
            line.extend(left_out.then(|| number(other.sum())));
            lines.push(line);
        }
        let columns = lines[0].len();
        let wide = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(wide).collect();
        for (i, line) in lines.iter().enumerate() {
            let (first, rest) = (&line[0], &line[1..]);
            let end = if i + 1 < lines.len() { "\n" } else { "" };
            write!(f, "{first:<width$}", width = if rest.is_empty() { 0 } else { widths[0] })?;
            for (cell, width) in rest.iter().zip(&widths[1..]) {
                write!(f, "  {cell:>width$}")?;
            }
            f.write_str(end)?;
        }
        Ok(())
    }
}

/// Counts are whole numbers unless rows have weights.
fn number(count: f64) -> String {
    if count.fract() == 0.0 { format!("{count}") } else { format!("{count:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TargetsRef::Classes;

    /// Three classes: 0 of one row, 1 of three, 2 of two.
    fn matrix() -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(3).unwrap();
        let one_hot = |class: usize| (0..3).map(move |i| f32::from(u8::from(i == class)));
        for (labels, predicted) in [(&[0, 1, 1, 1][..], &[0, 1, 0, 2][..]), (&[2, 2], &[2, 2])] {
            let predictions: Vec<f32> = predicted.iter().flat_map(|&class| one_hot(class)).collect();
            matrix.update(&Scores::new(&predictions, 3, Classes(labels))).unwrap();
        }
        matrix
    }

    #[test]
    fn counts_are_by_true_and_predicted_class() {
        let matrix = matrix();
        let rows: Vec<_> = (0..3).map(|t| [0, 1, 2].map(|p| matrix.count(t, p).unwrap())).collect();
        assert_eq!(rows, [[1., 0., 0.], [1., 1., 1.], [0., 0., 2.]]);
        assert_eq!((matrix.count(3, 0), matrix.count(0, 3), matrix.accuracy()), (None, None, 4.0 / 6.0));
    }

    #[test]
    fn tables_are_aligned() {
        let table = matrix().table().names(&["a", "bé", "corn"]).unwrap().to_string();
        let expected = [
            "true \\ predicted  a  bé  corn",
            "a                 1   0     0",
            "bé                1   1     1",
            "corn              0   0     2",
        ];
        assert_eq!(table.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_largest_classes_come_first_and_the_others_are_summed() {
        let matrix = matrix();
        let expected =
            ["true \\ predicted  1  2  other", "1                 1  1      1", "2                 0  2      0"];
        assert_eq!(matrix.table().largest(2).to_string().lines().collect::<Vec<_>>(), expected);
        assert!(!matrix.table().largest(9).to_string().contains("other"));
        assert_eq!(matrix.table().largest(0).to_string().lines().count(), 1);
    }

    #[test]
    fn weights_show_as_fractions() {
        let mut matrix = ConfusionMatrix::new(2).unwrap().threshold(0.0);
        let scores = Scores::new(&[0.1, -0.1], 1, Classes(&[1, 1]));
        matrix.update(&Scores { weights: Some(&[0.25, 2.0]), ..scores }).unwrap();
        assert!(matrix.to_string().ends_with("1                 2  0.2"), "{matrix}");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let message = |result: Result<()>| result.unwrap_err().to_string();
        let outputs = matrix().update(&Scores::new(&[0.0; 4], 4, Classes(&[0])));
        assert_eq!(message(outputs), "confusion matrix: expected outputs for 3 classes, found 4");
        let names = matrix().table().names(&["one"]).map(|_| ());
        assert_eq!(message(names), "confusion matrix: expected a name for each of 3 classes, found 1 names");
        assert!(ConfusionMatrix::new(0).is_err() && ConfusionMatrix::new(50_000).is_err());
    }
}
