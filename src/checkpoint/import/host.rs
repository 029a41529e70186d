//! An array on the host, and the three ways in which weights are turned.

use crate::error::{Error, Result};

/// Numbers in row-major order; as many as the shape says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Host {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f64>,
}

impl Host {
    /// The transpose of a matrix. Errors when it is none.
    pub(super) fn transposed(self) -> Result<Self> {
        let [rows, columns] = self.shape[..] else {
            return Err(Error::invalid("import", "a matrix", format!("an array of shape {:?}", self.shape)));
        };
        let at = |i: usize| self.data.iter().skip(i).step_by(columns.max(1)).take(rows);
        Ok(Host { data: (0..columns).flat_map(at).copied().collect(), shape: vec![columns, rows] })
    }

    /// The last axis cut into as many blocks as `order` is long, which are put into that order: block `i` of the result
    /// is block `order[i]`. Errors when the axis cannot be cut.
    pub(super) fn reordered(self, order: &[usize]) -> Result<Self> {
        let last = self.shape.last().copied().unwrap_or(0);
        if last == 0 || !last.is_multiple_of(order.len()) {
            let expected = format!("a last axis of {} gates", order.len());
            return Err(Error::invalid("import", expected, format!("an array of shape {:?}", self.shape)));
        }
        let block = last / order.len();
        let blocks = |row: &[f64]| order.iter().flat_map(|&i| row[i * block..][..block].to_vec()).collect::<Vec<_>>();
        Ok(Host { data: self.data.chunks_exact(last).flat_map(blocks).collect(), shape: self.shape })
    }

    /// The sum of two arrays of the same shape. Errors when the shapes differ.
    pub(super) fn plus(self, other: &Host) -> Result<Self> {
        if self.shape != other.shape {
            let expected = format!("two biases of shape {:?}", self.shape);
            return Err(Error::invalid("import", expected, format!("a second one of shape {:?}", other.shape)));
        }
        Ok(Host { data: self.data.iter().zip(&other.data).map(|(x, y)| x + y).collect(), shape: self.shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(shape: &[usize], data: &[f64]) -> Host {
        Host { shape: shape.to_vec(), data: data.to_vec() }
    }

    #[test]
    fn matrices_are_turned() {
        let matrix = host(&[2, 3], &[1., 2., 3., 4., 5., 6.]);
        assert_eq!(matrix.clone().transposed().unwrap(), host(&[3, 2], &[1., 4., 2., 5., 3., 6.]));
        assert_eq!(host(&[0, 3], &[]).transposed().unwrap(), host(&[3, 0], &[]));
        assert_eq!(host(&[3, 0], &[]).transposed().unwrap(), host(&[0, 3], &[]));
        assert!(host(&[3], &[1., 2., 3.]).transposed().is_err());
        let gates = host(&[2, 4], &[1., 2., 3., 4., 5., 6., 7., 8.]);
        assert_eq!(gates.reordered(&[1, 0]).unwrap(), host(&[2, 4], &[3., 4., 1., 2., 7., 8., 5., 6.]));
        assert!(matrix.clone().reordered(&[0, 1]).is_err() && host(&[], &[1.]).reordered(&[0]).is_err());
        assert_eq!(matrix.clone().plus(&matrix).unwrap().data, [2., 4., 6., 8., 10., 12.]);
        assert!(matrix.plus(&host(&[3, 2], &[0.; 6])).is_err());
    }
}
