//! Softmax and its logarithm along the last axis, a row at a time.

use super::Cpu;
use super::math::{exp, ln};
use super::reduce::{greatest, inner, sum};
use super::simd::vectorised;
use crate::array::Array;
use elman::{Error, Result};

/// Nanoseconds or so an element.
const COST: usize = 2;

/// `out = e^(x - max)`; gives the maximum and the sum.
#[inline(always)]
pub(super) fn shifted_exp(x: &[f32], out: &mut [f32]) -> (f32, f32) {
    let most = greatest(x);
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = exp(x - most));
    (most, sum(out))
}

vectorised! {
    fn softmax(x: &[f32], _same: &[f32], out: &mut [f32]) {
        let (_, total) = shifted_exp(x, out);
        out.iter_mut().for_each(|out| *out /= total);
    }

    fn log_softmax(x: &[f32], _same: &[f32], out: &mut [f32]) {
        let (most, total) = shifted_exp(x, out);
        let total = ln(total);
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = x - most - total);
    }

    /// `y (dy - Σ dy y)`
    fn softmax_grad(y: &[f32], dy: &[f32], out: &mut [f32]) {
        let along = inner(y, dy);
        out.iter_mut().zip(y).zip(dy).for_each(|((out, &y), &dy)| *out = y * (dy - along));
    }

    /// `dy - e^y Σ dy`
    fn log_softmax_grad(y: &[f32], dy: &[f32], out: &mut [f32]) {
        let total = sum(dy);
        out.iter_mut().zip(y).zip(dy).for_each(|((out, &y), &dy)| *out = dy - exp(y) * total);
    }
}

impl Cpu {
    pub(crate) fn softmax(&self, x: &Array) -> Result<Array> {
        self.by_row("softmax", [x, x], softmax)
    }

    pub(crate) fn log_softmax(&self, x: &Array) -> Result<Array> {
        self.by_row("log_softmax", [x, x], log_softmax)
    }

    pub(crate) fn softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        self.by_row("softmax_grad", [y, dy], softmax_grad)
    }

    pub(crate) fn log_softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        self.by_row("log_softmax_grad", [y, dy], log_softmax_grad)
    }

    /// Calls `row` with each row of two arrays of one shape and that of the result.
    pub(super) fn by_row(
        &self,
        op: &'static str,
        [a, b]: [&Array; 2],
        row: impl Fn(&[f32], &[f32], &mut [f32]) + Sync,
    ) -> Result<Array> {
        let shape = a.shape();
        elman::backend::check::same_shape(op, shape, b.shape())?;
        if shape.rank() == 0 {
            return Err(Error::invalid(op, "an axis to work along", "a scalar"));
        }
        elman::backend::check::max(op, shape, shape.rank() - 1)?;
        let (a, b, width) = (a.numbers()?, b.numbers()?, shape.last());
        let (a, b) = (&*a, &*b);
        let mut out = self.memory.take(shape.elements());
        if width > 0 {
            self.threads.rows(&mut out, width, width * COST, |rows, out| {
                let range = rows.start * width..rows.end * width;
                let operands = a[range.clone()].chunks_exact(width).zip(b[range].chunks_exact(width));
                for (out, (a, b)) in out.chunks_exact_mut(width).zip(operands) {
                    row(a, b, out);
                }
            });
        }
        self.array(out, shape)
    }
}
