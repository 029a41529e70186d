//! Whether all numbers are finite: one pass, at the speed of the memory that gradients have just been written to.

use super::Cpu;
use super::simd::vectorised;
use super::update;
use crate::array::Array;
use elman::Result;
use std::sync::atomic::{AtomicBool, Ordering};

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
        let arrays: Vec<_> = arrays.iter().map(|array| array.numbers()).collect::<Result<_>>()?;
        let astray: Vec<AtomicBool> = arrays.iter().map(|_| AtomicBool::new(false)).collect();
        // All in one job, and each cut as for its update, which comes next: what a thread has read is in its cache then.
        let parts = |numbers: &[f32]| self.threads.parts(numbers.len() * update::COST);
        let most = arrays.iter().map(|numbers| parts(numbers)).max().unwrap_or(1);
        self.threads.run(0..most, |part| {
            for (numbers, astray) in arrays.iter().zip(&astray) {
                let (n, parts) = (numbers.len(), parts(numbers));
                if part < parts && !all_finite(&numbers[part * n / parts..(part + 1) * n / parts]) {
                    astray.store(true, Ordering::Relaxed);
                }
            }
        });
        let mut out = self.memory.take(arrays.len());
        out.iter_mut().zip(astray).for_each(|(out, astray)| *out = f32::from(!astray.into_inner()));
        self.array(out, [arrays.len()].into())
    }
}
