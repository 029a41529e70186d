//! Dropout without a mask: the draws are made where they are used.

use super::Cpu;
use super::simd::vectorised;
use crate::array::Array;
use elman::{Key, Result};

/// Blocks of four draws that are made side by side, one a lane.
const LANES: usize = 16;
const DRAWS: usize = 4 * LANES;
/// Nanoseconds or so an element.
const COST: usize = 2;

impl Cpu {
    pub(crate) fn dropout(&self, x: &Array, rate: f64, key: Key) -> Result<Array> {
        let from = x.numbers()?;
        let from = &*from;
        let (threshold, scale) = (Key::drop_threshold(rate), (1.0 / (1.0 - rate)) as f32);
        let mut out = self.memory.take(from.len());
        let each = out.len().div_ceil(self.threads.parts(out.len() * COST)).next_multiple_of(DRAWS).max(DRAWS);
        self.threads.run(out.chunks_mut(each).enumerate(), |(part, out)| {
            drop_out(out, &from[part * each..], key, (part * each / 4) as u64, threshold, scale);
        });
        self.array(out, x.shape())
    }
}

vectorised! {
    /// `first` is the block of the first element's draw.
    fn drop_out(out: &mut [f32], x: &[f32], key: Key, first: u64, threshold: u32, scale: f32) {
        for (i, (out, x)) in out.chunks_mut(DRAWS).zip(x.chunks(DRAWS)).enumerate() {
            let draws = draws(key, first + (i * LANES) as u64);
            for ((out, &x), &bits) in out.iter_mut().zip(x).zip(&draws) {
                // What is dropped is 0, even if it was NaN.
                *out = if bits < threshold { 0.0 } else { x * scale };
            }
        }
    }
}

/// The draws of the blocks from `first` on: [`Key::block`] with a block in each lane, so that a round is a few vector
/// instructions.
#[inline(always)]
fn draws(key: Key, first: u64) -> [u32; DRAWS] {
    let [mut c0, mut c1, mut c2, mut c3] = [[0u32; LANES]; 4];
    for ((block, c0), c1) in (first..).zip(&mut c0).zip(&mut c1) {
        (*c0, *c1) = (block as u32, (block >> 32) as u32);
    }
    let mut k = [key.bits64() as u32, (key.bits64() >> 32) as u32];
    for _ in 0..10 {
        for (((c0, c1), c2), c3) in c0.iter_mut().zip(&mut c1).zip(&mut c2).zip(&mut c3) {
            let (p, q) = (u64::from(*c0) * 0xD251_1F53, u64::from(*c2) * 0xCD9E_8D57);
            (*c0, *c1) = ((q >> 32) as u32 ^ *c1 ^ k[0], q as u32);
            (*c2, *c3) = ((p >> 32) as u32 ^ *c3 ^ k[1], p as u32);
        }
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    let mut draws = [0; DRAWS];
    for ((((four, c0), c1), c2), c3) in draws.as_chunks_mut::<4>().0.iter_mut().zip(c0).zip(c1).zip(c2).zip(c3) {
        *four = [c0, c1, c2, c3];
    }
    draws
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_key() {
        let key = Key::new(3).named("draws");
        for first in [0, 16, 1 << 33] {
            let expected: Vec<u32> = (first..first + LANES as u64).flat_map(|block| key.block(block)).collect();
            assert_eq!(draws(key, first)[..], expected);
        }
    }
}
