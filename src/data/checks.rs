//! What the parts of `data` check and copy in the same way.

use crate::error::{Error, Result};
use crate::shape::{MAX_RANK, Shape};
use std::ops::Range;

/// The numbers in one sample of `shape`. Errors: an axis of size 0, or no room for the batch axis before it.
pub(super) fn sample_elements(place: &str, shape: &[usize]) -> Result<usize> {
    let elements = Shape::new(shape)?.elements();
    if elements == 0 || shape.len() == MAX_RANK {
        let expected = format!("a sample's shape of at most {} axes, none of size 0", MAX_RANK - 1);
        return Err(Error::invalid(place, expected, format!("{shape:?}")));
    }
    Ok(elements)
}

/// Checks that `data` holds a whole, positive number of samples of `shape`, every number finite.
pub(super) fn samples(place: &str, data: &[f32], shape: &[usize]) -> Result<()> {
    let elements = sample_elements(place, shape)?;
    if data.is_empty() || !data.len().is_multiple_of(elements) {
        let expected = format!("samples of {elements} numbers (shape {shape:?}), at least one");
        return Err(Error::invalid(place, expected, format!("{} numbers in all", data.len())));
    }
    match data.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let place = format!("{place}, sample {}, feature {}", at / elements, at % elements);
            Err(Error::invalid(place, "a finite number", data[at]))
        }
    }
}

/// Checks that `rows` are all as long as the first, which is not empty; gives that length and all of them end to end.
pub(super) fn flatten<T: Copy, R: AsRef<[T]>>(place: &str, rows: &[R]) -> Result<(usize, Vec<T>)> {
    let length = rows.first().map_or(0, |row| row.as_ref().len());
    if length == 0 {
        let found = if rows.is_empty() { "none" } else { "an empty row 0" };
        return Err(Error::invalid(place, "at least one row of at least one element", found));
    }
    let mut data = Vec::with_capacity(rows.len() * length);
    for (number, row) in rows.iter().enumerate() {
        let row = row.as_ref();
        if row.len() != length {
            let expected = format!("{length} elements, as many as row 0 has");
            return Err(Error::invalid(format!("{place}, row {number}"), expected, row.len()));
        }
        data.extend_from_slice(row);
    }
    Ok((length, data))
}

/// Checks that the parts of a record have as many samples each.
pub(super) fn same_length<'a>(place: &str, mut parts: impl Iterator<Item = (&'a str, usize)>) -> Result<()> {
    let Some((first, samples)) = parts.next() else { return Ok(()) };
    match parts.find(|&(_, len)| len != samples) {
        None => Ok(()),
        Some((name, len)) => {
            let expected = format!("as many samples as part `{first}` has, {samples}");
            Err(Error::invalid(format!("{place}, part `{name}`"), expected, len))
        }
    }
}

/// Checks that every one of `rows` is below `len`.
pub(super) fn selection(place: &str, rows: &[usize], len: usize) -> Result<()> {
    match rows.iter().find(|&&row| row >= len) {
        None => Ok(()),
        Some(row) => Err(Error::invalid(format!("{place}: select"), format!("rows below {len}"), format!("row {row}"))),
    }
}

/// Checks that `range` lies within `0..len`.
pub(super) fn range(place: &str, range: &Range<usize>, len: usize) -> Result<()> {
    if range.start <= range.end && range.end <= len {
        return Ok(());
    }
    Err(Error::invalid(format!("{place}: slice"), format!("a range within 0..{len}"), format!("{range:?}")))
}

/// Copies `rows` of `each` elements out of `data`; the rows have been checked.
pub(super) fn gather<T: Copy>(data: &[T], each: usize, rows: &[usize]) -> Vec<T> {
    let mut out = Vec::with_capacity(rows.len() * each);
    for &row in rows {
        out.extend_from_slice(&data[row * each..(row + 1) * each]);
    }
    out
}
