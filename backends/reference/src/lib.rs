//! The reference backend of `elman`: plain Rust from scratch, in `f32` or `f64`, small enough to read in one sitting.
//!
//! ```
//! use elman::Tensor;
//! use elman_reference::Reference;
//!
//! let b = Reference::<f32>::new();
//! let x = Tensor::new(&b, vec![1.0, 2.0, 3.0, 4.0], &[2, 2])?;
//! assert_eq!(x.matmul(&x)?.to_vec()?, [7.0, 10.0, 15.0, 22.0]);
//! # Ok::<(), elman::Error>(())
//! ```
//!
//! It does three things: in `f64` it is what gradients and other backends are checked against; it shows what a
//! backend is; and it leaves most fused operations to their default bodies, so that those are exercised. It overrides
//! a fused operation only where that pays and stays small. See the crate's README for a way through the files.
#![deny(unsafe_code)]

mod array;
mod elementwise;
mod layout;
mod math;
mod matmul;
mod memory;
mod reduce;
mod rows;
mod simd;
mod threads;

pub use array::{Array, Indices};

/// The README's code must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Networks on this backend, compiled once for all programs in builds that are not optimised.
#[cfg(all(debug_assertions, not(test)))]
#[doc(hidden)]
pub fn instances() -> Result<()> {
    elman::instances(&Reference::<f32>::new(), "".as_ref())?;
    elman::instances(&Reference::<f64>::new(), "".as_ref())
}

use elman::backend::{self, Backend, Map, Reach, Update, Zip, check};
use elman::data::Bags;
use elman::{Element, Key, Result, Shape};
use std::marker::PhantomData;

/// The handle of the reference backend: arrays of `E` (`f32` or `f64`) in the host's memory.
///
/// Large matrix products and optimiser steps are divided among threads. The results do not depend on their number.
#[derive(Clone, Debug)]
pub struct Reference<E: Element> {
    threads: usize,
    element: PhantomData<E>,
}

impl<E: Element> Reference<E> {
    /// A backend with as many threads as the machine can run at once.
    pub fn new() -> Self {
        Self::with_threads(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// A backend with at most so many threads; 0 counts as 1.
    ///
    /// ```
    /// assert_eq!(elman_reference::Reference::<f64>::with_threads(0).threads(), 1);
    /// ```
    pub fn with_threads(threads: usize) -> Self {
        Reference { threads: threads.max(1), element: PhantomData }
    }

    /// The greatest number of threads that an operation is divided among.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

impl<E: Element> Default for Reference<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Element> Backend for Reference<E> {
    type Elem = E;
    type Array = Array<E>;
    type Indices = Indices;

    fn name(&self) -> String {
        format!("reference {}", E::NAME)
    }

    // ---- transfer ---------------------------------------------------------------------------------------------

    fn upload(&self, data: Vec<E>, shape: Shape) -> Result<Array<E>> {
        check::upload(data.len(), shape)?;
        Ok(Array::new(data, shape))
    }

    fn download(&self, a: &Array<E>) -> Result<Vec<E>> {
        Ok(a.data().to_vec())
    }

    fn upload_indices(&self, data: Vec<u32>, shape: Shape) -> Result<Indices> {
        check::upload(data.len(), shape)?;
        Ok(Indices::new(data, shape))
    }

    fn download_indices(&self, a: &Indices) -> Result<Vec<u32>> {
        Ok(a.data().to_vec())
    }

    fn shape(&self, a: &Array<E>) -> Shape {
        a.shape()
    }

    fn indices_shape(&self, a: &Indices) -> Shape {
        a.shape()
    }

    // ---- elementwise ------------------------------------------------------------------------------------------

    fn fill(&self, shape: Shape, value: f64) -> Result<Array<E>> {
        Ok(Array::new(vec![E::from_f64(value); shape.elements()], shape))
    }

    fn map(&self, op: Map, a: &Array<E>) -> Result<Array<E>> {
        Ok(elementwise::map(op, a))
    }

    fn zip(&self, op: Zip, a: &Array<E>, b: &Array<E>) -> Result<Array<E>> {
        elementwise::zip(op, a, b)
    }

    fn select(&self, mask: &Array<E>, a: &Array<E>, b: &Array<E>) -> Result<Array<E>> {
        elementwise::select(mask, a, b)
    }

    // ---- reductions -------------------------------------------------------------------------------------------

    fn sum_to(&self, a: &Array<E>, shape: Shape) -> Result<Array<E>> {
        reduce::sum_to(a, shape)
    }

    fn max(&self, a: &Array<E>, axis: usize) -> Result<Array<E>> {
        reduce::max(a, axis)
    }

    fn argmax(&self, a: &Array<E>, axis: usize) -> Result<Indices> {
        reduce::argmax(a, axis)
    }

    // ---- products ---------------------------------------------------------------------------------------------

    fn matmul(&self, a: &Array<E>, at: bool, b: &Array<E>, bt: bool) -> Result<Array<E>> {
        matmul::matmul(self.threads, a, at, b, bt)
    }

    // ---- layout -----------------------------------------------------------------------------------------------

    fn reshape(&self, a: &Array<E>, shape: Shape) -> Result<Array<E>> {
        a.reshape(shape)
    }

    fn permute(&self, a: &Array<E>, axes: &[usize]) -> Result<Array<E>> {
        layout::permute(a, axes)
    }

    fn slice(&self, a: &Array<E>, axis: usize, start: usize, length: usize) -> Result<Array<E>> {
        layout::slice(a, axis, start, length)
    }

    fn concat(&self, parts: &[&Array<E>], axis: usize) -> Result<Array<E>> {
        layout::concat(parts, axis)
    }

    // ---- by index ---------------------------------------------------------------------------------------------

    fn gather(&self, table: &Array<E>, rows: &Indices) -> Result<Array<E>> {
        rows::gather(table, rows)
    }

    fn scatter_add(&self, values: &Array<E>, rows: &Indices, n: usize) -> Result<Array<E>> {
        rows::scatter_add(values, rows, n)
    }

    fn one_hot(&self, a: &Indices, classes: usize) -> Result<Array<E>> {
        rows::one_hot(a, classes)
    }

    // ---- overrides: in place, or without arrays that the default body must form ---------------------------------

    fn add_assign(&self, a: &mut Array<E>, b: &Array<E>) -> Result<()> {
        elementwise::add_assign(a, b)
    }

    fn update(&self, rule: &Update, w: &mut Array<E>, g: &Array<E>, state: &mut [Array<E>]) -> Result<()> {
        backend::update::check_shapes(self, rule, w, g, state)?;
        threads::update(self.threads, rule, w, g, state)
    }

    fn update_rows(
        &self,
        rule: &Update,
        reach: Reach,
        w: &mut Array<E>,
        (rows, g): (&Indices, &Array<E>),
        state: &mut [Array<E>],
        when: Option<&Array<E>>,
    ) -> Result<()> {
        let n = backend::rows::check_shapes(self, w, rows, g)?;
        backend::update::check_when(self, when)?;
        check::indices("update_rows", rows.data(), n)?;
        check::rising("update_rows", rows.data())?;
        backend::update::check_shapes(self, rule, w, w, state)?;
        if when.is_some_and(|when| when.data()[0] == E::ZERO) {
            return Ok(());
        }
        rows::update_rows(rule, reach, w, (rows, g), state)
    }

    fn finite(&self, arrays: &[&Array<E>]) -> Result<Array<E>> {
        let finite = arrays.iter().map(|array| array.data().iter().all(|x| x.is_finite()));
        let finite: Vec<E> = finite.map(|all| if all { E::ONE } else { E::ZERO }).collect();
        let shape = [finite.len()].into();
        Ok(Array::new(finite, shape))
    }

    fn is_on_host(&self) -> bool {
        true
    }

    fn bag_linear(&self, x: &Bags, w: &Array<E>, bias: Option<&Array<E>>) -> Result<Array<E>> {
        rows::bag_linear(x, w, bias)
    }

    fn bag_linear_grad(&self, x: &Bags, dy: &Array<E>) -> Result<Array<E>> {
        rows::bag_linear_grad(x, dy)
    }

    fn dropout(&self, x: &Array<E>, rate: f64, key: Key) -> Result<Array<E>> {
        Ok(elementwise::dropout(x, rate, key))
    }
}
