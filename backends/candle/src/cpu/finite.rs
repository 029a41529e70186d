//! Whether all numbers are finite: known from what they are sums of, or seen in one pass at the speed of memory.

use super::Cpu;
use super::simd::vectorised;
use super::update;
use crate::array::Array;
use elman::Result;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many numbers are looked at in a nanosecond or so.
const SPEED: usize = 8;

vectorised! {
    /// The greatest without the sign, NaN if there is one. By their bits: as whole numbers those of infinity are above all others,
    /// and those of NaN above them.
    fn greatest(x: &[f32]) -> f32 {
        // The compiler makes vectors of this by itself. (An array of maxima side by side it took apart into single numbers: seven
        // times slower.)
        f32::from_bits(x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff)))
    }
}

/// Whether sums of up to so many products, of one of `x` and one of `y` each, are finite in any case. If not, they may be.
pub(super) fn sums_are_finite(count: usize, x: &[f32], y: &[f32]) -> bool {
    let most = count as f64 * f64::from(greatest(x)) * f64::from(greatest(y));
    // So many roundings to 24 bits make less than twice as much of a sum. NaN is not below.
    count <= 1 << 23 && most < f64::from(f32::MAX) / 2.0
}

impl Cpu {
    pub(crate) fn finite(&self, arrays: &[&Array]) -> Result<Array> {
        let mut out = self.memory.take(arrays.len());
        out.fill(1.0);
        let unknown = arrays.iter().enumerate().filter(|(_, array)| !array.is_known_finite());
        let unknown: Vec<_> = unknown
            .map(|(place, array)| Ok((place, array.numbers()?, AtomicBool::new(false))))
            .collect::<Result<_>>()?;
        let all: usize = unknown.iter().map(|(_, numbers, _)| numbers.len()).sum();
        // All in one job, which one thread does alone if it is small. Else each is cut as for its update, which comes next: what a
        // thread has read is in its cache then.
        let parts = |numbers: &[f32]| match self.threads.parts(all / SPEED) {
            1 => 1,
            _ => self.threads.parts(numbers.len() * update::COST),
        };
        let most = unknown.iter().map(|(_, numbers, _)| parts(numbers)).max().unwrap_or(0);
        self.threads.run(0..most, |part| {
            for (_, numbers, astray) in &unknown {
                let (n, parts) = (numbers.len(), parts(numbers));
                if part < parts && !greatest(&numbers[part * n / parts..(part + 1) * n / parts]).is_finite() {
                    astray.store(true, Ordering::Relaxed);
                }
            }
        });
        unknown.into_iter().for_each(|(place, _, astray)| out[place] = f32::from(!astray.into_inner()));
        self.array(out, [arrays.len()].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_that_may_be_too_great_are_not_known() {
        let known = |count, x, y| sums_are_finite(count, &[0.5, x], &[y, -0.25]);
        assert!(known(1000, -3.0, 2.0) && known(0, 1.0, 1.0) && known(4, 1e19, 1e18));
        // Their sum is 4e38.
        assert!(!known(4, -1e19, 1e19) && !known(40, 1e19, -1e18));
        for wrong in [f32::INFINITY, f32::NAN, -f32::INFINITY, -f32::NAN] {
            assert!(!known(1, wrong, 0.0) && !known(1, 0.0, wrong) && !known(1, wrong, 1.0));
        }
    }
}
