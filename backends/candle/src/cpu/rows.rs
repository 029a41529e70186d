//! Rows by index, one-hot rows, and joining.

use super::Cpu;
use super::elementwise::add;
use crate::array::{Array, Indices};
use elman::{Result, Shape};

/// More rows than so many are not added up in `f32`.
pub(super) const CROWD: usize = 1024;

/// Those of `n` rows that occur more than [`CROWD`] times, rising. A look at the count alone tells that there are none.
fn crowded(rows: &[u32], n: usize) -> Vec<usize> {
    if rows.len() <= CROWD {
        return Vec::new();
    }
    let mut counts = vec![0u32; n];
    rows.iter().for_each(|&row| counts[row as usize] += 1);
    (0..n).filter(|&row| counts[row] as usize > CROWD).collect()
}

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

    /// Each thread adds up rows of the result of its own, in the order in which they come; in `f64` where so many come to one
    /// row that an `f32` would lose count.
    pub(crate) fn scatter_add(&self, values: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        let (from, rows, width) = (values.numbers()?, rows.numbers()?, shape.last());
        let (from, rows) = (&*from, &*rows);
        let mut out = self.memory.take(shape.elements());
        // Some eight zeros a nanosecond, and some four sums.
        let each = if shape[0] > 0 { (rows.len() * width / 4 + out.len() / 8).div_ceil(shape[0]) } else { 0 };
        let many = crowded(rows, shape[0]);
        self.threads.rows(&mut out, width, each, |range, out| {
            out.fill(0.0);
            let own = many.iter().filter(|row| range.contains(*row));
            let mut totals: Vec<(usize, Vec<f64>)> = own.map(|&row| (row, vec![0.0; width])).collect();
            for (from, &row) in from.chunks_exact(width.max(1)).zip(rows) {
                let row = row as usize;
                if !range.contains(&row) {
                    continue;
                }
                match totals.binary_search_by_key(&row, |&(row, _)| row) {
                    Ok(at) => totals[at].1.iter_mut().zip(from).for_each(|(sum, &x)| *sum += f64::from(x)),
                    Err(_) => add(&mut out[(row - range.start) * width..][..width], from),
                }
            }
            for (row, totals) in totals {
                let out = &mut out[(row - range.start) * width..][..width];
                out.iter_mut().zip(totals).for_each(|(out, total)| *out = total as f32);
            }
        });
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
