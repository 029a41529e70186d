//! Products of a few rows with a matrix: a step of one sentence, or of the beams of a search. They take as long as reading the matrix:
//! once, from front to back, where it lies.

use super::product::{DEPTH, Matrix};
use super::threads::{Threads, ranges};
use pulp::{Arch, Simd, WithSimd};

/// No more rows than this are a few.
pub(super) const FEW: usize = 8;

/// Rows of the matrix that go into the sums at once: so that these are not read and written for each.
const ABREAST: usize = 4;

/// Sums that are made at a time stay in the first cache: 16 KiB.
const SUMS: usize = 4096;
const FEW_SUMS: usize = 512;

/// Numbers of a matrix that are read in a nanosecond or so.
const SPEED: usize = 8;

/// `a b` with `a [m, k]` and `b [k, n]`, the rows of which lie in one piece.
#[derive(Clone, Copy)]
pub(super) struct Term<'a> {
    pub(super) a: Matrix<'a>,
    pub(super) b: Matrix<'a>,
    pub(super) k: usize,
}

/// `out += a b` for all terms, one after another, with `out [m, n]` of a few rows, which begin `stride` elements apart. Each thread has
/// its own columns. A number's sum is made in the order of `k` and then added, as in all products: see
/// [`accumulate`](super::product::accumulate).
pub(super) fn add(threads: &Threads, out: &mut [f32], stride: usize, [m, n]: [usize; 2], terms: &[Term<'_>]) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(m <= FEW && stride >= n && (m - 1) * stride + n <= out.len(), "not a few rows, or beyond their memory");
    assert!(terms.iter().all(|term| term.a.holds(m, term.k) && term.b.holds(term.k, n)), "a matrix beyond its memory");
    let read: usize = terms.iter().map(|term| term.k * n).sum();
    // Whole cache lines; the rest goes with the last.
    let blocks = (n / 16).max(1);
    let parts = threads.parts(read / SPEED + read * m / 40).min(blocks);
    let mut rows: [&mut [f32]; FEW] = Default::default();
    rows.iter_mut().zip(out.chunks_mut(stride)).take(m).for_each(|(row, out)| *row = &mut out[..n]);
    let own = ranges(blocks, parts).map(|range| {
        let start = range.start * 16;
        let width = if range.end == blocks { n - start } else { range.len() * 16 };
        let mut own: [&mut [f32]; FEW] = Default::default();
        for (own, row) in own.iter_mut().zip(&mut rows[..m]) {
            *own = row.split_off_mut(..width).unwrap_or_default();
        }
        (start, own)
    });
    // With the instructions that the `gemm` crate chooses, so that the sums are the same.
    let work = |(start, mut own): (usize, [&mut [f32]; FEW])| {
        Arch::new().dispatch(Columns { out: &mut own[..m], start, terms });
    };
    threads.run(own, work);
}

/// Columns of `out` from `start` on, with a row in each slice.
struct Columns<'a, 'b> {
    out: &'b mut [&'a mut [f32]],
    start: usize,
    terms: &'b [Term<'b>],
}

#[repr(align(64))]
struct Sums<const N: usize>([f32; N]);

impl WithSimd for Columns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.out.len() {
            1 => self.rows::<S, 1>(simd),
            2 => self.rows::<S, 2>(simd),
            3 => self.rows::<S, 3>(simd),
            4 => self.rows::<S, 4>(simd),
            5 => self.rows::<S, 5>(simd),
            6 => self.rows::<S, 6>(simd),
            7 => self.rows::<S, 7>(simd),
            _ => self.rows::<S, FEW>(simd),
        }
    }
}

impl Columns<'_, '_> {
    /// Of `M` rows.
    #[inline(always)]
    fn rows<S: Simd, const M: usize>(self, simd: S) {
        // For little work not all of them are set to 0.
        match self.out.first().map_or(0, |row| row.len()) * M {
            0..=FEW_SUMS => self.add::<S, M, FEW_SUMS>(simd),
            _ => self.add::<S, M, SUMS>(simd),
        }
    }

    #[inline(always)]
    fn add<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let Columns { out, start, terms } = self;
        let width = out.first().map_or(0, |row| row.len());
        let Sums(sums) = &mut Sums([0.0; N]);
        // Those of one vector of columns stand together.
        let (sums, _) = S::as_mut_simd_f32s(sums).0.as_chunks_mut::<M>();
        let most = N / M / 16 * 16;
        for from in (0..width).step_by(most) {
            let count = most.min(width - from);
            let sums = &mut sums[..count.div_ceil(S::F32_LANES)];
            for &Term { a, b, k } in terms {
                for top in (0..k).step_by(DEPTH) {
                    let (a, b) = (a.columns_from(top), b.rows_from(top).columns_from(start + from));
                    let depth = DEPTH.min(k - top);
                    sums.fill([simd.splat_f32s(0.0); M]);
                    let whole = depth / ABREAST * ABREAST;
                    for at in (0..whole).step_by(ABREAST) {
                        let rows = [b.row(at, count), b.row(at + 1, count), b.row(at + 2, count), b.row(at + 3, count)];
                        several(simd, sums, (a, at), rows);
                    }
                    for at in whole..depth {
                        one(simd, sums, (a, at), b.row(at, count));
                    }
                    for (row, out) in out.iter_mut().enumerate() {
                        let (vectors, end) = S::as_mut_simd_f32s(&mut out[from..][..count]);
                        let mut sums = sums.iter();
                        for (out, sums) in vectors.iter_mut().zip(&mut sums) {
                            *out = simd.add_f32s(*out, sums[row]);
                        }
                        if let Some(sums) = sums.next() {
                            simd.partial_store_f32s(end, simd.add_f32s(simd.partial_load_f32s(end), sums[row]));
                        }
                    }
                }
            }
        }
    }
}

/// Adds some rows of the matrix, the first of which is `at`, one after another, each times a factor for every row of the sums.
///
/// Here are no closures: a compiler leaves large ones as calls, which know nothing of the vector instructions.
#[inline(always)]
fn several<S: Simd, const M: usize>(
    simd: S,
    sums: &mut [[S::f32s; M]],
    (a, at): (Matrix<'_>, usize),
    [first, second, third, fourth]: [&[f32]; ABREAST],
) {
    let mut factors = [[simd.splat_f32s(0.0); ABREAST]; M];
    for (row, factors) in factors.iter_mut().enumerate() {
        for (i, factor) in factors.iter_mut().enumerate() {
            *factor = simd.splat_f32s(a.at(row, at + i));
        }
    }
    let (first, first_end) = S::as_simd_f32s(first);
    let (second, second_end) = S::as_simd_f32s(second);
    let (third, third_end) = S::as_simd_f32s(third);
    let (fourth, fourth_end) = S::as_simd_f32s(fourth);
    let (whole, end) = sums.split_at_mut(first.len());
    for ((((sums, &first), &second), &third), &fourth) in whole.iter_mut().zip(first).zip(second).zip(third).zip(fourth)
    {
        add_to(simd, sums, &factors, [first, second, third, fourth]);
    }
    if let Some(sums) = end.first_mut() {
        let first = simd.partial_load_f32s(first_end);
        let second = simd.partial_load_f32s(second_end);
        let third = simd.partial_load_f32s(third_end);
        let fourth = simd.partial_load_f32s(fourth_end);
        add_to(simd, sums, &factors, [first, second, third, fourth]);
    }
}

/// The same of one row of the matrix.
#[inline(always)]
fn one<S: Simd, const M: usize>(simd: S, sums: &mut [[S::f32s; M]], (a, at): (Matrix<'_>, usize), row: &[f32]) {
    let mut factors = [[simd.splat_f32s(0.0); 1]; M];
    for (row, [factor]) in factors.iter_mut().enumerate() {
        *factor = simd.splat_f32s(a.at(row, at));
    }
    let (vectors, rest) = S::as_simd_f32s(row);
    let (whole, end) = sums.split_at_mut(vectors.len());
    for (sums, &row) in whole.iter_mut().zip(vectors) {
        add_to(simd, sums, &factors, [row]);
    }
    if let Some(sums) = end.first_mut() {
        add_to(simd, sums, &factors, [simd.partial_load_f32s(rest)]);
    }
}

/// `sums += Σ factor row` of a vector of columns.
#[inline(always)]
fn add_to<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sums: &mut [S::f32s; M],
    factors: &[[S::f32s; N]; M],
    rows: [S::f32s; N],
) {
    for row in 0..M {
        let mut sum = sums[row];
        for i in 0..N {
            sum = simd.mul_add_e_f32s(factors[row][i], rows[i], sum);
        }
        sums[row] = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::super::product::accumulate;
    use super::*;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64).map(|i| elman::Key::new(seed).normal(i) as f32).collect()
    }

    /// The sums are those of all other products, whatever the sizes, the rows, the terms and the threads.
    #[test]
    fn a_few_rows_are_multiplied_as_many_are() {
        for (m, n, depths) in [
            (1, 64, &[512][..]),
            (1, 5000, &[3]),
            (2, 2048, &[64, 513]),
            (3, 65, &[40]),
            (5, 1030, &[7, 1100]),
            (8, 517, &[6]),
            (8, 16, &[1]),
            (4, 7, &[5]),
        ] {
            let operands: Vec<_> = depths.iter().map(|&k| (numbers(m * k, 1), numbers(k * n, 2), k)).collect();
            let start = numbers(m * n, 3);
            // Among more rows none is multiplied in a way of its own.
            let mut expected = [&start[..], &vec![0.0; (16 - m) * n]].concat();
            for (a, b, k) in &operands {
                let a = [&a[..], &vec![0.0; (16 - m) * k]].concat();
                accumulate(&mut expected, n, [16, *k, n], Matrix::new(&a, *k, false), Matrix::new(b, n, false));
            }
            let terms: Vec<Term<'_>> = operands
                .iter()
                .map(|(a, b, k)| Term { a: Matrix::new(a, *k, false), b: Matrix::new(b, n, false), k: *k })
                .collect();
            for threads in [1, 2, 5] {
                let mut out = start.clone();
                add(&Threads::new(threads).unwrap(), &mut out, n, [m, n], &terms);
                assert_eq!(out, expected[..m * n], "{m} × {n}, {depths:?}, {threads} threads");
            }
        }
    }

    /// Some columns of a result that has more.
    #[test]
    fn rows_may_lie_apart() {
        let (a, b) = (numbers(3 * 40, 1), numbers(40 * 70, 2));
        let term = |n: usize| Term { a: Matrix::new(&a, 40, false), b: Matrix::columns(&b, 70, 70 - n), k: 40 };
        let (mut all, mut some) = (vec![0.0; 3 * 70], vec![0.0; 2 * 100 + 50]);
        add(&Threads::new(2).unwrap(), &mut all, 70, [3, 70], &[term(70)]);
        add(&Threads::new(2).unwrap(), &mut some, 100, [3, 50], &[term(50)]);
        for (all, some) in all.chunks(70).zip(some.chunks(100)) {
            assert_eq!(all[20..], some[..50]);
            assert!(some[50..].iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn nothing_is_added_without_rows_or_columns() {
        let threads = Threads::new(2).unwrap();
        add(&threads, &mut [], 5, [0, 5], &[]);
        add(&threads, &mut [], 0, [3, 0], &[]);
        let mut out = [1.0, 2.0];
        add(
            &threads,
            &mut out,
            2,
            [1, 2],
            &[Term { a: Matrix::new(&[], 0, false), b: Matrix::new(&[], 2, false), k: 0 }],
        );
        assert_eq!(out, [1.0, 2.0]);
    }
}
