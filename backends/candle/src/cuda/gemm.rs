//! Matrix products by cuBLAS.

#![allow(unsafe_code)]

use super::Cuda;
use crate::Precision;
use crate::array::{Array, error};
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use elman::backend::check::Product;
use elman::{Result, Shape};

/// A matrix in row-major order, or several of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    address: u64,
    /// From a row to the next.
    stride: usize,
    transposed: bool,
    /// From a matrix to the next; 0 if one serves for all products.
    next: usize,
}

impl Matrix {
    /// A matrix whose rows follow each other at `stride` numbers.
    pub(crate) fn new(address: u64, stride: usize) -> Self {
        Matrix { address, stride, transposed: false, next: 0 }
    }

    /// The matrix from number `first` of its memory on.
    pub(crate) fn from(self, first: usize) -> Self {
        Matrix { address: self.address + 4 * first as u64, ..self }
    }

    /// Its transpose.
    pub(crate) fn transposed(self) -> Self {
        Matrix { transposed: !self.transposed, ..self }
    }

    fn operation(self) -> sys::cublasOperation_t {
        match self.transposed {
            true => sys::cublasOperation_t::CUBLAS_OP_T,
            false => sys::cublasOperation_t::CUBLAS_OP_N,
        }
    }
}

/// A product that adds up more numbers than so many is cut, to parts of some of [`DEPTH`] numbers at least, whose results
/// together are no more than [`ROOM`]: cuBLAS need not cut a sum itself, and one running `f32` loses count.
const LONG: usize = 1 << 16;
const DEPTH: usize = 512;
const ROOM: usize = 1 << 24;

impl Cuda {
    /// The batched product whose dimensions are `p`, none of which is 0.
    pub(crate) fn matmul(&self, a: &Array, at: bool, b: &Array, bt: bool, p: &Product) -> Result<Array> {
        let (a, b) = (self.packed(a)?, self.packed(b)?);
        let matrix = |x: &Array, batched: bool, transposed: bool| -> Result<Matrix> {
            let shape = x.shape();
            let next = if batched { shape[shape.rank() - 2] * shape.last() } else { 0 };
            Ok(Matrix { address: self.address(x)?, stride: shape.last(), transposed, next })
        };
        let (a, b) = (matrix(&a, p.a_batched, at)?, matrix(&b, p.b_batched, bt)?);
        if p.batch == 1 {
            return self.product("matmul", p.shape, [p.m, p.k, p.n], a, b);
        }
        let y = self.fresh("matmul", p.shape)?;
        let into = Matrix { next: p.m * p.n, ..Matrix::new(self.address(&y)?, p.n) };
        match p.a_batched && !p.b_batched && !at {
            // One matrix for all products: the rows of all products are the rows of one.
            true => self.gemm([p.batch * p.m, p.k, p.n], 1, Matrix { next: 0, ..a }, b, into, 0.0)?,
            false => self.gemm([p.m, p.k, p.n], p.batch, a, b, into, 0.0)?,
        }
        Ok(y)
    }

    /// A single product `a b` as a new array; none of its sizes is 0.
    pub(crate) fn product(
        &self,
        op: &'static str,
        shape: Shape,
        [m, k, n]: [usize; 3],
        a: Matrix,
        b: Matrix,
    ) -> Result<Array> {
        if k <= LONG {
            let y = self.fresh(op, shape)?;
            self.gemm([m, k, n], 1, a, b, Matrix::new(self.address(&y)?, n), 0.0)?;
            return Ok(y);
        }
        let depth = DEPTH.max(k.div_ceil((ROOM / (m * n)).max(1)));
        let (parts, rest) = (k / depth, k % depth);
        let all = parts + usize::from(rest > 0);
        let sums = self.fresh(op, Shape::new(&[all, m * n])?)?;
        let into = Matrix { next: m * n, ..Matrix::new(self.address(&sums)?, n) };
        // The inner dimension goes along the rows of `a` and down the columns of `b`.
        let a = Matrix { next: if a.transposed { depth * a.stride } else { depth }, ..a };
        let b = Matrix { next: if b.transposed { depth } else { depth * b.stride }, ..b };
        self.gemm([m, depth, n], parts, a, b, into, 0.0)?;
        if rest > 0 {
            let [a, b, into] = [a, b, into].map(|matrix| matrix.from(parts * matrix.next));
            self.gemm([m, rest, n], 1, a, b, into, 0.0)?;
        }
        let sum = if all == 1 { sums } else { self.sum_along(&sums, 1, all, m * n)? };
        Ok(sum.view(sum.tensor().reshape(&shape[..]).map_err(error(op))?, shape))
    }

    /// `c = a b + keep c` for `count` products of `[m, k]` by `[k, n]`.
    ///
    /// The caller sees to it that memory is as large as that.
    pub(crate) fn gemm(
        &self,
        [m, k, n]: [usize; 3],
        count: usize,
        a: Matrix,
        b: Matrix,
        c: Matrix,
        keep: f32,
    ) -> Result<()> {
        let compute = match self.precision {
            Precision::F32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            Precision::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            Precision::Bf16 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_16BF,
        };
        let (float, algorithm) =
            (sys::cudaDataType_t::CUDA_R_32F, sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT_TENSOR_OP);
        let one = 1f32;
        let blas = self.device.cublas_handle();
        self.stream.context().bind_to_thread().w().map_err(error("matmul"))?;
        // cuBLAS counts columns first: what it takes for the transposes of `b` and `a` gives that of `c`.
        let (rows, columns, terms) = (n as i32, m as i32, k as i32);
        let [one, keep] = [&raw const one, &raw const keep].map(|number| number.cast());
        let (first, second) = (b.address as *const _, a.address as *const _);
        let to = c.address as *mut _;
        let [of_first, of_second, of_c] = [b, a, c].map(|matrix| matrix.stride as i32);
        let (first_op, second_op) = (b.operation(), a.operation());
        // SAFETY: the numbers by pointer live until the call is over; the sizes are those of the operands, by contract;
        // memory is freed in the order of the stream, which is the handle's.
        let done = unsafe {
            match count {
                // How a single product is computed has more choices, such as to cut a long sum.
                1 => result::gemm_ex(
                    *blas.handle(),
                    first_op,
                    second_op,
                    rows,
                    columns,
                    terms,
                    one,
                    first,
                    float,
                    of_first,
                    second,
                    float,
                    of_second,
                    keep,
                    to,
                    float,
                    of_c,
                    compute,
                    algorithm,
                ),
                _ => result::gemm_strided_batched_ex(
                    *blas.handle(),
                    first_op,
                    second_op,
                    rows,
                    columns,
                    terms,
                    one,
                    first,
                    float,
                    of_first,
                    b.next as i64,
                    second,
                    float,
                    of_second,
                    a.next as i64,
                    keep,
                    to,
                    float,
                    of_c,
                    c.next as i64,
                    count as i32,
                    compute,
                    algorithm,
                ),
            }
        };
        done.w().map_err(error("matmul"))
    }
}
