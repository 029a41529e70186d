//! Matrix products: packed panels, a tile of the result held in registers, rows divided among threads.
//!
//! The scheme is that of Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008),
//! on slices: a stretch of the inner dimension that the caches hold is copied into panels in the order in which the
//! innermost loop reads them, so that all four combinations of transposes run at one speed; that loop keeps a small
//! tile of the result in registers. The tile is an array of fixed size, from which the compiler makes vector
//! instructions.
//!
//! Each element is summed over the inner dimension in one order, whatever the tile and the thread that it falls to.

use crate::array::Array;
use crate::threads::by_rows;
use elman::backend::check::{self, Product};
use elman::{Element, Result};

/// Whether 32 vector registers of 64 bytes are there.
const WIDE: bool = cfg!(target_feature = "avx512f");

/// Rows of the register tile: with two vectors a row, twelve of the sixteen registers that most processors have.
/// Measured, as is the five: the compiler's vectoriser makes a tenth of the speed of six wide rows.
const TILE_ROWS: usize = if WIDE { 5 } else { 6 };

/// Bytes in a row of the tile: two vector registers of the processor that is compiled for.
const TILE_BYTES: usize = match (WIDE, cfg!(target_feature = "avx")) {
    (true, _) => 128,
    (_, true) => 64,
    _ => 32,
};

/// The stretch of the inner dimension done at once: a panel of `b` of this depth fits the first-level cache.
const DEPTH: usize = 256;

/// Rows of `a` packed at once: with [`DEPTH`] they fit the second-level cache.
const BLOCK_ROWS: usize = 16 * TILE_ROWS;

/// From how many multiplications on a second thread pays for its start.
const THREADS_PAY: usize = 1 << 20;

/// Matrix products over the last two axes.
pub(crate) fn matmul<E: Element>(threads: usize, a: &Array<E>, at: bool, b: &Array<E>, bt: bool) -> Result<Array<E>> {
    let mut p = check::matmul(a.shape(), at, b.shape(), bt)?;
    let mut out = vec![E::ZERO; p.shape.elements()];
    if !at && !p.b_batched {
        // One right side for all: the products are one, over all rows.
        p.m *= p.batch;
        p.batch = 1;
    }
    if out.is_empty() || p.k == 0 {
        return Ok(Array::new(out, p.shape));
    }
    let work = Work {
        a: a.data(),
        // The lines of `a` are its rows, the lines of `b` its columns, after the transposes.
        a_lines: if at { Lines::Crosswise(p.m) } else { Lines::Lengthwise(p.k) },
        b: b.data(),
        b_lines: if bt { Lines::Lengthwise(p.k) } else { Lines::Crosswise(p.n) },
        p,
    };
    let threads = if p.batch * p.m * p.k * p.n < THREADS_PAY { 1 } else { threads };
    by_rows(threads, &mut out, p.n, TILE_ROWS, |first, rows| match size_of::<E>() {
        4 => work.rows::<{ TILE_BYTES / 4 }>(first, rows),
        _ => work.rows::<{ TILE_BYTES / 8 }>(first, rows),
    });
    Ok(Array::new(out, p.shape))
}

/// How the lines of an operand lie that the inner dimension runs along.
#[derive(Clone, Copy)]
enum Lines {
    /// One line after another, each of this length.
    Lengthwise(usize),
    /// Position by position, so many lines side by side.
    Crosswise(usize),
}

struct Work<'a, E> {
    a: &'a [E],
    a_lines: Lines,
    b: &'a [E],
    b_lines: Lines,
    p: Product,
}

impl<E: Element> Work<'_, E> {
    /// Fills the result's rows from `first` on (counted over all products). `N` is the width of the tile.
    fn rows<const N: usize>(&self, mut first: usize, mut out: &mut [E]) {
        let Product { m, n, .. } = self.p;
        let mut panels = (vec![E::ZERO; BLOCK_ROWS * DEPTH], vec![E::ZERO; N * DEPTH]);
        while !out.is_empty() {
            // Up to the end of the product that row `first` belongs to.
            let count = (m - first % m).min(out.len() / n);
            let (now, later) = out.split_at_mut(count * n);
            self.rows_of_one::<N>(first / m, first % m, now, &mut panels);
            (out, first) = (later, first + count);
        }
    }

    /// Fills rows from `first` on of product number `product`.
    fn rows_of_one<const N: usize>(
        &self,
        product: usize,
        first: usize,
        out: &mut [E],
        (a_panels, b_panel): &mut (Vec<E>, Vec<E>),
    ) {
        let Product { m, k, n, a_batched, b_batched, .. } = self.p;
        let a = &self.a[if a_batched && self.p.batch > 1 { product * m * k } else { 0 }..];
        let b = &self.b[if b_batched { product * k * n } else { 0 }..];
        for start in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - start);
            for (block, out) in out.chunks_mut(BLOCK_ROWS * n).enumerate() {
                let (row, rows) = (first + block * BLOCK_ROWS, out.len() / n);
                for tile in (0..rows).step_by(TILE_ROWS) {
                    let count = TILE_ROWS.min(rows - tile);
                    let panel = &mut a_panels[tile * depth..][..count * depth];
                    self.a_lines.pack(a, row + tile, count, start, count, panel);
                }
                for column in (0..n).step_by(N) {
                    let count = N.min(n - column);
                    let b_panel = &mut b_panel[..N * depth];
                    self.b_lines.pack(b, column, count, start, N, b_panel);
                    for (tile, out) in out.chunks_mut(TILE_ROWS * n).enumerate() {
                        let rows = out.len() / n;
                        let panel = &a_panels[tile * TILE_ROWS * depth..][..rows * depth];
                        add_tile::<E, N>(panel, b_panel, rows, &mut out[column..], n, count);
                    }
                }
            }
        }
    }
}

impl Lines {
    /// Copies `count` lines from line `first` on, from position `start` along them, into a panel: position by
    /// position the lines' elements side by side, `width` places for each position. The panel's length says how deep
    /// it is.
    fn pack<E: Element>(self, from: &[E], first: usize, count: usize, start: usize, width: usize, panel: &mut [E]) {
        if count < width {
            panel.fill(E::ZERO);
        }
        match self {
            Lines::Lengthwise(length) => {
                for (place, line) in from.chunks_exact(length).skip(first).take(count).enumerate() {
                    let to = panel[place..].iter_mut().step_by(width);
                    to.zip(&line[start..]).for_each(|(to, &from)| *to = from);
                }
            }
            Lines::Crosswise(lines) => {
                for (to, from) in panel.chunks_exact_mut(width).zip(from.chunks_exact(lines).skip(start)) {
                    to[..count].copy_from_slice(&from[first..first + count]);
                }
            }
        }
    }
}

/// Adds the product of two panels to a tile of the result: `rows` rows of which `columns` elements count, `stride`
/// apart.
fn add_tile<E: Element, const N: usize>(a: &[E], b: &[E], rows: usize, out: &mut [E], stride: usize, columns: usize) {
    match rows {
        1 => add_rows(out, stride, columns, product::<E, 1, N>(a, b)),
        2 => add_rows(out, stride, columns, product::<E, 2, N>(a, b)),
        3 => add_rows(out, stride, columns, product::<E, 3, N>(a, b)),
        4 => add_rows(out, stride, columns, product::<E, 4, N>(a, b)),
        5 => add_rows(out, stride, columns, product::<E, 5, N>(a, b)),
        _ => add_rows(out, stride, columns, product::<E, TILE_ROWS, N>(a, b)),
    }
}

fn add_rows<E: Element, const M: usize, const N: usize>(
    out: &mut [E],
    stride: usize,
    columns: usize,
    sums: [[E; N]; M],
) {
    for (out, sums) in out.chunks_mut(stride).zip(&sums) {
        out[..columns].iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum);
    }
}

/// The innermost loop: `M` by `N` sums in registers.
#[inline(always)]
fn product<E: Element, const M: usize, const N: usize>(a: &[E], b: &[E]) -> [[E; N]; M] {
    let mut sums = [[E::ZERO; N]; M];
    for (a, b) in a.as_chunks::<M>().0.iter().zip(b.as_chunks::<N>().0) {
        for (sums, &a) in sums.iter_mut().zip(a) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    sums
}
