//! How rows are added to rows: which sums there are, and in which order they are made.

/// A warp adds up so many rows at most; what several warps have of one sum is added in a further pass.
const SEGMENT: usize = 64;
/// Marks a target among the parts of sums.
const PART: u32 = 1 << 31;

/// What is added to what: the positions of the values, sorted by their rows, and passes over them.
pub(super) struct Plan {
    /// The positions, then the starts and the targets of each pass' segments.
    pub(super) words: Vec<u32>,
    pub(super) passes: Vec<Pass>,
    /// Whether every row has a value.
    pub(super) complete: bool,
}

/// A pass makes sums of segments, which are rows of the result, or parts of sums for the next pass.
pub(super) struct Pass {
    /// Where its starts begin among the words; its targets follow.
    pub(super) first: usize,
    pub(super) segments: usize,
    pub(super) parts: usize,
}

impl Plan {
    pub(super) fn new(rows: &[u32], n: usize) -> Self {
        let mut words = in_order(rows, n);
        // Sums to be made, by their rows, and how many summands each has.
        let row = |position: u32| rows[position as usize];
        let same = words.chunk_by(|&a, &b| row(a) == row(b));
        let mut sums: Vec<(u32, usize)> = same.map(|same| (row(same[0]), same.len())).collect();
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

/// The positions of rows below `n` in the order of the rows, those of a row in their own.
fn in_order(rows: &[u32], n: usize) -> Vec<u32> {
    // Counting takes a pass over all rows that there could be.
    if n / 8 > rows.len() {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|&position| rows[position as usize]);
        return order;
    }
    let mut next = vec![0; n + 1];
    rows.iter().for_each(|&row| next[row as usize + 1] += 1);
    (0..n).for_each(|row| next[row + 1] += next[row]);
    let mut order = vec![0; rows.len()];
    for (position, &row) in (0..).zip(rows) {
        let place: &mut u32 = &mut next[row as usize];
        order[*place as usize] = position;
        *place += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries a plan out with numbers that are all 1 and counts what comes to each row.
    #[test]
    fn every_value_is_added_to_its_row_once() {
        for (k, n) in [(0, 3), (1, 1), (7, 3), (64, 1), (65, 1), (5000, 2), (5000, 300), (70, 5000)] {
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
