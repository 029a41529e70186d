//! Whether all numbers are finite: one pass, at the speed of the memory that gradients have just been written to.

use super::Cpu;
use super::simd::vectorised;
use super::threads::ranges;
use crate::array::Array;
use elman::Result;
use std::sync::atomic::{AtomicBool, Ordering};

/// Numbers a nanosecond or so.
const SPEED: usize = 8;
/// Running maxima side by side: two vectors of AVX-512.
const LANES: usize = 32;

vectorised! {
    /// By their bits: without the sign, those of infinity and NaN are the greatest, as whole numbers.
    fn all_finite(x: &[f32]) -> bool {
        const INFINITE: u32 = 0x7f80_0000;
        let bits = |x: f32| x.to_bits() & 0x7fff_ffff;
        let mut lanes = [0u32; LANES];
        let (whole, rest) = x.as_chunks::<LANES>();
        for block in whole {
            lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane = (*lane).max(bits(x)));
        }
        let most = rest.iter().fold(0, |most, &x| most.max(bits(x)));
        lanes.into_iter().fold(most, u32::max) < INFINITE
    }
}

impl Cpu {
    pub(crate) fn finite(&self, arrays: &[&Array]) -> Result<Array> {
        let mut out = self.memory.take(arrays.len());
        for (out, array) in out.iter_mut().zip(arrays) {
            let numbers = array.numbers()?;
            let (numbers, astray) = (&*numbers, AtomicBool::new(false));
            let parts = ranges(numbers.len(), self.threads.parts(numbers.len() / SPEED));
            self.threads.run(parts, |part| {
                if !all_finite(&numbers[part]) {
                    astray.store(true, Ordering::Relaxed);
                }
            });
            *out = if astray.into_inner() { 0.0 } else { 1.0 };
        }
        self.array(out, [arrays.len()].into())
    }
}
