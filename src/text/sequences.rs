//! Sequences of different lengths as rows of one length, and as batches of similar length.

use crate::error::{Error, Result};
use crate::random::Key;

/// Where a row that is too short is filled with padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Before its first index: Keras' default, with which a recurrent network reads the text last.
    #[default]
    Pre,
    /// After its last index.
    Post,
}

/// Where a row that is too long loses indices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Truncation {
    /// At its beginning: Keras' default.
    #[default]
    Pre,
    /// At its end.
    Post,
}

/// Rows of indices `[rows, steps]`, filled with 0 (padding) or cut to one length: `steps`, or that of the longest.
///
/// Errors: no row; a length of 0, be it asked for or because all rows are empty.
///
/// ```
/// use elman::text::{Padding, Truncation, pad_sequences};
/// let rows = [vec![1, 2, 3], vec![4]];
/// assert_eq!(pad_sequences(&rows, Padding::Pre, Truncation::Pre, Some(2))?, [[2, 3], [0, 4]]);
/// assert_eq!(pad_sequences(&rows, Padding::Post, Truncation::Post, None)?, [[1, 2, 3], [4, 0, 0]]);
/// # Ok::<(), elman::Error>(())
/// ```
pub fn pad_sequences<R: AsRef<[u32]>>(
    rows: &[R],
    padding: Padding,
    truncation: Truncation,
    steps: Option<usize>,
) -> Result<Vec<Vec<u32>>> {
    pad_sequences_with(rows, padding, truncation, steps, 0)
}

/// As [`pad_sequences`], filled with an index of one's own: a tokenizer's number of `<pad>`, which is 1 in RoBERTa
/// (`HfTokenizer::id` tells it; Keras' `value`). Then
/// [`Embedding::padding`](crate::layers::Embedding::padding), [`Fit::by_length`](crate::training::Fit::by_length) and
/// [`Inputs::trimmed`](crate::data::Inputs::trimmed) are to be given the same index.
///
/// ```
/// use elman::text::{Padding, Truncation, pad_sequences_with};
/// let rows = [vec![0, 31414, 2], vec![0, 2]];
/// assert_eq!(pad_sequences_with(&rows, Padding::Post, Truncation::Post, None, 1)?, [[0, 31414, 2], [0, 2, 1]]);
/// # Ok::<(), elman::Error>(())
/// ```
pub fn pad_sequences_with<R: AsRef<[u32]>>(
    rows: &[R],
    padding: Padding,
    truncation: Truncation,
    steps: Option<usize>,
    index: u32,
) -> Result<Vec<Vec<u32>>> {
    let longest = rows.iter().map(|row| row.as_ref().len()).max();
    let longest = longest.ok_or_else(|| Error::invalid("pad_sequences", "at least one row", "none"))?;
    let steps = steps.unwrap_or(longest);
    if steps == 0 {
        return Err(Error::invalid("pad_sequences", "at least one step", "0"));
    }
    let padded = rows.iter().map(|row| {
        let row = row.as_ref();
        let cut = row.len().saturating_sub(steps);
        let kept = match truncation {
            Truncation::Pre => &row[cut..],
            Truncation::Post => &row[..row.len() - cut],
        };
        let fill = std::iter::repeat_n(index, steps - kept.len());
        match padding {
            Padding::Pre => fill.chain(kept.iter().copied()).collect(),
            Padding::Post => kept.iter().copied().chain(fill).collect(),
        }
    });
    Ok(padded.collect())
}

/// How many indices of each row [`pad_sequences`] keeps: its length, at most `steps`.
pub fn lengths<R: AsRef<[u32]>>(rows: &[R], steps: Option<usize>) -> Vec<usize> {
    rows.iter().map(|row| row.as_ref().len().min(steps.unwrap_or(usize::MAX))).collect()
}

/// Batches of rows of similar length, so that little of a batch is padding: every row once, `batch_size` rows a batch
/// and fewer in one of them. The order of batches, of rows within a batch and of rows of one length is random by `key`.
///
/// Errors: a batch size of 0.
///
/// ```
/// use elman::random::Key;
/// let mut batches = elman::text::length_buckets(&[5, 90, 6, 80], 2, Key::new(1).named("buckets"))?;
/// batches.iter_mut().for_each(|rows| rows.sort());
/// batches.sort();
/// assert_eq!(batches, [[0, 2], [1, 3]]);
/// # Ok::<(), elman::Error>(())
/// ```
pub fn length_buckets(lengths: &[usize], batch_size: usize, key: Key) -> Result<Vec<Vec<usize>>> {
    if batch_size == 0 {
        return Err(Error::invalid("length_buckets", "a batch size of at least 1", batch_size));
    }
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    key.named("rows").shuffle(&mut rows);
    // Stable: rows of one length stay in random order.
    rows.sort_by_key(|&row| lengths[row]);
    let mut batches: Vec<Vec<usize>> = rows.chunks(batch_size).map(<[usize]>::to_vec).collect();
    for (number, batch) in batches.iter_mut().enumerate() {
        key.named("batch").fold(number as u64).shuffle(batch);
    }
    key.named("batches").shuffle(&mut batches);
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_ways_to_pad_and_cut() {
        let rows = [&[1, 2, 3][..], &[4, 5], &[]];
        let made = |padding, truncation| pad_sequences(&rows, padding, truncation, Some(2)).unwrap();
        assert_eq!(made(Padding::Pre, Truncation::Pre), [[2, 3], [4, 5], [0, 0]]);
        assert_eq!(made(Padding::Pre, Truncation::Post), [[1, 2], [4, 5], [0, 0]]);
        let longer = |padding| pad_sequences(&rows, padding, Truncation::default(), Some(4)).unwrap();
        assert_eq!(longer(Padding::Pre), [[0, 1, 2, 3], [0, 0, 4, 5], [0; 4]]);
        assert_eq!(longer(Padding::Post), [[1, 2, 3, 0], [4, 5, 0, 0], [0; 4]]);
        assert_eq!((lengths(&rows, Some(2)), lengths(&rows, None)), (vec![2, 2, 0], vec![3, 2, 0]));
        assert!(crate::data::Inputs::indices(&longer(Padding::default())).is_ok());
    }

    #[test]
    fn nothing_to_pad_is_an_error() {
        let message = |rows: &[Vec<u32>], steps| {
            pad_sequences(rows, Padding::Pre, Truncation::Pre, steps).unwrap_err().to_string()
        };
        assert_eq!(message(&[], None), "pad_sequences: expected at least one row, found none");
        assert_eq!(message(&[vec![1]], Some(0)), "pad_sequences: expected at least one step, found 0");
        assert_eq!(message(&[vec![], vec![]], None), "pad_sequences: expected at least one step, found 0");
    }

    #[test]
    fn buckets_hold_every_row_once_and_similar_lengths() {
        let lengths: Vec<usize> = (0..103).map(|row| row * 37 % 50).collect();
        let batches = length_buckets(&lengths, 8, Key::new(3)).unwrap();
        let mut rows: Vec<usize> = batches.concat();
        rows.sort();
        assert_eq!(rows, (0..103).collect::<Vec<_>>());
        assert_eq!((batches.len(), batches.iter().filter(|batch| batch.len() == 8).count()), (13, 12));
        // Sorted by length, the batches do not overlap: each spans what it must and no more.
        let mut spans: Vec<(usize, usize)> = batches
            .iter()
            .map(|batch| {
                let of = || batch.iter().map(|&row| lengths[row]);
                (of().min().unwrap(), of().max().unwrap())
            })
            .collect();
        assert!(!spans.is_sorted(), "the batches came in the order of their lengths");
        spans.sort();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
    }

    #[test]
    fn buckets_are_a_function_of_the_key() {
        let lengths = [3; 40];
        let made = |seed| length_buckets(&lengths, 4, Key::new(seed)).unwrap();
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(length_buckets(&[], 4, Key::new(1)).unwrap().is_empty());
        let error = length_buckets(&lengths, 0, Key::new(1)).unwrap_err().to_string();
        assert_eq!(error, "length_buckets: expected a batch size of at least 1, found 0");
    }
}
