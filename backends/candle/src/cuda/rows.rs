//! Rows by index, and one-hot rows.

use super::sources::ROWS;
use super::{Arg, Cuda, Grid};
use crate::array::{Array, Indices};
use elman::{Result, Shape};

/// A warp adds up so many rows at most; what several warps have of one sum is added in a further pass.
const SEGMENT: usize = 64;
/// Marks a target among the parts of sums.
const PART: u32 = 1 << 31;

impl Cuda {
    pub(crate) fn gather(&self, table: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        let (table, out, n) = (self.packed(table)?, self.fresh("gather", shape)?, shape.elements());
        let arguments = [n.into(), self.floats(&table)?, self.whole(rows)?, self.floats(&out)?, shape.last().into()];
        self.launch(ROWS, "gather", Grid::over(n.div_ceil(4)), &arguments)?;
        Ok(out)
    }

    pub(crate) fn one_hot(&self, a: &Indices, shape: Shape) -> Result<Array> {
        let (out, n) = (self.fresh("one_hot", shape)?, shape.elements());
        let arguments = [n.into(), self.whole(a)?, self.floats(&out)?, shape.last().into()];
        self.launch(ROWS, "one_hot", Grid::over(n), &arguments)?;
        Ok(out)
    }

    /// The host sorts the values by their rows, as far as they are not sorted; then each sum is made by one warp, or by
    /// several in a fixed order.
    pub(crate) fn scatter_add(&self, values: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        let plan = Plan::new(&rows.on_host()?, shape[0]);
        let (values, width) = (self.packed(values)?, shape.last());
        let out = if plan.complete { self.fresh("scatter_add", shape)? } else { self.fill(shape, 0.0)? };
        let words = Shape::new(&[plan.words.len()])?;
        let words = self.upload_indices(plan.words.into(), words, 0)?;
        let place = |at: usize| self.whole_from(&words, at);
        let mut from = values;
        for (i, pass) in plan.passes.iter().enumerate() {
            let shape = Shape::new(&[pass.parts, width])?;
            let parts = if pass.parts == 0 { out.clone() } else { self.fresh("scatter_add", shape)? };
            // The parts of sums come one after another.
            let positions = if i == 0 { place(0)? } else { Arg::Whole(0) };
            let (starts, targets) = (place(pass.first)?, place(pass.first + pass.segments + 1)?);
            let arrays = [self.floats(&from)?, positions, starts, targets, self.floats(&out)?, self.floats(&parts)?];
            let sizes = [pass.segments.into(), width.into()];
            let blocks = [pass.segments.div_ceil(8) as u32, width.div_ceil(128) as u32];
            let grid = Grid { blocks, ..Grid::blocks(0, 256) };
            self.launch(ROWS, "sum_segments", grid, &[&arrays[..], &sizes].concat())?;
            from = parts;
        }
        Ok(out)
    }
}

/// What is added to what: the positions of the values, sorted by their rows, and passes over them.
struct Plan {
    /// The positions, then the starts and the targets of each pass' segments.
    words: Vec<u32>,
    passes: Vec<Pass>,
    /// Whether every row has a value.
    complete: bool,
}

/// A pass makes sums of segments, which are rows of the result, or parts of sums for the next pass.
struct Pass {
    /// Where its starts begin among the words; its targets follow.
    first: usize,
    segments: usize,
    parts: usize,
}

impl Plan {
    fn new(rows: &[u32], n: usize) -> Self {
        // A counting sort, which keeps the order of a row's values.
        let mut starts = vec![0u32; n + 1];
        rows.iter().for_each(|&row| starts[row as usize + 1] += 1);
        (0..n).for_each(|row| starts[row + 1] += starts[row]);
        let mut words = vec![0; rows.len()];
        let mut next = starts.clone();
        for (position, &row) in (0..).zip(rows) {
            let place = &mut next[row as usize];
            words[*place as usize] = position;
            *place += 1;
        }
        // Sums to be made, by their rows, and how many summands each has.
        let mut sums: Vec<(u32, usize)> = starts
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as usize)
            .zip(0..)
            .filter(|&(count, _)| count > 0)
            .map(|(count, row)| (row, count))
            .collect();
        let (complete, mut passes) = (sums.len() == n, Vec::new());
        while !sums.is_empty() {
            let (first, mut starts, mut targets, mut later) = (words.len(), vec![0], Vec::new(), Vec::new());
            let (mut at, mut parts) = (0, 0);
            for (row, count) in sums {
                let pieces = count.div_ceil(SEGMENT);
                for piece in 0..pieces {
                    starts.push((at + count.min((piece + 1) * SEGMENT)) as u32);
                    targets.push(if pieces == 1 { row } else { PART | (parts + piece) as u32 });
                }
                if pieces > 1 {
                    later.push((row, pieces));
                    parts += pieces;
                }
                at += count;
            }
            passes.push(Pass { first, segments: targets.len(), parts });
            words.extend(starts);
            words.extend(targets);
            sums = later;
        }
        Plan { words, passes, complete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries a plan out with numbers that are all 1 and counts what comes to each row.
    #[test]
    fn every_value_is_added_to_its_row_once() {
        for (k, n) in [(0, 3), (1, 1), (7, 3), (64, 1), (65, 1), (5000, 2), (5000, 300)] {
            let rows: Vec<u32> = (0..k as u32).map(|i| if i % 3 == 0 { 0 } else { i * i % n as u32 }).collect();
            let plan = Plan::new(&rows, n);
            let mut sums: Vec<Vec<u32>> = vec![Vec::new(); n];
            let mut from: Vec<Vec<u32>> = plan.words[..k].iter().map(|&position| vec![position]).collect();
            for pass in &plan.passes {
                let (starts, targets) = plan.words[pass.first..].split_at(pass.segments + 1);
                let mut parts = vec![Vec::new(); pass.parts];
                for (pair, &target) in starts.windows(2).zip(targets) {
                    let (first, last) = (pair[0] as usize, pair[1] as usize);
                    assert!(last > first && last - first <= SEGMENT);
                    let to = if target & PART > 0 {
                        &mut parts[(target ^ PART) as usize]
                    } else {
                        &mut sums[target as usize]
                    };
                    assert!(to.is_empty(), "written twice");
                    to.extend(from[first..last].concat());
                }
                from = parts;
            }
            let expected: Vec<Vec<u32>> =
                (0..n as u32).map(|row| (0..k as u32).filter(|&i| rows[i as usize] == row).collect()).collect();
            assert_eq!(sums, expected);
            assert_eq!(plan.complete, expected.iter().all(|row| !row.is_empty()));
        }
    }
}
