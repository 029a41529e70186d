//! [`Scores`]: what may come next.

use crate::error::{Error, Result};

/// Scores of all tokens that may follow each of several sequences, on the host: logits, that is logarithms of probabilities up to a
/// number that all tokens of a row share. `-inf` is a token that cannot follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    data: Vec<f32>,
    rows: usize,
    vocabulary: usize,
}

impl Scores {
    /// Scores of `rows` sequences, one row after another. Errors when they are no whole rows of at least one number, or one is NaN or
    /// `+inf`.
    pub fn new(data: Vec<f32>, rows: usize) -> Result<Self> {
        if rows == 0 || data.is_empty() || !data.len().is_multiple_of(rows) {
            let expected = format!("{rows} whole rows of at least one number, at least one row");
            return Err(Error::invalid("scores", expected, format!("{} numbers", data.len())));
        }
        let vocabulary = data.len() / rows;
        // A sum is NaN or infinite if a number is, and quicker than a look at each.
        let wrong = |&x: &f32| x.is_nan() || x == f32::INFINITY;
        if !data.iter().sum::<f32>().is_finite() {
            if let Some(at) = data.iter().position(wrong) {
                let place = format!("scores, row {}, token {}", at / vocabulary, at % vocabulary);
                return Err(Error::invalid(place, "a number or minus infinity", data[at]));
            }
        }
        Ok(Scores { data, rows, vocabulary })
    }

    /// How many sequences there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The scores of what may follow sequence `row`, which must be below [`Scores::rows`].
    pub fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.vocabulary..][..self.vocabulary]
    }

    /// The logarithms of the probabilities of what may follow sequence `row`, which must be below [`Scores::rows`].
    pub fn log_probabilities(&self, row: usize) -> Vec<f64> {
        let row = self.row(row);
        let all = log_sum_exp(row);
        row.iter().map(|&x| f64::from(x) - all).collect()
    }
}

/// The logarithm of the sum of exponentials, `-inf` where nothing can follow.
pub(super) fn log_sum_exp(row: &[f32]) -> f64 {
    let greatest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    if greatest == f64::NEG_INFINITY {
        return greatest;
    }
    greatest + row.iter().map(|&x| (f64::from(x) - greatest).exp()).sum::<f64>().ln()
}
