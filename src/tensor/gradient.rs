//! [`Gradient`]: of a whole array, or of the rows of a table that took part.

use crate::backend::Map;
use crate::backend::{Backend, check};
use crate::error::Result;
use crate::shape::Shape;

/// The gradient for a variable.
#[derive(Clone, Debug)]
pub enum Gradient<B: Backend> {
    /// A number for each of the variable.
    Dense(B::Array),
    /// Of a table `[n, d]` from which rows were taken: the rest of it is 0.
    Rows(Rows<B>),
}

/// Gradients for some rows of a table `[n, d]`: what an embedding gets, whose batch has a few thousand words of hundreds
/// of thousands. No array of the table's size is made.
#[derive(Clone, Debug)]
pub struct Rows<B: Backend> {
    table: Shape,
    /// Row numbers of any shape, and `[that shape, d]` numbers. A row may come several times: its gradient is the sum.
    parts: Vec<(B::Indices, B::Array)>,
}

/// The gradient of the rows that occurred, each of them once.
#[derive(Clone, Debug)]
pub struct Coalesced<B: Backend> {
    /// Numbers of the rows, rising, `[k]`.
    pub rows: B::Indices,
    /// Their gradients, `[k, d]`.
    pub values: B::Array,
}

impl<B: Backend> Rows<B> {
    /// The gradient `values [.., d]` of the rows `rows [..]` of a table `[n, d]`. Errors when they do not go together.
    pub fn new(b: &B, table: Shape, rows: B::Indices, values: B::Array) -> Result<Self> {
        check::gather(table, b.indices_shape(&rows))
            .and_then(|shape| check::same_shape("row gradient", shape, b.shape(&values)))?;
        Ok(Rows { table, parts: vec![(rows, values)] })
    }

    /// The shape of the table.
    pub fn table(&self) -> Shape {
        self.table
    }

    /// The sum with another gradient of the same table.
    fn and(mut self, other: Rows<B>) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// The whole gradient `[n, d]`.
    pub fn dense(&self, b: &B) -> Result<B::Array> {
        let mut parts = self.parts.iter().map(|(rows, values)| b.scatter_add(values, rows, self.table[0]));
        let Some(first) = parts.next() else { return b.fill(self.table, 0.0) };
        let mut sum = first?;
        for part in parts {
            b.add_assign(&mut sum, &part?)?;
        }
        Ok(sum)
    }

    /// The rows that occurred, each of them once and in rising order, with the sums of their gradients.
    pub fn coalesce(&self, b: &B) -> Result<Coalesced<B>> {
        let (mut numbers, mut values) = (Vec::new(), Vec::with_capacity(self.parts.len()));
        for (rows, part) in &self.parts {
            numbers.extend(b.download_indices(rows)?);
            values.push(b.reshape(part, Shape::new(&[b.indices_shape(rows).elements(), self.table[1]])?)?);
        }
        check::indices("row gradient", &numbers, self.table[0])?;
        let occurring = Occurring::new(&numbers, self.table[0]);
        let to = numbers.iter().map(|&row| occurring.rank(row)).collect();
        let to = b.upload_indices(to, [numbers.len()].into())?;
        let values = match &values[..] {
            [one] => one.clone(),
            several => b.concat(&several.iter().collect::<Vec<_>>(), 0)?,
        };
        let rows = occurring.rows();
        let values = b.scatter_add(&values, &to, rows.len())?;
        let shape = [rows.len()].into();
        Ok(Coalesced { rows: b.upload_indices(rows, shape)?, values })
    }
}

/// Which rows of a table occur: a bit for each, and how many of the rows before each word of bits occur. A batch of hundreds
/// of thousands of words is sorted in time that grows with the batch and the table, not with comparisons.
struct Occurring {
    bits: Vec<u64>,
    before: Vec<u32>,
}

impl Occurring {
    /// `rows` are below `n`.
    fn new(rows: &[u32], n: usize) -> Self {
        let mut bits = vec![0u64; n.div_ceil(64)];
        rows.iter().for_each(|&row| bits[row as usize / 64] |= 1 << (row % 64));
        let counted = bits.iter().scan(0, |count, bits| {
            *count += bits.count_ones();
            Some(*count - bits.count_ones())
        });
        let before = counted.collect();
        Occurring { bits, before }
    }

    /// The place of a row that occurs among all that do.
    fn rank(&self, row: u32) -> u32 {
        let (word, below) = (row as usize / 64, (1 << (row % 64)) - 1);
        self.before[word] + (self.bits[word] & below).count_ones()
    }

    /// The rows, rising.
    fn rows(&self) -> Vec<u32> {
        let words = (0..).zip(&self.bits).filter(|(_, bits)| **bits != 0);
        words
            .flat_map(|(word, &bits)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| 64 * word + bit))
            .collect()
    }
}

impl<B: Backend> Gradient<B> {
    /// Times a number.
    pub(crate) fn scaled(self, b: &B, factor: f64) -> Result<Self> {
        let scaled = |array: &B::Array| b.map(Map::Affine(factor, 0.0), array);
        Ok(match self {
            Gradient::Dense(array) => Gradient::Dense(scaled(&array)?),
            Gradient::Rows(Rows { table, parts }) => {
                let parts = parts.into_iter().map(|(rows, array)| Ok((rows, scaled(&array)?)));
                Gradient::Rows(Rows { table, parts: parts.collect::<Result<_>>()? })
            }
        })
    }

    /// The shape of what it is the gradient for.
    pub fn shape(&self, b: &B) -> Shape {
        match self {
            Gradient::Dense(array) => b.shape(array),
            Gradient::Rows(rows) => rows.table,
        }
    }

    /// The whole gradient.
    pub fn into_dense(self, b: &B) -> Result<B::Array> {
        match self {
            Gradient::Dense(array) => Ok(array),
            Gradient::Rows(rows) => rows.dense(b),
        }
    }

    /// Adds another gradient for the same variable, in place where it can.
    pub(crate) fn add(self, b: &B, other: Gradient<B>) -> Result<Gradient<B>> {
        Ok(match (self, other) {
            (Gradient::Rows(a), Gradient::Rows(c)) => Gradient::Rows(a.and(c)),
            (Gradient::Dense(mut a), Gradient::Dense(c)) => {
                b.add_assign(&mut a, &c)?;
                Gradient::Dense(a)
            }
            (Gradient::Dense(mut a), Gradient::Rows(rows)) | (Gradient::Rows(rows), Gradient::Dense(mut a)) => {
                b.add_assign(&mut a, &rows.dense(b)?)?;
                Gradient::Dense(a)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_ranked_among_those_that_occur() {
        for n in [1, 63, 64, 65, 1000] {
            let numbers: Vec<u32> = (0..n).map(|i| i * i * 7 % n).chain([n - 1]).collect();
            let expected: Vec<u32> = BTreeSet::from_iter(numbers.iter().copied()).into_iter().collect();
            let occurring = Occurring::new(&numbers, n as usize);
            assert_eq!(occurring.rows(), expected);
            assert!((0..).zip(&expected).all(|(rank, &row)| occurring.rank(row) == rank));
        }
        assert!(Occurring::new(&[], 0).rows().is_empty());
    }
}
