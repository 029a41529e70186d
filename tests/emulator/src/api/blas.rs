//! cuBLAS: the products that the backend asks for.

use super::device::{DEVICE, status};
use super::stream::{Work, on};
use crate::machine::{AtWork, Fault};
use crate::ptx::tf32;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

/// cuBLAS' numbers.
const INVALID_VALUE: i32 = 7;
const EXECUTION_FAILED: i32 = 13;
const NOT_SUPPORTED: i32 = 15;
const FLOAT: i32 = 0;

/// What is multiplied is rounded first.
#[derive(Clone, Copy, Debug)]
enum Rounding {
    None,
    Tf32,
    Bf16,
}

impl Rounding {
    fn of(self, x: f32) -> f32 {
        match self {
            Rounding::None => x,
            Rounding::Tf32 => tf32(x),
            // To the nearest, and to the even one of two.
            Rounding::Bf16 if x.is_finite() => {
                f32::from_bits((x.to_bits() + 0x7fff + (x.to_bits() >> 16 & 1)) & !0xffff)
            }
            Rounding::Bf16 => x,
        }
    }
}

/// A matrix, columns first: `stride` from one to the next, and `next` to the next matrix.
#[derive(Clone, Copy, Debug)]
struct Matrix {
    begin: u64,
    stride: usize,
    next: usize,
    transposed: bool,
}

/// `c = alpha a b + beta c` of `count` products of `[m, k]` by `[k, n]`.
#[derive(Debug)]
pub(super) struct Product {
    m: usize,
    n: usize,
    k: usize,
    count: usize,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    alpha: f32,
    beta: f32,
    rounding: Rounding,
}

impl Product {
    pub(super) fn execute(&self, memory: &AtWork<'_>) -> Result<(), Fault> {
        let Product { m, n, k, count, .. } = *self;
        let in_bounds = |matrix: Matrix, rows: usize, columns: usize| {
            let (rows, columns) = if matrix.transposed { (columns, rows) } else { (rows, columns) };
            let last = (count - 1) * matrix.next + (columns - 1) * matrix.stride + rows;
            on(memory, matrix.begin, 4 * last).map_err(|Fault(what)| Fault(format!("{self:?}: {what}")))
        };
        in_bounds(self.a, m, k)?;
        in_bounds(self.b, k, n)?;
        in_bounds(self.c, m, n)?;
        let (mut a, mut b, mut column) = (vec![0.0; m * k], vec![0.0; k * n], vec![0.0f32; m]);
        for which in 0..count {
            self.pack(&mut a, self.a, which, m);
            self.pack(&mut b, self.b, which, k);
            for (j, b) in b.chunks(k).enumerate() {
                column.fill(0.0);
                for (a, &b) in a.chunks(m).zip(b) {
                    column.iter_mut().zip(a).for_each(|(sum, &a)| *sum += a * b);
                }
                let to = self.c.begin as *mut f32;
                for (i, &sum) in column.iter().enumerate() {
                    // SAFETY: within the array, by the check above. Without beta what is there may be anything.
                    unsafe {
                        let to = to.add(which * self.c.next + j * self.c.stride + i);
                        let kept = if self.beta == 0.0 { 0.0 } else { self.beta * *to };
                        *to = self.alpha * sum + kept;
                    }
                }
            }
        }
        Ok(())
    }

    /// A matrix with columns of so many rows one after another, rounded.
    fn pack(&self, to: &mut [f32], matrix: Matrix, which: usize, rows: usize) {
        for (i, to) in to.iter_mut().enumerate() {
            let (row, column) = (i % rows, i / rows);
            let (row, column) = if matrix.transposed { (column, row) } else { (row, column) };
            let place = which * matrix.next + column * matrix.stride + row;
            // SAFETY: within the array, by the caller's check.
            *to = self.rounding.of(unsafe { *(matrix.begin as *const f32).add(place) });
        }
    }
}

/// # Safety
///
/// `handle` points to room for a pointer.
#[unsafe(no_mangle)]
unsafe extern "C" fn cublasCreate_v2(handle: *mut u64) -> i32 {
    // SAFETY: by contract.
    unsafe { *handle = DEVICE.handles.add(AtomicU64::new(0)) };
    status::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cublasDestroy_v2(handle: u64) -> i32 {
    DEVICE.handles.remove(handle).map_or(INVALID_VALUE, |_| status::SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetStream_v2(handle: u64, stream: u64) -> i32 {
    let Ok(own) = DEVICE.handles.get(handle) else { return INVALID_VALUE };
    own.store(stream, Ordering::Relaxed);
    status::SUCCESS
}

/// # Safety
///
/// `alpha` and `beta` point to numbers of 32 bits.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn cublasGemmStridedBatchedEx(
    handle: u64,
    a_transposed: i32,
    b_transposed: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: *const c_void,
    a: u64,
    a_type: i32,
    a_stride: i32,
    a_next: i64,
    b: u64,
    b_type: i32,
    b_stride: i32,
    b_next: i64,
    beta: *const c_void,
    c: u64,
    c_type: i32,
    c_stride: i32,
    c_next: i64,
    count: i32,
    compute: i32,
    _algorithm: i32,
) -> i32 {
    if [a_type, b_type, c_type] != [FLOAT; 3] {
        return NOT_SUPPORTED;
    }
    let rounding = match compute {
        68 => Rounding::None,
        75 => Rounding::Bf16,
        77 => Rounding::Tf32,
        _ => return NOT_SUPPORTED,
    };
    let matrix = |begin, stride: i32, next: i64, transposed: i32| Matrix {
        begin,
        stride: stride as usize,
        next: next as usize,
        transposed: transposed != 0,
    };
    let (a, b) = (matrix(a, a_stride, a_next, a_transposed), matrix(b, b_stride, b_next, b_transposed));
    let c = matrix(c, c_stride, c_next, 0);
    let rows = |matrix: Matrix, rows: i32, columns: i32| if matrix.transposed { columns } else { rows };
    let wrong = [m, n, k, count].iter().any(|&size| size < 0)
        || a_stride < rows(a, m, k).max(1)
        || b_stride < rows(b, k, n).max(1)
        || c_stride < m.max(1);
    let Ok(stream) = DEVICE.handles.get(handle).and_then(|own| DEVICE.stream(own.load(Ordering::Relaxed))) else {
        return INVALID_VALUE;
    };
    if wrong {
        return INVALID_VALUE;
    }
    if [m, n, k, count].contains(&0) {
        return NOT_SUPPORTED;
    }
    // SAFETY: by contract.
    let (alpha, beta) = unsafe { (*alpha.cast::<f32>(), *beta.cast::<f32>()) };
    let [m, n, k, count] = [m, n, k, count].map(|size| size as usize);
    let product = Product { m, n, k, count, a, b, c, alpha, beta, rounding };
    stream.add(Work::Product(product)).map_or(EXECUTION_FAILED, |_| status::SUCCESS)
}

/// The same for one product.
///
/// # Safety
///
/// As there.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn cublasGemmEx(
    handle: u64,
    a_transposed: i32,
    b_transposed: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: *const c_void,
    a: u64,
    a_type: i32,
    a_stride: i32,
    b: u64,
    b_type: i32,
    b_stride: i32,
    beta: *const c_void,
    c: u64,
    c_type: i32,
    c_stride: i32,
    compute: i32,
    algorithm: i32,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        cublasGemmStridedBatchedEx(
            handle,
            a_transposed,
            b_transposed,
            m,
            n,
            k,
            alpha,
            a,
            a_type,
            a_stride,
            0,
            b,
            b_type,
            b_stride,
            0,
            beta,
            c,
            c_type,
            c_stride,
            0,
            1,
            compute,
            algorithm,
        )
    }
}
