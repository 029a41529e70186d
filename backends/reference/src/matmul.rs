//! Matrix products: packed panels, a tile of the result held in registers, rows divided among threads.
//!
//! The scheme is that of Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008),
//! on slices: a block of either operand that the caches hold is copied into panels in the order in which the innermost
//! loop reads them, so that all four combinations of transposes run at one speed; that loop keeps a small tile of the
//! result in registers. The tile is an array of fixed size, from which the compiler makes vector instructions.
//!
//! Each element is summed over the inner dimension in one order, whatever the tile and the thread that it falls to.

use crate::array::Array;
use crate::memory::zeros;
use crate::simd::vectorised;
use crate::threads::by_rows;
use elman::backend::check::{self, Product};
use elman::{Element, Result};
use std::ops::Range;

/// Rows of the register tile. A row has four vector registers of 64 bytes, of which there are 32, or two of the shorter
/// ones, of which there are 16. Measured: the compiler's vectoriser makes a thirtieth of the speed of 8 by 2.
const TILE_ROWS: usize = 4;

/// The stretch of the inner dimension done at once: a panel of this depth fits the first-level cache.
const DEPTH: usize = 128;

/// A longer inner dimension is cut: sums of such stretches are added to each other, so that no running sum becomes long.
const STRETCH: usize = 64 * DEPTH;

/// Rows and columns packed at once: with [`DEPTH`] they fit the second-level cache.
const BLOCK_ROWS: usize = 256;
const BLOCK_COLUMNS: usize = 512;

/// From how many rows on columns are packed that could be read where they lie: each is read once for a tile.
const PACK_PAYS: usize = 48;

/// From how many multiplications on a second thread pays for its start, some 30 microseconds.
const THREADS_PAY: usize = 1 << 22;

/// Matrix products over the last two axes.
pub(crate) fn matmul<E: Element>(threads: usize, a: &Array<E>, at: bool, b: &Array<E>, bt: bool) -> Result<Array<E>> {
    let mut p = check::matmul(a.shape(), at, b.shape(), bt)?;
    let mut out = zeros(p.shape.elements());
    if !at && !p.b_batched {
        // One right side for all: the products are one, over all rows.
        p.m *= p.batch;
        p.batch = 1;
    }
    if out.is_empty() || p.k == 0 {
        return Ok(Array::new(out, p.shape));
    }
    let mut work = Work {
        a: a.data(),
        // The lines of `a` are its rows, the lines of `b` its columns, after the transposes.
        a_lines: if at { Lines::Crosswise(p.m) } else { Lines::Lengthwise(p.k) },
        b: b.data(),
        b_lines: if bt { Lines::Lengthwise(p.k) } else { Lines::Crosswise(p.n) },
        p,
        inner: 0..p.k.min(STRETCH),
    };
    let threads = if p.batch * p.m * p.k * p.n < THREADS_PAY { 1 } else { threads };
    by_rows(threads, &mut out, p.n, TILE_ROWS, |first, out| rows(&work, first, out));
    while work.inner.end < p.k {
        work.inner = work.inner.end..p.k.min(work.inner.end + STRETCH);
        let mut part = zeros(out.len());
        by_rows(threads, &mut part, p.n, TILE_ROWS, |first, part| rows(&work, first, part));
        out.iter_mut().zip(part).for_each(|(out, part)| *out += part);
    }
    Ok(Array::new(out, p.shape))
}

vectorised! {
    /// Fills the result's rows from `first` on (counted over all products).
    fn rows<E>(work: &Work<'_, E>, first: usize, out: &mut [E]) {
        match (VECTOR, size_of::<E>()) {
            (64, 4) => work.rows::<64, FUSED>(first, out),
            (64, _) => work.rows::<32, FUSED>(first, out),
            (32, 4) => work.rows::<16, FUSED>(first, out),
            (32, _) | (_, 4) => work.rows::<8, FUSED>(first, out),
            _ => work.rows::<4, FUSED>(first, out),
        }
    }
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
    /// The stretch of the inner dimension.
    inner: Range<usize>,
}

impl<E: Element> Work<'_, E> {
    /// Fills rows as [`rows`] does. `N` is the width of the tile.
    #[inline(always)]
    fn rows<const N: usize, const FUSED: bool>(&self, mut first: usize, mut out: &mut [E]) {
        let Product { m, n, .. } = self.p;
        let mut panels = (Vec::new(), Vec::new());
        while !out.is_empty() {
            // Up to the end of the product that row `first` belongs to.
            let count = (m - first % m).min(out.len() / n);
            let (now, later) = out.split_at_mut(count * n);
            self.rows_of_one::<N, FUSED>(first / m, first % m, now, &mut panels);
            (out, first) = (later, first + count);
        }
    }

    /// Adds rows from `first` on of product number `product` to `out`, which holds zeros.
    #[inline(always)]
    fn rows_of_one<const N: usize, const FUSED: bool>(
        &self,
        product: usize,
        first: usize,
        out: &mut [E],
        (a_panels, b_panels): &mut (Vec<E>, Vec<E>),
    ) {
        let Product { m, k, n, a_batched, b_batched, .. } = self.p;
        let a = &self.a[if a_batched && self.p.batch > 1 { product * m * k } else { 0 }..];
        let b = &self.b[if b_batched { product * k * n } else { 0 }..];
        let lie_well = matches!(self.b_lines, Lines::Crosswise(_)) && out.len() / n < PACK_PAYS;
        for (start, left) in
            (0..n).step_by(BLOCK_COLUMNS).flat_map(|left| self.inner.clone().step_by(DEPTH).map(move |k| (k, left)))
        {
            let (depth, right) = (DEPTH.min(self.inner.end - start), n.min(left + BLOCK_COLUMNS));
            // Whole tiles of few rows read `b` itself.
            let there = if lie_well { (right - left) / N * N } else { 0 };
            self.b_lines.pack::<E, N>(b, left + there..right, start, depth, b_panels);
            for (block, out) in out.chunks_mut(BLOCK_ROWS * n).enumerate() {
                let row = first + block * BLOCK_ROWS;
                self.a_lines.pack::<E, TILE_ROWS>(a, row..row + out.len() / n, start, depth, a_panels);
                for column in (left..right).step_by(N) {
                    let (b, stride) = match column.checked_sub(left + there) {
                        None => (&b[start * n + column..], n),
                        Some(packed) => (&b_panels[packed * depth..], N),
                    };
                    let tiles = out.chunks_mut(TILE_ROWS * n).zip(a_panels.chunks(TILE_ROWS * depth));
                    for (out, a) in tiles {
                        let count = N.min(n - column);
                        add_tile::<E, N, FUSED>(a, b, stride, &mut out[column..], n, count);
                    }
                }
            }
        }
    }
}

impl Lines {
    /// Copies `lines`, from position `start` along them as many as `depth`, into panels of `W` lines: position by
    /// position the lines' elements side by side, zeros where the last panel lacks lines.
    #[inline(always)]
    fn pack<E: Element, const W: usize>(
        self,
        from: &[E],
        lines: std::ops::Range<usize>,
        start: usize,
        depth: usize,
        panels: &mut Vec<E>,
    ) {
        panels.clear();
        panels.resize(lines.len().next_multiple_of(W) * depth, E::ZERO);
        for (first, panel) in lines.clone().step_by(W).zip(panels.chunks_exact_mut(W * depth)) {
            let count = W.min(lines.end - first);
            let places = panel.as_chunks_mut::<W>().0;
            match self {
                Lines::Lengthwise(length) => {
                    for (place, line) in from[first * length..].chunks(length).take(count).enumerate() {
                        places.iter_mut().zip(&line[start..]).for_each(|(to, &from)| to[place] = from);
                    }
                }
                Lines::Crosswise(width) => {
                    for (to, from) in places.iter_mut().zip(from[start * width + first..].chunks(width)) {
                        match from.first_chunk::<W>() {
                            // Of known length: no call.
                            Some(from) if count == W => *to = *from,
                            _ => to[..count].copy_from_slice(&from[..count]),
                        }
                    }
                }
            }
        }
    }
}

/// Adds a product of panels to a tile of the result: the rows that `out` holds, `width` apart, of which `count`
/// elements matter. Rows of `b` are `stride` apart.
#[inline(always)]
fn add_tile<E: Element, const N: usize, const FUSED: bool>(
    a: &[E],
    b: &[E],
    stride: usize,
    out: &mut [E],
    width: usize,
    count: usize,
) {
    let sums = product::<E, N, FUSED>(a, b, stride);
    for (out, sums) in out.chunks_mut(width).zip(&sums) {
        match out.first_chunk_mut::<N>() {
            // Of known length: a few vectors.
            Some(out) if count == N => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
            _ => out.iter_mut().zip(&sums[..count]).for_each(|(out, &sum)| *out += sum),
        }
    }
}

/// The innermost loop: the sums of a tile in registers.
#[inline(always)]
fn product<E: Element, const N: usize, const FUSED: bool>(a: &[E], b: &[E], stride: usize) -> [[E; N]; TILE_ROWS] {
    let mut sums = [[E::ZERO; N]; TILE_ROWS];
    for (a, b) in a.as_chunks::<TILE_ROWS>().0.iter().zip(b.chunks(stride)) {
        let Some(b) = b.first_chunk::<N>() else { break };
        for (sums, &a) in sums.iter_mut().zip(a) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum = if FUSED { a.mul_add(b, *sum) } else { *sum + a * b };
            }
        }
    }
    sums
}
