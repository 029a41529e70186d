//! Kernels on slices of host memory: the required operations, and the fused ones that are hot.
//!
//! A kernel reads its operands as slices ([`Array::numbers`]), writes into a buffer of [`Memory`] that an earlier array
//! left behind, and makes an array of it. Work is cut by outputs, never by what is summed over, so that results do not
//! depend on the number of threads.

mod affine;
mod bags;
mod crf;
mod ctc;
mod dropout;
mod elementwise;
mod few;
mod finite;
mod layer_norm;
mod loss;
mod math;
mod negative_sampling;
pub(crate) mod nest;
mod pool;
mod product;
mod recurrent;
mod reduce;
mod rows;
mod simd;
mod softmax;
mod threads;
mod update;

use crate::array::Array;
use crate::memory::{Buffer, Memory};
use elman::{Result, Shape};
pub(crate) use threads::Threads;

/// What kernels need besides their operands. A clone has the same memory and threads.
#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    pub(crate) memory: Memory,
    pub(crate) threads: Threads,
}

impl Cpu {
    pub(crate) fn new(threads: Threads) -> Self {
        Cpu { memory: Memory::default(), threads }
    }

    /// An array of numbers in row-major order.
    pub(crate) fn array(&self, data: impl Into<Buffer>, shape: Shape) -> Result<Array> {
        Array::on_cpu(data.into(), shape, &self.memory)
    }

    /// A buffer of one number throughout.
    fn filled(&self, n: usize, value: f32) -> Buffer {
        let mut data = self.memory.take(n);
        data.fill(value);
        data
    }

    pub(crate) fn fill(&self, shape: Shape, value: f32) -> Result<Array> {
        self.array(self.filled(shape.elements(), value), shape)
    }
}
