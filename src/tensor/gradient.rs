//! [`Gradient`]: of a whole array, or of the rows of a table that took part.

use crate::backend::{Backend, check};
use crate::error::Result;
use crate::shape::Shape;
use std::collections::BTreeMap;

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
        let mut places = BTreeMap::from_iter(numbers.iter().map(|&row| (row, 0)));
        places.values_mut().zip(0..).for_each(|(place, next)| *place = next);
        let to = numbers.iter().map(|row| places[row]).collect();
        let to = b.upload_indices(to, [numbers.len()].into())?;
        let values = match &values[..] {
            [one] => one.clone(),
            several => b.concat(&several.iter().collect::<Vec<_>>(), 0)?,
        };
        let values = b.scatter_add(&values, &to, places.len())?;
        let rows: Vec<u32> = places.into_keys().collect();
        let shape = [rows.len()].into();
        Ok(Coalesced { rows: b.upload_indices(rows, shape)?, values })
    }
}

impl<B: Backend> Gradient<B> {
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
