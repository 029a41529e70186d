//! Dropout without a mask: the draws are made where they are used.

use super::sources::DROPOUT;
use super::{Arg, Cuda, Grid};
use crate::array::{Array, Indices};
use elman::{Key, Result};

impl Cuda {
    pub(crate) fn dropout(&self, x: &Array, rate: f64, key: Key) -> Result<Array> {
        let out = self.fresh("dropout", x.shape())?;
        self.pointwise_into(DROPOUT, "dropout", x.shape(), &[x], &out, &law(rate, key))?;
        Ok(out)
    }

    pub(crate) fn row_keep_mask(&self, rows: &Indices, rate: f64, key: Key) -> Result<Array> {
        let (out, n) = (self.fresh("row_keep_mask", rows.shape())?, rows.shape().elements());
        let arguments = [&[n.into(), self.whole(rows)?, self.floats(&out)?], &law(rate, key)[..]].concat();
        self.launch(DROPOUT, "row_keep_mask", Grid::over(n), &arguments)?;
        Ok(out)
    }
}

/// Whose draws decide, below what an element is dropped, and what others are multiplied with.
fn law(rate: f64, key: Key) -> [Arg<'static>; 3] {
    let scale = (1.0 / (1.0 - rate)) as f32;
    [Arg::Long(key.bits64()), Arg::Unsigned(Key::drop_threshold(rate)), scale.into()]
}
