//! Softmax and its logarithm along the last axis, a row at a time.

use super::reduce::{team, teams};
use super::sources::{SOFTMAX, Source};
use super::{Arg, Cuda};
use crate::array::Array;
use elman::backend::check;
use elman::{Error, Result};

impl Cuda {
    pub(crate) fn softmax(&self, x: &Array) -> Result<Array> {
        self.by_row(SOFTMAX, "softmax", &[x], &[])
    }

    pub(crate) fn log_softmax(&self, x: &Array) -> Result<Array> {
        self.by_row(SOFTMAX, "log_softmax", &[x], &[])
    }

    pub(crate) fn softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        check::same_shape("softmax_grad", y.shape(), dy.shape())?;
        self.by_row(SOFTMAX, "softmax_grad", &[y, dy], &[])
    }

    pub(crate) fn log_softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        check::same_shape("log_softmax_grad", y.shape(), dy.shape())?;
        self.by_row(SOFTMAX, "log_softmax_grad", &[y, dy], &[])
    }

    /// Calls a kernel with the operands, the first of which gives rows and the shape of the result, the result, the number of
    /// rows, their width, the size of a row's team, and `rest`.
    pub(super) fn by_row(
        &self,
        source: Source,
        kernel: &'static str,
        operands: &[&Array],
        rest: &[Arg<'_>],
    ) -> Result<Array> {
        let shape = operands[0].shape();
        let axis = shape.rank().checked_sub(1);
        check::max(kernel, shape, axis.ok_or_else(|| Error::invalid(kernel, "an axis to work along", "a scalar"))?)?;
        let out = self.fresh(kernel, shape)?;
        if shape.elements() == 0 {
            return Ok(out);
        }
        let operands = operands.iter().map(|x| self.packed(x)).collect::<Result<Vec<_>>>()?;
        let mut arguments = operands.iter().map(|x| self.floats(x)).collect::<Result<Vec<_>>>()?;
        let (rows, width, size) = (shape.rows(), shape.last(), team(shape.last()));
        arguments.extend([self.floats(&out)?, rows.into(), width.into(), size.into()]);
        arguments.extend(rest);
        self.launch(source, kernel, teams(rows, size), &arguments)?;
        Ok(out)
    }
}
