//! Sums of exponentials by their logarithms, for the default bodies of recurrences over paths.

use super::{Backend, Map, Zip};
use crate::error::Result;

/// Below the logarithm of anything that is possible.
pub(crate) const LEAST: f64 = -1e30;

/// The greatest along an axis, which stays with size 1, or less than anything possible where nothing is.
pub(crate) fn most<B: Backend>(b: &B, x: &B::Array, axis: usize) -> Result<B::Array> {
    b.map(Map::Clamp(LEAST, f64::INFINITY), &b.max(x, axis)?)
}

/// The softmax along the last axis; 0 throughout where all are -∞.
pub(crate) fn probabilities<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let axis = b.shape(x).rank() - 1;
    let e = b.map(Map::Exp, &b.zip(Zip::Sub, x, &most(b, x, axis)?)?)?;
    let sum = b.sum_to(&e, b.shape(x).with(axis, 1))?;
    // The greatest is 1, if there is one.
    b.zip(Zip::Div, &e, &b.map(Map::Clamp(1.0, f64::INFINITY), &sum)?)
}

/// `ln Σ e^x` along an axis, which stays with size 1; -∞ where all are.
pub(crate) fn log_sum_exp<B: Backend>(b: &B, x: &B::Array, axis: usize) -> Result<B::Array> {
    let most = most(b, x, axis)?;
    let sum = b.sum_to(&b.map(Map::Exp, &b.zip(Zip::Sub, x, &most)?)?, b.shape(&most))?;
    b.zip(Zip::Add, &b.map(Map::Ln, &sum)?, &most)
}
