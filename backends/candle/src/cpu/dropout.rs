//! Dropout without a mask: the draws are made where they are used.

use super::Cpu;
use super::threads::vectorised;
use crate::array::Array;
use elman::{Key, Result};

/// Blocks of four draws that are made side by side.
const BLOCKS: usize = 16;
const DRAWS: usize = 4 * BLOCKS;

impl Cpu {
    pub(crate) fn dropout(&self, x: &Array, rate: f64, key: Key) -> Result<Array> {
        let from = x.numbers()?;
        let from = &*from;
        let (threshold, scale) = (Key::drop_threshold(rate), (1.0 / (1.0 - rate)) as f32);
        let mut out = self.memory.take(from.len());
        let each = out.len().div_ceil(self.threads.parts(out.len() * 2)).next_multiple_of(DRAWS);
        self.threads.run(out.chunks_mut(each.max(DRAWS)).enumerate(), |(part, out)| {
            let from = &from[part * each..];
            vectorised(|| {
                for (i, (out, from)) in out.chunks_mut(DRAWS).zip(from.chunks(DRAWS)).enumerate() {
                    let first = (part * each / DRAWS + i) * BLOCKS;
                    let bits: [[u32; 4]; BLOCKS] = std::array::from_fn(|block| key.block((first + block) as u64));
                    for ((out, &x), &bits) in out.iter_mut().zip(from).zip(bits.as_flattened()) {
                        *out = x * if bits < threshold { 0.0 } else { scale };
                    }
                }
            });
        });
        self.array(out, x.shape())
    }
}
