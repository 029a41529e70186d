//! Sums and maxima along axes.

use super::Cpu;
use super::elementwise::add;
use super::nest::Nest;
use super::simd::vectorised;
use crate::array::{Array, Indices};
use elman::{Element, Result, Shape};

/// Partial sums that run side by side: two vectors of AVX-512.
const LANES: usize = 32;
/// The longest run summed in `f32`; the sums of such runs are added in `f64`.
const RUN: usize = 1024;

/// The sum of all numbers, in an order that depends on their count alone.
#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    let run = |x: &[f32]| {
        let mut lanes = [0.0f32; LANES];
        let (whole, rest) = x.as_chunks::<LANES>();
        for block in whole {
            lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane += x);
        }
        lanes.iter().chain(rest).sum::<f32>()
    };
    if x.len() <= RUN { run(x) } else { x.chunks(RUN).map(|x| f64::from(run(x))).sum::<f64>() as f32 }
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

    fn keep_greatest(most: &mut [f32], x: &[f32]) {
        most.iter_mut().zip(x).for_each(|(most, &x)| *most = Element::maximum(*most, x));
    }
}

impl Cpu {
    pub(crate) fn sum_to(&self, a: &Array, shape: Shape) -> Result<Array> {
        let from = a.numbers()?;
        let from = &*from;
        let mut out = self.filled(shape.elements(), 0.0);
        if from.is_empty() {
            return self.array(out, shape);
        }
        let strides = shape.strides_in(a.shape());
        let nest = Nest::new(&a.shape(), [&strides]);
        let (length, [step]) = nest.inner();
        if step == 1 && out.len() == length {
            // Rows summed into one, as for the gradient of a bias: threads have columns of their own.
            let cost = from.len() / length / 4 + 1;
            self.threads.rows(&mut out, 1, cost, |columns, out| {
                from.chunks_exact(length).for_each(|row| add(out, &row[columns.clone()]));
            });
            return self.array(out, shape);
        }
        let mut runs = from.chunks_exact(length);
        nest.for_each(0..nest.runs(), |[to]| {
            let Some(run) = runs.next() else { return };
            match step {
                0 => out[to] += sum_of(run),
                _ => add(&mut out[to..to + length], run),
            }
        });
        self.array(out, shape)
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

    /// The first index of the greatest; a NaN is never greater than another number.
    pub(crate) fn argmax(&self, a: &Array, axis: usize, shape: Shape) -> Result<Indices> {
        let from = a.numbers()?;
        let (length, inner) = around(a.shape(), axis);
        let mut out = Vec::with_capacity(shape.elements());
        for block in from.chunks_exact((length * inner).max(1)) {
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
