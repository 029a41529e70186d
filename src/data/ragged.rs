//! [`Ragged`]: rows of their own lengths, end to end.

use crate::error::{Error, Result};

/// Sequences of their own lengths, kept end to end: a long one costs its own length. They are padded batch by batch, at their
/// ends, with what a mask leaves out, so that nothing depends on the padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Ragged<T> {
    data: Vec<T>,
    /// Where in `data` each row ends.
    ends: Vec<usize>,
    /// Elements a step.
    width: usize,
}

impl<T: Copy> Ragged<T> {
    /// Errors: no row, none that has a step, or one of a length that is no whole number of steps.
    pub(super) fn new<R: AsRef<[T]>>(place: &str, rows: &[R], width: usize) -> Result<Self> {
        if width == 0 {
            return Err(Error::invalid(place, "at least one number a step", 0));
        }
        let mut ends = Vec::with_capacity(rows.len());
        let mut data = Vec::with_capacity(rows.iter().map(|row| row.as_ref().len()).sum());
        for (number, row) in rows.iter().map(AsRef::as_ref).enumerate() {
            if !row.len().is_multiple_of(width) {
                let expected = format!("steps of {width} numbers");
                return Err(Error::invalid(
                    format!("{place}, row {number}"),
                    expected,
                    format!("{} numbers", row.len()),
                ));
            }
            data.extend_from_slice(row);
            ends.push(data.len());
        }
        if data.is_empty() {
            let found = if rows.is_empty() { "none" } else { "empty rows" };
            return Err(Error::invalid(place, "at least one row of at least one element", found));
        }
        Ok(Ragged { data, ends, width })
    }

    /// One element a step, in rows of which none need have any.
    pub(super) fn or_empty<R: AsRef<[T]>>(rows: &[R]) -> Self {
        let data: Vec<T> = rows.iter().flat_map(|row| row.as_ref()).copied().collect();
        let ends = rows.iter().scan(0, |end, row| {
            *end += row.as_ref().len();
            Some(*end)
        });
        Ragged { ends: ends.collect(), data, width: 1 }
    }

    /// Rows of the same lengths, of what `f` makes of each element.
    pub(super) fn map<U>(&self, f: impl FnMut(T) -> Result<U>) -> Result<Ragged<U>> {
        let data = self.data.iter().copied().map(f).collect::<Result<_>>()?;
        Ok(Ragged { data, ends: self.ends.clone(), width: self.width })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row: only after selecting none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Elements a step.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All elements, row after row.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The elements of each row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> + Clone {
        (0..self.len()).map(|row| self.row(row))
    }

    fn row(&self, row: usize) -> &[T] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.data[start..self.ends[row]]
    }

    /// The steps of each row.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.rows().map(|row| row.len() / self.width)
    }

    /// The steps of the longest row, at least 1.
    pub fn longest(&self) -> usize {
        self.lengths().max().unwrap_or(0).max(1)
    }

    /// The rows `rows`, which have been checked.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let mut data = Vec::with_capacity(rows.iter().map(|&row| self.row(row).len()).sum());
        let ends = rows.iter().map(|&row| {
            data.extend_from_slice(self.row(row));
            data.len()
        });
        Ragged { ends: ends.collect(), data, width: self.width }
    }

    /// All rows at the length of the longest, `fill` behind the others: `[len, longest, width]`.
    pub(crate) fn block(&self, fill: T) -> Vec<T> {
        self.stretched(&self.data, self.width, fill)
    }

    /// The same of `width` other elements a step, which lie end to end as the rows' own do.
    pub(crate) fn stretched<U: Copy>(&self, elements: &[U], width: usize, fill: U) -> Vec<U> {
        let (longest, mut rest) = (self.longest() * width, elements);
        let mut block = Vec::with_capacity(longest * self.len());
        for (number, length) in self.lengths().enumerate() {
            let row;
            (row, rest) = rest.split_at(length * width);
            block.extend_from_slice(row);
            block.resize((number + 1) * longest, fill);
        }
        block
    }

    /// Which steps of [`Ragged::block`] are there, `[len, longest]`; `None` where all are.
    pub(crate) fn mask(&self) -> Option<Vec<bool>> {
        let steps = self.data.len() / self.width;
        let all = self.longest() * self.len();
        (steps < all).then(|| self.stretched(&vec![true; steps], 1, false))
    }

    /// Where, in steps, a row begins among all of them.
    pub(super) fn begin(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before]) / self.width
    }

    /// Where the row and the step of an element are.
    pub(super) fn place(&self, element: usize) -> (usize, usize) {
        let row = self.ends.partition_point(|&end| end <= element);
        (row, (element - (self.ends[row] - self.row(row).len())) / self.width)
    }
}

impl<T> Ragged<T> {
    /// Rows without a step.
    pub(super) fn empty(rows: usize) -> Self {
        Ragged { data: Vec::new(), ends: vec![0; rows], width: 1 }
    }

    /// Rows of one length.
    pub(super) fn of_block(data: Vec<T>, steps: usize) -> Self {
        Ragged { ends: (1..=data.len() / steps).map(|row| row * steps).collect(), data, width: 1 }
    }
}

impl Ragged<f32> {
    /// Errors when a number is NaN or infinite; names row and step.
    pub(super) fn check(self, place: &str) -> Result<Self> {
        match self.data.iter().position(|x| !x.is_finite()) {
            None => Ok(self),
            Some(at) => {
                let (row, step) = self.place(at);
                Err(Error::invalid(format!("{place}, sample {row}, step {step}"), "a finite number", self.data[at]))
            }
        }
    }
}

/// Whether all rows have the length of the first, which is not empty.
pub(super) fn is_block<T, R: AsRef<[T]>>(rows: &[R]) -> bool {
    let first = rows.first().map_or(0, |row| row.as_ref().len());
    first > 0 && rows.iter().all(|row| row.as_ref().len() == first)
}
