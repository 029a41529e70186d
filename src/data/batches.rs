//! The rows of a data set cut into mini-batches, shuffled or in order.

use crate::error::{Error, Result};
use crate::random::Key;
use std::ops::Range;

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
    /// Where among the rows each batch ends.
    ends: Vec<usize>,
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
        let ends = (1..=rows.len().div_ceil(batch_size)).map(|batch| (batch * batch_size).min(rows.len())).collect();
        Ok(Batches { rows, ends })
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

    /// Batches of as many rows as have at most `tokens` steps when all are padded to the longest of them; a longer row is a batch
    /// of its own. They are taken in the random order of `key`, or as they are; with `alike` rows of similar length come together,
    /// and it is the batches that are in random order. Errors: no rows; 0 tokens.
    ///
    /// ```
    /// use elman::data::Batches;
    /// let batches = Batches::by_tokens(&[3, 1, 2, 9, 1], 6, true, None)?;
    /// assert_eq!(batches.iter().collect::<Vec<_>>(), [&[1, 4, 2][..], &[0], &[3]]);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn by_tokens(lengths: &[usize], tokens: usize, alike: bool, key: Option<Key>) -> Result<Self> {
        if tokens == 0 {
            return Err(Error::invalid("batches", "at least 1 token a batch", 0));
        }
        let mut rows = Batches::over((0..lengths.len()).collect(), 1, key.map(|key| key.named("rows")))?.rows;
        if alike {
            rows.sort_by_key(|&row| lengths[row]);
        }
        let (mut batches, mut longest) = (Vec::<Vec<usize>>::new(), 0);
        for row in rows {
            longest = lengths[row].max(longest);
            match batches.last_mut() {
                Some(batch) if longest.saturating_mul(batch.len() + 1) <= tokens => batch.push(row),
                _ => {
                    longest = lengths[row];
                    batches.push(vec![row]);
                }
            }
        }
        if let Some(key) = key.filter(|_| alike) {
            key.named("batches").shuffle(&mut batches);
        }
        let mut end = 0;
        let ends = batches.iter().map(|batch| {
            end += batch.len();
            end
        });
        Ok(Batches { ends: ends.collect(), rows: batches.concat() })
    }

    /// Rows from the shortest to the longest in batches of at most `batch_size`, of which none is padding for the greater part
    /// when its rows are padded to the longest, but for batches of short ones: few rows that are far longer than the others are in
    /// batches of their own. For what does not depend on how rows are cut. Errors: no rows; a batch size of 0.
    pub(crate) fn apart(lengths: &[usize], batch_size: usize) -> Result<Self> {
        // What is shorter costs no less.
        const SHORT: usize = 32;
        let mut rows: Vec<usize> = (0..lengths.len()).collect();
        rows.sort_by_key(|&row| lengths[row]);
        let Batches { rows, .. } = Batches::over(rows, batch_size, None)?;
        let (mut ends, mut count, mut sum) = (Vec::new(), 0, 0usize);
        for (at, &row) in rows.iter().enumerate() {
            let length = lengths[row].max(SHORT);
            let padded = length.saturating_mul(count + 1);
            if count == batch_size || padded / 2 > sum + length {
                ends.push(at);
                (count, sum) = (0, 0);
            }
            (count, sum) = (count + 1, sum + length);
        }
        ends.push(rows.len());
        Ok(Batches { rows, ends })
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never: there is at least one batch.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of rows of all batches.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The rows of the batch `number`, from 0. Errors: a batch that there is not.
    pub fn get(&self, number: usize) -> Result<&[usize]> {
        match number < self.len() {
            true => Ok(self.batch(number)),
            false => Err(Error::invalid("batches", format!("a batch below {}", self.len()), number)),
        }
    }

    fn batch(&self, number: usize) -> &[usize] {
        &self.rows[number.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[number]]
    }

    /// The rows of each batch.
    pub fn iter(&self) -> BatchRows<'_> {
        BatchRows { batches: self, numbers: 0..self.len() }
    }
}

impl<'a> IntoIterator for &'a Batches {
    type Item = &'a [usize];
    type IntoIter = BatchRows<'a>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The rows of one batch after another, from [`Batches::iter`].
#[derive(Clone, Debug)]
pub struct BatchRows<'a> {
    batches: &'a Batches,
    numbers: Range<usize>,
}

impl<'a> Iterator for BatchRows<'a> {
    type Item = &'a [usize];

    fn next(&mut self) -> Option<Self::Item> {
        self.numbers.next().map(|number| self.batches.batch(number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.numbers.size_hint()
    }
}

impl ExactSizeIterator for BatchRows<'_> {}

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
        for batch in &batches {
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
    fn batches_by_tokens_have_every_row_once_and_no_more_than_fits() {
        let lengths: Vec<usize> = (0..60).map(|i| i * 7 % 31).collect();
        let padded = |batch: &[usize]| batch.iter().map(|&row| lengths[row]).max().unwrap() * batch.len();
        let cut = |alike, key| Batches::by_tokens(&lengths, 50, alike, key).unwrap();
        for (alike, key) in [(false, None), (true, None), (false, Some(Key::new(1))), (true, Some(Key::new(1)))] {
            let batches = cut(alike, key);
            assert!(batches.iter().all(|batch| padded(batch) <= 50 && !batch.is_empty()));
            assert_eq!((batches.rows(), batches.iter().len()), (60, batches.len()));
            assert!(batches.iter().enumerate().all(|(number, batch)| batches.get(number).unwrap() == batch));
            assert!(batches.get(batches.len()).is_err());
            let mut rows = batches.rows;
            rows.sort_unstable();
            assert_eq!(rows, (0..60).collect::<Vec<_>>());
        }
        assert!(cut(true, None).len() < cut(false, None).len(), "rows of one length leave less to pad");
        assert_ne!(cut(true, Some(Key::new(1))).rows, cut(true, Some(Key::new(2))).rows);
        assert_eq!(Batches::by_tokens(&[9, 9], 4, false, None).unwrap().len(), 2);
        assert!(Batches::by_tokens(&[], 4, false, None).is_err() && Batches::by_tokens(&[1], 0, true, None).is_err());
    }

    #[test]
    fn nothing_to_cut_is_an_error() {
        let message = |batches: Result<Batches>| batches.unwrap_err().to_string();
        assert_eq!(message(Batches::new(3, 0, None)), "batches: expected a batch size of at least 1, found 0");
        assert_eq!(message(Batches::new(0, 3, None)), "batches: expected at least one row, found none");
    }
}
