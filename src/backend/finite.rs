//! Which arrays hold finite numbers alone: the default body of [`Backend::finite`].

use super::{Backend, Map, Zip};
use crate::error::Result;

/// `[n]` for `n` arrays of any shapes: 1 where all numbers of an array are finite, 0 where one is infinite or not a number.
/// An array without elements is finite. Nothing is read back.
pub fn finite<B: Backend>(b: &B, arrays: &[&B::Array]) -> Result<B::Array> {
    // 0 of what is finite, NaN of what is not; and a NaN goes through the sum and is not equal to itself.
    let nothing = |array: &&B::Array| {
        let sum = b.sum_to(&b.map(Map::Affine(0.0, 0.0), array)?, [].into())?;
        b.reshape(&sum, [1].into())
    };
    let sums = arrays.iter().map(nothing).collect::<Result<Vec<_>>>()?;
    if sums.is_empty() {
        return b.fill([0].into(), 1.0);
    }
    let sums = b.concat(&sums.iter().collect::<Vec<_>>(), 0)?;
    b.zip(Zip::Equal, &sums, &sums)
}
