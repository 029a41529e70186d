//! Rows by index, one-hot rows, and joining.

use super::Cpu;
use crate::array::{Array, Indices};
use elman::{Result, Shape};

impl Cpu {
    pub(crate) fn gather(&self, table: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        let (from, rows, width) = (table.numbers()?, rows.numbers()?, shape.last());
        let (from, rows) = (&*from, &*rows);
        let mut out = self.memory.take(shape.elements());
        if width > 0 {
            self.threads.rows(&mut out, width, width.div_ceil(4), |range, out| {
                for (out, &row) in out.chunks_exact_mut(width).zip(&rows[range]) {
                    out.copy_from_slice(&from[row as usize * width..][..width]);
                }
            });
        }
        self.array(out, shape)
    }

    pub(crate) fn scatter_add(&self, values: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        let (from, rows, width) = (values.numbers()?, rows.numbers()?, shape.last());
        let mut out = self.filled(shape.elements(), 0.0);
        if width > 0 {
            for (from, &row) in from.chunks_exact(width).zip(rows.iter()) {
                out[row as usize * width..][..width].iter_mut().zip(from).for_each(|(out, &x)| *out += x);
            }
        }
        self.array(out, shape)
    }

    pub(crate) fn one_hot(&self, a: &Indices, shape: Shape) -> Result<Array> {
        let mut out = self.filled(shape.elements(), 0.0);
        for (row, &class) in a.numbers()?.iter().enumerate() {
            out[row * shape.last() + class as usize] = 1.0;
        }
        self.array(out, shape)
    }

    pub(crate) fn concat(&self, parts: &[&Array], axis: usize, shape: Shape) -> Result<Array> {
        let mut out = self.memory.take(shape.elements());
        let block = |shape: Shape| shape[axis..].iter().product::<usize>();
        let whole = block(shape);
        let mut start = 0;
        for part in parts {
            let (from, length) = (part.numbers()?, block(part.shape()));
            if length > 0 {
                for (out, from) in out.chunks_exact_mut(whole).zip(from.chunks_exact(length)) {
                    out[start..start + length].copy_from_slice(from);
                }
            }
            start += length;
        }
        self.array(out, shape)
    }
}
