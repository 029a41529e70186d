//! Loops over the index space of a shape for operands with strides: broadcast ones, permuted ones.

use candle_core::Layout;
use elman::shape::MAX_RANK;

/// Nested loops over `K` operands, each with its strides, merged into as few as possible: the innermost one is long
/// wherever memory allows.
pub(crate) struct Nest<const K: usize> {
    /// Sizes and strides of the loops, the innermost last; there is always one.
    loops: Vec<(usize, [usize; K])>,
}

impl<const K: usize> Nest<K> {
    /// The loops over `sizes`; `strides[k]` are operand `k`'s.
    pub(crate) fn new(sizes: &[usize], strides: [&[usize]; K]) -> Self {
        let mut loops: Vec<(usize, [usize; K])> = Vec::with_capacity(MAX_RANK);
        for (axis, &size) in sizes.iter().enumerate().filter(|(_, size)| **size != 1) {
            let steps = strides.map(|s| s[axis]);
            match loops.last_mut() {
                // One loop instead of two where each operand's outer step is that of a whole inner loop.
                Some((outer, outer_steps)) if (0..K).all(|k| outer_steps[k] == steps[k] * size) => {
                    *outer *= size;
                    *outer_steps = steps;
                }
                _ => loops.push((size, steps)),
            }
        }
        if loops.is_empty() {
            loops.push((1, [1; K]));
        }
        Nest { loops }
    }

    /// Size and strides of the innermost loop.
    pub(crate) fn inner(&self) -> (usize, [usize; K]) {
        self.loops[self.loops.len() - 1]
    }

    /// How often the innermost loop runs.
    pub(crate) fn runs(&self) -> usize {
        self.outer().iter().map(|(size, _)| size).product()
    }

    /// Calls `body` with the operands' offsets for each run of the innermost loop in `range`, in row-major order.
    pub(crate) fn for_each(&self, range: std::ops::Range<usize>, mut body: impl FnMut([usize; K])) {
        let outer = self.outer();
        let (mut at, mut offsets) = ([0; MAX_RANK], [0; K]);
        let mut rest = range.start;
        for (i, &(size, steps)) in outer.iter().enumerate().rev() {
            at[i] = rest % size.max(1);
            rest /= size.max(1);
            (0..K).for_each(|k| offsets[k] += at[i] * steps[k]);
        }
        for _ in range {
            body(offsets);
            for (i, &(size, steps)) in outer.iter().enumerate().rev() {
                at[i] += 1;
                (0..K).for_each(|k| offsets[k] += steps[k]);
                if at[i] < size {
                    break;
                }
                (0..K).for_each(|k| offsets[k] -= size * steps[k]);
                at[i] = 0;
            }
        }
    }

    fn outer(&self) -> &[(usize, [usize; K])] {
        &self.loops[..self.loops.len() - 1]
    }
}

/// Copies what a layout shows of `from` into row-major order.
pub(crate) fn copy_strided(from: &[f32], layout: &Layout, to: &mut [f32]) {
    if to.is_empty() {
        return;
    }
    let nest = Nest::new(layout.dims(), [layout.stride()]);
    let (length, [step]) = nest.inner();
    let from = &from[layout.start_offset()..];
    let mut runs = to.chunks_exact_mut(length);
    nest.for_each(0..nest.runs(), |[start]| {
        let Some(run) = runs.next() else { return };
        match step {
            1 => run.copy_from_slice(&from[start..start + length]),
            _ => run.iter_mut().enumerate().for_each(|(i, to)| *to = from[start + i * step]),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_merge_where_memory_goes_on() {
        assert_eq!(Nest::new(&[2, 3, 4], [&[12, 4, 1]]).inner(), (24, [1]));
        // The second operand is a row for all: [3, 4] with [4].
        let rows = Nest::new(&[2, 3, 4], [&[12, 4, 1], &[0, 0, 1]]);
        assert_eq!((rows.inner(), rows.runs()), ((4, [1, 1]), 6));
    }

    #[test]
    fn a_range_visits_its_part_of_the_offsets() {
        let nest = Nest::new(&[2, 3, 2], [&[1, 2, 6]]);
        let offsets = |range| {
            let mut seen = Vec::new();
            nest.for_each(range, |[at]| seen.push(at));
            seen
        };
        assert_eq!(offsets(0..6), [0, 2, 4, 1, 3, 5]);
        assert_eq!(offsets(2..5), [4, 1, 3]);
    }
}
