//! Sparse bags of words: for every text the indices of its words, without their order.

use super::checks;
use crate::error::{Error, Result};

/// Sparse rows of a matrix `[len, width]` in compressed form (CSR): most texts hold few of the words there are.
///
/// Row `i` has the columns `indices[offsets[i]..offsets[i + 1]]`, sorted, none twice. Without values every one of
/// them counts 1: the *binary* bag of Keras' `reuters_mlp`.
///
/// ```
/// use elman::data::Bags;
/// let bags = Bags::binary([vec![3, 1, 3], vec![]], 5)?;
/// assert_eq!(bags.row(0), Some((&[1, 3][..], None)));
/// assert_eq!(bags.to_dense(), [0., 1., 0., 1., 0., 0., 0., 0., 0., 0.]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bags {
    offsets: Vec<u32>,
    indices: Vec<u32>,
    values: Option<Vec<f32>>,
    width: usize,
}

impl Bags {
    /// Bags that say only which words occur: a word that occurs twice still counts 1. `rows` gives each text's word
    /// indices in any order.
    ///
    /// Errors: no row; a `width` of 0 or beyond 32 bits; an index that is not below `width`.
    pub fn binary<R>(rows: R, width: usize) -> Result<Self>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = u32>,
    {
        let mut bags = Bags::empty(width, false)?;
        let mut row = Vec::new();
        for words in rows {
            row.clear();
            row.extend(words);
            row.sort_unstable();
            row.dedup();
            bags.check_width(row.last().copied())?;
            bags.indices.extend_from_slice(&row);
            bags.end_row()?;
        }
        bags.at_least_one()
    }

    /// Bags that say how often each word occurs. `rows` gives each text's word indices in any order.
    ///
    /// Errors: as [`binary`](Bags::binary).
    ///
    /// ```
    /// let bags = elman::data::Bags::counts([[3, 1, 3]], 5)?;
    /// assert_eq!(bags.row(0), Some((&[1, 3][..], Some(&[1.0, 2.0][..]))));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn counts<R>(rows: R, width: usize) -> Result<Self>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = u32>,
    {
        Bags::with_values(rows.into_iter().map(|words| words.into_iter().map(|word| (word, 1.0))), width)
    }

    /// Bags with a value for each word, tf-idf for instance. `rows` gives each text's pairs of index and value in
    /// any order; the values of an index that comes twice in a row are added.
    ///
    /// Errors: as [`binary`](Bags::binary), and a value that is not a finite number.
    pub fn with_values<R>(rows: R, width: usize) -> Result<Self>
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = (u32, f32)>,
    {
        let mut bags = Bags::empty(width, true)?;
        let (mut row, mut values) = (Vec::new(), Vec::new());
        for pairs in rows {
            row.clear();
            row.extend(pairs);
            // A stable sort, so that the values of one index are added in the order given.
            row.sort_by_key(|&(index, _): &(u32, f32)| index);
            bags.check_width(row.last().map(|&(index, _)| index))?;
            for same in row.chunk_by(|(a, _), (b, _)| a == b) {
                let value: f32 = same.iter().map(|(_, value)| value).sum();
                if !value.is_finite() {
                    let place = format!("bags, row {}, index {}", bags.len(), same[0].0);
                    return Err(Error::invalid(place, "a finite value", value));
                }
                bags.indices.push(same[0].0);
                values.push(value);
            }
            bags.end_row()?;
        }
        bags.values = Some(values);
        bags.at_least_one()
    }

    /// Number of bags.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no bag: only after selecting none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of columns: every index is below it.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The indices of bag `i`, sorted, and their values, unless all are 1; `None` when there is no bag `i`.
    pub fn row(&self, i: usize) -> Option<(&[u32], Option<&[f32]>)> {
        let range = *self.offsets.get(i)? as usize..*self.offsets.get(i + 1)? as usize;
        Some((&self.indices[range.clone()], self.values.as_ref().map(|values| &values[range])))
    }

    /// Where each bag begins in [`indices`](Bags::indices), and at last where the last one ends: `len + 1` numbers.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The indices of all bags, one bag after the other.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The values at [`indices`](Bags::indices); `None` when all are 1.
    pub fn values(&self) -> Option<&[f32]> {
        self.values.as_deref()
    }

    /// The bags `rows`, in that order; a bag may come twice. Errors: a row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        checks::selection("bags", rows, self.len())?;
        let ranges = || rows.iter().map(|&row| self.offsets[row] as usize..self.offsets[row + 1] as usize);
        // Counted first, so that every vector is allocated once: this runs for each batch.
        let total = ranges().map(|range| range.len()).sum();
        let (mut indices, mut offsets) = (Vec::with_capacity(total), Vec::with_capacity(rows.len() + 1));
        offsets.push(0);
        for range in ranges() {
            indices.extend_from_slice(&self.indices[range]);
            offsets.push(as_offset(indices.len())?);
        }
        let values = self.values.as_ref().map(|values| {
            let mut out = Vec::with_capacity(total);
            ranges().for_each(|range| out.extend_from_slice(&values[range]));
            out
        });
        Ok(Bags { offsets, indices, values, width: self.width })
    }

    /// The whole matrix `[len, width]`, zeros included, row after row: for tests and small data.
    pub fn to_dense(&self) -> Vec<f32> {
        let mut dense = vec![0.0; self.len() * self.width];
        for (i, out) in dense.chunks_exact_mut(self.width).enumerate() {
            for at in self.offsets[i] as usize..self.offsets[i + 1] as usize {
                out[self.indices[at] as usize] = self.values.as_ref().map_or(1.0, |values| values[at]);
            }
        }
        dense
    }

    fn empty(width: usize, valued: bool) -> Result<Self> {
        if width == 0 || width > u32::MAX as usize {
            return Err(Error::invalid("bags", format!("a width from 1 to {}", u32::MAX), width));
        }
        Ok(Bags { offsets: vec![0], indices: Vec::new(), values: valued.then(Vec::new), width })
    }

    /// Checks the greatest index of the row being built.
    fn check_width(&self, greatest: Option<u32>) -> Result<()> {
        match greatest {
            Some(index) if index as usize >= self.width => {
                let expected = format!("indices below the width, {}", self.width);
                Err(Error::invalid(format!("bags, row {}", self.len()), expected, format!("index {index}")))
            }
            _ => Ok(()),
        }
    }

    fn end_row(&mut self) -> Result<()> {
        self.offsets.push(as_offset(self.indices.len())?);
        Ok(())
    }

    fn at_least_one(self) -> Result<Self> {
        if self.is_empty() { Err(Error::invalid("bags", "at least one row", "none")) } else { Ok(self) }
    }
}

/// Offsets are 32 bits wide, as a GPU's kernels like them.
fn as_offset(entries: usize) -> Result<u32> {
    u32::try_from(entries).map_err(|_| Error::invalid("bags", format!("at most {} entries", u32::MAX), entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valued() -> Bags {
        let rows = [vec![(4, 0.5), (0, 2.0), (4, 0.25)], vec![], vec![(1, -1.0)]];
        Bags::with_values(rows, 5).unwrap()
    }

    #[test]
    fn rows_are_sorted_and_values_of_one_index_added() {
        let bags = valued();
        assert_eq!((bags.offsets(), bags.indices()), (&[0, 2, 2, 3][..], &[0, 4, 1][..]));
        assert_eq!(bags.values(), Some(&[2.0, 0.75, -1.0][..]));
        assert_eq!(bags.row(1), Some((&[][..], Some(&[][..]))));
        assert_eq!(bags.row(3), None);
    }

    #[test]
    fn selecting_equals_selecting_dense_rows() {
        for bags in [valued(), Bags::binary([vec![4, 0, 4], vec![], vec![1]], 5).unwrap()] {
            let (dense, rows) = (bags.to_dense(), [2, 0, 1, 0]);
            let expected: Vec<f32> = rows.iter().flat_map(|&row| dense[row * 5..][..5].to_vec()).collect();
            assert_eq!(bags.select(&rows).unwrap().to_dense(), expected);
            assert!(bags.select(&[]).unwrap().is_empty());
        }
    }

    #[test]
    fn errors_name_row_index_and_width() {
        let message = |bags: Result<Bags>| bags.unwrap_err().to_string();
        let wide = message(Bags::binary([vec![1], vec![2, 7]], 5));
        assert_eq!(wide, "bags, row 1: expected indices below the width, 5, found index 7");
        assert_eq!(
            message(Bags::counts([vec![5]], 5)),
            "bags, row 0: expected indices below the width, 5, found index 5"
        );
        let nan = message(Bags::with_values([vec![], vec![(2, f32::NAN)]], 5));
        assert_eq!(nan, "bags, row 1, index 2: expected a finite value, found NaN");
        assert_eq!(message(Bags::binary([[0]; 0], 5)), "bags: expected at least one row, found none");
        assert_eq!(message(Bags::binary([[0]], 0)), "bags: expected a width from 1 to 4294967295, found 0");
        assert_eq!(message(valued().select(&[0, 3])), "bags: select: expected rows below 3, found row 3");
    }
}
