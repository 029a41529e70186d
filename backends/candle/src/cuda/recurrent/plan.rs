//! How a recurrent network's steps in one launch are cut, and what time each way should take.

use crate::Precision;
use elman::backend::recurrent::Sizes;

/// Threads of a block, and pairs of a sequence and a unit that one of them has at most; as in the kernels.
pub(super) const THREADS: usize = 256;
const PAIRS: usize = 4;
/// Threads of a warp, and warps of a block.
const LANES: usize = 32;
const WARPS: usize = THREADS / LANES;
/// States of the next chunk that a thread holds.
const AHEAD: usize = 16;

/// A way to cut the work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) slices: usize,
    pub(super) groups: usize,
    pub(super) units: usize,
    pub(super) rows: usize,
    pub(super) chunk: usize,
    /// Numbers from a term's weights and states to the next one's.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) tensor_cores: bool,
    /// Without tensor cores: a thread's tile has 8 rows instead of 4.
    pub(super) tall: bool,
    /// Numbers of shared memory.
    pub(super) shared: usize,
    /// Clock cycles of a step.
    pub(super) cycles: f64,
}

/// What a GPU offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Streaming multiprocessors; a block has one to itself.
    pub(crate) processors: usize,
    /// Bytes of shared memory that a block can have.
    pub(crate) shared: usize,
}

impl Plan {
    /// The cut that should take the least time, of a product of so many terms, and so many columns for each unit.
    pub(super) fn best(limits: Limits, precision: Precision, sizes: Sizes, product: [usize; 2]) -> Option<Self> {
        const UNITS: [usize; 9] = [4, 8, 12, 16, 20, 24, 32, 48, 64];
        let by = |tensor_cores| {
            let plans = UNITS.map(|units| Plan::of(limits, sizes, product, units, tensor_cores));
            plans.into_iter().flatten().min_by(|a, b| a.cycles.total_cmp(&b.cycles))
        };
        // Tensor cores multiply TF32 where that or less is asked for.
        let tensor_cores = (precision != Precision::F32).then(|| by(true)).flatten();
        tensor_cores.or_else(|| by(false))
    }

    /// The cut with so many units to a block, if it fits.
    fn of(
        limits: Limits,
        Sizes { n, u, .. }: Sizes,
        [terms, gates]: [usize; 2],
        units: usize,
        tensor_cores: bool,
    ) -> Option<Self> {
        let (slices, columns) = (u.div_ceil(units), units * gates);
        // A group has as few sequences as keep every processor busy.
        let smallest = if tensor_cores { 8 } else { 4 };
        let groups = (limits.processors / slices).min(n.div_ceil(smallest));
        let rows = n.div_ceil(groups.max(1));
        let rows = rows.next_multiple_of(if rows > 8 { 8 } else { smallest });
        let tall = !tensor_cores && rows.is_multiple_of(8) && rows * columns >= 512;
        let ways = match tensor_cores {
            true => fragment_ways(columns, rows)?,
            false => tile_ways(columns, rows, tall)?,
        };
        // Steps of so many numbers let a warp's threads, which read four terms at a time or write two, find all banks of shared
        // memory.
        let (width, height) = match tensor_cores {
            true => (columns + 8, if rows % 16 == 0 { rows + 8 } else { rows }),
            false => (columns, if rows % 8 == 0 { rows + 4 } else { rows }),
        };
        let (weights, sums) = (terms.next_multiple_of(8) * width, ways * rows * columns);
        let left = (limits.shared / 4).checked_sub(weights + sums)?;
        // Chunks of a few terms would only wait.
        let chunk = (left / height / 8 * 8).min(AHEAD * THREADS / rows / 8 * 8).min(terms.next_multiple_of(8));
        let fits = groups > 0 && rows * units <= PAIRS * THREADS && chunk >= terms.min(32);
        // Of the multiplications that a processor could do in a cycle, 128 or some 600, a part waits for what they take. Meanwhile
        // it reads some 24 bytes a cycle of the next states from the second cache. Blocks wait for each other, and for memory,
        // some 3200 cycles, threads for each other at each chunk, and a pair's activations for each other.
        let a_cycle = match (tensor_cores, tall) {
            (true, _) => 300.0,
            (false, true) => 88.0,
            (false, false) => 70.0,
        };
        let (multiplying, reading) = ((terms * columns * rows) as f64 / a_cycle, (terms * rows) as f64 / 6.0);
        let own = ((rows * units).div_ceil(THREADS) * (600 + 8 * gates * ways)) as f64;
        let cycles = multiplying.max(reading) + own + 3200.0 + 100.0 * terms.div_ceil(chunk.max(1)) as f64;
        let shared = weights + sums + chunk * height;
        let groups = n.div_ceil(rows);
        let plan = Plan { slices, groups, units, rows, chunk, width, height, tensor_cores, tall, shared, cycles };
        fits.then_some(plan)
    }
}

/// Parts of each sum that `tiles.cuh` stores; `None` if there are more tiles than threads.
fn tile_ways(columns: usize, rows: usize, tall: bool) -> Option<usize> {
    let tiles = columns / 4 * (rows / if tall { 8 } else { 4 });
    // Those that share a warp are one.
    let joins = tiles < LANES && tiles.is_power_of_two();
    (tiles <= THREADS).then_some(if joins { WARPS } else { THREADS / tiles })
}

/// Likewise `fragments.cuh`, where a warp has 2 by 4 tiles; `None` also if the columns are no whole tiles.
fn fragment_ways(columns: usize, rows: usize) -> Option<usize> {
    let shares = (columns / 16).div_ceil(2) * (rows / 8).div_ceil(4);
    (columns.is_multiple_of(16) && shares <= WARPS).then(|| WARPS / shares)
}

/// What a step takes by a product of cuBLAS and a kernel, in clock cycles: two launches, a read of all weights, and the
/// multiplications at some three quarters of the peak.
pub(super) fn cycles_of_steps(limits: Limits, precision: Precision, Sizes { n, u, g, .. }: Sizes) -> f64 {
    let a_cycle = match precision {
        Precision::F32 => 100.0,
        Precision::Tf32 => 500.0,
        Precision::Bf16 => 1000.0,
    };
    let waves = n.next_multiple_of(32);
    14000.0 + (waves * u * u * g) as f64 / (a_cycle * limits.processors as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Limits = Limits { processors: 132, shared: 227 * 1024 };

    const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Tf32];

    fn plan(precision: Precision, n: usize, u: usize) -> Option<Plan> {
        Plan::best(H100, precision, Sizes { n, t: 80, u, g: 4 }, [u, 4])
    }

    /// All blocks are running at the same time, and have all units of all sequences between them.
    #[test]
    fn plans_fit_the_device() {
        let sizes = [(1, 1, 1), (32, 128, 4), (32, 512, 4), (32, 1024, 4), (256, 128, 4), (1024, 128, 4), (33, 50, 3)];
        for ((n, u, g), precision) in sizes.into_iter().flat_map(|sizes| PRECISIONS.map(|p| (sizes, p))) {
            let sizes = Sizes { n, t: 80, u, g };
            for (terms, columns) in [(u, g), (g * u, 1)] {
                let Some(plan) = Plan::best(H100, precision, sizes, [terms, columns]) else { continue };
                assert!(plan.slices * plan.groups <= H100.processors, "{plan:?}");
                assert!(plan.slices * plan.units >= u && plan.groups * plan.rows >= n, "{plan:?}");
                assert!(4 * plan.shared <= H100.shared && plan.chunk % 8 == 0, "{plan:?}");
                let tile = if plan.tensor_cores { [16, 8] } else { [4, if plan.tall { 8 } else { 4 }] };
                assert!(plan.units * columns % tile[0] == 0 && plan.rows % tile[1] == 0, "{plan:?}");
                assert!(plan.rows * plan.units <= PAIRS * THREADS, "{plan:?}");
            }
        }
    }

    /// The networks of the lecture fit a GPU of today; one whose weights are larger than its shared memory does not.
    #[test]
    fn small_networks_are_resident_and_large_ones_are_not() {
        for precision in PRECISIONS {
            for (n, u) in [(32, 128), (1024, 128), (32, 512), (32, 1024)] {
                assert!(plan(precision, n, u).is_some(), "{n} {u}");
            }
            for (n, u) in [(32, 4096), (1 << 20, 128)] {
                assert!(plan(precision, n, u).is_none(), "{n} {u}");
            }
        }
        assert!(plan(Precision::Tf32, 32, 1024).is_some_and(|plan| plan.tensor_cores));
    }

    /// Launches and the weights' way to the processors are what residence saves; it does not pay where a block has to read much
    /// for few columns, as on the way back through many units.
    #[test]
    fn residence_is_for_small_products() {
        let is_faster = |n, u, product| {
            let sizes = Sizes { n, t: 80, u, g: 4 };
            let plan = Plan::best(H100, Precision::F32, sizes, product).unwrap();
            plan.cycles < cycles_of_steps(H100, Precision::F32, sizes)
        };
        assert!(is_faster(32, 128, [128, 4]) && is_faster(32, 128, [4 * 128, 1]));
        assert!(!is_faster(32, 1024, [4 * 1024, 1]));
    }
}
