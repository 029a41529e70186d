//! Sums and maxima along axes.

use super::Cpu;
use super::simd::vectorised;
use crate::array::{Array, Indices};
use crate::memory::Buffer;
use elman::{Element, Result, Shape};
use std::ops::Range;

/// Partial sums that run side by side: two vectors of AVX-512.
const LANES: usize = 32;
/// The longest run summed in `f32`; the sums of such runs are added in `f64`.
pub(super) const RUN: usize = 1024;

/// So many rows are added up in `f32`; the sums of such blocks are added in `f64`.
const ROWS: usize = 256;

/// The sum of all numbers, in an order that depends on their count alone.
#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    total(x, |x| x)
}

/// `Σ f(x)`, likewise.
#[inline(always)]
pub(super) fn total(x: &[f32], f: impl Fn(f32) -> f32 + Copy) -> f32 {
    let run = |x: &[f32]| {
        let mut lanes = [0.0f32; LANES];
        let (whole, rest) = x.as_chunks::<LANES>();
        for block in whole {
            lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane += f(x));
        }
        lanes.iter().sum::<f32>() + rest.iter().map(|&x| f(x)).sum::<f32>()
    };
    if x.len() <= RUN { run(x) } else { x.chunks(RUN).map(|x| f64::from(run(x))).sum::<f64>() as f32 }
}

/// `Σ a b` of two rows of one length, likewise.
#[inline(always)]
pub(super) fn inner(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let run = |a: &[f32], b: &[f32]| {
        let mut lanes = [0.0f32; LANES];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            lanes.iter_mut().zip(a).zip(b).for_each(|((lane, &a), &b)| *lane += a * b);
        }
        lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(&a, &b)| a * b).sum::<f32>()
    };
    if a.len() <= RUN {
        return run(a, b);
    }
    a.chunks(RUN).zip(b.chunks(RUN)).map(|(a, b)| f64::from(run(a, b))).sum::<f64>() as f32
}

/// The greatest number, NaN if one is there, -∞ if there is none.
#[inline(always)]
pub(super) fn greatest(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for block in whole {
        lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane = Element::maximum(*lane, x));
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &x| Element::maximum(most, x))
}

vectorised! {
    fn sum_of(x: &[f32]) -> f32 {
        sum(x)
    }

    fn greatest_of(x: &[f32]) -> f32 {
        greatest(x)
    }

    /// Sums of some columns of rows of `width`.
    pub(super) fn sum_columns(x: &[f32], width: usize, columns: Range<usize>, out: &mut [f32]) {
        out.fill(0.0);
        if x.len() <= ROWS * width {
            for row in x.chunks_exact(width) {
                out.iter_mut().zip(&row[columns.clone()]).for_each(|(out, &x)| *out += x);
            }
            return;
        }
        let mut totals = vec![0.0f64; out.len()];
        for block in x.chunks(ROWS * width) {
            out.fill(0.0);
            for row in block.chunks_exact(width) {
                out.iter_mut().zip(&row[columns.clone()]).for_each(|(out, &x)| *out += x);
            }
            totals.iter_mut().zip(&*out).for_each(|(total, &part)| *total += f64::from(part));
        }
        out.iter_mut().zip(totals).for_each(|(out, total)| *out = total as f32);
    }

    fn keep_greatest(most: &mut [f32], x: &[f32]) {
        most.iter_mut().zip(x).for_each(|(most, &x)| *most = Element::maximum(*most, x));
    }
}

/// Rows that are shorter than that are added up several at a time.
const NARROW: usize = 16;

/// Sums of all columns of short rows: so many rows as fill a few vectors are one, and their sums are added at last.
fn sum_narrow(x: &[f32], out: &mut [f32]) {
    let width = out.len();
    let wide = 4 * NARROW / width * width;
    let (whole, rest) = x.split_at(x.len() / wide * wide);
    let mut sums = [0.0; 4 * NARROW];
    let sums = &mut sums[..wide];
    sum_columns(whole, wide, 0..wide, sums);
    for (column, out) in out.iter_mut().enumerate() {
        let numbers = sums.iter().skip(column).step_by(width).chain(rest.iter().skip(column).step_by(width));
        *out = numbers.map(|&x| f64::from(x)).sum::<f64>() as f32;
    }
}

impl Cpu {
    pub(crate) fn sum_to(&self, a: &Array, shape: Shape) -> Result<Array> {
        let (all, from) = (a.numbers()?, a.shape());
        if all.is_empty() {
            return self.array(self.filled(shape.elements(), 0.0), shape);
        }
        let missing = from.rank() - shape.rank();
        // Neighbouring axes that are all summed over, or all kept, are one.
        let mut groups: Vec<(bool, usize)> = Vec::new();
        for axis in (0..from.rank()).filter(|&axis| from[axis] != 1) {
            let summed = axis < missing || shape[axis - missing] == 1;
            match groups.last_mut() {
                Some((same, size)) if *same == summed => *size *= from[axis],
                _ => groups.push((summed, from[axis])),
            }
        }
        let mut sums: Option<Buffer> = None;
        while let Some(last) = groups.iter().rposition(|&(summed, _)| summed) {
            let size = |groups: &[(bool, usize)]| groups.iter().map(|&(_, size)| size).product();
            let (outer, inner) = (size(&groups[..last]), size(&groups[last + 1..]));
            let next = self.sum_along(sums.as_deref().unwrap_or(&all), outer, groups[last].1, inner);
            if let Some(before) = sums.replace(next) {
                self.memory.give(before);
            }
            groups.remove(last);
        }
        match sums {
            Some(sums) => self.array(sums, shape),
            None => self.array(self.memory.aligned(all.to_vec()), shape),
        }
    }

    /// `x [outer, length, inner]` summed to `[outer, inner]`. Threads have parts of the result.
    fn sum_along(&self, x: &[f32], outer: usize, length: usize, inner: usize) -> Buffer {
        let mut out = self.memory.take(outer * inner);
        // Some eight numbers a nanosecond along rows, and some four down columns.
        if inner == 1 {
            self.threads.rows(&mut out, 1, length / 8 + 1, |rows, out| {
                out.iter_mut().zip(x[rows.start * length..].chunks_exact(length)).for_each(|(out, x)| *out = sum_of(x));
            });
        } else if inner <= NARROW {
            self.threads.rows(&mut out, inner, length * inner / 4 + 1, |rows, out| {
                let blocks = x[rows.start * length * inner..].chunks_exact(length * inner);
                out.chunks_exact_mut(inner).zip(blocks).for_each(|(out, x)| sum_narrow(x, out));
            });
        } else if outer == 1 {
            self.threads.rows(&mut out, 1, length / 4 + 1, |columns, out| sum_columns(x, inner, columns, out));
        } else {
            self.threads.rows(&mut out, inner, length * inner / 4 + 1, |rows, out| {
                let blocks = x[rows.start * length * inner..].chunks_exact(length * inner);
                out.chunks_exact_mut(inner).zip(blocks).for_each(|(out, x)| sum_columns(x, inner, 0..inner, out));
            });
        }
        out
    }

    pub(crate) fn max(&self, a: &Array, axis: usize, shape: Shape) -> Result<Array> {
        let from = a.numbers()?;
        let (length, inner) = around(a.shape(), axis);
        let mut out = self.memory.take(shape.elements());
        let blocks = from.chunks_exact((length * inner).max(1));
        for (out, block) in out.chunks_exact_mut(inner.max(1)).zip(blocks) {
            if inner == 1 {
                out[0] = greatest_of(block);
                continue;
            }
            let mut slices = block.chunks_exact(inner);
            out.copy_from_slice(slices.next().unwrap_or_default());
            for slice in slices {
                keep_greatest(out, slice);
            }
        }
        self.array(out, shape)
    }

    /// The first index of the greatest; NaN is above all numbers.
    pub(crate) fn argmax(&self, a: &Array, axis: usize, shape: Shape) -> Result<Indices> {
        let from = a.numbers()?;
        let (length, inner) = around(a.shape(), axis);
        let mut out = Vec::with_capacity(shape.elements());
        for block in from.chunks_exact((length * inner).max(1)) {
            if inner == 1 {
                let most = greatest_of(block);
                // Where that is NaN, the first one is.
                let at = |x: &f32| *x == most || x.is_nan();
                out.push(block.iter().position(at).unwrap_or_default() as u32);
                continue;
            }
            for column in 0..inner {
                let at = |i: usize| block[i * inner + column];
                let best = (1..length).fold(0, |best, i| if at(i).is_above(at(best)) { i } else { best });
                out.push(best as u32);
            }
        }
        Indices::on_cpu(out, shape, length)
    }
}

/// The length of `axis`, and how many elements lie between its neighbours.
fn around(shape: Shape, axis: usize) -> (usize, usize) {
    (shape[axis], shape[axis + 1..].iter().product())
}
