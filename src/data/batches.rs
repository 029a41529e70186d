//! The rows of a data set cut into mini-batches, shuffled or in order.

use crate::error::{Error, Result};
use crate::random::Key;

/// One epoch's mini-batches: every row in exactly one of them; the last one may be smaller.
///
/// ```
/// use elman::data::Batches;
/// let batches = Batches::new(5, 2, None)?;
/// assert_eq!(batches.iter().collect::<Vec<_>>(), [&[0, 1][..], &[2, 3], &[4]]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    rows: Vec<usize>,
    size: usize,
}

impl Batches {
    /// The rows `0..n` in batches of `batch_size`, in the random order of `key` (fold the epoch into it), or as they
    /// are. Errors: no rows; a batch size of 0.
    pub fn new(n: usize, batch_size: usize, key: Option<Key>) -> Result<Self> {
        Batches::over((0..n).collect(), batch_size, key)
    }

    /// The same over some `rows` of a data set: those before the validation split, for instance.
    pub fn over(mut rows: Vec<usize>, batch_size: usize, key: Option<Key>) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::invalid("batches", "a batch size of at least 1", 0));
        }
        if rows.is_empty() {
            return Err(Error::invalid("batches", "at least one row", "none"));
        }
        if let Some(key) = key {
            key.shuffle(&mut rows);
        }
        Ok(Batches { rows, size: batch_size })
    }

    /// Batches of rows of similar length, so that little of a batch is padding: see
    /// [`length_buckets`](crate::text::length_buckets). Errors: no rows; a batch size of 0.
    pub fn by_length(lengths: &[usize], batch_size: usize, key: Key) -> Result<Self> {
        let mut batches = crate::text::length_buckets(lengths, batch_size, key)?;
        // The smaller one comes last.
        if let Some(smaller) = batches.iter().position(|batch| batch.len() < batch_size) {
            let smaller = batches.remove(smaller);
            batches.push(smaller);
        }
        Batches::over(batches.concat(), batch_size, None)
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.rows.len().div_ceil(self.size)
    }

    /// Never: there is at least one batch.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of each batch.
    pub fn iter(&self) -> std::slice::Chunks<'_, usize> {
        self.rows.chunks(self.size)
    }
}

impl<'a> IntoIterator for &'a Batches {
    type Item = &'a [usize];
    type IntoIter = std::slice::Chunks<'a, usize>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffled_epoch_has_every_row_once() {
        let rows = |key| Batches::new(100, 32, key).unwrap().iter().flatten().copied().collect::<Vec<_>>();
        let shuffled = rows(Some(Key::new(1)));
        assert_ne!(shuffled, rows(None));
        assert_ne!(shuffled, rows(Some(Key::new(1).fold(1))));
        assert_eq!(shuffled, rows(Some(Key::new(1))));
        let mut sorted = shuffled;
        sorted.sort_unstable();
        assert_eq!(sorted, rows(None));
    }

    #[test]
    fn only_the_last_batch_is_smaller() {
        let sizes = |n| Batches::new(n, 4, None).unwrap().iter().map(<[usize]>::len).collect::<Vec<_>>();
        assert_eq!((sizes(9), sizes(8), sizes(1)), (vec![4, 4, 1], vec![4, 4], vec![1]));
        assert_eq!(Batches::new(9, 4, None).unwrap().len(), 3);
        assert_eq!(Batches::over(vec![7, 5], 9, None).unwrap().iter().next(), Some(&[7, 5][..]));
    }

    #[test]
    fn batches_by_length_have_every_row_once() {
        let lengths: Vec<usize> = (0..50).map(|i| i * 7 % 50).collect();
        let batches = Batches::by_length(&lengths, 8, Key::new(3)).unwrap();
        for batch in batches.iter() {
            let of_batch = batch.iter().map(|&row| lengths[row]);
            assert_eq!(of_batch.clone().max().unwrap() - of_batch.min().unwrap() + 1, batch.len());
        }
        assert_eq!(batches.iter().map(<[usize]>::len).collect::<Vec<_>>(), [8, 8, 8, 8, 8, 8, 2]);
        assert_ne!(batches.rows, Batches::by_length(&lengths, 8, Key::new(4)).unwrap().rows);
        let mut rows = batches.rows;
        rows.sort_unstable();
        assert_eq!(rows, (0..50).collect::<Vec<_>>());
        assert!(Batches::by_length(&[], 8, Key::new(3)).is_err());
    }

    #[test]
    fn nothing_to_cut_is_an_error() {
        let message = |batches: Result<Batches>| batches.unwrap_err().to_string();
        assert_eq!(message(Batches::new(3, 0, None)), "batches: expected a batch size of at least 1, found 0");
        assert_eq!(message(Batches::new(0, 3, None)), "batches: expected at least one row, found none");
    }
}
