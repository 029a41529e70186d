//! Negative sampling. Threads compute the steps of a block's windows from the tables as they are; then each adds those of the rows that
//! it owns. Every row's steps are added in the order of the windows, so the bits do not depend on the number of threads.

use super::Cpu;
use super::math::{exp, ln_1p, sigmoid};
use super::simd::{dispatch, vectorised};
use super::threads::ranges;
use crate::array::Array;
use elman::Result;
use elman::backend::negative_sampling::WindowSizes;
use elman::backend::{Meeting, Windows};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Numbers that are computed with side by side, and a line of a cache.
const LANES: usize = 16;
/// How many rows are looked at to part owners.
const SAMPLE: usize = 4096;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lanes([f32; LANES]);

const ZEROS: Lanes = Lanes([0.0; LANES]);

/// What a thread works in, for the windows of a part.
struct Room {
    /// The inputs of a window, or their mean, and its outputs; rows in whole lanes.
    x: Vec<Lanes>,
    y: Vec<Lanes>,
    /// Scores, then steps along the rows that met.
    scores: Vec<f32>,
    loss: f64,
}

impl Cpu {
    /// See [`elman::backend::negative_sampling::negative_sampling`].
    pub(crate) fn negative_sampling(
        &self,
        x: &Windows<'_>,
        input: &mut Array,
        output: &mut Array,
        rate: f64,
    ) -> Result<Array> {
        let sizes = WindowSizes::of(x, input.shape(), output.shape(), rate)?;
        // Before the first is taken, for an error between would leave that one empty.
        input.check_host()?;
        output.check_host()?;
        let (mut first, mut second) = (input.take()?, output.take()?);
        let loss = self.move_tables(x, sizes, [&mut first, &mut second], rate as f32);
        input.put(first, &self.memory)?;
        output.put(second, &self.memory)?;
        self.fill([].into(), loss as f32)
    }

    fn move_tables(&self, x: &Windows<'_>, sizes: WindowSizes, tables: [&mut [f32]; 2], rate: f32) -> f64 {
        let WindowSizes { windows: all, outputs, width } = sizes;
        let blocks = (0..all).step_by(x.block).map(|start| start..all.min(start + x.block));
        let (lanes, most) =
            (width.div_ceil(LANES), blocks.clone().map(|block| x.places(block).len()).max().unwrap_or(0));
        // Six operations for each number of the rows that meet, some sixteen of them a nanosecond.
        let parts = self.threads.parts(most * outputs * width / 3).min(x.block);
        let block = x.block.min(all);
        let (mut dx, mut dy) = (vec![ZEROS; most * lanes], vec![ZEROS; block * outputs * lanes]);
        let mut rooms: Vec<Room> = (0..parts).map(|_| Room::new(x, sizes)).collect();
        let borders = [borders(x.inputs, parts), borders(x.outputs, parts)];
        let [input, output] = tables;
        for windows in blocks {
            let (mut dx_left, mut dy_left) = (&mut dx[..], &mut dy[..]);
            let work = ranges(windows.len(), parts).zip(&mut rooms).map(|(own, room)| {
                let own = windows.start + own.start..windows.start + own.end;
                let dx = dx_left.split_off_mut(..x.places(own.clone()).len() * lanes).unwrap_or_default();
                let dy = dy_left.split_off_mut(..own.len() * outputs * lanes).unwrap_or_default();
                (own, room, [dx, dy])
            });
            let tables = [&*input, &*output];
            self.threads.run(work, |(windows, room, moves)| {
                dispatch(Steps { x, windows, sizes, tables, rate, room, moves });
            });

            let (mut input_left, mut output_left) = (&mut *input, &mut *output);
            let mut firsts = [0, 0];
            let owners = (0..parts).map(|part| {
                let [first, second] = &mut firsts;
                let input = Owned::cut(&mut input_left, first, borders[0].get(part), width);
                [input, Owned::cut(&mut output_left, second, borders[1].get(part), width)]
            });
            self.threads.run(owners, |owned| add(x, windows.clone(), sizes, owned, [&dx, &dy]));
        }
        rooms.iter().map(|room| room.loss).sum()
    }
}

impl Room {
    fn new(x: &Windows<'_>, sizes: WindowSizes) -> Self {
        let most = (0..sizes.windows).map(|window| x.places(window..window + 1).len()).max().unwrap_or(0);
        let lanes = sizes.width.div_ceil(LANES);
        Room {
            x: vec![ZEROS; most * lanes],
            y: vec![ZEROS; sizes.outputs * lanes],
            scores: vec![0.0; (most * sizes.outputs).next_multiple_of(LANES)],
            loss: 0.0,
        }
    }
}

/// Rows of a table that one thread changes.
struct Owned<'a> {
    rows: &'a mut [f32],
    first: u32,
    width: usize,
}

/// Where owners of equal work part, by a sample of the rows.
fn borders(rows: &[u32], parts: usize) -> Vec<u32> {
    if parts < 2 {
        return Vec::new();
    }
    let mut sample: Vec<u32> = rows.iter().copied().step_by(rows.len().div_ceil(SAMPLE).max(1)).collect();
    sample.sort_unstable();
    (1..parts).map(|part| sample.get(sample.len() * part / parts).map_or(0, |&row| row)).collect()
}

/// Steps of the windows' inputs and outputs, and losses. Where inputs meet as their mean its step stands at the first.
struct Steps<'a, 'b> {
    x: &'a Windows<'b>,
    windows: Range<usize>,
    sizes: WindowSizes,
    tables: [&'a [f32]; 2],
    rate: f32,
    room: &'a mut Room,
    moves: [&'a mut [Lanes]; 2],
}

impl WithSimd for Steps<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Steps { x, windows, sizes: WindowSizes { outputs, width, .. }, tables, rate, room, moves } = self;
        let (lanes, [mut dx, mut dy]) = (width.div_ceil(LANES), moves);
        for window in windows {
            let rows = &x.inputs[x.places(window..window + 1)];
            pack(&mut room.x, rows, tables[0], width);
            pack(&mut room.y, &x.outputs[window * outputs..][..outputs], tables[1], width);
            let x_is_mean = x.meeting == Meeting::Mean;
            let (share, met) = (1.0 / rows.len() as f32, if x_is_mean { 1 } else { rows.len() });
            if x_is_mean {
                mean(&mut room.x[..rows.len() * lanes], lanes, share);
            }
            let (x, y) = (&room.x[..met * lanes], &room.y[..outputs * lanes]);
            for (x, scores) in x.chunks_exact(lanes).zip(room.scores.chunks_exact_mut(outputs)) {
                score(simd, scores, x, y);
                // By the same formula as those that were drawn.
                scores[0] = -scores[0];
            }
            room.loss += losses(&mut room.scores, met * outputs, rate);
            let steps = &mut room.scores[..met * outputs];
            steps.iter_mut().step_by(outputs).for_each(|step| *step = -*step);

            let to_x = dx.split_off_mut(..rows.len() * lanes).unwrap_or_default();
            for (to_x, steps) in to_x.chunks_exact_mut(lanes).zip(steps.chunks_exact(outputs)) {
                combine(simd, to_x, (steps, 1), y);
                if x_is_mean {
                    to_x.iter_mut().flat_map(|x| &mut x.0).for_each(|x| *x *= share);
                }
            }
            let to_y = dy.split_off_mut(..outputs * lanes).unwrap_or_default();
            for (output, to_y) in to_y.chunks_exact_mut(lanes).enumerate() {
                combine(simd, to_y, (&steps[output..], outputs), x);
            }
        }
    }
}

vectorised! {
    /// Adds the steps of owned rows.
    fn add(
        x: &Windows<'_>,
        windows: Range<usize>,
        sizes: WindowSizes,
        owned: [Owned<'_>; 2],
        moves: [&[Lanes]; 2],
    ) {
        let lanes = sizes.width.div_ceil(LANES);
        let ([mut input, mut output], [dx, dy], mut place) = (owned, moves, 0);
        for window in windows.clone() {
            let rows = &x.inputs[x.places(window..window + 1)];
            for (i, &row) in rows.iter().enumerate() {
                let place = if x.meeting == Meeting::Mean { place } else { place + i };
                input.add(row, &dx[place * lanes..][..lanes]);
            }
            place += rows.len();
        }
        let rows = &x.outputs[windows.start * sizes.outputs..windows.end * sizes.outputs];
        rows.iter().zip(dy.chunks_exact(lanes)).for_each(|(&row, step)| output.add(row, step));
    }
}

impl<'a> Owned<'a> {
    /// The rows from the first of those left up to a border, or all of them.
    fn cut(left: &mut &'a mut [f32], first: &mut u32, border: Option<&u32>, width: usize) -> Self {
        let own = match border {
            Some(border) => left.split_off_mut(..(border - *first) as usize * width).unwrap_or_default(),
            None => std::mem::take(left),
        };
        let owned = Owned { first: *first, width, rows: own };
        *first += (owned.rows.len() / width) as u32;
        owned
    }

    #[inline(always)]
    fn add(&mut self, row: u32, step: &[Lanes]) {
        let Some(start) = row.checked_sub(self.first).map(|place| place as usize * self.width) else { return };
        let Some(row) = self.rows.get_mut(start..start + self.width) else { return };
        let (whole, rest) = row.as_chunks_mut::<LANES>();
        for (x, step) in whole.iter_mut().zip(step) {
            x.iter_mut().zip(step.0).for_each(|(x, step)| *x += step);
        }
        if let Some(last) = step.last() {
            rest.iter_mut().zip(last.0).for_each(|(x, step)| *x += step);
        }
    }
}

/// Copies rows of a table, each into whole lanes with zeros behind.
#[inline(always)]
fn pack(to: &mut [Lanes], rows: &[u32], table: &[f32], width: usize) {
    for (to, &row) in to.chunks_exact_mut(width.div_ceil(LANES)).zip(rows) {
        let (whole, rest) = table[row as usize * width..][..width].as_chunks::<LANES>();
        to.iter_mut().zip(whole).for_each(|(to, from)| to.0 = *from);
        if let (false, Some(last)) = (rest.is_empty(), to.last_mut()) {
            last.0[..rest.len()].copy_from_slice(rest);
        }
    }
}

/// The mean of rows in the place of the first.
#[inline(always)]
fn mean(rows: &mut [Lanes], lanes: usize, share: f32) {
    let (first, others) = rows.split_at_mut(lanes);
    for (i, first) in first.iter_mut().enumerate() {
        for other in others.iter().skip(i).step_by(lanes) {
            (0..LANES).for_each(|lane| first.0[lane] += other.0[lane]);
        }
        first.0.iter_mut().for_each(|x| *x *= share);
    }
}

/// The vectors that lanes are.
#[inline(always)]
fn vectors<S: Simd>(lanes: &Lanes) -> &[S::f32s] {
    S::as_simd_f32s(&lanes.0).0
}

/// Products of one row with several.
#[inline(always)]
fn score<S: Simd>(simd: S, scores: &mut [f32], x: &[Lanes], rows: &[Lanes]) {
    let (mut scores, mut rows) = (scores, rows);
    while let Some(six) = scores.split_off_mut(..6) {
        score_some::<S, 6>(simd, six, x, rows);
        rows = &rows[6 * x.len()..];
    }
    for score in scores {
        score_some::<S, 1>(simd, std::slice::from_mut(score), x, rows);
        rows = &rows[x.len()..];
    }
}

#[inline(always)]
fn score_some<S: Simd, const N: usize>(simd: S, scores: &mut [f32], x: &[Lanes], rows: &[Lanes]) {
    let rows: [&[Lanes]; N] = std::array::from_fn(|row| &rows[row * x.len()..][..x.len()]);
    scores.fill(0.0);
    for part in 0..LANES / S::F32_LANES {
        let mut sums = [simd.splat_f32s(0.0); N];
        for (i, x) in x.iter().enumerate() {
            let x = vectors::<S>(x)[part];
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = simd.mul_add_f32s(x, vectors::<S>(&row[i])[part], *sum);
            }
        }
        scores.iter_mut().zip(sums).for_each(|(score, sum)| *score += simd.reduce_sum_f32s(sum));
    }
}

/// Makes scores `z` of a target 0 steps `-rate σ(z)`; the sum of the first `count` losses.
#[inline(always)]
fn losses(scores: &mut [f32], count: usize, rate: f32) -> f64 {
    let mut total = [0.0f32; LANES];
    let chunks = &mut scores.as_chunks_mut::<LANES>().0[..count.div_ceil(LANES)];
    for (i, scores) in chunks.iter_mut().enumerate() {
        for lane in 0..LANES {
            let z = scores[lane];
            let loss = z.max(0.0) + ln_1p(exp(-z.abs()));
            total[lane] += if i * LANES + lane < count { loss } else { 0.0 };
            scores[lane] = -rate * sigmoid(z);
        }
    }
    total.iter().map(|&x| f64::from(x)).sum()
}

/// `out = Σ by[i every] rows[i]`.
#[inline(always)]
fn combine<S: Simd>(simd: S, out: &mut [Lanes], by: (&[f32], usize), rows: &[Lanes]) {
    let lanes = out.len();
    let (fours, rest) = out.as_chunks_mut::<4>();
    let done = fours.len() * 4;
    for (i, four) in fours.iter_mut().enumerate() {
        combine_some(simd, four, by, rows, (i * 4, lanes));
    }
    if let Some((two, _)) = rest.split_first_chunk_mut::<2>() {
        combine_some(simd, two, by, rows, (done, lanes));
    }
    if let (1, Some(last)) = (rest.len() % 2, rest.last_chunk_mut::<1>()) {
        combine_some(simd, last, by, rows, (lanes - 1, lanes));
    }
}

#[inline(always)]
fn combine_some<S: Simd, const N: usize>(
    simd: S,
    out: &mut [Lanes; N],
    (by, every): (&[f32], usize),
    rows: &[Lanes],
    (from, lanes): (usize, usize),
) {
    for part in 0..LANES / S::F32_LANES {
        let mut sums = [simd.splat_f32s(0.0); N];
        for (row, by) in rows.chunks_exact(lanes).zip(by.iter().step_by(every)) {
            let by = simd.splat_f32s(*by);
            for (sum, row) in sums.iter_mut().zip(&row[from..from + N]) {
                *sum = simd.mul_add_f32s(vectors::<S>(row)[part], by, *sum);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            S::as_mut_simd_f32s(&mut out.0).0[part] = sum;
        }
    }
}
