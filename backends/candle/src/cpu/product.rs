//! Matrix products, on the `gemm` crate but for single rows and a few ([`few`](super::few)).

use super::Cpu;
use super::elementwise::add as add_to;
use super::few::{self, FEW, Term};
use super::threads::ranges;
use crate::array::Array;
use crate::memory::Buffer;
use elman::Result;
use elman::backend::check::Product;
use pulp::{Arch, Simd, WithSimd};

/// A matrix of numbers in memory: element `(i, j)` lies at `i * row + j * column`. A transpose is an exchange of the
/// two.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// `data` in row-major order with rows of `width`; transposed if asked for.
    pub(super) fn new(data: &'a [f32], width: usize, transpose: bool) -> Self {
        if transpose { Matrix { data, row: 1, column: width } } else { Matrix { data, row: width, column: 1 } }
    }

    /// Columns of `data` in row-major order with rows of `width`, from column `first` on.
    pub(super) fn columns(data: &'a [f32], width: usize, first: usize) -> Self {
        Matrix { data: data.get(first..).unwrap_or_default(), row: width, column: 1 }
    }

    /// The same strides from a later element on.
    fn after(self, start: usize) -> Self {
        Matrix { data: self.data.get(start..).unwrap_or_default(), ..self }
    }

    /// The rows from a later one on.
    pub(super) fn rows_from(self, row: usize) -> Self {
        self.after(row * self.row)
    }

    /// The columns from a later one on.
    pub(super) fn columns_from(self, column: usize) -> Self {
        self.after(column * self.column)
    }

    /// An element, which is there.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, column: usize) -> f32 {
        self.data[row * self.row + column * self.column]
    }

    /// The first columns of a row, of a matrix whose rows lie in one piece.
    #[inline(always)]
    pub(super) fn row(&self, row: usize, columns: usize) -> &'a [f32] {
        &self.data[row * self.row..][..columns]
    }

    /// Whether its rows lie in one piece.
    pub(super) fn is_in_rows(&self) -> bool {
        self.column == 1
    }

    /// Whether `rows` by `columns` elements lie within the data.
    pub(super) fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

/// The length of a sum that the `gemm` crate never cuts.
pub(super) const DEPTH: usize = 512;
/// Longer sums are made by halves: the crate's products of single rows add to the result itself, one number at a time.
const LONG: usize = 64 * DEPTH;

/// `out = a b`, or `out += a b`, on this thread; rows of `out` are `stride` apart.
///
/// # Safety
/// The operands hold `[m, k]` and `[k, n]` elements, `k` is not 0, and nobody else reads or writes the `[m, n]` elements at
/// `out`, which are initialised.
#[allow(unsafe_code)]
unsafe fn product(out: *mut f32, stride: usize, add: bool, [m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) {
    // The crate cuts longer sums itself, in places that depend on the other sizes, and these on the number of threads.
    if k > DEPTH {
        // SAFETY: the same elements in two parts.
        unsafe {
            product(out, stride, add, [m, DEPTH, n], a, b);
            product(out, stride, true, [m, k - DEPTH, n], a.after(DEPTH * a.column), b.after(DEPTH * b.row));
        }
        return;
    }
    // SAFETY: what the caller vouches for; strides beyond the last row and column are not gone along.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `out += a b` on this thread, with `a [m, k]`, `b [k, n]` and `out [m, n]`, the rows of which begin `stride` elements
/// apart. Each row has the same bits whatever other rows there are.
pub(super) fn accumulate(out: &mut [f32], stride: usize, [m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) {
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    assert!(stride >= n && (m - 1) * stride + n <= out.len(), "a result beyond its memory");
    assert!(a.holds(m, k) && b.holds(k, n), "a matrix beyond its memory");
    if m == 1 && b.column == 1 {
        // The crate would multiply a matrix and a vector, in another order of sums.
        // With the instructions that the crate chooses, so that the sums are the same.
        return Arch::new().dispatch(Row { out: &mut out[..n], a, b, k });
    }
    // SAFETY: by the assertions; `out` is borrowed mutably.
    #[allow(unsafe_code)]
    unsafe {
        product(out.as_mut_ptr(), stride, true, [m, k, n], a, b);
    }
}

/// `out += a b` of a single row with a matrix whose rows lie in one piece: one sentence in a recurrent network. Bound by the
/// memory of `b`, which is read once.
struct Row<'a> {
    out: &'a mut [f32],
    a: Matrix<'a>,
    b: Matrix<'a>,
    k: usize,
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Row { out, a, b, k } = self;
        for from in (0..k).step_by(DEPTH) {
            let (a, b) = (a.columns_from(from), b.rows_from(from));
            let depth = (k - from).min(DEPTH);
            let mut first = 0;
            // Vectors of sums that go through the matrix together: enough of them that none waits for the one before.
            first += abreast::<S, 8>(simd, &mut out[first..], (a, b.columns_from(first)), depth);
            first += abreast::<S, 4>(simd, &mut out[first..], (a, b.columns_from(first)), depth);
            first += abreast::<S, 1>(simd, &mut out[first..], (a, b.columns_from(first)), depth);
            if first < out.len() {
                let (out, b) = (&mut out[first..], b.columns_from(first));
                let mut sum = simd.splat_f32s(0.0);
                for at in 0..depth {
                    let factor = simd.splat_f32s(a.data[at * a.column]);
                    sum = simd.mul_add_e_f32s(factor, simd.partial_load_f32s(&b.data[at * b.row..][..out.len()]), sum);
                }
                simd.partial_store_f32s(out, simd.add_f32s(simd.partial_load_f32s(out), sum));
            }
        }
    }
}

/// As many columns of a row's product as there are whole groups of `V` vectors; how many these are.
#[inline(always)]
fn abreast<S: Simd, const V: usize>(simd: S, out: &mut [f32], (a, b): (Matrix<'_>, Matrix<'_>), depth: usize) -> usize {
    let width = V * S::F32_LANES;
    let mut done = 0;
    for out in out.chunks_exact_mut(width) {
        let mut sums = [simd.splat_f32s(0.0); V];
        for at in 0..depth {
            let factor = simd.splat_f32s(a.data[at * a.column]);
            let row = &b.data[at * b.row + done..][..width];
            for (sum, &b) in sums.iter_mut().zip(S::as_simd_f32s(row).0) {
                *sum = simd.mul_add_e_f32s(factor, b, *sum);
            }
        }
        for (sum, out) in sums.into_iter().zip(S::as_mut_simd_f32s(out).0) {
            *out = simd.add_f32s(*out, sum);
        }
        done += width;
    }
    done
}

/// A place in the output that several threads write to, each its own columns.
#[derive(Clone, Copy)]
struct Output(*mut f32);

// SAFETY: `Cpu::multiply` gives each thread a range of rows or columns that no other has.
#[allow(unsafe_code)]
unsafe impl Send for Output {}
#[allow(unsafe_code)]
unsafe impl Sync for Output {}

impl Cpu {
    /// Columns of matrices that stand one over the other, in rows of `width`, one after another: many small products run along
    /// rows.
    pub(super) fn transposed(&self, parts: [&[f32]; 2], width: usize) -> Buffer {
        let heights = parts.map(|part| part.len() / width);
        let height = heights[0] + heights[1];
        let mut to = self.memory.take(height * width);
        // Some two numbers a nanosecond.
        self.threads.rows(&mut to, height, height / 2 + 1, |columns, to| {
            for (column, to) in columns.zip(to.chunks_exact_mut(height)) {
                let numbers = parts.iter().flat_map(|part| part.chunks_exact(width).map(|row| row[column]));
                to.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
            }
        });
        to
    }

    /// `out = a b`, or `out += a b`, with `a [m, k]`, `b [k, n]` and `out [m, n]` in row-major order.
    pub(super) fn multiply(&self, out: &mut [f32], add: bool, [m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) {
        assert!(out.len() == m * n && a.holds(m, k) && b.holds(k, n), "a matrix beyond its memory");
        if k == 0 || out.is_empty() {
            if !add {
                out.fill(0.0);
            }
            return;
        }
        if k > LONG {
            return self.by_halves(out, add, [m, k, n], a, b);
        }
        // A vector of columns at least.
        if m <= FEW && n >= 16 && b.is_in_rows() {
            if !add {
                out.fill(0.0);
            }
            return few::add(&self.threads, out, n, [m, n], &[Term { a, b, k }]);
        }
        // Some 40 multiplications and additions a nanosecond; the longer side is cut, in whole vectors.
        let parts = self.threads.parts(m * k * n / 40);
        let by_columns = n >= m;
        let longer = if by_columns { n } else { m };
        // The rest goes with the last: a single row or column would be summed in another order.
        let blocks = (longer / 16).max(1);
        let to = Output(out.as_mut_ptr());
        self.threads.run(ranges(blocks, parts.min(blocks)), |range| {
            let (start, end) = (range.start * 16, if range.end == blocks { longer } else { range.end * 16 });
            let (rows, columns) = if by_columns { (0..m, start..end) } else { (start..end, 0..n) };
            let to = &to;
            let sizes = [rows.len(), k, columns.len()];
            let (a, b) = (a.after(rows.start * a.row), b.after(columns.start * b.column));
            // SAFETY: the assertion above holds the operands within their slices, and the rows and columns of this part
            // lie within `m` and `n`. `out` is borrowed mutably by this function, `run` ends before it does, and no
            // two parts have an element of it in common.
            #[allow(unsafe_code)]
            unsafe {
                product(to.0.add(rows.start * n + columns.start), n, add, sizes, a, b);
            }
        });
    }

    /// [`Cpu::multiply`] of a long sum: of its halves, down to what the `gemm` crate takes at once.
    fn by_halves(&self, out: &mut [f32], add: bool, [m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) {
        if k <= DEPTH {
            return self.multiply(out, add, [m, k, n], a, b);
        }
        let half = (k / 2).next_multiple_of(DEPTH);
        let mut part = self.memory.take(m * n);
        self.by_halves(out, add, [m, half, n], a, b);
        self.by_halves(&mut part, false, [m, k - half, n], a.columns_from(half), b.rows_from(half));
        add_to(out, &part);
        self.memory.give(part);
    }

    pub(crate) fn matmul(&self, a: &Array, at: bool, b: &Array, bt: bool, p: &Product) -> Result<Array> {
        let (x, y) = (a.numbers()?, b.numbers()?);
        let mut out = self.memory.take(p.shape.elements());
        let (a_width, b_width) = (a.shape().last(), b.shape().last());
        if p.a_batched && !p.b_batched && !at {
            // One matrix for all products: the rows of all products are the rows of one.
            let (a, b) = (Matrix::new(&x, a_width, false), Matrix::new(&y, b_width, bt));
            self.multiply(&mut out, false, [p.batch * p.m, p.k, p.n], a, b);
            return self.array(out, p.shape);
        }
        let part =
            |x: &'_ [f32], batched, size: usize, i: usize| if batched { i * size..(i + 1) * size } else { 0..x.len() };
        for (i, out) in out.chunks_exact_mut((p.m * p.n).max(1)).enumerate() {
            let a = Matrix::new(&x[part(&x, p.a_batched, p.m * p.k, i)], a_width, at);
            let b = Matrix::new(&y[part(&y, p.b_batched, p.k * p.n, i)], b_width, bt);
            self.multiply(out, false, [p.m, p.k, p.n], a, b);
        }
        self.array(out, p.shape)
    }
}
