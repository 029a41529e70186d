//! The affine map with its gradients, of all rows or of those steps of sequences that count.

use super::Cpu;
use super::finite::sums_are_finite;
use super::product::{Matrix, accumulate};
use crate::array::Array;
use crate::memory::Buffer;
use elman::backend::{LinearWanted, check, linear};
use elman::{Result, Shape};
use std::ops::Range;

/// Rows are cut into parts at multiples of this: a single row left over would be multiplied in another way.
const ROWS: usize = 16;

/// Multiplications and additions in a nanosecond or so.
const SPEED: usize = 40;

impl Cpu {
    /// The bias is written first and the product added to it.
    pub(crate) fn linear(&self, x: &Array, w: &Array, bias: Option<&Array>) -> Result<Array> {
        let shape = check::linear(x.shape(), w.shape(), bias.map(Array::shape))?;
        let (rows, inputs, outputs) = (shape.rows(), w.shape()[0], w.shape()[1]);
        let (from, weights, bias) = (x.numbers()?, w.numbers()?, bias.map(Array::numbers).transpose()?);
        let mut out = self.memory.take(shape.elements());
        let (a, b) = (Matrix::new(&from, inputs, false), Matrix::new(&weights, outputs, false));
        match bias.as_deref() {
            Some(bias) if rows >= outputs => {
                let each = rows.div_ceil(self.threads.parts(rows * inputs * outputs / SPEED)).next_multiple_of(ROWS);
                let parts = out.chunks_mut((each * outputs).max(1)).enumerate();
                self.threads.run(parts, |(i, out)| {
                    repeat(out, bias);
                    accumulate(out, outputs, [out.len() / outputs, inputs, outputs], a.rows_from(i * each), b);
                });
            }
            bias => {
                if let Some(bias) = bias {
                    repeat(&mut out, bias);
                }
                self.multiply(&mut out, bias.is_some(), [rows, inputs, outputs], a, b);
            }
        }
        self.array(out, shape)
    }

    pub(crate) fn linear_grad(
        &self,
        x: &Array,
        w: &Array,
        dy: &Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Array>; 3]> {
        check::same_shape("linear_grad", check::linear(x.shape(), w.shape(), None)?, dy.shape())?;
        let (rows, inputs, outputs) = (x.shape().rows(), w.shape()[0], w.shape()[1]);
        let slope = dy.numbers()?;
        let mut gradients = [None, None, None];
        if wanted.x {
            let weights = w.numbers()?;
            let (dy, w_turned) = (Matrix::new(&slope, outputs, false), Matrix::new(&weights, outputs, true));
            gradients[0] = Some(self.product(x.shape(), [rows, outputs, inputs], dy, w_turned)?);
        }
        if wanted.kernel {
            let from = x.numbers()?;
            let (x_turned, dy) = (Matrix::new(&from, inputs, true), Matrix::new(&slope, outputs, false));
            let product = self.product(w.shape(), [inputs, rows, outputs], x_turned, dy)?;
            // Of a few rows this costs less than to go through the gradient.
            let cheap = 4 * rows * (inputs + outputs) <= inputs * outputs;
            gradients[1] = Some(product.known_finite(cheap && sums_are_finite(rows, &from, &slope)));
        }
        if wanted.bias {
            gradients[2] = Some(self.sum_to(dy, [outputs].into())?);
        }
        Ok(gradients)
    }

    /// The steps that do not count cost nothing and give 0.
    pub(crate) fn linear_steps(&self, x: &Array, w: &Array, bias: Option<&Array>, mask: &Array) -> Result<Array> {
        linear::check_steps(x.shape(), mask.shape())?;
        let there = runs(&mask.numbers()?);
        if !self.pays(&there) {
            return self.linear(x, w, bias);
        }
        let shape = check::linear(x.shape(), w.shape(), bias.map(Array::shape))?;
        let (inputs, outputs) = (w.shape()[0], w.shape()[1]);
        let (from, weights, bias) = (x.numbers()?, w.numbers()?, bias.map(Array::numbers).transpose()?);
        let (a, b) = (Matrix::new(&from, inputs, false), Matrix::new(&weights, outputs, false));
        let out = self.by_runs(&there, shape, [inputs, outputs], bias.as_deref(), a, b);
        self.array(out, shape)
    }

    /// `dy` is 0 in the steps that do not count, and so is `dx`.
    pub(crate) fn linear_steps_grad(
        &self,
        x: &Array,
        w: &Array,
        dy: &Array,
        mask: &Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Array>; 3]> {
        linear::check_steps(x.shape(), mask.shape())?;
        let there = runs(&mask.numbers()?);
        if !self.pays(&there) {
            let counting = wanted.kernel.then(|| self.only(x, &there)).transpose()?;
            return self.linear_grad(counting.as_ref().unwrap_or(x), w, dy, wanted);
        }
        check::same_shape("linear_grad", check::linear(x.shape(), w.shape(), None)?, dy.shape())?;
        let (inputs, outputs) = (w.shape()[0], w.shape()[1]);
        let slope = dy.numbers()?;
        let slopes = Matrix::new(&slope, outputs, false);
        let mut gradients = [None, None, None];
        if wanted.x {
            let weights = w.numbers()?;
            let turned = self.transposed([&weights, &[]], outputs);
            let turned_weights = Matrix::new(&turned, inputs, false);
            let out = self.by_runs(&there, x.shape(), [outputs, inputs], None, slopes, turned_weights);
            self.memory.give(turned);
            gradients[0] = Some(self.array(out, x.shape())?);
        }
        if wanted.kernel {
            let from = x.numbers()?;
            let turned = Matrix::new(&from, inputs, true);
            let work = there.iter().map(Range::len).sum::<usize>() * inputs * outputs / SPEED;
            let each = inputs.div_ceil(self.threads.parts(work)).next_multiple_of(ROWS);
            let mut out = self.memory.take(inputs * outputs);
            self.threads.run(out.chunks_mut(each * outputs).enumerate(), |(i, out)| {
                out.fill(0.0);
                for run in &there {
                    let (a, b) = (turned.rows_from(i * each).columns_from(run.start), slopes.rows_from(run.start));
                    accumulate(out, outputs, [out.len() / outputs, run.len(), outputs], a, b);
                }
            });
            gradients[1] = Some(self.array(out, w.shape())?);
        }
        if wanted.bias {
            gradients[2] = Some(self.sum_to(dy, [outputs].into())?);
        }
        Ok(gradients)
    }

    /// `x` in the runs, 0 between them: what stands there may be NaN, which a product with a gradient of 0 would not keep out.
    fn only(&self, x: &Array, runs: &[Range<usize>]) -> Result<Array> {
        let (from, width) = (x.numbers()?, x.shape().last());
        let (mut out, mut at) = (self.memory.take(from.len()), 0);
        for run in runs {
            out[at * width..run.start * width].fill(0.0);
            let own = run.start * width..run.end * width;
            out[own.clone()].copy_from_slice(&from[own]);
            at = run.end;
        }
        out[at * width..].fill(0.0);
        self.array(out, x.shape())
    }

    /// Whether these runs are worth products of their own: long enough, and enough of them for all threads.
    fn pays(&self, runs: &[Range<usize>]) -> bool {
        let total: usize = runs.iter().map(Range::len).sum();
        total >= 8 * runs.len() && runs.len() >= 4 * self.threads.count()
    }

    /// `a b + bias` in the runs, 0 between them.
    fn by_runs(
        &self,
        runs: &[Range<usize>],
        shape: Shape,
        [k, n]: [usize; 2],
        bias: Option<&[f32]>,
        a: Matrix<'_>,
        b: Matrix<'_>,
    ) -> Buffer {
        let mut out = self.memory.take(shape.elements());
        let total: usize = runs.iter().map(Range::len).sum();
        let count = self.threads.parts(total * k * n / SPEED);
        // Cut between runs, as equal as can be by what there is to do.
        let (mut parts, mut rest, mut start, mut done) = (Vec::with_capacity(count), &mut out[..], 0, 0);
        let mut own = 0..0;
        for (i, run) in runs.iter().enumerate() {
            (own.end, done) = (i + 1, done + run.len());
            if done * count >= total * (parts.len() + 1) {
                let end = if own.end == runs.len() { start + rest.len() / n } else { run.end };
                let (part, after) = rest.split_at_mut((end - start) * n);
                parts.push((start, &runs[own.clone()], part));
                (rest, start, own) = (after, end, i + 1..i + 1);
            }
        }
        self.threads.run(parts, |(start, runs, out)| {
            let mut at = start;
            for run in runs {
                out[(at - start) * n..(run.start - start) * n].fill(0.0);
                let part = &mut out[(run.start - start) * n..(run.end - start) * n];
                match bias {
                    Some(bias) => repeat(part, bias),
                    None => part.fill(0.0),
                }
                accumulate(part, n, [run.len(), k, n], a.rows_from(run.start), b);
                at = run.end;
            }
            out[(at - start) * n..].fill(0.0);
        });
        out
    }

    /// `a b` as a new array.
    fn product(&self, shape: Shape, sizes: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) -> Result<Array> {
        let mut out = self.memory.take(shape.elements());
        self.multiply(&mut out, false, sizes, a, b);
        self.array(out, shape)
    }
}

/// Steps that count and follow each other.
fn runs(mask: &[f32]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in (0..mask.len()).filter(|&at| mask[at] != 0.0) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// Writes `row` into every row of `out`.
pub(super) fn repeat(out: &mut [f32], row: &[f32]) {
    if !row.is_empty() {
        out.chunks_exact_mut(row.len()).for_each(|out| out.copy_from_slice(row));
    }
}
