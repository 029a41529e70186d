//! Which steps of which sequences take place, packed: what a recurrent network walks over.

use crate::cpu::threads::Threads;
use elman::backend::recurrent::Sizes;
use std::ops::Range;

/// A part of the batch has no fewer sequences than this: a product of fewer rows takes hardly less time.
const LEAST_ROWS: usize = 4;

/// The pairs of a sequence and a step that take place, step after step in the order of the walk, within a step by
/// sequence. Everything that is saved has a row for each pair, in this order, whatever the number of threads.
pub(super) struct Walk {
    /// The sequence of each pair.
    rows: Vec<u32>,
    /// Parts of the batch, for a thread each.
    pub(super) parts: Vec<Part>,
}

/// Sequences that one thread goes over from the first step to the last.
pub(super) struct Part {
    /// The sequences.
    pub(super) rows: Range<usize>,
    /// The steps in the order of the walk.
    pub(super) steps: Vec<Step>,
}

/// A step of a part.
pub(super) struct Step {
    /// Its place in the sequences.
    pub(super) t: usize,
    /// Its pairs.
    pairs: Range<usize>,
}

/// The sequences of a part that take part in a step.
#[derive(Clone, Copy)]
pub(super) struct Active<'a> {
    rows: &'a [u32],
    first: usize,
}

impl<'a> Active<'a> {
    /// These, of a part that begins with the first sequence.
    pub(super) fn all(rows: &'a [u32]) -> Self {
        Active { rows, first: 0 }
    }

    /// Counted from the first of the part.
    #[inline(always)]
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(move |&row| row as usize - self.first)
    }

    /// How many.
    pub(super) fn len(self) -> usize {
        self.rows.len()
    }

    /// No more than so many from one of them on.
    pub(super) fn some(self, start: usize, most: usize) -> Self {
        let rows = self.rows.get(start..).unwrap_or_default();
        Active { rows: &rows[..most.min(rows.len())], ..self }
    }
}

impl Walk {
    /// The walk over `n` sequences of `t` steps, a pair of which costs some `cost` nanoseconds.
    pub(super) fn new(sizes: Sizes, mask: Option<&[f32]>, reverse: bool, threads: &Threads, cost: usize) -> Self {
        let Sizes { n, t, .. } = sizes;
        let there = |row: usize, at: usize| mask.is_none_or(|mask| mask[row * t + at] != 0.0);
        let (mut rows, mut ends) = (Vec::with_capacity(n * t), Vec::with_capacity(t + 1));
        // Pairs of the sequences up to each.
        let mut up_to = vec![0; n + 1];
        ends.push(0);
        for at in sizes.steps(reverse) {
            for row in (0..n).filter(|&row| there(row, at)) {
                rows.push(row as u32);
                up_to[row + 1] += 1;
            }
            ends.push(rows.len());
        }
        for row in 0..n {
            up_to[row + 1] += up_to[row];
        }
        // As equal as can be by what there is to do.
        let count = threads.parts(rows.len() * cost).min(n.div_ceil(LEAST_ROWS)).max(1);
        let cut = |part: usize| match part {
            0 => 0,
            part if part == count => n,
            part => up_to.partition_point(|&pairs| pairs * count < rows.len() * part).min(n),
        };
        let part = |part: usize| {
            let own = cut(part)..cut(part + 1);
            let steps = sizes.steps(reverse).zip(ends.windows(2)).map(|(t, ends)| {
                let of_step = &rows[ends[0]..ends[1]];
                let place = |row: usize| ends[0] + of_step.partition_point(|&other| (other as usize) < row);
                Step { t, pairs: place(own.start)..place(own.end) }
            });
            Part { steps: steps.collect(), rows: own }
        };
        let parts = (0..count).map(part).collect();
        Walk { rows, parts }
    }

    /// The number of pairs.
    pub(super) fn pairs(&self) -> usize {
        self.rows.len()
    }

    /// The sequences that take part in a step.
    pub(super) fn active(&self, part: &Part, step: &Step) -> Active<'_> {
        Active { rows: &self.rows[step.pairs.clone()], first: part.rows.start }
    }

    /// Cuts numbers with a row of `width` for each pair into those of each part's steps.
    pub(super) fn cut_pairs<'a>(&self, mut data: &'a mut [f32], width: usize) -> Vec<Vec<&'a mut [f32]>> {
        let mut cut: Vec<Vec<_>> = self.parts.iter().map(|part| Vec::with_capacity(part.steps.len())).collect();
        for step in 0..self.parts[0].steps.len() {
            for (part, cut) in self.parts.iter().zip(&mut cut) {
                let front = data.split_off_mut(..part.steps[step].pairs.len() * width);
                cut.push(front.unwrap_or_default());
            }
        }
        cut
    }

    /// Cuts numbers with `width` for each sequence into those of each part; without numbers each has none.
    pub(super) fn cut_rows<'a>(&self, mut data: &'a mut [f32], width: usize) -> Vec<&'a mut [f32]> {
        let mut front = |part: &Part| data.split_off_mut(..part.rows.len() * width).unwrap_or_default();
        self.parts.iter().map(&mut front).collect()
    }
}

impl Step {
    /// Its pairs' rows of `width`; nothing of what is not saved.
    pub(super) fn of<'a>(&self, data: &'a [f32], width: usize) -> &'a [f32] {
        data.get(self.pairs.start * width..self.pairs.end * width).unwrap_or_default()
    }
}
