//! Kernels in execution: memory, warps, blocks, grids.

mod access;
mod grid;
mod matrix;
mod memory;
mod shared;
mod warp;

pub use grid::{Launch, launch};
pub use memory::{AtWork, Memory};

use std::fmt;

/// What a GPU offers, as far as programs ask.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub processors: usize,
    /// Bytes of shared memory of a block at most.
    pub shared: usize,
    pub threads: u32,
}

/// A kernel did what it must not; tells where.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Numbers that decide who goes on when: always the same ones after the same seed.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}
