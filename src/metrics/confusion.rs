//! Which classes are taken for which: the confusion matrix and its printed table.

use super::{Scores, ratio};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// The most classes that a table shows unless it is told otherwise.
const SHOWN: usize = 30;

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
///
/// It keeps what occurred, not a square: memory and work are linear in rows and classes, so that any number of classes
/// will do. [`precision`](ConfusionMatrix::precision), [`recall`](ConfusionMatrix::recall), [`f1`](ConfusionMatrix::f1) and
/// [`support`](ConfusionMatrix::support) of every class are read off its margins: scikit-learn's `classification_report`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    classes: usize,
    threshold: Option<f32>,
    /// By true and predicted class.
    counts: BTreeMap<(usize, usize), f64>,
    /// By class, once a batch has come: rows predicted rightly, rows predicted as it, rows of it.
    margins: Vec<[f64; 3]>,
}

impl ConfusionMatrix {
    /// An empty matrix of `classes`: two for a model with a single output. Errors: none.
    pub fn new(classes: usize) -> Result<Self> {
        if classes == 0 {
            return Err(Error::invalid("confusion matrix", "at least 1 class", classes));
        }
        Ok(ConfusionMatrix { classes, threshold: None, counts: BTreeMap::new(), margins: Vec::new() })
    }

    /// Sets what a single output must exceed to mean class 1. Unless it is set the loss says (see
    /// [`Scores::read_as`]): 0 for logits and margins, else 1/2.
    #[must_use]
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Takes in one batch. Errors: another number of outputs than classes, several labels a row, and those of
    /// [`Scores::decide`].
    pub fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        if batch.classes() != self.classes {
            let expected = format!("outputs for {} classes", self.classes);
            return Err(Error::invalid("confusion matrix", expected, batch.outputs));
        }
        self.margins.resize(self.classes, [0.0; 3]);
        batch.decide("confusion matrix", self.threshold, |target, predicted, weight| {
            *self.counts.entry((target, predicted)).or_default() += weight;
            self.margins[target][0] += if target == predicted { weight } else { 0.0 };
            self.margins[predicted][1] += weight;
            self.margins[target][2] += weight;
        })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many rows of class `target` were predicted as `predicted`; `None` when there is no such class.
    pub fn count(&self, target: usize, predicted: usize) -> Option<f64> {
        let exists = target < self.classes && predicted < self.classes;
        exists.then(|| self.counts.get(&(target, predicted)).copied().unwrap_or(0.0))
    }

    /// The counts that are not 0, as true class, predicted class and count, in that order.
    pub fn counts(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        self.counts.iter().map(|(&(target, predicted), &count)| (target, predicted, count))
    }

    /// The share of the rows on the diagonal; 0 without a row.
    pub fn accuracy(&self) -> f64 {
        let sum = |which: usize| self.margins.iter().map(|margins| margins[which]).sum();
        ratio(sum(0), sum(2))
    }

    /// Of the rows predicted as a class, the share that is of it; 0 for a class never predicted.
    pub fn precision(&self, class: usize) -> f64 {
        let [right, predicted, _] = self.margins(class);
        ratio(right, predicted)
    }

    /// Of the rows of a class, the share that is predicted as it; 0 for a class without a row.
    pub fn recall(&self, class: usize) -> f64 {
        let [right, _, actual] = self.margins(class);
        ratio(right, actual)
    }

    /// The harmonic mean of precision and recall of a class; 0 for one that is neither predicted nor there.
    pub fn f1(&self, class: usize) -> f64 {
        let [right, predicted, actual] = self.margins(class);
        ratio(2.0 * right, predicted + actual)
    }

    /// How many rows there are of a class.
    pub fn support(&self, class: usize) -> f64 {
        self.margins(class)[2]
    }

    fn margins(&self, class: usize) -> [f64; 3] {
        self.margins.get(class).copied().unwrap_or_default()
    }

    /// The matrix as a table to print, under the classes' numbers: of all of them, or where there are more than 30 of
    /// those with most rows (see [`Table::largest`]).
    pub fn table(&self) -> Table<'_> {
        Table { matrix: self, names: None, largest: SHOWN }
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
    names: Option<Vec<String>>,
    largest: usize,
}

impl Table<'_> {
    /// Names the classes, from class 0 on. Errors: not as many names as classes.
    pub fn names<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self> {
        if names.len() != self.matrix.classes {
            let expected = format!("a name for each of {} classes", self.matrix.classes);
            return Err(Error::invalid("confusion matrix", expected, format!("{} names", names.len())));
        }
        self.names = Some(names.iter().map(|name| name.as_ref().to_string()).collect());
        Ok(self)
    }

    /// Restricts the table to the `k` classes of most rows, the largest first, with a last column for predictions of
    /// any other class. Where there are no more classes than that they stand in their order. 30 unless said otherwise.
    #[must_use]
    pub fn largest(mut self, k: usize) -> Self {
        self.largest = k;
        self
    }

    /// The classes shown, and whether others are left out.
    fn shown(&self) -> (Vec<usize>, bool) {
        let mut classes: Vec<usize> = (0..self.matrix.classes).collect();
        if classes.len() <= self.largest {
            return (classes, false);
        }
        // A stable sort: of equals the first.
        classes.sort_by(|&a, &b| self.matrix.support(b).total_cmp(&self.matrix.support(a)));
        classes.truncate(self.largest);
        (classes, true)
    }

    fn name(&self, class: usize) -> String {
        self.names.as_ref().map_or_else(|| class.to_string(), |names| names[class].clone())
    }

    /// The cells of a line: the counts of a true class in the columns of `place`, and behind them those of any other
    /// prediction.
    fn cells(&self, target: usize, columns: usize, place: &BTreeMap<usize, usize>) -> Vec<f64> {
        let mut cells = vec![0.0; columns + 1];
        for (&(_, predicted), &count) in self.matrix.counts.range((target, 0)..=(target, usize::MAX)) {
            cells[place.get(&predicted).copied().unwrap_or(columns)] += count;
        }
        cells
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (classes, left_out) = self.shown();
        let place = classes.iter().enumerate().map(|(column, &class)| (class, column)).collect();
        let mut lines = vec![vec!["true \\ predicted".to_string()]];
        lines[0].extend(classes.iter().map(|&class| self.name(class)));
        lines[0].extend(left_out.then(|| "other".to_string()));
        for &target in &classes {
            let cells = self.cells(target, classes.len(), &place);
            let mut line = vec![self.name(target)];
            line.extend(cells.into_iter().take(classes.len() + usize::from(left_out)).map(number));
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
        assert_eq!(matrix.table().largest(3).to_string(), matrix.to_string(), "all of them, in their order");
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
        assert_eq!(message(ConfusionMatrix::new(0).map(drop)), "confusion matrix: expected at least 1 class, found 0");
    }

    #[test]
    fn measures_of_each_class_are_read_off_the_margins() {
        let matrix = matrix();
        // Class 0: 1 row, right 1, predicted 2. Class 1: 3 rows, right 1, predicted 1. Class 2: 2 rows, right 2, predicted 3.
        let of = |class| [matrix.precision(class), matrix.recall(class), matrix.f1(class), matrix.support(class)];
        assert_eq!(of(0), [0.5, 1.0, 2.0 / 3.0, 1.0]);
        assert_eq!(of(1), [1.0, 1.0 / 3.0, 0.5, 3.0]);
        assert_eq!(of(2), [2.0 / 3.0, 1.0, 0.8, 2.0]);
        assert_eq!(of(3), [0.0; 4], "no such class");
        let counts: Vec<_> = matrix.counts().collect();
        assert_eq!(counts, [(0, 0, 1.), (1, 0, 1.), (1, 1, 1.), (1, 2, 1.), (2, 2, 2.)]);
    }

    /// As many classes as a vocabulary has words: a square of them would take 80 GB.
    #[test]
    fn many_classes_cost_what_occurs() {
        let classes = 100_000;
        let mut matrix = ConfusionMatrix::new(classes).unwrap();
        let mut predictions = vec![0.0; 3 * classes];
        [7, classes + 99_999, 2 * classes + 7].into_iter().for_each(|at| predictions[at] = 1.0);
        matrix.update(&Scores::new(&predictions, classes, Classes(&[7, 99_998, 99_998]))).unwrap();
        let found = (matrix.accuracy(), matrix.recall(7), matrix.precision(7), matrix.support(99_998));
        assert_eq!(found, (1.0 / 3.0, 1.0, 0.5, 2.0));
        let table = matrix.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines.len() == 31 && lines.iter().all(|line| line.len() < 200), "{table}");
        assert!(lines[1].starts_with("99998 ") && lines[1].ends_with(" 1"), "{}", lines[1]);
        assert!(lines[2].starts_with("7 ") && lines[2].ends_with(" 0"), "{}", lines[2]);
    }
}
