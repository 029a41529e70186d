//! The required operations by candle's own kernels, the same code for every device: what runs on Metal, and what elman's
//! kernels for the CPU and for CUDA are compared with.
//!
//! Where candle departs from the contract of [`elman::Backend`] the difference is made up here:
//! * its `maximum`, `minimum`, `sign` and maximum along an axis drop a NaN;
//! * its `argmax` does not promise the first of equals on a GPU;
//! * it has no `ln(1 + x)` and `e^x - 1`;
//! * its reductions panic on empty arrays: callers keep those away (see [`empty`]).

use candle_core::{DType, Device, Result, Tensor};
use elman::Shape;
use elman::backend::check::Product;
use elman::backend::{Map, Zip};

/// An array without elements. It views storage of one element, as devices refuse to allocate nothing.
pub(crate) fn empty(shape: Shape, dtype: DType, device: &Device) -> Result<Tensor> {
    Tensor::zeros(1, dtype, device)?.narrow(0, 0, 0)?.reshape(&shape[..])
}

/// [`Map::apply`] on every element.
pub(crate) fn map(op: Map, x: &Tensor) -> Result<Tensor> {
    match op {
        Map::Neg => x.neg(),
        Map::Abs => x.abs(),
        Map::Sign => keep_nan(x, &x.sign()?),
        Map::Exp => x.exp(),
        Map::ExpM1 => exp_m1(x),
        Map::Ln => x.log(),
        Map::Ln1p => ln_1p(x),
        Map::Sqrt => x.sqrt(),
        Map::Square => x.sqr(),
        Map::Recip => x.recip(),
        Map::Pow(p) => x.powf(p),
        Map::Tanh => x.tanh(),
        Map::Sigmoid => candle_nn::ops::sigmoid(x),
        Map::Erf => x.erf(),
        Map::Affine(scale, shift) => x.affine(scale, shift),
        Map::Clamp(low, high) => {
            let above = if low == f64::NEG_INFINITY { x.clone() } else { x.maximum(low)? };
            let within = if high == f64::INFINITY { above } else { above.minimum(high)? };
            keep_nan(x, &within)
        }
        Map::Step => number(&x.gt(0.0)?),
    }
}

/// [`Zip::apply`] on every pair, with broadcasting.
pub(crate) fn zip(op: Zip, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match op {
        Zip::Add => a.broadcast_add(b),
        Zip::Sub => a.broadcast_sub(b),
        Zip::Mul => a.broadcast_mul(b),
        Zip::Div => a.broadcast_div(b),
        Zip::Max => keep_either_nan(a, b, &a.broadcast_maximum(b)?),
        Zip::Min => keep_either_nan(a, b, &a.broadcast_minimum(b)?),
        Zip::Equal => number(&a.broadcast_eq(b)?),
        Zip::Less => number(&a.broadcast_lt(b)?),
        Zip::Greater => number(&a.broadcast_gt(b)?),
    }
}

/// `a` where `mask` is not 0, else `b`; all of one shape.
pub(crate) fn select(mask: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    mask.ne(0.0)?.where_cond(a, b)
}

/// Sums down to `shape`, an axis at a time.
pub(crate) fn sum_to(a: &Tensor, shape: Shape) -> Result<Tensor> {
    let missing = a.rank() - shape.rank();
    let summed = (0..a.rank()).rev().filter(|&axis| axis < missing || shape[axis - missing] != a.dims()[axis]);
    summed.into_iter().try_fold(a.clone(), |a, axis| sum_along(&a, axis))?.reshape(&shape[..])
}

/// So many numbers are added up by candle, in one running sum; sums of such blocks are added to each other.
const BLOCK: usize = 256;

/// The sum along an axis, which stays with size 1.
fn sum_along(a: &Tensor, axis: usize) -> Result<Tensor> {
    let length = a.dims()[axis];
    if length <= BLOCK {
        return a.sum_keepdim(axis);
    }
    let mut wide = a.dims().to_vec();
    wide[axis] = length / BLOCK;
    wide.insert(axis + 1, BLOCK);
    let whole = length / BLOCK * BLOCK;
    let sums = a.narrow(axis, 0, whole)?.contiguous()?.reshape(wide)?.sum(axis + 1)?;
    let sums = match length - whole {
        0 => sums,
        rest => Tensor::cat(&[&sums, &a.narrow(axis, whole, rest)?.sum_keepdim(axis)?], axis)?,
    };
    sum_along(&sums, axis)
}

/// The greatest along `axis`, NaN if one is there.
pub(crate) fn max(a: &Tensor, axis: usize) -> Result<Tensor> {
    let max = a.max_keepdim(axis)?;
    let nans = a.ne(a)?.to_dtype(DType::F32)?.sum_keepdim(axis)?;
    nans.gt(0.0)?.where_cond(&nans.affine(0.0, f64::NAN)?, &max)
}

/// The first index of the greatest along `axis`, where NaN counts as the greatest of all.
pub(crate) fn argmax(a: &Tensor, axis: usize) -> Result<Tensor> {
    let greatest = max(a, axis)?;
    let hit = number(&a.broadcast_eq(&greatest)?)?.add(&number(&a.ne(a)?)?)?;
    // The least index among the hits; as whole numbers, for floats do not count far enough.
    let n = a.dims()[axis];
    let mut along = vec![1; a.rank()];
    along[axis] = n;
    let index = Tensor::arange(0, n as u32, a.device())?.reshape(along)?.broadcast_as(a.shape())?.contiguous()?;
    let none = Tensor::full(n as u32, a.shape(), a.device())?;
    hit.gt(0.0)?.where_cond(&index, &none)?.min(axis)
}

/// A longer inner dimension of a product is cut, down to this depth, so that no running sum becomes long.
const LONG: usize = 1 << 15;
const DEPTH: usize = 512;

/// The batched product whose dimensions are `p`.
pub(crate) fn matmul(a: &Tensor, at: bool, b: &Tensor, bt: bool, p: &Product) -> Result<Tensor> {
    if p.k > LONG {
        return by_halves(a, at, b, bt, p);
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    if p.a_batched && !p.b_batched && !at {
        // One matrix for all products: the rows of all products are the rows of one.
        return flat(&a)?.matmul(&turned(&b, bt)?)?.reshape(&p.shape[..]);
    }
    let spread = |x: &Tensor, batched: bool, transpose: bool| -> Result<Tensor> {
        let rank = x.rank();
        let x = x.reshape((if batched { p.batch } else { 1 }, x.dims()[rank - 2], x.dims()[rank - 1]))?;
        let x = turned(&x, transpose)?;
        if batched || p.batch == 1 { Ok(x) } else { x.broadcast_as((p.batch, x.dims()[1], x.dims()[2]))?.contiguous() }
    };
    spread(&a, p.a_batched, at)?.matmul(&spread(&b, p.b_batched, bt)?)?.reshape(&p.shape[..])
}

/// [`matmul`] as the sum of the products of both halves of the inner dimension.
fn by_halves(a: &Tensor, at: bool, b: &Tensor, bt: bool, p: &Product) -> Result<Tensor> {
    if p.k <= DEPTH {
        return matmul(a, at, b, bt, p);
    }
    let half = p.k / 2;
    let part = |start: usize, k: usize| {
        let a = a.narrow(a.rank() - if at { 2 } else { 1 }, start, k)?;
        let b = b.narrow(b.rank() - if bt { 1 } else { 2 }, start, k)?;
        by_halves(&a, at, &b, bt, &Product { k, ..*p })
    };
    part(0, half)? + part(half, p.k - half)?
}

/// Rows of `table` by `rows`, of any shape.
pub(crate) fn gather(table: &Tensor, rows: &Tensor, shape: Shape) -> Result<Tensor> {
    table.contiguous()?.index_select(&rows.flatten_all()?, 0)?.reshape(&shape[..])
}

/// Zeros `[n, d]` with the rows of `values` added.
pub(crate) fn scatter_add(values: &Tensor, rows: &Tensor, shape: Shape) -> Result<Tensor> {
    let rows = rows.flatten_all()?;
    let values = values.reshape((rows.elem_count(), shape[1]))?.contiguous()?;
    add_rows(&values, &rows, shape)
}

/// The same of rows in a line: of many by halves, as all of them may be added to one.
fn add_rows(values: &Tensor, rows: &Tensor, shape: Shape) -> Result<Tensor> {
    // A part has a result of its own, which should cost no more than its rows do.
    let (count, few) = (rows.elem_count(), shape[0].max(512));
    if count <= few {
        return Tensor::zeros(&shape[..], DType::F32, values.device())?.index_add(rows, values, 0);
    }
    let half = count / 2;
    let part = |start, count| add_rows(&values.narrow(0, start, count)?, &rows.narrow(0, start, count)?, shape);
    part(0, half)? + part(half, count - half)?
}

/// A 1 at each index.
pub(crate) fn one_hot(indices: &Tensor, shape: Shape) -> Result<Tensor> {
    let classes = Tensor::arange(0, shape.last() as u32, indices.device())?;
    number(&indices.flatten_all()?.unsqueeze(1)?.broadcast_eq(&classes.unsqueeze(0)?)?)?.reshape(&shape[..])
}

fn number(truth: &Tensor) -> Result<Tensor> {
    truth.to_dtype(DType::F32)
}

fn keep_nan(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    x.eq(x)?.where_cond(y, x)
}

fn keep_either_nan(a: &Tensor, b: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (a, b) = (a.broadcast_as(y.shape())?, b.broadcast_as(y.shape())?);
    keep_nan(&b, &keep_nan(&a, y)?)
}

/// Near 0 from `e^x - 1 = 2 t / (1 - t)` with `t = tanh(x / 2)`, where nothing cancels.
fn exp_m1(x: &Tensor) -> Result<Tensor> {
    let t = x.affine(0.5, 0.0)?.tanh()?;
    let near = t.affine(2.0, 0.0)?.div(&t.affine(-1.0, 1.0)?)?;
    x.abs()?.lt(0.5)?.where_cond(&near, &x.exp()?.affine(1.0, -1.0)?)
}

/// Near 0 by Kahan's correction `ln(u) x / (u - 1)` with `u = 1 + x` as rounded.
fn ln_1p(x: &Tensor) -> Result<Tensor> {
    let u = x.affine(1.0, 1.0)?;
    let rounded = u.affine(1.0, -1.0)?;
    let (far, small) = (u.log()?, rounded.eq(0.0)?.where_cond(x, &u.log()?.mul(x)?.div(&rounded)?)?);
    x.abs()?.lt(0.5)?.where_cond(&small, &far)
}

fn turned(x: &Tensor, transpose: bool) -> Result<Tensor> {
    if transpose { x.transpose(x.rank() - 2, x.rank() - 1) } else { Ok(x.clone()) }
}

/// `[.., n]` as `[rows, n]`.
fn flat(x: &Tensor) -> Result<Tensor> {
    x.flatten_to(x.rank() - 2)
}
