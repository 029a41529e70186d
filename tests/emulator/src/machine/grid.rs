//! A launch: blocks, and who goes on when.

use super::access::Around;
use super::shared::Shared;
use super::warp::{Place, Warp};
use super::{AtWork, Fault, Random};
use crate::ptx::{Kernel, LANES, Lanes};
use std::sync::{Mutex, PoisonError};

/// What is launched.
#[derive(Debug)]
pub struct Launch<'a> {
    pub kernel: &'a Kernel,
    pub blocks: [u32; 3],
    pub threads: [u32; 3],
    /// Bytes of shared memory besides those that the kernel names.
    pub shared: usize,
    pub parameters: &'a [u8],
    /// All blocks run at the same time.
    pub together: bool,
}

/// A warp executes up to so many instructions before another one has its turn.
const TURN: usize = 400;
/// Instructions of a warp that a launch has at most: more, and it waits for what will never be.
const MOST: u64 = 1 << 34;

/// Executes all of it. Gives the number of instructions, each for a warp.
pub fn launch(launch: &Launch<'_>, memory: &AtWork<'_>, random: &mut Random) -> Result<u64, Fault> {
    let count: u32 = launch.blocks.iter().product();
    let mut waiting: Vec<u32> = (0..count).collect();
    for i in (1..waiting.len()).rev() {
        waiting.swap(i, random.below(i + 1));
    }
    let known = vec![(0, 0); launch.kernel.code.len()];
    let mut around = Around { kernel: launch.kernel, parameters: launch.parameters, memory, known };
    let (mut running, mut steps) = (Vec::new(), 0);
    loop {
        while let Some(&number) = waiting.last().filter(|_| launch.together || running.is_empty()) {
            waiting.pop();
            running.push(Block::new(launch, number));
        }
        if running.is_empty() {
            return Ok(steps);
        }
        let which = random.below(running.len());
        let block = &mut running[which];
        steps += block.run(&mut around, random).map_err(|Fault(what)| {
            Fault(format!("{}, block {:?} of {:?}: {what}", launch.kernel.name, block.place.block, launch.blocks))
        })?;
        if steps > MOST {
            return Err(Fault(format!("{} does not end: {steps} instructions", launch.kernel.name)));
        }
        if block.warps.is_empty() {
            running.swap_remove(which);
        }
    }
}

/// Registers of warps that are done, for the next ones: to fill fresh memory with zeros would take longer than most kernels do.
static SPARE: Mutex<Vec<Vec<Lanes>>> = Mutex::new(Vec::new());
const SPARE_MOST: usize = 1024;

struct Block {
    place: Place,
    warps: Vec<Warp>,
    shared: Shared,
}

impl Block {
    fn new(launch: &Launch<'_>, number: u32) -> Self {
        let [x, y, _] = launch.blocks;
        let block = [number % x, number / x % y, number / (x * y)];
        let place = Place { block, blocks: launch.blocks, threads: launch.threads };
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let firsts = (0..place.thread_count()).step_by(LANES);
        let warps = firsts.map(|first| Warp::new(launch.kernel, &place, first, spare.pop().unwrap_or_default()));
        Block { warps: warps.collect(), shared: Shared::new(launch.kernel.shared + launch.shared), place }
    }

    /// Gives some warp a turn; lets all pass the barrier once they have come to it.
    fn run(&mut self, around: &mut Around<'_>, random: &mut Random) -> Result<u64, Fault> {
        let first = random.below(self.warps.len());
        let count = self.warps.len();
        let next = (0..count).map(|i| (first + i) % count).find(|&i| self.warps[i].can_go_on());
        let Some(next) = next else {
            self.warps.iter_mut().for_each(Warp::pass_barrier);
            self.shared.barrier();
            return Ok(0);
        };
        let steps = self.warps[next].run(around, &mut self.shared, 1 + random.below(TURN) as u64)?;
        if self.warps[next].is_done() {
            let registers = self.warps.swap_remove(next).into_registers();
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.len() < SPARE_MOST {
                spare.push(registers);
            }
        }
        Ok(steps)
    }
}
